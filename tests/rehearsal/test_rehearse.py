"""Every environment passes, covered as far as promised, and what it declares keeps the promises of the design."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra import environment_file
from infra.contracts import ClusterContract, DataContract, NetworkContract, decoded
from rehearsal import placeholders
from rehearsal.record import Record
from rehearsal.rehearse import Rehearsal
from tests.rehearsing import rehearse_anew

pytestmark = pytest.mark.xdist_group("rehearsed")

Rehearsed = Callable[[str], Rehearsal]
ENVIRONMENTS = environment_file.names()


@pytest.fixture
def prod(rehearsed: Rehearsed) -> Rehearsal:
    return rehearsed("prod")


def records(rehearsal: Rehearsal, *tokens: str) -> Iterator[Record]:
    """The custom resources of any layer, of the given types if there are any."""
    for layer in rehearsal.layers:
        for record in layer.records:
            if record.custom and record.layer_resource and (not tokens or record.type in tokens):
                yield record


def test_there_are_four_environments():
    assert set(ENVIRONMENTS) == {"local", "dev", "staging", "prod"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_passes(rehearsed: Rehearsed, name: str):
    rehearsal = rehearsed(name)

    assert [f"{each.resource}: {each.problem}" for each in rehearsal.refusals] == []
    assert [layer.crash for layer in rehearsal.layers] == ["", "", "", ""]
    assert [layer.name for layer in rehearsal.layers] == ["network", "cluster", "data", "workloads"]
    assert rehearsal.passed


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_at_least_95_percent_of_the_aws_resources_have_an_adapter(rehearsed: Rehearsed, name: str):
    aws = [record for record in records(rehearsed(name)) if record.type.startswith("aws:")]
    created = [record for record in aws if record.status == "created"]

    assert len(created) / len(aws) >= 0.95


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_only_helm_releases_are_recorded_only(rehearsed: Rehearsed, name: str):
    recorded = {record.type for record in records(rehearsed(name)) if record.status == "recorded"}

    assert recorded == {"kubernetes:helm.sh/v3:Release"}


def test_every_property_of_prod_is_carried_to_the_emulator(prod: Rehearsal):
    assert {(each.type, each.unchecked) for each in records(prod) if each.unchecked} == set()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_everything_that_takes_tags_has_them(rehearsed: Rehearsed, name: str):
    taggable = [
        record
        for record in records(rehearsed(name))
        if record.type.startswith("aws:") and placeholders.declares(record.type, "tagsAll")
    ]

    assert len(taggable) > 50
    for record in taggable:
        tags = record.outputs["tagsAll"]
        assert tags["project"] == "pinwheel", record.urn
        assert tags["environment"] == name, record.urn
        assert tags["managed-by"] == "pulumi", record.urn
        assert tags["owner"], record.urn


def test_the_graph_has_the_documented_keys(prod: Rehearsal):
    graph = prod.as_json()

    assert graph.keys() == {"environment", "layers"}
    assert graph["environment"] == "prod"
    for layer in graph["layers"]:
        assert layer.keys() == {"name", "resources"}
        for resource in layer["resources"]:
            assert list(resource) == [
                "urn",
                "type",
                "name",
                "id",
                "status",
                "inputs",
                "outputs",
                "parent",
                "dependencies",
                "seconds",
            ]
            assert resource["status"] in ("created", "recorded", "failed")
    assert json.loads(json.dumps(graph)) == graph


def test_parents_and_dependencies_are_in_the_graph(prod: Rehearsal):
    resources = [each for layer in prod.as_json()["layers"] for each in layer["resources"]]
    known = {each["urn"] for each in resources}

    assert len(known) == len(resources)
    for resource in resources:
        assert set(resource["dependencies"]) <= known, resource["urn"]
        assert resource["parent"] in known or "pulumi:pulumi:Stack" in resource["parent"], resource["urn"]


def test_no_password_is_in_the_graph(prod: Rehearsal):
    passwords = [
        each.outputs["result"] for each in records(prod, "random:index/randomPassword:RandomPassword")
    ]
    text = json.dumps(prod.as_json())

    assert len(passwords) >= 5
    assert all(len(password) >= 20 for password in passwords)
    assert not [password for password in passwords if password in text]


def test_rehearsing_twice_gives_the_same_inputs_byte_by_byte(rehearsed: Rehearsed):
    once, again = rehearsed("local"), rehearse_anew("local")

    def inputs(rehearsal: Rehearsal) -> dict[str, str]:
        return {
            record.urn: json.dumps(record.inputs) for layer in rehearsal.layers for record in layer.records
        }

    assert inputs(once) == inputs(again)


@pytest.mark.parametrize("kind", [NetworkContract, ClusterContract, DataContract])
def test_a_layer_s_outputs_are_its_contract(prod: Rehearsal, kind: Any):
    (layer,) = [each for each in prod.layers if each.name == kind.LAYER]

    assert layer.outputs.keys() == {"contract"}
    values = decoded(kind, layer.outputs["contract"])
    assert values
    assert placeholders.mentions(values) == ""


KEY_OF = {
    "aws:rds/cluster:Cluster": ("kmsKeyId", "masterUserSecretKmsKeyId", "performanceInsightsKmsKeyId"),
    "aws:cloudwatch/logGroup:LogGroup": ("kmsKeyId",),
    "aws:secretsmanager/secret:Secret": ("kmsKeyId",),
    "aws:backup/vault:Vault": ("kmsKeyArn",),
    "aws:eks/cluster:Cluster": ("encryptionConfig.provider.keyArn",),
    "aws:msk/cluster:Cluster": ("encryptionInfo.encryptionAtRestKmsKeyArn",),
}
"""Stateful types, and their properties that name a customer-managed key."""


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize("token", KEY_OF)
def test_what_keeps_data_is_encrypted_with_a_key_of_ours(rehearsed: Rehearsed, name: str, token: str):
    rehearsal = rehearsed(name)
    keys = {record.outputs["arn"] for record in records(rehearsal, "aws:kms/key:Key")}

    found = list(records(rehearsal, token))

    assert found
    for record in found:
        for path in KEY_OF[token]:
            value: Any = record.inputs
            for step in path.split("."):
                value = value[step]
            assert value in keys, f"{record.urn} {path}"


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_volumes_queues_buckets_and_wires_are_encrypted(rehearsed: Rehearsed, name: str):
    rehearsal = rehearsed(name)

    for cluster in records(rehearsal, "aws:rds/cluster:Cluster"):
        assert cluster.inputs["storageEncrypted"] is True
    for queue in records(rehearsal, "aws:sqs/queue:Queue"):
        assert queue.inputs.get("sqsManagedSseEnabled") or queue.inputs.get("kmsMasterKeyId"), queue.urn
    for template in records(rehearsal, "aws:ec2/launchTemplate:LaunchTemplate"):
        volumes = [each["ebs"] for each in template.inputs["blockDeviceMappings"]]
        assert volumes
        assert all(each["encrypted"] in ("true", True) for each in volumes), template.urn
    for kind in records(rehearsal, "kubernetes:storage.k8s.io/v1:StorageClass"):
        assert kind.inputs["parameters"]["encrypted"] == "true"
    for kind in records(rehearsal, "kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        assert all(each["ebs"]["encrypted"] for each in kind.inputs["spec"]["blockDeviceMappings"])
    for cluster in records(rehearsal, "aws:msk/cluster:Cluster"):
        assert cluster.inputs["encryptionInfo"]["encryptionInTransit"] == {
            "clientBroker": "TLS",
            "inCluster": True,
        }
    for key in records(rehearsal, "aws:kms/key:Key"):
        assert key.inputs["enableKeyRotation"] is True, key.urn


@pytest.mark.parametrize("name", ENVIRONMENTS)
@pytest.mark.parametrize(
    "about",
    [
        "bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "bucketPublicAccessBlock:BucketPublicAccessBlock",
        "bucketVersioning:BucketVersioning",
        "bucketPolicy:BucketPolicy",
        "bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    ],
)
def test_every_bucket_has(rehearsed: Rehearsed, name: str, about: str):
    buckets = {record.id for record in records(rehearsed(name), "aws:s3/bucket:Bucket")}

    assert buckets
    assert {record.inputs["bucket"] for record in records(rehearsed(name), f"aws:s3/{about}")} == buckets


def test_every_bucket_of_prod_refuses_plain_http(prod: Rehearsal):
    for policy in records(prod, "aws:s3/bucketPolicy:BucketPolicy"):
        denied = [
            each for each in json.loads(policy.inputs["policy"])["Statement"] if each["Effect"] == "Deny"
        ]
        assert {"Bool": {"aws:SecureTransport": "false"}} in [each.get("Condition") for each in denied]


STATEFUL = (
    "aws:backup/vault:Vault",
    "aws:msk/cluster:Cluster",
    "aws:rds/cluster:Cluster",
    "aws:s3/bucket:Bucket",
)


def test_what_keeps_data_in_prod_is_protected(prod: Rehearsal):
    stateful = list(records(prod, *STATEFUL))

    assert {record.type for record in stateful} == set(STATEFUL)
    assert [record.urn for record in stateful if not record.protect] == []
    (database,) = records(prod, "aws:rds/cluster:Cluster")
    assert database.inputs["deletionProtection"] is True
    assert database.inputs["skipFinalSnapshot"] is False
    (cluster,) = records(prod, "aws:eks/cluster:Cluster")
    assert cluster.inputs["deletionProtection"] is True
    assert not [each.urn for each in records(prod, "aws:s3/bucket:Bucket") if each.inputs.get("forceDestroy")]


def test_dev_can_be_thrown_away(rehearsed: Rehearsed):
    dev = rehearsed("dev")

    assert [record.urn for record in records(dev) if record.protect] == []
    (database,) = records(dev, "aws:rds/cluster:Cluster")
    assert database.inputs["deletionProtection"] is False


NAMES = ("bucket", "clusterIdentifier", "clusterName", "functionName", "identifier", "name", "nodeGroupName")
NAMED_OTHERWISE = {
    "aws:ecr/repository:Repository": "an image is called the same wherever it runs",
    "aws:eks/addon:Addon": "AWS names them",
    "aws:glue/catalogTable:CatalogTable": "their database has the name",
    "aws:msk/topic:Topic": "their cluster has the name",
    "aws:route53/zone:Zone": "a domain",
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_names_follow_one_convention(rehearsed: Rehearsed, name: str):
    odd = [
        (record.type, record.inputs[key])
        for record in records(rehearsed(name))
        if record.type.startswith("aws:") and record.type not in NAMED_OTHERWISE
        for key in NAMES
        if isinstance(record.inputs.get(key), str)
        and f"pinwheel-{name}" not in record.inputs[key].replace("/", "-").replace("_", "-")
        and not record.inputs[key].startswith("/aws-glue/iceberg-")  # Glue prescribes these log groups
    ]

    assert odd == []
