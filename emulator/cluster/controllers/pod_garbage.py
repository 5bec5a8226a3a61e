"""Pods that nobody would ever remove: those on nodes that are gone, and too many that have ended.

Follows `pkg/controller/podgc`.
"""

from collections.abc import Iterable
from typing import Final

from emulator.cluster.controllers.pod_control import mark_disrupted
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating

_QUARANTINE_SECONDS: Final = 40.0
"""A node may be gone only for a moment."""
_ENDED_KEPT: Final = 500
_ENDED: Final[Key] = ("ended", "")
_NODE: Final = "node"


class PodGarbage:
    """The controller of what is left of pods."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._pods = resources["pods"]
        self._nodes = resources["nodes"]
        self._on_node: dict[str, dict[Key, None]] = {}
        self._ended: dict[Key, None] = {}
        """In the order in which they ended."""
        self._gone_since: dict[str, float] = {}
        """Nodes that are gone, and since when, by the store's clock in seconds."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The node of a pod that is not there, and all pods that have ended when they are too many."""
        if event.resource.key == self._nodes.key:
            return ((_NODE, event.key[1]),)
        if event.resource.key != self._pods.key:
            return ()
        key = event.key
        if event.before is not None:
            self._on_node.get(_node_of(event.before), {}).pop(key, None)
        if event.type == "DELETED":
            self._ended.pop(key, None)
            return ()
        node = _node_of(event.object)
        self._on_node.setdefault(node, {})[key] = None
        if is_terminated(event.object):
            self._ended.setdefault(key)
        keys: list[Key] = [_ENDED] if len(self._ended) > _ENDED_KEPT else []
        if node and self._store.find(self._nodes, "", node) is None:
            keys.append((_NODE, node))
        return keys

    def reconcile(self, key: Key) -> float | None:
        """Remove the pods of a node that stays away, or the oldest that have ended."""
        if key == _ENDED:
            for place in tuple(self._ended)[: max(0, len(self._ended) - _ENDED_KEPT)]:
                if self._store.find(self._pods, *place) is not None:
                    self._store.delete(self._pods, *place)
            return None
        node = key[1]
        if self._store.find(self._nodes, "", node) is not None:
            self._gone_since.pop(node, None)
            return None
        now = self._store.clock().timestamp()
        left = self._gone_since.setdefault(node, now) + _QUARANTINE_SECONDS - now
        if left > 0:
            return left
        for place in tuple(self._on_node.get(node, ())):
            self._remove(place)
        if not self._on_node.get(node):
            self._on_node.pop(node, None)
            self._gone_since.pop(node, None)
        return None

    def _remove(self, place: Key) -> None:
        pod = self._store.find(self._pods, *place)
        if pod is None:
            return
        if not is_terminated(pod):
            why = "PodGC: node no longer exists"
            pod = mark_disrupted(self._store, self._resources, pod, "DeletionByPodGC", why)
            pod = self._store.update(self._pods, {**pod, "status": {**pod["status"], "phase": "Failed"}})
        if not is_terminating(pod) or pod["metadata"].get("deletionGracePeriodSeconds"):
            self._store.delete(self._pods, *place, 0)


def _node_of(pod: Object) -> str:
    return pod["spec"].get("nodeName") or ""
