"""ReplicaSets: as many pods of a template as are asked for.

Follows `pkg/controller/replicaset` of Kubernetes, less its expectations: here the store is never stale.
"""

from collections.abc import Iterable
from typing import Final

from emulator.cluster.conditions import conditions_of, with_condition, without
from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.indexes import Indexes, has_labels
from emulator.cluster.controllers.pod_control import (
    claim_pods,
    create_pod,
    delete_pod,
    deletion_order,
    pod_of_template,
)
from emulator.cluster.owners import controlled_by, controller_of, controllers_named, is_orphan
from emulator.cluster.pods import is_active, is_ready, seconds_to_available
from emulator.cluster.resources import Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of

_COMPONENT: Final = "replicaset-controller"
_BURST: Final = 500
"""Pods made or deleted at one look."""


class ReplicaSets:
    """The controller of ReplicaSets."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["replicasets.apps"]
        self._pods = resources["pods"]

    def concerned(self, event: Event) -> Iterable[Key]:
        """The set itself, that of a pod, or those that may adopt a pod."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        if event.resource.key != self._pods.key:
            return ()
        adopters = self._adopters(event.key[0], event.object) if is_orphan(event) else ()
        return [*controllers_named(event, self._resource.kind), *adopters]

    def _adopters(self, namespace: str, pod: Object) -> Iterable[Key]:
        for replica_set in self._indexes.in_namespace(self._resource, namespace):
            selector = LabelSelector.of(replica_set["spec"].get("selector"))
            if selector.matches(pod["metadata"].get("labels")):
                yield namespace, replica_set["metadata"]["name"]

    def reconcile(self, key: Key) -> float | None:
        """Create or delete pods, and say how many there are."""
        replica_set = self._store.find(self._resource, *key)
        if replica_set is None:
            return None
        claimed = claim_pods(self._store, self._resources, self._indexes, self._resource, replica_set)
        pods = [pod for pod in claimed if is_active(pod)]
        failure = None if is_terminating(replica_set) else self._scale(replica_set, pods)
        pods = [pod for pod in self._indexes.controlled(self._pods, replica_set) if is_active(pod)]
        return self._report(replica_set, pods, failure)

    def _scale(self, replica_set: Object, pods: list[Object]) -> tuple[str, str] | None:
        """Create or delete; returns the reason and message of what could not be done."""
        missing = replica_set["spec"].get("replicas", 1) - len(pods)
        for _ in range(min(missing, _BURST)):
            try:
                self._create(replica_set)
            except ApiError as refusal:
                message = f"Error creating: {refusal.message}"
                record(
                    *(self._store, self._resources, replica_set, WARNING),
                    *("FailedCreate", message, _COMPONENT),
                )
                return "FailedCreate", refusal.message
        if missing < 0:
            for pod in deletion_order(pods, self._related(replica_set))[: min(-missing, _BURST)]:
                delete_pod(self._store, self._resources, pod)
                self._tell(replica_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")
        return None

    def _create(self, replica_set: Object) -> None:
        metadata = replica_set["metadata"]
        pod = pod_of_template(
            replica_set["spec"]["template"],
            metadata["namespace"],
            controlled_by(self._resource, replica_set),
            generateName=f"{metadata['name']}-",
        )
        created = create_pod(self._store, self._resources, pod)
        self._tell(replica_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _related(self, replica_set: Object) -> list[Object]:
        """The active pods of all sets of the same owner, which is a Deployment's rollout."""
        owner = controller_of(replica_set)
        sets = [obj for _, obj in self._indexes.dependents(owner["uid"])] if owner else [replica_set]
        pods = [pod for each in sets for pod in self._indexes.controlled(self._pods, each)]
        return [pod for pod in pods if is_active(pod)]

    def _tell(self, replica_set: Object, reason: str, message: str) -> None:
        record(self._store, self._resources, replica_set, NORMAL, reason, message, _COMPONENT)

    def _report(
        self, replica_set: Object, pods: list[Object], failure: tuple[str, str] | None
    ) -> float | None:
        now = self._store.clock()
        spec, status = replica_set["spec"], replica_set.get("status") or {}
        labels = (spec["template"].get("metadata") or {}).get("labels") or {}
        waits = [seconds_to_available(pod, spec.get("minReadySeconds", 0), now) for pod in pods]
        conditions = conditions_of(replica_set)
        if failure is not None:
            conditions = with_condition(conditions, "ReplicaFailure", ("True", *failure), now)
        else:
            conditions = without(conditions, "ReplicaFailure")
        counts = {
            "fullyLabeledReplicas": sum(has_labels(pod, labels) for pod in pods),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": waits.count(0),
        }
        new = {
            "replicas": len(pods),
            **{name: count for name, count in counts.items() if count},
            "observedGeneration": replica_set["metadata"]["generation"],
            **({"conditions": conditions} if conditions else {}),
        }
        if new != status and self._store.find(self._resource, *key_of(replica_set)) is not None:
            self._store.update(self._resource, {**replica_set, "status": new})
        later = [wait for wait in waits if wait]
        unfinished = spec.get("replicas", 1) != len(pods) and not is_terminating(replica_set)
        return min([*later, *([1.0] if unfinished else [])], default=None)
