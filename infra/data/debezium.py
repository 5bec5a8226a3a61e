"""The settings of the Debezium connector and of the worker that runs it: pure text, and tested as such.

Source: Debezium reference, "MySQL connector configuration properties"; MSK developer guide, "Debezium source
connector with configuration provider".
"""

from infra.data.catalogue import (
    CAPTURED_TABLES,
    CDC_PREFIX,
    CONNECT_OFFSETS_TOPIC,
    HEARTBEAT_PREFIX,
    SCHEMA_HISTORY_TOPIC,
)

SERVER_ID = 184_054
"""What the connector calls itself among the database's replicas; any number no replica has."""

HISTORY_GROUP = f"{CDC_PREFIX}-schemahistory"
"""The consumer group by which Debezium reads the schema history."""

_SECRETS_PROVIDER = "com.amazonaws.kafka.config.providers.SecretsManagerConfigProvider"

_IAM = {
    "security.protocol": "SASL_SSL",
    "sasl.mechanism": "AWS_MSK_IAM",
    "sasl.jaas.config": "software.amazon.msk.auth.iam.IAMLoginModule required;",
    "sasl.client.callback.handler.class": "software.amazon.msk.auth.iam.IAMClientCallbackHandler",
}


def worker_properties(*, region: str) -> str:
    """`worker.properties`: converters, where offsets go, and how `${secretsmanager:...}` is looked up."""
    properties = {
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "offset.storage.topic": CONNECT_OFFSETS_TOPIC,
        "config.providers": "secretsmanager",
        "config.providers.secretsmanager.class": _SECRETS_PROVIDER,
        "config.providers.secretsmanager.param.region": region,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def connector_settings(*, host: str, port: int, secret_name: str, bootstrap_brokers: str) -> dict[str, str]:
    """The connector's configuration. User and password are references that the worker looks up."""
    tables = [f"{database}.{table}" for database, names in CAPTURED_TABLES.items() for table in names]
    return {
        "connector.class": "io.debezium.connector.mysql.MySqlConnector",
        "tasks.max": "1",  # a binlog is read in one sequence
        "database.hostname": host,
        "database.port": str(port),
        "database.user": f"${{secretsmanager:{secret_name}:username}}",
        "database.password": f"${{secretsmanager:{secret_name}:password}}",
        "database.server.id": str(SERVER_ID),
        "database.ssl.mode": "required",
        "database.include.list": ",".join(CAPTURED_TABLES),
        "table.include.list": ",".join(tables),
        "topic.prefix": CDC_PREFIX,
        "include.schema.changes": "true",
        "snapshot.mode": "initial",
        "snapshot.locking.mode": "minimal",
        # Moves the offset on while the captured tables are quiet, so that old binlogs are not needed again.
        "heartbeat.interval.ms": "30000",
        "topic.heartbeat.prefix": HEARTBEAT_PREFIX,
        "tombstones.on.delete": "true",
        "schema.history.internal.kafka.topic": SCHEMA_HISTORY_TOPIC,
        "schema.history.internal.kafka.bootstrap.servers": bootstrap_brokers,
        **{
            f"schema.history.internal.{side}.{key}": value
            for side in ("producer", "consumer")
            for key, value in _IAM.items()
        },
    }
