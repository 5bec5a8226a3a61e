"""Environment files: what is refused, and how well the refusal tells a person what to do."""

import ipaddress
from pathlib import Path

import pytest

from infra import environment_file
from infra.environment_file import ENVIRONMENTS, InvalidEnvironment, load


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A folder of environments that starts with the real prod."""
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "prod.yaml").write_text((ENVIRONMENTS / "prod.yaml").read_text())
    return folder


def faults(directory: Path, text: str) -> tuple[str, ...]:
    (directory / "mine.yaml").write_text(text)
    with pytest.raises(InvalidEnvironment) as raised:
        load("mine", directory)
    return raised.value.faults


@pytest.mark.parametrize("name", environment_file.names())
def test_every_environment_of_the_repository_is_valid(name: str):
    assert load(name).name == name


def test_prod_survives_the_loss_of_a_zone():
    prod = load("prod")
    assert len(prod.zones) == 3
    assert prod.network.nat_gateways == "per-zone"
    assert prod.database.instances >= 2
    assert prod.kafka.brokers >= 3
    assert prod.protect


def test_an_environment_states_only_what_differs(directory: Path):
    (directory / "mine.yaml").write_text("extends: prod\nnetwork: {cidr: 10.0.0.0/16}\n")
    mine, prod = load("mine", directory), load("prod", directory)
    assert mine.network.cidr == ipaddress.ip_network("10.0.0.0/16")
    assert mine.network.domain == prod.network.domain
    assert mine.cluster == prod.cluster


def test_null_removes_what_was_inherited(directory: Path):
    (directory / "mine.yaml").write_text(
        "extends: prod\ndatabase: {instance_class: null, serverless: {min: 1 ACU, max: 8 ACU}}\n"
    )
    mine = load("mine", directory)
    assert mine.database.instance_class is None
    assert mine.database.serverless is not None


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("extends: prod\nkafka: {brokrs: 3}\n", "mine.yaml:2: kafka.brokrs", "did you mean `brokers`?"),
        (
            "extends: prod\nkafka:\n  storage: 1000 GB\n",
            "mine.yaml:3: kafka.storage = 1000 GB",
            "units are GiB, TiB",
        ),
        (
            "extends: prod\nlake: {snapshot_retention: 7}\n",
            "mine.yaml:2: lake.snapshot_retention = 7",
            "has no unit",
        ),
        (
            "extends: prod\nlake: {snapshot_retention: 36 hours}\n",
            "mine.yaml:2: lake",
            "whole number of days",
        ),
        (
            "extends: prod\nlake: {snapshot_retention: 900 days}\n",
            "mine.yaml:2: lake",
            "less than or equal to 365",
        ),
        ("extends: prod\nnetwork: {cidr: 10.0.0.0/24}\n", "mine.yaml:2: network.cidr", "/16, /17 or /18"),
        ("extends: prod\nnetwork: {cidr: 8.8.0.0/16}\n", "mine.yaml:2: network.cidr", "must be private"),
        ("extends: prod\nkafka: {brokers: 4}\n", "mine.yaml:1", "use a multiple of 3"),
        ("extends: prod\nzones: [us-west-2a, us-east-1b]\n", "mine.yaml:1", "is not in region us-east-1"),
        (
            "extends: prod\ncluster: {system_nodes: {scaling: {min: 5, desired: 3, max: 9}}}\n",
            "mine.yaml:2: cluster.system_nodes.scaling",
            "must rise in that order",
        ),
        ("extends: prod\ncluster: {public_access_cidrs: [0.0.0.0/0]}\n", "mine.yaml:2", "to the internet"),
        (
            "extends: prod\ndatabase: {serverless: {min: 1 ACU, max: 2 ACU}}\n",
            "mine.yaml:2",
            "exactly one of",
        ),
        ("extends: prod\nnetwork: {flow_log_retention: 8 days}\n", "mine.yaml:1", "CloudWatch Logs keeps"),
        ("extends: prod\naccount: 12\n", "mine.yaml:2: account", 'in quotes: "111122223333"'),
        ("extends: prod\ncluster:\n  kubernetes_version: 1.36\n", "mine.yaml:3", 'in quotes: "1.36"'),
        ("extends: prod\nnetwork: {cidr: 10.64.1.0/16}\n", "mine.yaml:2", "lies in is 10.64.0.0/16"),
        ("extends: prod\nnetwork: {cidr: here}\n", "mine.yaml:2", "such as 10.64.0.0/16"),
        ("extends: prod\ncluster: {administrators: []}\n", "mine.yaml:2", "must have at least 1, and has 0"),
        ("extends: prod\nregion: us_east\n", "mine.yaml:2: region = us_east", "an AWS region: us-east-1"),
        ("extends: prod\ntags: {'aws:owner': me}\n", "mine.yaml:2: tags", "AWS's own"),
        (
            "extends: prod\ncluster:\n  gpu_pools:\n    - {name: gpus, instance_types: [g5.xlarge]}\n",
            "mine.yaml:4: cluster.gpu_pools.0.provisioner",
            "is missing",
        ),
        ("extends: [prod]\n", "mine.yaml:1: extends", "name of an environment"),
        ("extends: mine\n", "mine.yaml", "extends itself (mine -> mine)"),
        ("extends: prd\n", "prd.yaml", "did you mean prod?"),
        ("kafka: [\n", "mine.yaml:2", "not valid YAML"),
        ("a: 1\na: 2\n", "mine.yaml:2", "not valid YAML"),
        ("", "mine.yaml", "is empty"),
        ("- prod\n", "mine.yaml:1", "must be a mapping"),
    ],
)
def test_a_fault_names_file_line_path_and_remedy(directory: Path, text: str, where: str, what: str):
    found = faults(directory, text)
    assert any(where in fault and what in fault for fault in found), found


def test_all_faults_are_told_at_once(directory: Path):
    assert len(faults(directory, "extends: prod\nkafka: {brokrs: 3}\nlake: {snapshot_retention: 7}\n")) == 2


def test_a_fault_in_an_inherited_value_points_at_the_file_that_states_it(directory: Path):
    (directory / "base.yaml").write_text("extends: prod\nbackup_retention: 4 weeks\n")
    assert "base.yaml:2: backup_retention" in faults(directory, "extends: base\n")[0]


def test_a_missing_setting_is_named(directory: Path):
    assert any("zones: is missing" in fault for fault in faults(directory, "account: '111122223333'\n"))


def test_a_file_that_is_not_text_is_refused(directory: Path):
    (directory / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidEnvironment, match="must be a readable UTF-8 file"):
        load("mine", directory)


def test_a_directory_in_place_of_a_file_is_refused(directory: Path):
    (directory / "mine.yaml").mkdir()
    with pytest.raises(InvalidEnvironment, match="cannot be read"):
        load("mine", directory)


def test_an_unknown_environment_names_those_there_are(directory: Path):
    with pytest.raises(InvalidEnvironment, match="no such environment; there are prod; did you mean prod"):
        load("prdo", directory)
