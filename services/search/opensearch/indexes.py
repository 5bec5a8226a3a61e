"""The indexes: what they are called, their settings and mappings.

`groups` is small and asked by every search: one shard, a copy on every node. `pins` is split. `saves` has a document
for each save, so that a count stays right when events come twice.

Nothing is ever deleted: a document with `live: false` remembers the version of the deletion. OpenSearch itself
forgets the version of a deleted document after `index.gc_deletes` (a minute), and an event that is late, or read
again, would bring it back.
https://docs.opensearch.org/latest/mappings/supported-field-types/knn-vector/
"""

from dataclasses import dataclass
from typing import Any, Final

REFRESH_SECONDS: Final = 1
"""What is written is found after this, at most; set explicitly, because else an index that nobody has asked for 30
seconds is not refreshed at all."""
_LONG: Final = {"type": "long"}
_STORED: Final = {"type": "keyword", "index": False, "doc_values": False}
"""Only ever shown."""
_VERSION: Final = {"type": "long", "index": False, "doc_values": False}
_BOOLEAN: Final = {"type": "boolean"}


@dataclass(frozen=True)
class Indexes:
    """Names, with the prefix of the environment."""

    prefix: str = ""

    @property
    def pins(self) -> str:
        """A document a pin, with its vector."""
        return f"{self.prefix}pins"

    @property
    def groups(self) -> str:
        """A document a board, campaign or ad group."""
        return f"{self.prefix}groups"

    @property
    def saves(self) -> str:
        """A document a save."""
        return f"{self.prefix}saves"

    def bodies(self, *, shards: int, replicas: int, dimension: int) -> dict[str, dict[str, Any]]:
        """Index -> the body that makes it."""
        split = {"number_of_shards": shards, "number_of_replicas": replicas}
        return {
            self.pins: _body({**split, "knn": True}, _pin_fields(dimension)),
            self.groups: _body({"number_of_shards": 1, "auto_expand_replicas": "0-all"}, _GROUP_FIELDS),
            self.saves: _body(split, _SAVE_FIELDS),
        }


def _body(settings: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    index = {**settings, "refresh_interval": f"{REFRESH_SECONDS}s", "replication.type": "SEGMENT"}
    return {"settings": {"index": index}, "mappings": {"dynamic": False, "properties": fields}}


def _pin_fields(dimension: int) -> dict[str, Any]:
    return {
        "live": _BOOLEAN,
        "pin_id": _LONG,
        "board_id": _LONG,
        "owner_id": _LONG,
        "title": {"type": "text"},
        "description": {"type": "text"},
        "link": _STORED,
        "image_key": _STORED,
        "created_at_ms": _LONG,
        "pin_version": _VERSION,
        "vector_version": _VERSION,
        "vector": {
            "type": "knn_vector",
            "dimension": dimension,
            "method": {
                "name": "hnsw",
                "engine": "faiss",
                # Vectors have unit length: it is their cosine.
                "space_type": "innerproduct",
                "parameters": {
                    "m": 16,
                    "ef_construction": 128,
                    # Half the memory, 1.1 * (2 * dimension + 8 * m) bytes a vector.
                    "encoder": {"name": "sq", "parameters": {"type": "fp16"}},
                },
            },
        },
    }


_GROUP_FIELDS: Final[dict[str, Any]] = {
    "live": _BOOLEAN,
    "group_id": _LONG,
    "owner_id": _LONG,
    "name": {"type": "text"},
    "description": {"type": "text"},
    "secret": _BOOLEAN,
    "owner_key": _LONG,
    "country": {"type": "keyword"},
    "kind": {"type": "keyword"},
}
_SAVE_FIELDS: Final[dict[str, Any]] = {"live": _BOOLEAN, "pin_id": _LONG}
