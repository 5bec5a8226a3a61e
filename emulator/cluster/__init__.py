"""The emulated EKS cluster: a Kubernetes API, its controllers, a scheduler, and pods that are processes.

`cluster` puts the parts together, `__main__` is the process that runs one of them. A request takes this way:

- `api`: the HTTP server, from discovery to watches;
- `writes`: what becomes of an object before it is stored (patches, defaults, validation, managed fields);
- `admission`: the schemas and rules that it is validated by, which the rehearsal uses too;
- `store`: the objects, their versions and the news of every change.

Who hears of changes and makes further ones:

- `controllers`: Deployments, Jobs, Services' endpoints, garbage collection, ...;
- `scheduling`: which node a pod goes to, and nodes made for those that fit nowhere;
- `kubelet`: containers as processes, with their probes, volumes and logs;
- `proxy`: Services as addresses that balance over ready pods.

The shared vocabulary is in modules of this folder: `resources` (what kinds there are), `status` (refusals),
`names`, `selectors`, `quantities`; `conditions`, `owners` and `pods` read what objects say. `addresses`,
`settings` and `snapshot` are the process's own; `client` is for those outside of it.
"""
