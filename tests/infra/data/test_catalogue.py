"""The catalogue agrees with itself, and the clusters of every environment can hold it."""

import pytest

from infra import environment_file
from infra.data.catalogue import (
    CAPTURED_TABLES,
    CDC_PREFIX,
    DEAD_LETTER_SUFFIX,
    TABLES,
    TOPICS,
    Cleanup,
    Column,
    ListOf,
    Partition,
    Primitive,
    Table,
)
from infra.data.kafka_configuration import replication_factor
from infra.workloads import declarations

INTERNAL_PARTITIONS = 50 + 50 + 25 + 5 + 1
"""Consumer offsets, transactions, and what MSK Connect makes for a connector."""

PARTITIONS_A_BROKER = {"kafka.t3.small": 300, "kafka.m7g.large": 1000, "kafka.m7g.xlarge": 1000}
"""Leaders and followers. Source: MSK developer guide, "Right-size your cluster"."""


@pytest.mark.parametrize("name", environment_file.names())
def test_the_brokers_of_every_environment_hold_the_topics(name: str):
    environment = environment_file.load(name)
    partitions = sum(topic.partitions for topic in TOPICS) + INTERNAL_PARTITIONS
    replicas = partitions * replication_factor(len(environment.zones))
    assert replicas / environment.kafka.brokers <= PARTITIONS_A_BROKER[environment.kafka.instance_type]


def test_topics_have_names_of_their_own():
    names = [topic.name for topic in TOPICS]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 249 for name in names)


def test_every_captured_table_has_its_topic():
    """Brokers create none: a table without a topic would stop the connector."""
    names = {topic.name for topic in TOPICS}
    for database, tables in CAPTURED_TABLES.items():
        assert {f"{CDC_PREFIX}.{database}.{table}" for table in tables} <= names


@pytest.mark.parametrize("name", environment_file.names())
def test_captured_databases_belong_to_services(name: str):
    assert set(CAPTURED_TABLES) <= set(declarations.databases(environment_file.load(name)))


def test_every_lake_table_is_fed_by_an_event_topic_with_a_dead_letter_topic():
    names = {topic.name for topic in TOPICS}
    for table in TABLES:
        assert {table.name, table.name + DEAD_LETTER_SUFFIX} <= names


def test_what_must_not_be_forgotten_is_kept_for_ever():
    kept = {topic.name: topic for topic in TOPICS if topic.retention_days is None}
    assert set(kept) == {"cdc.schema-history", "connect.debezium.offsets"}
    assert kept["connect.debezium.offsets"].cleanup is Cleanup.COMPACT
    assert kept["cdc.schema-history"].partitions == 1


def test_keys_are_required_columns_and_partitions_are_columns():
    for table in TABLES:
        required = {column.name for column in table.columns if column.required}
        assert set(table.key) <= required
        assert all(table.field_id(partition.column) for partition in table.partitions)
        names = [partition.name for partition in table.partitions]
        assert len(set(names)) == len(names)


def test_field_ids_count_from_one_in_the_order_of_the_columns():
    table = Table(
        "t", "", ("a",), (Column("a", Primitive.LONG, ""), Column("b", ListOf(Primitive.FLOAT), "")), ()
    )
    assert (table.field_id("a"), table.field_id("b")) == (1, 2)
    with pytest.raises(ValueError, match="table t has no column c; it has a, b"):
        table.field_id("c")


@pytest.mark.parametrize(
    ("partition", "name"),
    [
        (Partition("clicked_at", "day"), "clicked_at_day"),
        (Partition("pin_id", "bucket[16]"), "pin_id_bucket"),
        (Partition("model_version", "identity"), "model_version"),
    ],
)
def test_a_partition_is_named_as_spark_names_it(partition: Partition, name: str):
    assert partition.name == name
