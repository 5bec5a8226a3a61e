"""What the OpenSearch side of search reads from its environment."""

from typing import Literal

from pydantic import Field

from services.common.settings import CommonSettings, HttpUrl, KafkaSettings


class OpenSearchSettings(CommonSettings):
    """How to reach a domain, and what its indexes are called."""

    opensearch_url: HttpUrl
    """Of the domain: https://search-....es.amazonaws.com."""
    opensearch_auth: Literal["aws", "none"] = "aws"
    """`aws` signs requests (Signature Version 4) with the pod's identity."""
    opensearch_prefix: str = Field(default="", pattern=r"^([a-z][a-z0-9-]{0,60})?$")
    """Before the names of indexes: environments may share a domain."""
    opensearch_timeout_ms: int = Field(default=500, ge=1, le=60_000)
    """For a shard's answer; results without it are partial."""
    aws_region: str = "us-east-1"
    embedding_dimension: int = Field(default=128, ge=2, le=4_096)


class IndexerSettings(OpenSearchSettings, KafkaSettings):
    """Of the role that fills the indexes."""

    opensearch_shards: int = Field(default=3, ge=1, le=1_024)
    """Of the indexes of pins and saves, when they are made."""
    opensearch_replicas: int = Field(default=1, ge=0, le=10)
    embedding_model_version: str = ""
    """Only vectors of this version are indexed: those of two do not compare. Empty: all."""
