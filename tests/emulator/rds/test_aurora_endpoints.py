"""What RDS says of a cluster leads a MySQL client to its data, with what Secrets Manager says."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace

import pymysql
import pytest

from emulator.rds.real import Credential
from tests.emulator.rds.conftest import Aurora, Cloud, member, rows
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("mysql")


def test_every_endpoint_leads_to_the_same_data(aurora: Aurora) -> None:
    aurora.sql("CREATE TABLE IF NOT EXISTS first.seen (id INT)")
    described = aurora.described
    rds = aurora.cloud.client("rds")
    instances = rds.describe_db_instances(Filters=[{"Name": "db-cluster-id", "Values": [aurora.name]}])
    endpoints = {
        (described["Endpoint"], described["Port"]),
        (described["ReaderEndpoint"], described["Port"]),
        *((each["Endpoint"]["Address"], each["Endpoint"]["Port"]) for each in instances["DBInstances"]),
    }
    assert len(instances["DBInstances"]) == 2
    ((host, port),) = endpoints
    assert host == "127.0.0.1"
    with aurora.connect(aurora.master, "first", host=host, port=port) as connection:
        assert rows(connection, "SHOW TABLES LIKE 'seen'") == [("seen",)]


def test_a_wrong_password_is_refused(aurora: Aurora) -> None:
    with pytest.raises(pymysql.OperationalError) as refusal:
        aurora.connect(replace(aurora.master, password="guessed"))
    assert refusal.value.args[0] == 1045


def test_a_password_that_was_given_opens_as_well(new_aurora: Callable[..., Aurora]) -> None:
    aurora = new_aurora(ManageMasterUserPassword=False, MasterUserPassword="given-by-hand")
    given = Credential("pinwheel_admin", "given-by-hand")
    until(lambda: member(aurora.cloud.directory, f"mysql/{aurora.name}"))
    until(lambda: _open(aurora, given))
    aurora.cloud.client("rds").modify_db_cluster(
        DBClusterIdentifier=aurora.name, MasterUserPassword="changed-by-hand", ApplyImmediately=True
    )
    changed = replace(given, password="changed-by-hand")
    until(lambda: _open(aurora, changed))
    assert not _open(aurora, given)


def _open(aurora: Aurora, user: Credential) -> bool:
    try:
        aurora.connect(user).close()
    except pymysql.OperationalError:
        return False
    return True


@pytest.mark.parametrize("by", ["secretsmanager", "rds"])
def test_a_rotated_password_takes_the_place_of_the_old(new_aurora: Callable[..., Aurora], by: str) -> None:
    aurora = new_aurora(instances=1)
    aurora.sql("SELECT 1")
    former = aurora.master
    if by == "rds":
        aurora.cloud.client("rds").modify_db_cluster(
            DBClusterIdentifier=aurora.name, RotateMasterUserPassword=True, ApplyImmediately=True
        )
    else:
        aurora.cloud.client("secretsmanager").rotate_secret(SecretId=aurora.target["secretArn"])
    assert aurora.master.password != former.password
    until(lambda: _open(aurora, aurora.master))
    assert not _open(aurora, former)


def test_two_clusters_have_servers_of_their_own(aurora: Aurora, new_aurora: Callable[..., Aurora]) -> None:
    other = new_aurora(instances=1)
    other.sql("CREATE DATABASE only_there")
    names = aurora.sql("SHOW DATABASES LIKE 'only_there'")["records"]
    assert names == []
    assert aurora.described["Port"] != other.described["Port"]


def test_a_deleted_cluster_takes_its_server_with_it(new_aurora: Callable[..., Aurora]) -> None:
    aurora = new_aurora(instances=0)
    name = f"mysql/{aurora.name}"
    until(lambda: member(aurora.cloud.directory, name))
    aurora.cloud.client("rds").delete_db_cluster(DBClusterIdentifier=aurora.name, SkipFinalSnapshot=True)
    until(lambda: member(aurora.cloud.directory, name) is None)
    until(lambda: not (aurora.cloud.directory / "data" / "mysql" / aurora.name).exists())


def test_the_emulator_goes_on_when_a_server_is_killed(new_aurora: Callable[..., Aurora]) -> None:
    aurora = new_aurora(instances=1)
    aurora.sql("CREATE TABLE first.pins (id INT)")
    before = member(aurora.cloud.directory, f"mysql/{aurora.name}")
    assert before is not None
    data = aurora.cloud.client("rds-data")
    transaction = data.begin_transaction(**aurora.target)["transactionId"]
    os.kill(before.pid, signal.SIGKILL)
    until(lambda: _restarted(aurora))
    assert aurora.sql("SELECT COUNT(*) FROM first.pins")["records"] == [[{"longValue": 0}]]
    for _ in range(2):
        with pytest.raises(data.exceptions.DatabaseUnavailableException):
            aurora.sql("SELECT 1", transactionId=transaction)


def _restarted(aurora: Aurora) -> bool:
    found = member(aurora.cloud.directory, f"mysql/{aurora.name}")
    return found is not None and found.details["restarts"] == 1


def test_engines_without_a_server_keep_aws_names(cloud: Cloud) -> None:
    made = cloud.client("rds").create_db_cluster(
        DBClusterIdentifier="postgres",
        Engine="aurora-postgresql",
        MasterUsername="admin_user",
        ManageMasterUserPassword=True,
    )["DBCluster"]
    assert made["Endpoint"].endswith(".eu-west-1.rds.amazonaws.com")
    assert made["Port"] == 5432
