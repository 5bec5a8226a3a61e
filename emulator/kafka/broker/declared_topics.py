"""The topics that MSK's API declared, made in the real broker, and made again when it has lost them."""

# pyright: reportPrivateImportUsage=false
# confluent_kafka's documentation imports these names from `confluent_kafka.admin`, which does not declare them.

import threading
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
)

from emulator.kafka.broker.interface import BrokerError, RefusedError

_TIMEOUT_SECONDS: Final = 5.0
_IN_SYNC: Final = "min.insync.replicas"


@dataclass(frozen=True)
class DeclaredTopic:
    """A topic as declared. `replicas` is brought down to what the broker can have."""

    name: str
    partitions: int
    replicas: int
    configs: dict[str, str]


class DeclaredTopics:
    """One cluster's.

    Args:
        client_id: of the Kafka client that makes them.
        copies: replicas that the broker can have.
    """

    def __init__(self, client_id: str, copies: int) -> None:
        self._client_id = client_id
        self._copies = copies
        self._topics: dict[str, DeclaredTopic] = {}
        self._lock = threading.Lock()
        self._admin: AdminClient | None = None

    def connect(self, address: str) -> list[str]:
        """The broker has come to serve at this address: make all topics there. Returns what went wrong, if anything."""
        with self._lock:
            self._admin = AdminClient(
                {"bootstrap.servers": address, "client.id": self._client_id, "log_level": 0}
            )
            problems: list[str] = []
            for topic in self._topics.values():
                try:
                    self._make(topic)
                except (RefusedError, BrokerError) as error:
                    problems.append(str(error))
            return problems

    def disconnect(self) -> None:
        """The broker is gone: what is declared from now on is made at the next `connect`."""
        with self._lock:
            self._admin = None

    @property
    def names(self) -> list[str]:
        """Of all declared topics."""
        with self._lock:
            return sorted(self._topics)

    def declare(self, topic: DeclaredTopic) -> None:
        """Make a topic, or bring it to what is declared now. Raises `RefusedError` or `BrokerError`."""
        with self._lock:
            before = self._topics.get(topic.name)
            if self._admin is not None:
                self._make(topic, before)
            self._topics[topic.name] = topic

    def drop(self, name: str) -> None:
        """Delete a topic with its messages."""
        with self._lock:
            if self._admin is not None:
                try:
                    _result(self._admin.delete_topics([name]), name)
                except KafkaException as error:
                    if _code(error) != KafkaError.UNKNOWN_TOPIC_OR_PART:
                        raise _explained(error, f"topic {name} was not deleted") from error
            self._topics.pop(name, None)

    def _make(self, topic: DeclaredTopic, before: DeclaredTopic | None = None) -> None:
        admin = self._connected()
        try:
            if before is None and self._create(topic):
                return
            present = len(admin.list_topics(timeout=_TIMEOUT_SECONDS).topics[topic.name].partitions)
            if present > topic.partitions:
                raise RefusedError(
                    f"Topic {topic.name} has {present} partitions in the broker already, more than the "
                    f"{topic.partitions} asked for; Kafka takes none away: delete the topic first"
                )
            if present < topic.partitions and not self._add_partitions(topic):
                return  # made anew, with its settings
            self._set_configs(topic, before)
        except KafkaException as error:
            raise _explained(error, f"topic {topic.name}") from error

    def _create(self, topic: DeclaredTopic) -> bool:
        """Whether it was created; false when it is there already."""
        new = NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=min(topic.replicas, self._copies),
            config=self._configs(topic),
        )
        try:
            _result(self._connected().create_topics([new]), topic.name)
        except KafkaException as error:
            if _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
            return False
        return True

    def _add_partitions(self, topic: DeclaredTopic) -> bool:
        """Whether they were added; false when the topic, being empty, was made anew with all of them."""
        admin = self._connected()
        try:
            _result(admin.create_partitions([NewPartitions(topic.name, topic.partitions)]), topic.name)
        except KafkaException as error:
            if _code(error) != KafkaError._UNSUPPORTED_FEATURE:  # pyright: ignore[reportPrivateUsage] - librdkafka's name for it
                raise
        else:
            return True
        if self._has_messages(topic.name):
            raise RefusedError(
                f"The broker behind this emulated cluster cannot add partitions to topic {topic.name}, which "
                "holds messages (AWS can): delete the topic and create it again, or name an Apache Kafka in KAFKA_HOME"
            )
        _result(admin.delete_topics([topic.name]), topic.name)
        self._create(topic)
        return False

    def _has_messages(self, name: str) -> bool:
        admin = self._connected()
        partitions = admin.list_topics(timeout=_TIMEOUT_SECONDS).topics[name].partitions
        latest: Any = OffsetSpec.latest()  # None for the type checker
        ends = admin.list_offsets({TopicPartition(name, number): latest for number in partitions})
        return any(end.result(_TIMEOUT_SECONDS).offset > 0 for end in ends.values())

    def _set_configs(self, topic: DeclaredTopic, before: DeclaredTopic | None) -> None:
        wanted = self._configs(topic)
        gone = set(before.configs if before else ()) - set(wanted)
        entries = [
            *(ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wanted.items()),
            *(ConfigEntry(name, None, incremental_operation=AlterConfigOpType.DELETE) for name in sorted(gone)),
        ]  # fmt: skip
        if entries:
            resource = ConfigResource(ConfigResource.Type.TOPIC, topic.name, incremental_configs=entries)
            _result(self._connected().incremental_alter_configs([resource]), resource)

    def _configs(self, topic: DeclaredTopic) -> dict[str, str]:
        """As declared; but no more replicas can be in sync than there are: a producer would wait for ever."""
        configs = dict(topic.configs)
        in_sync = configs.get(_IN_SYNC, "")
        if in_sync.isdecimal() and topic.replicas > self._copies:
            configs[_IN_SYNC] = str(min(int(in_sync), self._copies))
        return configs

    def _connected(self) -> AdminClient:
        if self._admin is None:
            raise BrokerError("the broker does not serve at the moment")
        return self._admin


def _result(futures: dict[Any, Any], key: Any) -> None:
    try:
        futures[key].result(_TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise BrokerError(f"the broker did not answer in {_TIMEOUT_SECONDS:g} seconds: try again") from error


def _code(error: KafkaException) -> int:
    return error.args[0].code()


def _explained(error: KafkaException, what: str) -> Exception:
    reason: KafkaError = error.args[0]
    message = f"{what}: {reason.str()} ({reason.name()})"
    return BrokerError(message) if reason.code() < 0 else RefusedError(message)
