"""Aurora clusters, their groups and instances; secrets."""

import pytest

from tests.rehearsal.conftest import Play


@pytest.fixture(scope="module")
def group(play: Play, subnets: list[str]) -> str:
    return play("aws:rds/subnetGroup:SubnetGroup", name="databases", subnetIds=subnets).id


def test_a_cluster_whose_password_aurora_manages(play: Play, group: str, key: str):
    created = play(
        "aws:rds/cluster:Cluster",
        clusterIdentifier="aurora",
        engine="aurora-mysql",
        engineVersion="8.0.mysql_aurora.3.10.0",
        dbSubnetGroupName=group,
        masterUsername="admin",
        manageMasterUserPassword=True,
        masterUserSecretKmsKeyId=key,
        storageEncrypted=True,
        kmsKeyId=key,
        enabledCloudwatchLogsExports=["audit", "error"],
        iamDatabaseAuthenticationEnabled=True,
        serverlessv2ScalingConfiguration={"minCapacity": 0.5, "maxCapacity": 16},
        skipFinalSnapshot=False,
        finalSnapshotIdentifier="aurora-final",
        deletionProtection=True,
        applyImmediately=True,
    )

    (found,) = play.ask("rds", "DescribeDBClusters", DBClusterIdentifier="aurora")["DBClusters"]
    assert found["DeletionProtection"]
    assert found["ServerlessV2ScalingConfiguration"]["MinCapacity"] == 0.5
    assert created.outputs["endpoint"] == found["Endpoint"]
    assert created.outputs["readerEndpoint"] == found["ReaderEndpoint"]
    assert created.outputs["port"] == 3306
    (secret,) = created.outputs["masterUserSecrets"]
    assert secret["secretArn"].startswith("arn:aws:secretsmanager:")
    assert secret["secretStatus"] == "active"
    assert created.unchecked == ()


def test_an_instance_of_the_cluster_tells_where_it_is(play: Play, group: str):
    play(
        "aws:rds/cluster:Cluster",
        clusterIdentifier="with-reader",
        engine="aurora-mysql",
        dbSubnetGroupName=group,
        masterUsername="admin",
        masterPassword="not-a-real-one",
    )

    created = play(
        "aws:rds/clusterInstance:ClusterInstance",
        identifier="reader-1",
        clusterIdentifier="with-reader",
        engine="aurora-mysql",
        instanceClass="db.r7g.large",
        performanceInsightsEnabled=True,
    )

    assert created.id == "reader-1"
    assert isinstance(created.outputs["endpoint"], str)
    assert created.unchecked == ()


def test_a_cluster_in_a_subnet_group_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:rds/cluster:Cluster",
        engine="aurora-mysql",
        dbSubnetGroupName="nowhere",
        masterUsername="admin",
        masterPassword="not-a-real-one",
    )

    assert problem.property == "dbSubnetGroupName"


def test_many_parameters_are_set_in_several_calls(play: Play):
    parameters = [{"name": f"parameter_{index}", "value": str(index)} for index in range(45)]
    parameters.append({"name": "binlog_format", "value": "ROW", "applyMethod": "pending-reboot"})

    play(
        "aws:rds/clusterParameterGroup:ClusterParameterGroup",
        name="cdc",
        family="aurora-mysql8.0",
        parameters=parameters,
    )

    found = play.ask("rds", "DescribeDBClusterParameters", DBClusterParameterGroupName="cdc")["Parameters"]
    assert {each["ParameterName"]: each["ParameterValue"] for each in found}.keys() >= {
        each["name"] for each in parameters
    }


def test_a_wrong_word_for_when_a_parameter_applies_is_named(play: Play):
    (problem,) = play.refused(
        "aws:rds/parameterGroup:ParameterGroup",
        name="wrong",
        family="aurora-mysql8.0",
        parameters=[{"name": "max_connections", "value": 100, "applyMethod": "later"}],
    )

    assert (problem.property, problem.value) == ("parameters[0].applyMethod", "later")


def test_a_secret_and_its_version(play: Play, key: str):
    secret = play(
        "aws:secretsmanager/secret:Secret", name="pin/database", kmsKeyId=key, recoveryWindowInDays=30
    )
    version = play(
        "aws:secretsmanager/secretVersion:SecretVersion", secretId=secret.id, secretString='{"password": "p"}'
    )

    found = play.ask("secretsmanager", "GetSecretValue", SecretId="pin/database")
    assert found["VersionId"] == version.outputs["versionId"]
    assert version.id == f"{secret.id}|{found['VersionId']}"
    assert version.outputs["versionStages"] == ["AWSCURRENT"]


def test_a_secrets_mistakes_are_named(play: Play):
    problems = play.refused("aws:secretsmanager/secret:Secret", name="x" * 600, recoveryWindowInDays=3)

    assert {problem.property for problem in problems} == {"name", "recoveryWindowInDays"}


def test_bytes_that_are_not_base64_are_refused_without_showing_them(play: Play):
    secret = play("aws:secretsmanager/secret:Secret", name="binary")

    (problem,) = play.refused(
        "aws:secretsmanager/secretVersion:SecretVersion", secretId=secret.id, secretBinary="not base64!"
    )

    assert problem.property == "secretBinary"
    assert "not base64!" not in str(problem)


def test_a_version_of_a_secret_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:secretsmanager/secretVersion:SecretVersion", secretId="lost", secretString="value"
    )

    assert "secretsmanager" in problem.reason
