"""StatefulSets: pods with names that stay, made and replaced one after the other.

Follows `pkg/controller/statefulset/stateful_set_control.go`: up from the first ordinal, each when the one
before it is ready; down, and through an update, from the last.
"""

from collections.abc import Iterable
from typing import Any, Final

from emulator.cluster.controllers.controller_revisions import REVISION_LABEL, History, template_of
from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.pod_control import claim_pods, create_pod, delete_pod
from emulator.cluster.controllers.rollouts import replicas_of
from emulator.cluster.controllers.stateful_pods import claims_of, new_pod, ordinal_of, start_of
from emulator.cluster.owners import controllers_named, is_orphan
from emulator.cluster.pods import is_available, is_ready, is_terminated, phase, seconds_to_available
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of
from emulator.cluster.writes import defaults

_COMPONENT: Final = "statefulset-controller"


class StatefulSets:
    """The controller of StatefulSets."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["statefulsets.apps"]
        self._pods = resources["pods"]
        self._claims = resources["persistentvolumeclaims"]
        self._revisions = resources["controllerrevisions.apps"]
        label = "controller.kubernetes.io/hash"
        self._history = History(store, resources, indexes, self._resource, label)

    def concerned(self, event: Event) -> Iterable[Key]:
        """The set itself, that of a pod, or the one that an orphan pod's name may belong to."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        if event.resource.key != self._pods.key:
            return ()
        named = controllers_named(event, self._resource.kind)
        if is_orphan(event) and ordinal_of(event.object) >= 0:
            named.append((event.key[0], event.key[1].rpartition("-")[0]))
        return named

    def reconcile(self, key: Key) -> float | None:
        """Make or delete the pods whose turn it is."""
        found = self._store.find(self._resource, *key)
        if found is None:
            return None
        pods = claim_pods(self._store, self._resources, self._indexes, self._resource, found)
        update = self._history.present(found)
        current = self._current(found, update)
        step = _Step(self, found, current, update, pods)
        if not is_terminating(found):
            step.take()
        pods = self._indexes.controlled(self._pods, found)
        live = {current["metadata"]["name"], update["metadata"]["name"], *map(_revision_of, pods)}
        self._history.forget(found, live)
        return self._report(found, pods, current, update)

    def _current(self, stateful_set: Object, update: Object) -> Object:
        """The revision that is being left; that of the template once all pods have it."""
        name = (stateful_set.get("status") or {}).get("currentRevision", "")
        found = self._store.find(self._revisions, stateful_set["metadata"]["namespace"], name)
        return found or update

    def create(self, stateful_set: Object, revision: Object, ordinal: int) -> None:
        """Make a pod and the claims that it has not got yet."""
        template, name = template_of(revision), revision["metadata"]["name"]
        pod = new_pod(self._resource, stateful_set, template, name, ordinal)
        self.create_claims(stateful_set, pod["metadata"]["name"])
        create_pod(self._store, self._resources, pod)
        self._tell(stateful_set, "SuccessfulCreate", f"create Pod {pod['metadata']['name']} in", "successful")

    def create_claims(self, stateful_set: Object, pod_name: str) -> None:
        """Make the claims of a pod that are missing."""
        for claim in claims_of(self._resource, stateful_set, pod_name):
            if self._store.find(self._claims, *key_of(claim)) is None:
                self._store.create(self._claims, defaults.apply(self._claims, claim))
                what = f"create Claim {claim['metadata']['name']} Pod {pod_name} in"
                self._tell(stateful_set, "SuccessfulCreate", what, "success")

    def delete(self, stateful_set: Object, pod: Object) -> None:
        """Delete a pod whose turn it is."""
        delete_pod(self._store, self._resources, pod)
        self._tell(stateful_set, "SuccessfulDelete", f"delete Pod {pod['metadata']['name']} in", "successful")

    def replace(self, stateful_set: Object, pod: Object) -> None:
        """Remove a pod that has ended, to make it anew."""
        failed = phase(pod) == "Failed"
        metadata = stateful_set["metadata"]
        message = (
            f"StatefulSet {metadata['namespace']}/{metadata['name']} is recreating "
            f"{'failed' if failed else 'terminated'} Pod {pod['metadata']['name']}"
        )
        reason = "RecreatingFailedPod" if failed else "RecreatingTerminatedPod"
        record(
            *(self._store, self._resources, stateful_set),
            *(WARNING if failed else NORMAL, reason, message, _COMPONENT),
        )
        delete_pod(self._store, self._resources, pod)

    def is_available(self, stateful_set: Object, pod: Object) -> bool:
        """Whether the next pod may follow this one."""
        minimum = stateful_set["spec"].get("minReadySeconds", 0)
        return _runs(pod) and is_available(pod, minimum, self._store.clock())

    def _tell(self, stateful_set: Object, reason: str, what: str, how: str) -> None:
        message = f"{what} StatefulSet {stateful_set['metadata']['name']} {how}"
        record(self._store, self._resources, stateful_set, NORMAL, reason, message, _COMPONENT)

    def _report(
        self, stateful_set: Object, pods: list[Object], current: Object, update: Object
    ) -> float | None:
        present = self._store.find(self._resource, *key_of(stateful_set))
        if present is None:
            return None
        spec, before = present["spec"], present.get("status") or {}
        now = self._store.clock()
        current_name, update_name = current["metadata"]["name"], update["metadata"]["name"]
        lasting = [pod for pod in pods if not is_terminating(pod)]
        ready = [pod for pod in pods if _runs(pod)]
        waits = [seconds_to_available(pod, spec.get("minReadySeconds", 0), now) for pod in ready]
        updated = sum(_revision_of(pod) == update_name for pod in lasting)
        status: dict[str, Any] = {
            "observedGeneration": present["metadata"]["generation"],
            "replicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": waits.count(0),
            "currentReplicas": sum(_revision_of(pod) == current_name for pod in lasting),
            "updatedReplicas": updated,
            "currentRevision": current_name,
            "updateRevision": update_name,
            "collisionCount": before.get("collisionCount", 0),
        }
        rolls = (spec.get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        if rolls and updated == len(pods) == len(ready) == replicas_of(present):
            status |= {"currentRevision": update_name, "currentReplicas": updated}
        optional = ("readyReplicas", "currentReplicas", "updatedReplicas")
        status = {name: value for name, value in status.items() if value or name not in optional}
        if status != before:
            self._store.update(self._resource, {**present, "status": status})
        return min((wait for wait in waits if wait), default=None)


class _Step:
    """What one look at a StatefulSet does to its pods."""

    def __init__(
        self, control: StatefulSets, stateful_set: Object, current: Object, update: Object, pods: list[Object]
    ) -> None:
        self._control = control
        self._set = stateful_set
        self._current = current
        self._update = update
        self._by_ordinal = {ordinal_of(pod): pod for pod in pods}
        first = start_of(stateful_set)
        self._wanted = range(first, first + replicas_of(stateful_set))
        self._ordered = stateful_set["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        strategy = stateful_set["spec"].get("updateStrategy") or {}
        self._rolls = strategy.get("type", "RollingUpdate") == "RollingUpdate"
        rolling = strategy.get("rollingUpdate") or {}
        self._first_updated = first + (rolling.get("partition") or 0)

    def take(self) -> None:
        """Fill up, then take away what is too much, then update, each only when the one before is done."""
        if self._fill() and self._take_away() and self._rolls:
            self._roll()

    def _fill(self) -> bool:
        """Make the pods that are missing; whether what comes after may go on."""
        for ordinal in self._wanted:
            pod = self._by_ordinal.get(ordinal)
            if pod is not None and is_terminated(pod) and not is_terminating(pod):
                self._control.replace(self._set, pod)
                pod = None
            if pod is None:
                self._control.create(self._set, self._revision_for(ordinal), ordinal)
                if self._ordered:
                    return False
            elif is_terminating(pod) or not self._control.is_available(self._set, pod):
                self._control.create_claims(self._set, pod["metadata"]["name"])
                if self._ordered:
                    return False
        return True

    def _revision_for(self, ordinal: int) -> Object:
        """Pods below the partition are made of the revision that is being left."""
        return self._current if self._rolls and ordinal < self._first_updated else self._update

    def _take_away(self) -> bool:
        superfluous = [n for n in sorted(self._by_ordinal, reverse=True) if n not in self._wanted]
        unhealthy = [n for n in superfluous if not _is_healthy(self._by_ordinal[n])]
        for ordinal in superfluous:
            pod = self._by_ordinal[ordinal]
            if is_terminating(pod):
                if self._ordered:
                    return False
                continue
            # One that is not healthy must not keep others from being deleted for ever.
            if self._ordered and not _is_healthy(pod) and ordinal != unhealthy[-1]:
                return False
            self._control.delete(self._set, pod)
            if self._ordered:
                return False
        return True

    def _roll(self) -> None:
        wanted = self._update["metadata"]["name"]
        for ordinal in reversed(self._wanted):
            pod = self._by_ordinal.get(ordinal)
            if ordinal < self._first_updated or pod is None:
                return
            if _revision_of(pod) != wanted and not is_terminating(pod):
                self._control.delete(self._set, pod)
                return
            if is_terminating(pod) or not self._control.is_available(self._set, pod):
                return


def _runs(pod: Object) -> bool:
    return phase(pod) == "Running" and is_ready(pod)


def _is_healthy(pod: Object) -> bool:
    return _runs(pod) and not is_terminating(pod)


def _revision_of(pod: Object) -> str:
    return (pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "")
