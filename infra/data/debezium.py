"""The settings of Debezium's connectors and of the workers that run them: pure text, and tested as such.

Sources: Debezium reference, "MySQL connector configuration properties" and "Outbox Event Router"; MSK developer
guide, "Debezium source connector with configuration provider".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from infra.data.catalogue import (
    CAPTURED_TABLES,
    CDC_PREFIX,
    CDC_TOPICS,
    CONNECT_OFFSETS_TOPIC,
    HEARTBEAT_PREFIX,
    OUTBOX,
    OUTBOX_EVENTS,
    OUTBOX_HISTORY_TOPIC,
    OUTBOX_OFFSETS_TOPIC,
    OUTBOX_PREFIX,
    OUTBOX_TOPICS,
    SCHEMA_HISTORY_TOPIC,
)
from infra.environment import Environment

_JSON: Final = "org.apache.kafka.connect.json.JsonConverter"
_TEXT: Final = "org.apache.kafka.connect.storage.StringConverter"
_SECRETS_PROVIDER: Final = "com.amazonaws.kafka.config.providers.SecretsManagerConfigProvider"

_IAM: Final = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "AWS_MSK_IAM",
    "sasl.jaas.config": "software.amazon.msk.auth.iam.IAMLoginModule required;",
    "sasl.client.callback.handler.class": "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
}


@dataclass(frozen=True)
class Capture:
    """What one connector reads, where it keeps its place, and how it writes."""

    name: str
    description: str
    server_id: int
    """What it calls itself among the database's replicas; any number that no replica has."""
    tables: Mapping[str, tuple[str, ...]]
    """By database."""
    prefix: str
    """`topic.prefix`."""
    history_topic: str
    offsets_topic: str
    topics: tuple[str, ...]
    """All that it reads and writes; brokers create none."""
    more: Mapping[str, str] = field(default_factory=dict[str, str])
    """Settings beside those that all connectors have."""

    @property
    def history_group(self) -> str:
        """The consumer group by which Debezium reads the schema history."""
        return f"{self.prefix}-schemahistory"


CHANGES: Final = Capture(
    name="debezium",
    description="Changes of Aurora's captured tables into Kafka",
    server_id=184_054,
    tables=CAPTURED_TABLES,
    prefix=CDC_PREFIX,
    history_topic=SCHEMA_HISTORY_TOPIC,
    offsets_topic=CONNECT_OFFSETS_TOPIC,
    topics=tuple(topic.name for topic in CDC_TOPICS),
    more={"include.schema.changes": "true", "tombstones.on.delete": "true"},
)
"""Every change of a row, for the lake."""

_ROUTER: Final = {
    "type": "io.debezium.transforms.outbox.EventRouter",
    # The column holds the topic itself; the router would put `outbox.event.` before it.
    "route.by.field": "aggregatetype",
    "route.topic.replacement": "${routedByValue}",
    "table.field.event.id": "id",
    "table.field.event.key": "aggregateid",
    "table.field.event.payload": "payload",
    # The headers that consumers know; the router's own, `id`, stands beside them.
    "table.fields.additional.placement": (
        "id:header:event-id,type:header:event-type,traceparent:header:traceparent"
    ),
    "table.op.invalid.behavior": "warn",
}

EVENTS: Final = Capture(
    name="debezium-outbox",
    description="Events of outboxes into Kafka, byte for byte",
    server_id=184_055,
    tables=OUTBOX,
    prefix=OUTBOX_PREFIX,
    history_topic=OUTBOX_HISTORY_TOPIC,
    offsets_topic=OUTBOX_OFFSETS_TOPIC,
    topics=(*OUTBOX_EVENTS, *(topic.name for topic in OUTBOX_TOPICS)),
    more={
        "include.schema.changes": "false",
        "tombstones.on.delete": "false",
        "key.converter": _TEXT,
        "header.converter": _TEXT,
        # The payload is protobuf already; heartbeats are none, and go through the delegate.
        "value.converter": "io.debezium.converters.BinaryDataConverter",
        "value.converter.delegate.converter.type": _JSON,
        "value.converter.delegate.converter.type.schemas.enable": "false",
        "transforms": "outbox",
        # Heartbeats have no row to route by.
        "transforms.outbox.predicate": "event",
        "predicates": "event",
        "predicates.event.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.event.pattern": rf"{OUTBOX_PREFIX}\..*",
        **{f"transforms.outbox.{key}": value for key, value in _ROUTER.items()},
    },
)
"""The same records that `pin-relay` writes: topic, key, value, headers. What is published is not deleted."""


def captures(environment: Environment) -> tuple[Capture, ...]:
    """The connectors of an environment."""
    return (CHANGES, EVENTS) if environment.workloads.outbox == "debezium" else (CHANGES,)


def worker_properties(capture: Capture = CHANGES, *, region: str) -> str:
    """`worker.properties`: converters, where offsets go, and how `${secretsmanager:...}` is looked up."""
    properties = {
        "key.converter": _JSON,
        "value.converter": _JSON,
        "offset.storage.topic": capture.offsets_topic,
        "config.providers": "secretsmanager",
        "config.providers.secretsmanager.class": _SECRETS_PROVIDER,
        "config.providers.secretsmanager.param.region": region,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def connector_settings(
    capture: Capture = CHANGES, *, host: str, port: int, secret_name: str, bootstrap_brokers: str
) -> dict[str, str]:
    """A connector's configuration. User and password are references that the worker looks up."""
    tables = [f"{database}.{table}" for database, names in capture.tables.items() for table in names]
    return {
        "connector.class": "io.debezium.connector.mysql.MySqlConnector",
        "tasks.max": "1",  # a binlog is read in one sequence
        "database.hostname": host,
        "database.port": str(port),
        "database.user": f"${{secretsmanager:{secret_name}:username}}",
        "database.password": f"${{secretsmanager:{secret_name}:password}}",
        "database.server.id": str(capture.server_id),
        "database.ssl.mode": "required",
        "database.include.list": ",".join(capture.tables),
        "table.include.list": ",".join(tables),
        "topic.prefix": capture.prefix,
        "snapshot.mode": "initial",
        "snapshot.locking.mode": "minimal",
        # Moves the offset on while the captured tables are quiet, so that old binlogs are not needed again.
        "heartbeat.interval.ms": "30000",
        "topic.heartbeat.prefix": HEARTBEAT_PREFIX,
        "schema.history.internal.kafka.topic": capture.history_topic,
        "schema.history.internal.kafka.bootstrap.servers": bootstrap_brokers,
        **{
            f"schema.history.internal.{side}.{key}": value
            for side in ("producer", "consumer")
            for key, value in _IAM.items()
        },
        **capture.more,
    }
