"""The arithmetic of a Deployment's rollout: how many replicas each of its ReplicaSets should have.

Pure functions over objects, following `pkg/controller/deployment` (rolling.go, sync.go and util). "Old" sets
are those of earlier templates, the "new" one is of the present template.
"""

from collections.abc import Iterable
from typing import Any, Final

from emulator.cluster.controllers.percentages import fenceposts
from emulator.cluster.store import Object

DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MAXIMUM: Final = "deployment.kubernetes.io/max-replicas"


def replicas_of(obj: Object) -> int:
    """`spec.replicas`, 1 when nothing is said."""
    told = obj["spec"].get("replicas")
    return 1 if told is None else told


def is_rolling(deployment: Object) -> bool:
    """Whether old pods are replaced little by little rather than all at once."""
    return (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"


def limits(deployment: Object) -> tuple[int, int]:
    """How many pods there may be at most, and how many must be available at least."""
    replicas = replicas_of(deployment)
    if not is_rolling(deployment):
        return replicas, replicas
    rolling: dict[str, Any] = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    surge, unavailable = fenceposts(rolling, replicas)
    return replicas + surge, replicas - min(unavailable, replicas)


def new_set_size(deployment: Object, old: Iterable[Object], new_replicas: int) -> int:
    """How many replicas the new set may have now, `new_replicas` being what it has."""
    replicas = replicas_of(deployment)
    if not is_rolling(deployment) or new_replicas > replicas:
        return replicas
    room = limits(deployment)[0] - new_replicas - sum(map(replicas_of, old))
    return new_replicas + max(0, min(room, replicas - new_replicas))


def old_set_sizes(deployment: Object, old: Iterable[Object], new: Object) -> dict[str, int]:
    """How many replicas the old sets may have now, by name, where that is not what they have.

    Pods that are not available go first: they serve nobody. Then as many as availability leaves over.
    """
    sizes = {each["metadata"]["name"]: replicas_of(each) for each in old}
    if not any(sizes.values()):
        return {}
    oldest_first = sorted(old, key=_age)
    minimum = limits(deployment)[1]
    unavailable = replicas_of(new) - _available(new)
    spare = sum(sizes.values()) + replicas_of(new) - minimum - unavailable
    if spare <= 0:
        return {}
    before = dict(sizes)
    for each in oldest_first:
        taken = min(spare, sizes[each["metadata"]["name"]] - _available(each))
        sizes[each["metadata"]["name"]] -= taken
        spare -= taken
    spare = sum(map(_available, (*oldest_first, new))) - minimum
    for each in oldest_first:
        taken = max(0, min(spare, sizes[each["metadata"]["name"]]))
        sizes[each["metadata"]["name"]] -= taken
        spare -= taken
    return {name: size for name, size in sizes.items() if size != before[name]}


def proportional_sizes(deployment: Object, sets: list[Object]) -> dict[str, int]:
    """How a Deployment that is scaled in the middle of a rollout spreads over its active sets, by name."""
    maximum, _ = limits(deployment)
    allowed = maximum if replicas_of(deployment) else 0
    to_add = allowed - sum(map(replicas_of, sets))
    # The biggest first, and among equals the newer one when growing, the older one when shrinking.
    ordered = sorted(sets, key=_age, reverse=to_add > 0)
    ordered.sort(key=replicas_of, reverse=True)
    sizes: dict[str, int] = {}
    added = 0
    for each in ordered:
        share = _share(deployment, each, to_add, to_add - added)
        sizes[each["metadata"]["name"]] = replicas_of(each) + share
        added += share
    if ordered and to_add:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _share(deployment: Object, replica_set: Object, to_add: int, left: int) -> int:
    if not replicas_of(replica_set) or not left:
        return 0
    fraction = _fraction(deployment, replica_set)
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: Object, replica_set: Object) -> int:
    """What one set gains or loses when it keeps its part of the whole."""
    own = replicas_of(replica_set)
    if not replicas_of(deployment):
        return -own
    told = (replica_set["metadata"].get("annotations") or {}).get(MAXIMUM, "")
    before = int(told) if told.isdecimal() else 0
    before = before or (deployment.get("status") or {}).get("replicas", 0)
    if not before:
        return 0
    product = own * limits(deployment)[0]
    return (2 * product + before) // (2 * before) - own  # rounded half up


def _available(replica_set: Object) -> int:
    """Of a set that is just being scaled down, no more can be available than it shall have."""
    return min((replica_set.get("status") or {}).get("availableReplicas", 0), replicas_of(replica_set))


def _age(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]
