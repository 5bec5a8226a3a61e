"""Where an API server stands behind the cluster, Kubernetes objects of a program are applied to it."""

import base64
from collections.abc import Iterator

import pytest

from emulator.cluster.client import ClusterClient
from emulator.cluster.resources import Resources
from emulator.cluster.status import ApiError
from emulator.process import BackedBy, Emulator
from rehearsal import adapters, cluster
from rehearsal.cloud import Cloud
from tests.rehearsal.conftest import Play

RESOURCES = Resources()
pytestmark = pytest.mark.xdist_group("rehearsal-cluster")


@pytest.fixture(scope="module")
def backed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """A cloud with a cluster that answers."""
    adapters.load()
    with Emulator(
        "210987654321", "eu-west-1", backing=BackedBy(tmp_path_factory.mktemp("backing"))
    ) as emulator:
        play = Play(Cloud(emulator.endpoint, "210987654321", "eu-west-1"))
        vpc = play.ask("ec2", "CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnets = [
            play.ask("ec2", "CreateSubnet", VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"eu-west-1{zone}")
            for zone, cidr in (("a", "10.0.0.0/24"), ("b", "10.0.1.0/24"))
        ]
        trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}'  # noqa: E501
        role = play.ask("iam", "CreateRole", RoleName="cluster", AssumeRolePolicyDocument=trust)["Role"][
            "Arn"
        ]
        network = {"subnetIds": [each["Subnet"]["SubnetId"] for each in subnets]}
        play.ask("eks", "CreateCluster", name="tried", roleArn=role, resourcesVpcConfig=network)
        yield play


def test_an_object_is_there_afterwards(backed: Play) -> None:
    created = backed(
        "kubernetes:core/v1:Namespace", apiVersion="v1", kind="Namespace", metadata={"name": "team"}
    )
    assert created.id == "team"
    assert created.outputs["status"] == {"phase": "Active"}
    client = cluster.connect(backed.cloud)
    assert client is not None
    found = client.get(RESOURCES["namespaces"], "", "team")
    assert found["metadata"]["uid"] == created.outputs["metadata"]["uid"]


def test_applying_again_changes_nothing(backed: Play) -> None:
    data = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "same"}, "data": {"a": "b"}}
    first, second = (backed("kubernetes:core/v1:ConfigMap", **data) for _ in range(2))
    (manager,) = first.outputs["metadata"]["managedFields"]
    assert (manager["manager"], manager["operation"]) == (cluster.MANAGER, "Apply")
    assert first.outputs["metadata"]["resourceVersion"] == second.outputs["metadata"]["resourceVersion"]


def test_kinds_that_charts_install_are_there(backed: Play) -> None:
    spec = {
        "template": {
            "spec": {
                "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "general"},
                "requirements": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}],
            }
        }
    }
    created = backed(
        "kubernetes:karpenter.sh/v1:NodePool",
        apiVersion="karpenter.sh/v1",
        kind="NodePool",
        metadata={"name": "general"},
        spec=spec,
    )
    assert created.outputs["metadata"]["name"] == "general"


def test_a_refusal_of_the_server_is_one_of_the_resource(backed: Play) -> None:
    problems = backed.refused(
        "kubernetes:core/v1:ConfigMap",
        apiVersion="v1",
        kind="ConfigMap",
        metadata={"name": "lost", "namespace": "nowhere"},
    )
    assert [problem.reason for problem in problems] == ['namespaces "nowhere" not found']


def test_a_field_that_is_wrong_is_named(backed: Play) -> None:
    problems = backed.refused(
        "kubernetes:core/v1:Service",
        apiVersion="v1",
        kind="Service",
        metadata={"name": "web"},
        spec={"ports": [{"port": 123456}]},
    )
    (problem,) = [each for each in problems if each.property == "spec.ports[0].port"]
    assert "must be between 1 and 65535" in problem.reason


def test_nothing_is_sent_where_the_cluster_only_describes(cloud: Cloud) -> None:
    assert cluster.connect(cloud) is None


def test_a_token_for_another_cluster_lets_nobody_in(backed: Play) -> None:
    told = backed.ask("eks", "DescribeCluster", name="tried")["cluster"]
    authority = base64.b64decode(told["certificateAuthority"]["data"]).decode()
    client = ClusterClient(told["endpoint"], authority, cluster.token(backed.cloud, "another"))
    with pytest.raises(ApiError) as refused:
        client.list(RESOURCES["pods"])
    assert refused.value.code == 401


def test_what_charts_install_can_be_looked_at(backed: Play) -> None:
    """Also the kinds that only controllers make: `pinwheel destroy` waits for NodeClaims."""
    client = cluster.connect(backed.cloud)
    assert client is not None
    claim = client.resource_of({"apiVersion": "karpenter.sh/v1", "kind": "NodeClaim"})
    assert client.list(claim) == []
