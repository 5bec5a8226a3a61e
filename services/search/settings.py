"""What the roles of the search service read from their environment."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from pydantic_settings import NoDecode

from services.common.settings import Addresses, CommonSettings, KafkaSettings, Port


class LeafSettings(KafkaSettings):
    """Of a leaf: one shard of the pins, all groups."""

    shard: int = Field(ge=0, le=1023)
    """Which shard this is; it reads partitions p of a pin topic with p % SHARDS == SHARD."""
    shards: int = Field(default=1, ge=1, le=1024)
    rpc_port: Port = 9000
    index_directory: Path = Path("/var/lib/pinwheel/index")
    """A volume that outlives the process. What is lost comes back from the newest snapshot and Kafka."""
    snapshots_bucket: str = ""
    """Empty: no snapshots are made, and an empty directory is filled from Kafka alone."""
    snapshot_interval_seconds: float = Field(default=600.0, ge=1, le=86_400)
    snapshots_kept: int = Field(default=3, ge=1, le=100)
    commit_interval_ms: int = Field(default=50, ge=5, le=10_000)
    """How long what was read may wait to be found: freshness against work (reference: 50 to 100)."""
    caught_up_records: int = Field(default=1_000, ge=0, le=10_000_000)
    """Ready once no more than this many records are left to read, and from then on."""
    patience_seconds: float = Field(default=30.0, ge=0, le=3_600)
    """After this long without Kafka, a leaf that has an index answers from it rather than not at all."""
    topic_check_seconds: float = Field(default=1.0, ge=0.05, le=60)
    """How often it asks whether topics are still the ones whose positions it holds."""
    statistics_seconds: float = Field(default=5.0, ge=0.05, le=300)
    """How often the index is counted for metrics: some 30 ms at a million pins."""
    recall_seconds: float = Field(default=60.0, ge=1, le=86_400)
    """How often the latest visual queries are repeated exactly, to see what the approximate index misses."""
    search_threads: int = Field(default=max(2, os.cpu_count() or 2), ge=1, le=256)
    embedding_dimension: int = Field(default=128, ge=2, le=4_096)
    embedding_model_version: str = ""
    """Only vectors of this version are indexed: those of two do not compare. Empty: all."""
    vector_index: Literal["ivf", "hnsw"] = "ivf"
    vector_encoding: Literal["float32", "sq8"] = "float32"

    @model_validator(mode="after")
    def _shard_exists(self) -> Self:
        if self.shard >= self.shards:
            raise ValueError(
                f"SHARD is {self.shard}, but SHARDS is {self.shards}: the last shard is {self.shards - 1}"
            )
        return self


class RootSettings(CommonSettings):
    """Of the root: the REST API over all shards."""

    search_backend: Literal["embedded", "opensearch"] = "embedded"
    search_leaves: Annotated[str, NoDecode] | Addresses = ""
    """`host:port` of each shard, in their order, with commas."""
    leaf_timeout_ms: int = Field(default=250, ge=1, le=60_000)
    """A shard that has not answered by then is missing from the results."""
    leaf_connections: int = Field(default=2, ge=1, le=64)
    """To each address; a Service spreads them over the replicas of the shard."""
    hedge: bool = True
    """Ask another replica of the same shard too when one takes longer than 95 of 100 calls do."""
    ml_address: Addresses | Literal[""] = ""
    """Empty: visual search answers 503, and nothing is re-ranked."""
    embedding_model_version: str = ""
    """That the leaves' vectors are of: an image that ml embeds with another is not searched with. Empty: any."""
    ml_timeout_ms: int = Field(default=2_000, ge=1, le=60_000)
    rerank: bool = False
    """Let the ml service order the best hits by what the person acted on."""
    rerank_timeout_ms: int = Field(default=50, ge=1, le=10_000)
    max_image_bytes: int = Field(default=10 * 2**20, ge=1_024, le=100 * 2**20)
    visual_searches: int = Field(default=16, ge=1, le=1_024)
    """Images in memory at once; one more is refused (429), because each may be of MAX_IMAGE_BYTES."""

    @model_validator(mode="after")
    def _leaves(self) -> Self:
        if self.search_backend == "embedded" and not self.search_leaves:
            raise ValueError(
                "SEARCH_LEAVES must name each shard's host:port, with commas, for SEARCH_BACKEND=embedded"
            )
        return self
