"""How the brokers are reached, and a producer that loses nothing."""

import logging
from typing import Any, Final

from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from confluent_kafka import Producer as KafkaProducer

from services.common.settings import KafkaSettings

_LIBRDKAFKA: Final = logging.getLogger("librdkafka")


def producer(settings: KafkaSettings, **overrides: Any) -> KafkaProducer:
    """An idempotent producer that waits for all replicas, and partitions as Java's does.

    Records of one key stay in order. Call `poll` or `flush`, else nobody hears of deliveries. After a fatal error
    (`KafkaError.fatal()`, told by `produce` or a delivery) it never works again: make another.
    """
    return KafkaProducer(
        {
            **client_configuration(settings),
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
            "linger.ms": 5,
            "delivery.timeout.ms": 30_000,
            "compression.type": "lz4",
            **overrides,
        }
    )


def client_configuration(settings: KafkaSettings) -> dict[str, Any]:
    """How to reach the brokers, for any client of confluent-kafka."""
    configuration: dict[str, Any] = {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": settings.pod_name or settings.service_name,
        "security.protocol": settings.kafka_security_protocol,
        "socket.keepalive.enable": True,
        "reconnect.backoff.max.ms": 2_000,
        "logger": _LIBRDKAFKA,
    }
    if settings.kafka_security_protocol == "SASL_SSL":
        configuration["sasl.mechanism"] = "OAUTHBEARER"
        configuration["oauth_cb"] = lambda _: _token(settings.aws_region)
    return configuration


def _token(region: str) -> tuple[str, float]:
    """A signed URL as bearer token, and when it ends in seconds since the epoch."""
    token, expires_ms = MSKAuthTokenProvider.generate_auth_token(region)
    return token, expires_ms / 1000
