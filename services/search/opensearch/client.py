"""Clients of an OpenSearch domain that sign their requests and give up in time."""

from typing import Any, Final

import boto3
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch, OpenSearch, Urllib3HttpConnection
from opensearchpy.helpers.asyncsigner import AWSV4SignerAsyncAuth
from opensearchpy.helpers.signer import Urllib3AWSV4SignerAuth

from services.search.opensearch.settings import OpenSearchSettings

_SERVICE: Final = "es"
"""Of the signature: Amazon OpenSearch Service. (Serverless would be `aoss`; it has no terms lookup by query.)"""
_ROUND_TRIP_SECONDS: Final = 1.0
_BULK_SECONDS: Final = 30.0


def search_client(settings: OpenSearchSettings) -> AsyncOpenSearch:
    """For coroutines. What was not begun (502, 503, 504) is tried once more."""
    return AsyncOpenSearch(
        hosts=[settings.opensearch_url],
        http_auth=AWSV4SignerAsyncAuth(*_signing(settings)) if settings.opensearch_auth == "aws" else None,
        connection_class=AsyncHttpConnection,
        timeout=settings.opensearch_timeout_ms / 1000 + _ROUND_TRIP_SECONDS,
        max_retries=1,
        retry_on_timeout=False,
        http_compress=True,
    )


def bulk_client(settings: OpenSearchSettings) -> OpenSearch:
    """For threads that write much at once. The consumer's loop tries again, not the client."""
    return OpenSearch(
        hosts=[settings.opensearch_url],
        http_auth=Urllib3AWSV4SignerAuth(*_signing(settings)) if settings.opensearch_auth == "aws" else None,
        connection_class=Urllib3HttpConnection,
        timeout=_BULK_SECONDS,
        max_retries=0,
        http_compress=True,
    )


def _signing(settings: OpenSearchSettings) -> tuple[Any, str, str]:
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise RuntimeError(
            "there are no AWS credentials to sign requests to OpenSearch with: give the pod an identity, or set "
            "OPENSEARCH_AUTH=none for a domain that asks for none"
        )
    return credentials, settings.aws_region, _SERVICE
