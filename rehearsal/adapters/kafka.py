"""MSK: clusters, their configuration, topics and credentials."""

import base64

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_CLUSTER = {
    # What is true or false in Pulumi is an object of its own in the API.
    "clientAuthentication.sasl.iam": "Iam.Enabled",
    "clientAuthentication.sasl.scram": "Scram.Enabled",
    "clientAuthentication.unauthenticated": "Unauthenticated.Enabled",
    "clientAuthentication.tls.certificateAuthorityArns": "CertificateAuthorityArnList",
    "brokerNodeGroupInfo.azDistribution": "BrokerAZDistribution",
    "encryptionInfo.encryptionAtRestKmsKeyArn": "EncryptionAtRest.DataVolumeKMSKeyId",
    **{
        f"brokerNodeGroupInfo.connectivityInfo.vpcConnectivity.clientAuthentication.{key}": target
        for key, target in (
            ("sasl.iam", "Iam.Enabled"),
            ("sasl.scram", "Scram.Enabled"),
            ("tls", "Tls.Enabled"),
        )
    },
}


@adapter("aws:msk/configuration:Configuration")
def configuration(order: Order) -> Created:
    """Broker settings."""
    order.default_name()
    answer = order.create(
        "kafka",
        "CreateConfiguration",
        omit=("serverProperties",),
        extra={"ServerProperties": str(order.inputs.get("serverProperties", "")).encode()},
    )
    arn = answer.response["Arn"]
    return answer.created(arn, {"arn": arn, "latestRevision": answer.response["LatestRevision"]["Revision"]})


@adapter("aws:msk/cluster:Cluster")
def cluster(order: Order) -> Created:
    """A provisioned cluster, and the addresses of its brokers."""
    name = order.default_name("clusterName")
    answer = order.create("kafka", "CreateCluster", renames=_CLUSTER)
    arn = answer.response["ClusterArn"]
    brokers = order.call("kafka", "GetBootstrapBrokers", ClusterArn=arn)
    addresses = {
        f"bootstrapBrokers{key.removeprefix('BootstrapBrokerString')}": value
        for key, value in brokers.items()
        if key.startswith("BootstrapBrokerString")
    }
    return answer.created(
        arn, {"arn": arn, "clusterName": name, "clusterUuid": arn.rsplit("/", 1)[-1], **addresses}
    )


@adapter("aws:msk/topic:Topic")
def topic(order: Order) -> Created:
    """A topic; `configs` is JSON, which the API takes in base64."""
    name = order.default_name()
    configs = order.inputs.get("configs")
    answer = order.create(
        "kafka",
        "CreateTopic",
        renames={"name": "TopicName"},
        omit=("configs", "timeouts"),  # timeouts: the provider's own patience
        extra={"Configs": base64.b64encode(configs.encode()).decode()} if configs else None,
    )
    return answer.created(
        f"{order.inputs.get('clusterArn')},{name}", {"arn": answer.response.get("TopicArn"), "name": name}
    )


@adapter("aws:msk/singleScramSecretAssociation:SingleScramSecretAssociation")
def scram_secret_association(order: Order) -> Created:
    """A secret whose user name and password the brokers accept."""
    answer = order.create("kafka", "BatchAssociateScramSecret", renames={"secretArn": "SecretArnList"})
    for failed in answer.response.get("UnprocessedScramSecrets") or ():
        order.refuse(
            "secretArn", failed.get("SecretArn"), f"was refused: {failed.get('ErrorMessage')}", _SECRETS
        )
    return answer.created(f"{order.inputs.get('clusterArn')},{order.inputs.get('secretArn')}")


_SECRETS = "a secret named AmazonMSK_..., encrypted with a customer-managed key"


@adapter("aws:msk/clusterPolicy:ClusterPolicy")
def cluster_policy(order: Order) -> Created:
    """Who of other accounts may connect."""
    answer = order.create("kafka", "PutClusterPolicy")
    return answer.created(
        order.inputs.get("clusterArn", ""), {"currentVersion": answer.response.get("CurrentVersion")}
    )
