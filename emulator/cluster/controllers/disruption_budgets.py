"""PodDisruptionBudgets: how many of their pods are healthy, and how many may be evicted.

Follows `pkg/controller/disruption`: percentages are of the scale that the pods' owners ask for, not of the
pods that happen to be there.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from emulator.cluster.conditions import with_condition
from emulator.cluster.controllers.disruption import ALLOWED, allowed_condition
from emulator.cluster.controllers.events import WARNING, record
from emulator.cluster.controllers.indexes import Indexes, SelectorIndex
from emulator.cluster.controllers.percentages import scaled
from emulator.cluster.controllers.rollouts import replicas_of
from emulator.cluster.owners import controller_of
from emulator.cluster.pods import is_ready
from emulator.cluster.resources import Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Event, Key, Object, Store, is_terminating

_COMPONENT: Final = "controllermanager"
_CONFIRMATION: Final = timedelta(minutes=2)
"""How long a pod that was evicted may take to be marked as deleted."""


class _SyncError(Exception):
    """The number of pods cannot be known."""


class DisruptionBudgets:
    """The controller of PodDisruptionBudgets."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["poddisruptionbudgets.policy"]
        self._pods = resources["pods"]
        self._owners = {
            resources[name].key for name in ("deployments.apps", "replicasets.apps", "statefulsets.apps")
        }
        self._selecting = SelectorIndex()

    def concerned(self, event: Event) -> Iterable[Key]:
        """The budget itself, those of a pod, and those of the pods of what is scaled."""
        if event.resource.key == self._resource.key:
            if event.type == "DELETED":
                self._selecting.remove(event.key)
            else:
                selector = event.object["spec"].get("selector") or {}
                self._selecting.put(event.key, selector.get("matchLabels") or {})
            return (event.key,)
        if event.resource.key == self._pods.key:
            pods = [pod for pod in (event.before, event.object) if pod is not None]
            return [key for pod in pods for key in self._selecting.candidates(pod)]
        if event.resource.key in self._owners and event.before is not None:
            if replicas_of(event.before) == replicas_of(event.object):
                return ()
            return self._selecting.candidates(
                {
                    "metadata": {
                        **event.object["spec"]["template"]["metadata"],
                        "namespace": event.key[0],
                        "name": "",
                    }
                }
            )
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Count, and write the status."""
        budget = self._store.find(self._resource, *key)
        if budget is None:
            return None
        selector = budget["spec"].get("selector")
        matcher = LabelSelector.of(selector)
        wanted = (selector or {}).get("matchLabels") or {}
        pods = [
            pod
            for pod in self._indexes.pods_with(key[0], wanted)
            if matcher.matches(pod["metadata"].get("labels"))
        ]
        now = self._store.clock()
        try:
            expected, desired = self._wanted(budget, pods)
        except _SyncError as failure:
            self._fail(budget, str(failure), now)
            return None
        unconfirmed, again = self._unconfirmed(budget, pods, now)
        healthy = sum(
            is_ready(pod) and not is_terminating(pod) and pod["metadata"]["name"] not in unconfirmed
            for pod in pods
        )
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status: dict[str, Any] = {
            "conditions": (budget.get("status") or {}).get("conditions") or [],
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            **({"disruptedPods": unconfirmed} if unconfirmed else {}),
            "expectedPods": expected,
            "observedGeneration": budget["metadata"]["generation"],
        }
        status["conditions"] = allowed_condition(status, budget, now)
        self._store.update(self._resource, {**budget, "status": status})
        return again

    def _wanted(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many must be healthy."""
        spec = budget["spec"]
        if spec.get("maxUnavailable") is not None:
            expected = self._scale(budget, pods)
            return expected, max(0, expected - scaled(spec["maxUnavailable"], expected, round_up=True))
        minimum = spec.get("minAvailable")
        expected = self._scale(budget, pods) if isinstance(minimum, str) else len(pods)
        return expected, scaled(minimum, expected, round_up=True)

    def _scale(self, budget: Object, pods: list[Object]) -> int:
        """The sum of what the pods' owners ask for."""
        owners: dict[str, int] = {}
        unmanaged: list[str] = []
        for pod in pods:
            reference = controller_of(pod)
            if reference is None:
                unmanaged.append(pod["metadata"]["name"])
            elif reference["uid"] not in owners:
                uid, replicas = self._owner(pod, reference)
                owners[uid] = replicas
        if unmanaged:
            message = (
                f"Pods selected by this PodDisruptionBudget (selector: {_text(budget)}) were found to be "
                f"unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may "
                f"result in undefined behavior. To account for these pods please set "
                f'".spec.minAvailable" field of the PDB to an integer value.'
            )
            record(
                *(self._store, self._resources, budget, WARNING),
                *("UnmanagedPods", message, _COMPONENT),
            )
        return sum(owners.values())

    def _owner(self, pod: Object, reference: dict[str, Any]) -> tuple[str, int]:
        """The uid and the replicas of who decides how many of the pod there are."""
        resource = self._resources.of_kind(reference["apiVersion"], reference["kind"])
        if resource is None or "scale" not in resource.subresources:
            what = resource.qualified if resource else f"{reference['kind']} of {reference['apiVersion']}"
            raise _SyncError(f"{what} does not implement the scale subresource")
        found = self._indexes.of_uid(reference["uid"])
        if found is None:
            raise _SyncError(f'found no controllers for pod "{pod["metadata"]["name"]}"')
        owner = found[1]
        above = controller_of(owner)
        deployment = self._indexes.of_uid(above["uid"]) if above and above["kind"] == "Deployment" else None
        decider = deployment[1] if deployment else owner
        return decider["metadata"]["uid"], replicas_of(decider)

    def _unconfirmed(
        self, budget: Object, pods: list[Object], now: datetime
    ) -> tuple[dict[str, str], float | None]:
        """The pods that were evicted and are not yet marked, and when the first should have been."""
        there = {pod["metadata"]["name"] for pod in pods if not is_terminating(pod)}
        kept: dict[str, str] = {}
        waits: list[float] = []
        for name, since in ((budget.get("status") or {}).get("disruptedPods") or {}).items():
            left = (datetime.fromisoformat(since) + _CONFIRMATION - now).total_seconds()
            if name not in there:
                continue
            if left > 0:
                kept[name] = since
                waits.append(left)
            else:
                namespace = budget["metadata"]["namespace"]
                pod = self._store.get(self._pods, namespace, name)
                by = f"{namespace}/{budget['metadata']['name']}"
                message = f"Pod was expected by PDB {by} to be deleted but it wasn't"
                record(self._store, self._resources, pod, WARNING, "NotDeleted", message, _COMPONENT)
        return kept, min(waits, default=None)

    def _fail(self, budget: Object, message: str, now: datetime) -> None:
        """Allow nothing as long as it is not known what there should be."""
        told = f"Failed to calculate the number of expected pods: {message}"
        record(
            *(self._store, self._resources, budget, WARNING),
            *("CalculateExpectedPodCountFailed", told, _COMPONENT),
        )
        status = budget.get("status") or {}
        observed = budget["metadata"]["generation"]
        failed = ("False", "SyncFailed", message)
        conditions = with_condition(status.get("conditions") or [], ALLOWED, failed, now)
        conditions = [{**each, "observedGeneration": observed} for each in conditions]
        counts = {"currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0, "disruptionsAllowed": 0}
        changed = {**counts, **status, "disruptionsAllowed": 0, "conditions": conditions}
        changed["observedGeneration"] = observed
        self._store.update(self._resource, {**budget, "status": changed})


def _text(budget: Object) -> str:
    labels = ((budget["spec"].get("selector") or {}).get("matchLabels") or {}).items()
    return ",".join(f"{key}={value}" for key, value in sorted(labels))
