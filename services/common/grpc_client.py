"""gRPC channels that give up in time, try again what was not begun, and carry the request's id and trace."""

import json
from typing import Any, Final

import grpc
import grpc.aio

from services.common import logs, traces
from services.common.observed import REQUEST_ID

MAX_MESSAGE_BYTES: Final = 32 * 1024 * 1024


def options(*, timeout_seconds: float = 5.0, attempts: int = 3) -> list[tuple[str, Any]]:
    """Of a channel.

    Args:
        timeout_seconds: deadline of a call that sets none itself.
        attempts: at a call that the server did not begin, with back-off; 1 is no retry. A budget for the whole
            channel keeps retries from making an overload worse.
    """
    method: dict[str, Any] = {"name": [{}], "timeout": f"{timeout_seconds:g}s", "waitForReady": False}
    config: dict[str, Any] = {"methodConfig": [method], "loadBalancingConfig": [{"round_robin": {}}]}
    if attempts > 1:
        method["retryPolicy"] = {
            "maxAttempts": attempts,
            "initialBackoff": "0.02s",
            "maxBackoff": "0.5s",
            "backoffMultiplier": 2,
            # A server that ends cancels what had come and was not taken up yet. A call that the caller cancels is
            # over for gRPC, too, and is not tried again.
            "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
        }
        config["retryThrottling"] = {"maxTokens": 20, "tokenRatio": 0.1}
    return [
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 1 if attempts > 1 else 0),
        ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
        ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 2_000),
        ("grpc.use_local_subchannel_pool", 1),
    ]


def channel(address: str, *, timeout_seconds: float = 5.0, attempts: int = 3) -> grpc.Channel:
    """For threads. `address` is host:port; every address that the host's name has is used in turn."""
    return grpc.insecure_channel(address, options(timeout_seconds=timeout_seconds, attempts=attempts))


def aio_channel(address: str, *, timeout_seconds: float = 5.0, attempts: int = 3) -> grpc.aio.Channel:
    """For coroutines."""
    return grpc.aio.insecure_channel(address, options(timeout_seconds=timeout_seconds, attempts=attempts))


def metadata() -> list[tuple[str, str]]:
    """What a call carries: the request's id and the present trace. `stub.Method(request, metadata=metadata())`."""
    headers: dict[str, str] = {}
    traces.inject(headers)
    if identifier := logs.request_id.get():
        headers[REQUEST_ID] = identifier
    return list(headers.items())
