"""The data layer: Aurora MySQL with its users, Kafka with its topics, change data capture, lake, backups."""

import pulumi

from infra import contracts, logs
from infra.data.access_logs import access_logs
from infra.data.aurora import Aurora, AuroraArgs
from infra.data.backups import Backups, BackupsArgs
from infra.data.connect import Debezium, DebeziumArgs
from infra.data.kafka import Kafka, KafkaArgs
from infra.data.lake import Lake, LakeArgs
from infra.data.scram import ScramUsers, ScramUsersArgs
from infra.data.security_groups import SecurityGroups, SecurityGroupsArgs
from infra.data.service_database import ServiceDatabases, ServiceDatabasesArgs
from infra.data.tables import Tables, TablesArgs
from infra.data.topics import Topics, TopicsArgs
from infra.environment import Environment
from infra.providers import aws_provider


def stack(environment: Environment) -> None:
    """Declares the layer."""
    network = contracts.read(contracts.NetworkContract, environment.name)
    cluster = contracts.read(contracts.ClusterContract, environment.name)
    provider = aws_provider(environment)
    under_aws = pulumi.ResourceOptions(providers=[provider])
    log_key = logs.log_key(environment, "data", pulumi.ResourceOptions(provider=provider))

    groups = SecurityGroups(
        "security-groups",
        SecurityGroupsArgs(environment, network.vpc_id, cluster.security_group_id),
        under_aws,
    )
    aurora = Aurora(
        "aurora", AuroraArgs(environment, network.intra_subnet_ids, groups.database.id, log_key), under_aws
    )
    databases = ServiceDatabases("databases", ServiceDatabasesArgs(environment, aurora, log_key), under_aws)
    kafka = Kafka(
        "kafka", KafkaArgs(environment, network.intra_subnet_ids, groups.kafka.id, log_key), under_aws
    )
    ScramUsers("kafka-users", ScramUsersArgs(environment, kafka.cluster), under_aws)
    topics = Topics("topics", TopicsArgs(environment, kafka.cluster), under_aws)
    requests = access_logs(environment, under_aws)
    Debezium(
        "debezium",
        DebeziumArgs(
            environment=environment,
            subnet_ids=network.private_subnet_ids,
            security_groups=groups,
            aurora=aurora,
            databases=databases,
            kafka=kafka,
            topics=topics,
            log_key=log_key,
        ),
        under_aws,
    )
    lake = Lake("lake", LakeArgs(environment, requests), under_aws)
    Tables("tables", TablesArgs(environment, lake, log_key), under_aws)
    Backups("backups", BackupsArgs(environment, (aurora.cluster.arn, lake.bucket.arn)), under_aws)
    contracts.export(
        contracts.DataContract(
            database_writer_endpoint=aurora.cluster.endpoint,
            database_reader_endpoint=aurora.cluster.reader_endpoint,
            database_port=aurora.cluster.port,
            database_secret_arns=pulumi.Output.all(
                **{name: credential.secret.arn for name, credential in databases.credentials.items()}
            ),
            database_credentials_key_arn=databases.key.arn,
            kafka_cluster_arn=kafka.cluster.arn,
            kafka_bootstrap_brokers_iam=kafka.cluster.bootstrap_brokers_sasl_iam,
            kafka_bootstrap_brokers_scram=kafka.cluster.bootstrap_brokers_sasl_scram,
            lake_bucket=lake.bucket.bucket,
            lake_database=lake.database.name,
        )
    )
