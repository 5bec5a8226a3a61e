"""GPUs appear on a node as the NVIDIA device plugin makes them appear: when it runs there, with its time slices.

The plugin itself is a placeholder here. Its configuration
(https://github.com/NVIDIA/k8s-device-plugin#configuration-option-details) is read from the ConfigMap that its
pod mounts.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.fit import GPU
from emulator.cluster.scheduling.machines import gpus_of, with_gpus
from emulator.cluster.store import Event, Key, Object, Store, key_of

_IMAGE: Final = "k8s-device-plugin"


class DevicePlugins:
    """Keeps `nvidia.com/gpu` of each node in step with the device plugin's pod there."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._nodes = resources["nodes"]
        self._pods = resources["pods"]
        self._config_maps = resources["configmaps"]
        self._plugins: dict[str, Key] = {}
        """The plugin's pod by the name of its node."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The node; the node of a plugin's pod; all with plugins, when a ConfigMap changes."""
        key = event.resource.key
        if key == self._nodes.key and event.type != "DELETED":
            return (event.key,)
        if key == self._pods.key and _is_plugin(event.object):
            node = event.object["spec"].get("nodeName")
            if node:
                self._remember(event, node)
                return (("", node),)
        if key == self._config_maps.key:
            namespace = event.key[0]
            return [("", node) for node, pod in self._plugins.items() if pod[0] == namespace]
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Advertise the GPUs of one node."""
        node = self._store.find(self._nodes, *key)
        if node is None:
            return None
        status = node.get("status") or {}
        present = (status.get("allocatable") or {}).get(GPU)
        plugin = self._plugins.get(key[1])
        pod = self._store.find(self._pods, *plugin) if plugin else None
        running = pod is not None and (pod.get("status") or {}).get("phase") == "Running"
        if pod is None and present is None:
            return None
        gpus = gpus_of(node) * self._slices(pod) if pod is not None and running else 0
        if present != str(gpus) and (gpus or present is not None):
            self._store.update(self._nodes, {**node, "status": with_gpus(status, gpus)})
        return None

    def _remember(self, event: Event, node: str) -> None:
        if event.type != "DELETED":
            self._plugins[node] = event.key
        elif self._plugins.get(node) == event.key:
            del self._plugins[node]

    def _slices(self, pod: Object) -> int:
        """How many pods share one GPU; 1 unless the configuration says otherwise."""
        for text in self._configurations(pod):
            try:
                configuration = YAML(typ="safe", pure=True).load(text)
                shared = configuration["sharing"]["timeSlicing"]["resources"]
                return next((int(each["replicas"]) for each in shared if each["name"] == GPU), 1)
            except (YAMLError, KeyError, TypeError, ValueError):
                continue
        return 1

    def _configurations(self, pod: Object) -> Iterator[str]:
        for volume in pod["spec"].get("volumes") or ():
            name = (volume.get("configMap") or {}).get("name")
            found = self._store.find(self._config_maps, key_of(pod)[0], name) if name else None
            data: dict[str, Any] = (found or {}).get("data") or {}
            yield from data.values()


def _is_plugin(pod: Object) -> bool:
    images = (each.get("image") or "" for each in pod["spec"].get("containers") or ())
    return any(_IMAGE in image.rpartition("/")[2] for image in images)
