"""From events to bulk actions that may be repeated and come in any order.

A group or a save comes from one topic: its document's own `_version` is the event's (`external_gte`), and
OpenSearch refuses what is older. A pin's document has two sources, `pins` and `embeddings`, each with versions of its
own, which one `_version` cannot hold: a script compares with the version that the document keeps for that source.
"""

from typing import Any, Final

import numpy as np

from services.api.events.v1.events_pb2 import (
    GROUP_KIND_AD_GROUP,
    GROUP_KIND_CAMPAIGN,
    BoardEvent,
    EmbeddingEvent,
    PinEvent,
    SaveEvent,
)
from services.common.kafka import PoisonedRecordError
from services.search.backend import GroupKind
from services.search.opensearch.indexes import Indexes

Action = dict[str, Any]

NEWER_WINS: Final = """
def known = ctx._source[params.field];
if (known != null && known > params.version) { ctx.op = 'none'; return; }
ctx._source[params.field] = params.version;
for (def name : params.cleared) { ctx._source.remove(name); }
ctx._source.putAll(params.state);
"""
"""Painless. The same text for every pin, so that it is compiled once."""

_PIN_STATE: Final = (
    "live",
    "pin_id",
    "board_id",
    "owner_id",
    "title",
    "description",
    "link",
    "image_key",
    "created_at_ms",
)
_CONFLICTS: Final = 5
"""Times that an update is tried again when the other source of the same pin wrote in between."""
_KINDS: Final = {GROUP_KIND_CAMPAIGN: GroupKind.CAMPAIGN, GROUP_KIND_AD_GROUP: GroupKind.AD_GROUP}


def pin_action(event: PinEvent, indexes: Indexes) -> Action:
    """The pin's text and board; its vector stays."""
    state: dict[str, Any] = {"live": False, "pin_id": event.pin_id}
    if not event.deleted:
        state |= {
            "live": True,
            "board_id": event.board_id,
            "owner_id": event.owner_id,
            "title": event.title,
            "description": event.description,
            "link": event.link,
            "image_key": event.image_key,
            "created_at_ms": event.created_at_ms,
        }
    cleared = [name for name in _PIN_STATE if name not in state]
    params = {"field": "pin_version", "version": event.version, "state": state, "cleared": cleared}
    return _update(indexes.pins, event.pin_id, params)


def vector_action(event: EmbeddingEvent, indexes: Indexes, dimension: int) -> Action:
    """The pin's vector; without `live`, which the pin's own event sets, nobody finds it yet.

    Raises PoisonedRecordError for a vector that the index cannot take.
    """
    state: dict[str, Any] = {}
    if event.vector:
        vector = np.frombuffer(event.vector, dtype="<f4") if len(event.vector) % 4 == 0 else np.empty(0)
        if len(vector) != dimension or not np.isfinite(vector).all() or not vector.any():
            raise PoisonedRecordError(
                f"the vector of {event.model_version!r} has {len(event.vector)} bytes; the index takes {dimension} "
                "finite float32 numbers that are not all zero"
            )
        state["vector"] = vector.tolist()
    cleared = [] if state else ["vector"]
    params = {"field": "vector_version", "version": event.version, "state": state, "cleared": cleared}
    return _update(indexes.pins, event.pin_id, params)


def group_action(event: BoardEvent, indexes: Indexes) -> Action:
    """The group as a whole."""
    document: dict[str, Any] = {"live": False, "group_id": event.board_id}
    if not event.deleted:
        document |= {
            "live": True,
            "owner_id": event.owner_id,
            "name": event.name,
            "description": event.description,
            "secret": event.secret,
            "owner_key": event.owner_key,
            "country": event.country,
            "kind": _KINDS.get(event.kind, GroupKind.BOARD).value,
        }
    return _index(indexes.groups, event.board_id, event.version, document)


def save_action(event: SaveEvent, indexes: Indexes) -> Action:
    """The save, beside the others of its pin."""
    document = {"live": not event.deleted, "pin_id": event.pin_id}
    return {**_index(indexes.saves, event.save_id, event.version, document), "routing": str(event.pin_id)}


def _index(index: str, identifier: int, version: int, document: dict[str, Any]) -> Action:
    return {
        "_op_type": "index",
        "_index": index,
        "_id": str(identifier),
        "version": version,
        "version_type": "external_gte",
        "_source": document,
    }


def _update(index: str, identifier: int, params: dict[str, Any]) -> Action:
    return {
        "_op_type": "update",
        "_index": index,
        "_id": str(identifier),
        "retry_on_conflict": _CONFLICTS,
        "scripted_upsert": True,
        "script": {"lang": "painless", "source": NEWER_WINS, "params": params},
        "upsert": {},
    }
