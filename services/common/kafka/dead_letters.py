"""Where records go that can never be handled: `<topic>.dead-letter`, with why, where and by whom."""

from collections.abc import Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from services.common.kafka.client import producer
from services.common.kafka.records import DEAD_LETTER_SUFFIX, Record, dead_letter_headers
from services.common.settings import KafkaSettings

_LAST_SECONDS: Final = 5.0


class DeadLetters:
    """Puts records there. For one thread.

    Args:
        settings: how to reach the brokers, and who parks.
        overrides: of librdkafka's configuration of the producer.
    """

    def __init__(self, settings: KafkaSettings, overrides: Mapping[str, Any] | None = None) -> None:
        self._service: Final = settings.service_name
        # Not idempotent: a dead letter may be there twice, but its producer never ends for good ("fenced").
        overruled = {"enable.idempotence": False, "linger.ms": 0, **(overrides or {})}
        self._producer: Final = producer(settings, **overruled)

    def park(self, record: Record, error: Exception) -> str | None:
        """Return when the brokers have it: None; or when they have not within delivery.timeout.ms: why."""
        outcomes: list[KafkaError | None] = []
        try:
            self._producer.produce(
                record.topic + DEAD_LETTER_SUFFIX,
                key=record.key,
                value=record.value,
                headers=dead_letter_headers(record, error, self._service),
                on_delivery=lambda failed, _: outcomes.append(failed),
            )
        except (KafkaException, BufferError) as refused:
            return str(refused)
        self._producer.flush()  # delivery.timeout.ms ends it
        return outcomes[0].name() if outcomes and outcomes[0] is not None else None

    def close(self) -> None:
        """Send what is left, for a moment."""
        self._producer.flush(_LAST_SECONDS)
