"""Reading and writing Kafka so that nothing is lost: producers that wait for all replicas, and a consumer's loop."""

from services.common.kafka.client import client_configuration, producer
from services.common.kafka.consumer import Consumer, Handler
from services.common.kafka.dead_letters import DeadLetters
from services.common.kafka.records import (
    DEAD_LETTER_SUFFIX,
    PoisonedRecordError,
    Record,
    TransientError,
    from_message,
)

__all__ = [
    "DEAD_LETTER_SUFFIX",
    "Consumer",
    "DeadLetters",
    "Handler",
    "PoisonedRecordError",
    "Record",
    "TransientError",
    "client_configuration",
    "from_message",
    "producer",
]
