"""Clients of AWS that give up in time. Region, credentials and endpoint are the environment's (AWS_*)."""

import os
from typing import Any, Final

import boto3
from botocore.config import Config

_CONNECT_SECONDS: Final = 2.0
_READ_SECONDS: Final = 10.0
_ATTEMPTS: Final = 4
"""The first and three retries, with back-off and jitter."""


def client(service: str, *, read_seconds: float = _READ_SECONDS, connections: int = 32) -> Any:
    """A boto3 client, which threads may share.

    Args:
        service: boto3's name: `s3`, `sqs`.
        read_seconds: patience with an answer; a long poll of SQS needs more than it waits for.
        connections: kept open, at most: as many as threads that use it at once.
    """
    config = Config(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=connections,
        # Presigned URLs of the old signature are refused for what KMS encrypts.
        signature_version="s3v4" if service == "s3" else None,
        s3={"addressing_style": "path" if _emulated() else "virtual"},
    )
    return boto3.client(service, config=config)


def _emulated() -> bool:
    """An endpoint on loopback has no host name for each bucket."""
    return "AWS_ENDPOINT_URL" in os.environ or "AWS_ENDPOINT_URL_S3" in os.environ
