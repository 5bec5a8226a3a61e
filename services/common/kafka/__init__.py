"""Reading and writing Kafka so that nothing is lost: producers that wait for all replicas, and a consumer's loop."""

from services.common.kafka.client import client_configuration, producer
from services.common.kafka.consumer import Consumer, Handler
from services.common.kafka.records import (
    DEAD_LETTER_SUFFIX,
    POISON,
    TRANSIENT,
    PoisonedRecordError,
    Record,
    TransientError,
    dead_letter_headers,
)

__all__ = [
    "DEAD_LETTER_SUFFIX",
    "POISON",
    "TRANSIENT",
    "Consumer",
    "Handler",
    "PoisonedRecordError",
    "Record",
    "TransientError",
    "client_configuration",
    "dead_letter_headers",
    "producer",
]
