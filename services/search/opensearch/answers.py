"""What OpenSearch answers, as `services.search.backend` has it."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from services.search.backend import GroupFilter, GroupHit, GroupKind, PinHit

Group = Mapping[str, Any]
"""`_source` of a group's document."""


def visible(group: Group | None, viewer: int | None) -> bool:
    """Whether the viewer may see a group's pins. One that is not known yet may be a secret one."""
    if group is None or not group.get("live"):
        return False
    return not group.get("secret") or (viewer is not None and group.get("owner_key") == viewer)


def fits(group: Group, wanted: GroupFilter) -> bool:
    """Whether a group is one of those wanted, words apart."""
    return (
        (not wanted.country or group["country"] == wanted.country)
        and (not wanted.ids or group["group_id"] in wanted.ids)
        and (wanted.owner is None or group["owner_id"] == wanted.owner)
        and (not wanted.kinds or group["kind"] in [kind.value for kind in wanted.kinds])
    )


def missing_shards(answer: Mapping[str, Any]) -> tuple[int, ...]:
    """Shards that did not answer. Of a search that ran out of time OpenSearch does not say where: any may be."""
    shards = answer["_shards"]
    if answer.get("timed_out"):
        return tuple(range(shards["total"]))
    failed = {
        int(failure["shard"]) for failure in shards.get("failures", []) if failure.get("shard", -1) >= 0
    }
    # Equal failures are told once.
    unnamed = (number for number in range(shards["total"]) if number not in failed)
    while len(failed) < shards["failed"]:
        failed.add(next(unnamed))
    return tuple(sorted(failed))


def pin_hit(hit: Mapping[str, Any], groups: Mapping[int, Group], saves: Mapping[int, int]) -> PinHit:
    """A pin with what is shown for it."""
    source = hit["_source"]
    vector = source.get("vector")
    return PinHit(
        pin_id=source["pin_id"],
        board_id=source["board_id"],
        owner_id=source["owner_id"],
        score=float(hit["_score"]),
        title=source["title"],
        link=source["link"],
        image_key=source["image_key"],
        board_name=groups[source["board_id"]]["name"],
        saves=saves.get(source["pin_id"], 0),
        created_at_ms=source["created_at_ms"],
        vector=np.array(vector, dtype="<f4").tobytes() if vector else b"",
    )


def group_hit(hit: Mapping[str, Any]) -> GroupHit:
    """A group as it is shown."""
    source = hit["_source"]
    return GroupHit(
        group_id=source["group_id"],
        owner_id=source["owner_id"],
        score=float(hit["_score"]),
        name=source["name"],
        description=source["description"],
        country=source["country"],
        kind=GroupKind(source["kind"]),
        secret=source["secret"],
    )
