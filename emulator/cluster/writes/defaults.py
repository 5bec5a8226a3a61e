"""What the API server fills in: the `defaults.go` of each API group, and what its strategies set on creation.

`apply` is idempotent, and also for what controllers create: pods made from a template that was defaulted
before still lack what only pods get.
"""

import base64
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from emulator.cluster.admission.structure import Structure
from emulator.cluster.resources import Resource
from emulator.cluster.store import Object, copy_of
from emulator.cluster.writes.pod_defaults import apply_to_pod, apply_to_template


def apply(resource: Resource, obj: Object) -> Object:
    """Return a built-in object with its defaults."""
    obj = copy_of(obj)
    default = _DEFAULTS.get(resource.qualified)
    if default is not None:
        default(obj)
    return obj


def apply_schema_defaults(structure: Structure, obj: Any) -> None:
    """Fill in, in place, the defaults that the structural schema of a custom resource gives."""
    if isinstance(obj, dict):
        for name, schema in structure.properties.items():
            if name not in obj and isinstance(schema, Mapping) and "default" in schema:
                obj[name] = copy_of({"": schema["default"]})[""]
        for name, value in obj.items():
            inner = structure.field(name)
            if inner is not None and inner.custom:
                apply_schema_defaults(inner, value)
    elif isinstance(obj, list) and structure.item is not None:
        for item in obj:
            apply_schema_defaults(structure.item, item)


def _spec(obj: Object) -> dict[str, Any]:
    spec: dict[str, Any] = obj.setdefault("spec", {})
    return spec


def _fill(target: dict[str, Any], **values: Any) -> None:
    for name, value in values.items():
        target.setdefault(name, value)


def _deployment(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    _templates(spec)


def _replica_set(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1)
    _templates(spec)


def _replication_controller(obj: Object) -> None:
    _replica_set(obj)
    spec = _spec(obj)
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels")
    if labels:
        _fill(spec, selector=dict(labels))


def _stateful_set(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    _fill(spec.setdefault("persistentVolumeClaimRetentionPolicy", {}), whenDeleted="Retain")
    _fill(spec["persistentVolumeClaimRetentionPolicy"], whenScaled="Retain")
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), partition=0)
    _templates(spec)
    for claim in spec.get("volumeClaimTemplates") or ():
        _fill(claim, apiVersion="v1", kind="PersistentVolumeClaim")
        _claim(claim)


def _daemon_set(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        _fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)
    _templates(spec)


def _templates(spec: dict[str, Any]) -> None:
    if spec.get("template") is not None:
        apply_to_template(spec["template"])


def _job(obj: Object) -> None:
    spec = _spec(obj)
    _job_spec(spec)
    if spec.get("completions") is None and spec.get("parallelism") is None:
        spec["completions"] = 1
    _fill(spec, parallelism=1)
    if not spec.get("manualSelector") and spec.get("template") is not None:
        _select_own_pods(obj, spec)


def _select_own_pods(obj: Object, spec: dict[str, Any]) -> None:
    """Label the pods of a Job by its uid, which the job therefore gets here, and select by that."""
    uid = obj["metadata"].setdefault("uid", str(uuid.uuid4()))
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    name = obj["metadata"].get("name", "")
    labels |= {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    _fill(spec, selector={"matchLabels": {"batch.kubernetes.io/controller-uid": uid}})


def _job_spec(spec: dict[str, Any]) -> None:
    _fill(spec, completionMode="NonIndexed", suspend=False, podReplacementPolicy="TerminatingOrFailed")
    _fill(spec, backoffLimit=2**31 - 1 if "backoffLimitPerIndex" in spec else 6)
    _templates(spec)


def _cron_job(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, concurrencyPolicy="Allow", suspend=False)
    _fill(spec, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    job = (spec.get("jobTemplate") or {}).get("spec")
    if job is not None:
        _templates(job)


def _service(obj: Object) -> None:
    spec = _spec(obj)
    kind = spec.setdefault("type", "ClusterIP")
    if spec.setdefault("sessionAffinity", "None") == "ClientIP":
        client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
        _fill(client, timeoutSeconds=10800)
    for port in spec.get("ports") or ():
        _fill(port, protocol="TCP", targetPort=port.get("port"))
    if kind != "ExternalName":
        _fill(spec, internalTrafficPolicy="Cluster", ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    if kind in {"NodePort", "LoadBalancer"}:
        _fill(spec, externalTrafficPolicy="Cluster")
    if kind == "LoadBalancer":
        _fill(spec, allocateLoadBalancerNodePorts=True)
    if spec.get("clusterIP"):
        _fill(spec, clusterIPs=[spec["clusterIP"]])
    obj.setdefault("status", {}).setdefault("loadBalancer", {})


def _disruption_budget(obj: Object) -> None:
    spec = _spec(obj)
    if "maxUnavailable" not in spec:
        _fill(spec, minAvailable=1)


def _autoscaler(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, minReplicas=1)
    if not spec.get("metrics"):
        target = {"type": "Utilization", "averageUtilization": 80}
        spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    behavior = spec.get("behavior")
    if behavior is not None:
        up = [{"type": "Pods", "value": 4, "periodSeconds": 15}]
        up.append({"type": "Percent", "value": 100, "periodSeconds": 15})
        rules = behavior.setdefault("scaleUp", {})
        _fill(rules, stabilizationWindowSeconds=0, selectPolicy="Max", policies=up)
        down = [{"type": "Percent", "value": 100, "periodSeconds": 15}]
        _fill(behavior.setdefault("scaleDown", {}), selectPolicy="Max", policies=down)


def _secret(obj: Object) -> None:
    _fill(obj, type="Opaque")
    texts = obj.pop("stringData", None) or {}
    if texts:
        data = obj["data"] = obj.get("data") or {}
        data |= {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}


def _namespace(obj: Object) -> None:
    if obj["metadata"].get("name"):
        labels = obj["metadata"].setdefault("labels", {})
        labels["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
    _fill(_spec(obj), finalizers=["kubernetes"])
    _fill(obj.setdefault("status", {}), phase="Active")


def _claim(obj: Object) -> None:
    _fill(_spec(obj), volumeMode="Filesystem")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _volume(obj: Object) -> None:
    _fill(_spec(obj), volumeMode="Filesystem", persistentVolumeReclaimPolicy="Retain")
    _fill(obj.setdefault("status", {}), phase="Pending")


def _storage_class(obj: Object) -> None:
    _fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


def _network_policy(obj: Object) -> None:
    spec = _spec(obj)
    spec.setdefault("podSelector", {})
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]
    for rule in [*(spec.get("ingress") or ()), *(spec.get("egress") or ())]:
        for port in rule.get("ports") or ():
            _fill(port, protocol="TCP")


def _role_binding(obj: Object) -> None:
    reference = obj.get("roleRef")
    if reference is not None:
        _fill(reference, apiGroup="rbac.authorization.k8s.io")
    for subject in obj.get("subjects") or ():
        account = subject.get("kind") == "ServiceAccount"
        _fill(subject, apiGroup="" if account else "rbac.authorization.k8s.io")
        if account:
            subject.pop("apiGroup")


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        for port in subset.get("ports") or ():
            _fill(port, protocol="TCP")


def _endpoint_slice(obj: Object) -> None:
    for port in obj.get("ports") or ():
        _fill(port, protocol="TCP", name="")


def _priority_class(obj: Object) -> None:
    _fill(obj, preemptionPolicy="PreemptLowerPriority")


def _csi_driver(obj: Object) -> None:
    spec = _spec(obj)
    _fill(spec, attachRequired=True, podInfoOnMount=False, storageCapacity=False)
    _fill(spec, fsGroupPolicy="ReadWriteOnceWithFSType", volumeLifecycleModes=["Persistent"])
    _fill(spec, requiresRepublish=False, seLinuxMount=False)


def _node(obj: Object) -> None:
    _spec(obj)
    obj.setdefault("status", {})


def _definition(obj: Object) -> None:
    spec = _spec(obj)
    names = spec.setdefault("names", {})
    if names.get("kind"):
        _fill(names, singular=names["kind"].lower(), listKind=f"{names['kind']}List")
    _fill(spec.setdefault("conversion", {}), strategy="None")


_DEFAULTS: Final[Mapping[str, Callable[[Object], None]]] = {
    "pods": apply_to_pod,
    "podtemplates": lambda obj: apply_to_template(obj.setdefault("template", {})),
    "services": _service,
    "secrets": _secret,
    "namespaces": _namespace,
    "nodes": _node,
    "endpoints": _endpoints,
    "persistentvolumes": _volume,
    "persistentvolumeclaims": _claim,
    "replicationcontrollers": _replication_controller,
    "deployments.apps": _deployment,
    "replicasets.apps": _replica_set,
    "statefulsets.apps": _stateful_set,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "poddisruptionbudgets.policy": _disruption_budget,
    "endpointslices.discovery.k8s.io": _endpoint_slice,
    "networkpolicies.networking.k8s.io": _network_policy,
    "priorityclasses.scheduling.k8s.io": _priority_class,
    "storageclasses.storage.k8s.io": _storage_class,
    "csidrivers.storage.k8s.io": _csi_driver,
    "rolebindings.rbac.authorization.k8s.io": _role_binding,
    "clusterrolebindings.rbac.authorization.k8s.io": _role_binding,
    "customresourcedefinitions.apiextensions.k8s.io": _definition,
}
