"""Declarations are found by being there, and must fit together."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from infra import environment_file
from infra.environment import Environment
from infra.workloads import declarations
from infra.workloads.service import DeclarationError, Port, Replicas, Resources, Route, Service, Slo

ENVIRONMENTS = environment_file.names()


def service(name: str, **more: Any) -> Service:
    return Service(
        name=name,
        owner=more.pop("owner", "platform"),
        image=more.pop("image", name),
        slo=Slo(99.9, 100),
        resources=Resources(100, 128, 256),
        replicas=Replicas(1, 1),
        **more,
    )


@pytest.fixture(params=ENVIRONMENTS)
def environment(request: pytest.FixtureRequest) -> Environment:
    return environment_file.load(request.param)


def test_the_system_is_declared(environment: Environment):
    names = [each.name for each in declarations.services(environment)]

    shards = environment.workloads.search_shards
    leaves = {f"search-leaf-{shard}" for shard in range(shards)}
    assert (
        set(names) == {"gateway", "ml", "ml-stream", "pin", "pin-jobs", "pin-relay", "search-root"} | leaves
    )
    assert names == sorted(names)


def test_the_root_asks_the_shards_in_their_order(environment: Environment):
    (root,) = [each for each in declarations.services(environment) if each.name == "search-root"]

    asked = root.variables["SEARCH_LEAVES"].split(",")

    assert asked == [
        f"search-leaf-{shard}.pinwheel.svc.cluster.local:9000"
        for shard in range(environment.workloads.search_shards)
    ]


def test_every_topic_that_is_read_is_written_by_somebody(environment: Environment):
    found = declarations.services(environment)

    read = {topic for each in found for topic in each.reads}
    assert read <= {topic for each in found for topic in each.writes}


def test_one_pod_of_each_runs_on_a_laptop():
    local = declarations.services(environment_file.load("local"))

    assert {each.replicas.max for each in local} == {1}
    assert sum(each.resources.memory_mib for each in local) < 2048
    assert sum(each.resources.cpu_millis for each in local) < 1000


def test_debezium_takes_the_place_of_the_relay():
    environment = environment_file.load("prod")
    workloads = environment.workloads.model_copy(update={"outbox": "debezium"})

    found = declarations.services(environment.model_copy(update={"workloads": workloads}))

    (relay,) = [each for each in found if each.name == "pin-relay"]
    assert relay.replicas.max == 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    """Writes a module into a package of declarations, as a team would; returns the package."""
    (tmp_path / "declared_by_a_test").mkdir()
    (tmp_path / "declared_by_a_test" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, text: str) -> ModuleType:
        (tmp_path / "declared_by_a_test" / f"{name}.py").write_text(text)
        for module in [each for each in sys.modules if each.startswith("declared_by_a_test")]:
            monkeypatch.delitem(sys.modules, module)
        importlib.invalidate_caches()
        return importlib.import_module("declared_by_a_test")

    return write


def test_a_new_file_is_a_new_service(package: Callable[[str, str], ModuleType]):
    environment = environment_file.load("local")
    text = (
        "from infra.workloads.service import *\n"
        "def services(environment):\n"
        "    return (Service(name='{name}', owner='ads', image='ads', slo=Slo(99.9, 50),\n"
        "                    resources=Resources(100, 128, 256), replicas=Replicas(1, 2)),)\n"
    )

    package("ads", text.format(name="ads"))
    two = package("bids", text.format(name="bids"))

    assert [each.name for each in declarations.services(environment, two)] == ["ads", "bids"]
    assert declarations.images(declarations.services(environment, two)) == ("ads",)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([service("a"), service("a", owner="ads")], "service 'a' is declared twice, by platform and by ads"),
        ([service("a", calls=("bb",)), service("bbb", ports=(Port.HTTP,))], "right would be: 'bbb'?"),
        ([service("a", calls=("zzz",)), service("b")], "right would be: one of a, b"),
        ([service("a", calls=("b",)), service("b")], "service 'b': has no ports"),
        ([service("a", database="x"), service("b", database="x")], "the database 'x' of 'a'"),
        (
            [service(each, ports=(Port.HTTP,), routes=(Route(("/v1/x",)),)) for each in "ab"],
            "services 'a' and 'b' both route /v1/x",
        ),
        ([service(each, ports=(Port.HTTP,), edge=True) for each in "ab"], "a and b are both the edge"),
    ],
)
def test_declarations_that_do_not_fit_together_are_refused(found: list[Service], told: str):
    with pytest.raises(DeclarationError) as refused:
        declarations.checked(found)

    assert told in str(refused.value)
    assert "right would be: " in str(refused.value)


def test_roles_of_one_image_share_a_database():
    found = declarations.checked(
        [service("a", image="x", database="x"), service("b", image="x", database="x")]
    )

    assert [each.database for each in found] == ["x", "x"]


def test_there_must_be_a_way_in():
    with pytest.raises(DeclarationError, match="no service is the edge"):
        declarations.edge([service("a")])


def test_users_follow_from_what_is_declared(environment: Environment):
    assert declarations.databases(environment) == ("pin",)
    assert declarations.kafka_users(environment) == ("ml", "pin", "search")
    assert declarations.queues(declarations.services(environment)) == ("jobs",)
