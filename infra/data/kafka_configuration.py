"""The brokers' settings and what follows from the number of zones. Pure, so that its law can be tested."""


def replication_factor(zones: int) -> int:
    """A copy in every zone."""
    return zones


def min_in_sync_replicas(zones: int) -> int:
    """What a write must reach: all zones but one, so that losing a zone stops no producer."""
    return max(1, zones - 1)


def server_properties(*, zones: int) -> str:
    """`server.properties` for brokers spread over `zones` zones.

    SCRAM users are not held back by ACLs: MSK lets everyone do everything where no ACL is found
    (`allow.everyone.if.no.acl.found`), and ACLs can only be written by a Kafka client. IAM users are held to
    their policies. Source: MSK developer guide, "Custom MSK configurations".
    """
    copies, in_sync = replication_factor(zones), min_in_sync_replicas(zones)
    properties = {
        "auto.create.topics.enable": "false",  # a misspelt topic is an error, not a topic
        "default.replication.factor": copies,
        "min.insync.replicas": in_sync,
        "unclean.leader.election.enable": "false",  # rather wait than lose what was acknowledged
        "num.partitions": 6,
        "log.retention.hours": 168,
        "offsets.topic.replication.factor": copies,
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": in_sync,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())
