"""The role `stream`: what is started, and in which order it ends."""

import uuid
from collections.abc import Sequence
from typing import Final, NoReturn

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as KafkaProducer

from services.api.events.v1 import events_pb2
from services.common import aws, grpc_client, kafka, lifetime, traces
from services.common.kafka import TransientError
from services.common.lifetime import Lifetime
from services.ml.settings import StreamSettings
from services.ml.stream import EMBEDDINGS, GROUP, PINS, MlEmbeddings, PinStream, S3Images

_FLUSH_SECONDS: Final = 35.0
"""Longer than the producer's delivery.timeout.ms: by then each record has arrived or failed."""
_BATCH_RECORDS: Final = 64


class KafkaEvents:
    """Embeddings into their topic, keyed by pin."""

    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer

    def send(self, events: Sequence[events_pb2.EmbeddingEvent]) -> None:
        """See `stream.Events`."""
        failed: list[KafkaError] = []
        for event in events:
            self._produce(event, failed)
        left = self._producer.flush(_FLUSH_SECONDS)
        if left or failed:
            raise TransientError(
                f"Kafka: {left + len(failed)} of {len(events)} embeddings were not acknowledged"
            )

    def _produce(self, event: events_pb2.EmbeddingEvent, failed: list[KafkaError]) -> None:
        try:
            self._producer.produce(
                EMBEDDINGS,
                key=str(event.pin_id),
                value=event.SerializeToString(),
                headers=[
                    ("event-id", uuid.uuid4().bytes.hex().encode()),
                    ("event-type", b"EmbeddingEvent"),
                    *traces.kafka_headers(),
                ],
                on_delivery=lambda error, _: failed.append(error) if error is not None else None,
            )
        except (KafkaException, BufferError) as error:
            raise TransientError(f"Kafka: {error}") from error


def run(settings: StreamSettings) -> NoReturn:
    """Embed pins until SIGTERM."""

    async def start(life: Lifetime) -> None:
        channel = grpc_client.channel(settings.ml_address, timeout_seconds=settings.stream_timeout_seconds)
        life.on_stop("ml channel", channel.close)
        stream = PinStream(
            S3Images(aws.client("s3", connections=settings.stream_concurrency), settings.images_bucket),
            MlEmbeddings(channel, settings.stream_timeout_seconds),
            # Not idempotent: an embedding may be there twice, but its producer never ends for good ("fenced").
            KafkaEvents(kafka.producer(settings, **{"enable.idempotence": False})),
            settings.stream_concurrency,
        )
        life.on_stop("workers", stream.close)
        consumer = kafka.Consumer(
            settings,
            stream.handle,
            topics=[PINS],
            group=GROUP,
            batch_records=_BATCH_RECORDS,
            on_failure=life.fail,
        )
        life.operations.alive_when("consumer", lambda: None if consumer.running else "its thread has ended")
        consumer.start()
        life.on_stop("consumer", consumer.stop)

    lifetime.run(settings, start)
