"""EKS clusters and node groups through boto3."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import Clients, Network


def refusal(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_cluster_gives_back_what_it_was_given(
    client: Clients, network: Network, role: Callable[..., str], unique: Callable[[str], str]
) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    given = {
        "version": "1.35",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "upgradePolicy": {"supportType": "STANDARD"},
        "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": key}}],
        "deletionProtection": True,
        "zonalShiftConfig": {"enabled": True},
        "tags": {"team": "platform"},
    }
    eks = client("eks")
    name = unique("full")
    eks.create_cluster(
        name=name,
        roleArn=role("eks.amazonaws.com"),
        resourcesVpcConfig={"subnetIds": network.subnets, "endpointPrivateAccess": True},
        kubernetesNetworkConfig={"serviceIpv4Cidr": "172.21.0.0/16"},
        logging={"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]},
        **given,
    )
    cluster = eks.describe_cluster(name=name)["cluster"]
    assert {key: cluster[key] for key in given} == given
    assert cluster["status"] == "ACTIVE"
    assert cluster["endpoint"].startswith("https://")
    assert cluster["certificateAuthority"]["data"]
    assert cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks.")
    assert cluster["platformVersion"].startswith("eks.")
    assert cluster["resourcesVpcConfig"]["vpcId"] == network.vpc
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    assert cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.21.0.0/16"
    assert cluster["logging"]["clusterLogging"][0] == {"types": ["api", "audit"], "enabled": True}
    with pytest.raises(ClientError) as refused:
        eks.delete_cluster(name=name)
    assert refusal(refused) == ("InvalidRequestException", 400)
    eks.update_cluster_config(name=name, deletionProtection=False)
    eks.delete_cluster(name=name)
    with pytest.raises(ClientError) as gone:
        eks.describe_cluster(name=name)
    assert refusal(gone) == ("ResourceNotFoundException", 404)
