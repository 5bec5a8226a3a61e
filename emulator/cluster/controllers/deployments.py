"""Deployments: a ReplicaSet for each template, and the way from one to the next.

Follows `pkg/controller/deployment` of Kubernetes; see `rollouts` for the arithmetic, `revisions` for the
sets, `deployment_status` for what `kubectl rollout status` waits for.
"""

from collections.abc import Iterable
from typing import Final

from emulator.cluster.conditions import conditions_of, find, with_condition
from emulator.cluster.controllers import deployment_status, revisions, rollouts
from emulator.cluster.controllers.events import NORMAL, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.owners import (
    controlled_by,
    controller_of,
    controllers_named,
    is_orphan,
    owners_of,
    with_owners,
)
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Event, Key, Object, Store, copy_of, is_terminating, key_of

_COMPONENT: Final = "deployment-controller"


class Deployments:
    """The controller of Deployments."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["deployments.apps"]
        self._sets = resources["replicasets.apps"]
        self._pods = resources["pods"]

    def concerned(self, event: Event) -> Iterable[Key]:
        """The Deployment itself, that of a ReplicaSet, or that of a pod that is gone."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        if event.resource.key == self._sets.key:
            if is_orphan(event):
                return (key_of(each) for each in self._indexes.in_namespace(self._resource, event.key[0]))
            return controllers_named(event, self._resource.kind)
        if event.resource.key == self._pods.key and (
            event.type == "DELETED" or (is_terminated(event.object) and not is_terminated(event.before or {}))
        ):  # what a strategy of Recreate waits for
            owner = controller_of(event.object)
            replica_set = self._store.find(self._sets, event.key[0], owner["name"]) if owner else None
            deployment = controller_of(replica_set) if replica_set else None
            return [(event.key[0], deployment["name"])] if deployment else ()
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Take the rollout one step further."""
        deployment = self._store.find(self._resource, *key)
        if deployment is None:
            return None
        sets = self._claim(deployment)
        if is_terminating(deployment):
            return self._report(deployment, sets, revisions.new_set_of(deployment, sets))
        deployment = self._note_pause(deployment)
        new = self._renew(deployment, revisions.new_set_of(deployment, sets), sets)
        old = [each for each in sets if new is None or key_of(each) != key_of(new)]
        if deployment["spec"].get("paused"):
            self._scale(deployment, old, new)
            self._clean(deployment, old)
        elif _is_scaled(deployment, _active(old, new)):
            self._scale(deployment, old, new)
        elif rollouts.is_rolling(deployment):
            new = self._roll(deployment, old, new)
        else:
            new = self._recreate(deployment, old, new)
        sets = self._indexes.controlled(self._sets, deployment)
        if new is not None:
            new = self._store.find(self._sets, *key_of(new))
        return self._report(self._store.get(self._resource, *key), sets, new)

    def _claim(self, deployment: Object) -> list[Object]:
        """Its sets; orphans that its selector matches are adopted."""
        sets = self._indexes.controlled(self._sets, deployment)
        if is_terminating(deployment):
            return sets
        selector = LabelSelector.of(deployment["spec"].get("selector"))
        for each in self._indexes.orphans(self._sets, deployment["metadata"]["namespace"]):
            if selector.matches(each["metadata"].get("labels")) and not is_terminating(each):
                owners = [*owners_of(each), controlled_by(self._resource, deployment)]
                sets.append(self._store.update(self._sets, with_owners(each, owners)))
        return sets

    def _note_pause(self, deployment: Object) -> Object:
        """Say in the Progressing condition that it is paused, or no longer."""
        status = deployment.get("status") or {}
        conditions = conditions_of(deployment)
        progressing = find(conditions, "Progressing")
        reason = progressing["reason"] if progressing else ""
        paused = deployment["spec"].get("paused", False)
        if deployment["spec"].get("progressDeadlineSeconds") is None or reason == deployment_status.TIMED_OUT:
            return deployment
        if paused == (reason == "DeploymentPaused"):
            return deployment
        told = (
            ("Unknown", "DeploymentPaused", "Deployment is paused")
            if paused
            else ("Unknown", "DeploymentResumed", "Deployment is resumed")
        )
        now = self._store.clock()
        conditions = with_condition(conditions, "Progressing", told, now)
        conditions = deployment_status.with_update_time(conditions, "Progressing", now)
        changed = {**deployment, "status": {**status, "conditions": conditions}}
        return self._store.update(self._resource, changed)

    def _renew(self, deployment: Object, new: Object | None, sets: list[Object]) -> Object | None:
        """Number the set of the present template, if there is one, and the Deployment like it."""
        if new is None:
            return None
        others = [each for each in sets if key_of(each) != key_of(new)]
        revision = max(map(revisions.revision_of, others), default=0) + 1
        new = self._store.update(self._sets, revisions.renewed(new, deployment, revision))
        self._number(deployment, revisions.revision_of(new))
        return new

    def _number(self, deployment: Object, revision: int) -> None:
        changed = copy_of(self._store.get(self._resource, *key_of(deployment)))
        changed["metadata"].setdefault("annotations", {})[revisions.REVISION] = str(revision)
        self._store.update(self._resource, changed)

    def _create(self, deployment: Object, old: list[Object]) -> Object:
        """Make the set of the present template."""
        revision = max(map(revisions.revision_of, old), default=0) + 1
        replicas = rollouts.new_set_size(deployment, old, 0)
        status = deployment.get("status") or {}
        collisions = status.get("collisionCount", 0)
        owner = controlled_by(self._resource, deployment)
        while True:
            wanted = revisions.initial_set(deployment, owner, revision, collisions, replicas)
            if self._store.find(self._sets, *key_of(wanted)) is None:
                break
            collisions += 1  # another's set has the name
        created = self._store.create(self._sets, wanted)
        if collisions != status.get("collisionCount", 0):
            present = self._store.get(self._resource, *key_of(deployment))
            status = {**(present.get("status") or {}), "collisionCount": collisions}
            self._store.update(self._resource, {**present, "status": status})
        if replicas:
            name = created["metadata"]["name"]
            self._tell(deployment, f"Scaled up replica set {name} from 0 to {replicas}")
        self._number(deployment, revision)
        return created

    def _roll(self, deployment: Object, old: list[Object], new: Object | None) -> Object:
        """Add new pods as far as the surge allows, else take old ones away as far as availability does."""
        if new is None:
            return self._create(deployment, old)
        size = rollouts.new_set_size(deployment, old, rollouts.replicas_of(new))
        if size != rollouts.replicas_of(new):
            return self._resize(new, deployment, size)
        sizes = rollouts.old_set_sizes(deployment, old, new)
        for each in old:
            if each["metadata"]["name"] in sizes:
                self._resize(each, deployment, sizes[each["metadata"]["name"]])
        if not sizes and deployment_status.is_complete(deployment):
            self._clean(deployment, old)
        return new

    def _recreate(self, deployment: Object, old: list[Object], new: Object | None) -> Object | None:
        """Take all old pods away, wait until none runs, then make the new ones."""
        active = _active(old, None)
        for each in active:
            self._resize(each, deployment, 0)
        if active or self._runs_any(old):
            return new
        if new is None:
            return self._create(deployment, old)
        if rollouts.replicas_of(new) != rollouts.replicas_of(deployment):
            return self._resize(new, deployment, rollouts.replicas_of(deployment))
        if deployment_status.is_complete(deployment):
            self._clean(deployment, old)
        return new

    def _runs_any(self, sets: list[Object]) -> bool:
        pods = (pod for each in sets for pod in self._indexes.controlled(self._pods, each))
        return any(not is_terminated(pod) for pod in pods)

    def _scale(self, deployment: Object, old: list[Object], new: Object | None) -> None:
        """Spread the number of replicas over the sets there are."""
        active = _active(old, new)
        replicas = rollouts.replicas_of(deployment)
        if len(active) <= 1:
            newest = max(old, key=lambda each: each["metadata"]["creationTimestamp"], default=None)
            only = active[0] if active else new or newest
            if only is not None:
                self._resize(only, deployment, replicas)
        elif new is not None and _is_saturated(deployment, new):
            for each in _active(old, None):
                self._resize(each, deployment, 0)
        elif rollouts.is_rolling(deployment):
            sizes = rollouts.proportional_sizes(deployment, active)
            for each in active:
                self._resize(each, deployment, sizes[each["metadata"]["name"]])

    def _resize(self, replica_set: Object, deployment: Object, replicas: int) -> Object:
        before = rollouts.replicas_of(replica_set)
        changed = self._store.update(self._sets, revisions.resized(replica_set, deployment, replicas))
        if before != replicas:
            direction = "up" if replicas > before else "down"
            name = replica_set["metadata"]["name"]
            self._tell(deployment, f"Scaled {direction} replica set {name} from {before} to {replicas}")
        return changed

    def _clean(self, deployment: Object, old: list[Object]) -> None:
        for each in revisions.superfluous(deployment, old):
            self._store.delete(self._sets, *key_of(each))

    def _tell(self, deployment: Object, message: str) -> None:
        record(
            *(self._store, self._resources, deployment, NORMAL),
            *("ScalingReplicaSet", message, _COMPONENT),
        )

    def _report(self, deployment: Object, sets: list[Object], new: Object | None) -> float | None:
        status, again = deployment_status.status_of(deployment, sets, new, self._store.clock())
        if status != deployment.get("status"):
            self._store.update(self._resource, {**deployment, "status": status})
        return again


def _active(old: list[Object], new: Object | None) -> list[Object]:
    return [each for each in (*old, *([new] if new else [])) if rollouts.replicas_of(each)]


def _is_scaled(deployment: Object, active: list[Object]) -> bool:
    """Whether the Deployment was scaled since its sets were last sized."""
    if len(active) > 1 and not rollouts.is_rolling(deployment):
        return False  # all but one are about to go
    return any(_told_replicas(each) != rollouts.replicas_of(deployment) for each in active)


def _told_replicas(replica_set: Object) -> int:
    """The Deployment's replicas when the set was last sized: another number means it was scaled since."""
    told = (replica_set["metadata"].get("annotations") or {}).get(rollouts.DESIRED, "")
    return int(told) if told.isdecimal() else -1


def _is_saturated(deployment: Object, new: Object) -> bool:
    replicas = rollouts.replicas_of(deployment)
    available = (new.get("status") or {}).get("availableReplicas", 0)
    return _told_replicas(new) == replicas == rollouts.replicas_of(new) == available
