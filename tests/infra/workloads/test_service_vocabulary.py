"""A declaration that cannot be right is refused in words that say what would be."""

import dataclasses
from typing import Any

import pytest

from infra.workloads.service import (
    MAX_NAME,
    BucketAccess,
    DeclarationError,
    Port,
    Replicas,
    Resources,
    Route,
    Service,
    Slo,
    Volume,
    address,
)


def service(**changes: Any) -> Service:
    fine: dict[str, Any] = {
        "name": "boards",
        "owner": "pins",
        "image": "boards",
        "slo": Slo(99.9, 100),
        "resources": Resources(100, 128, 256),
        "replicas": Replicas(1, 2),
        "ports": (Port.HTTP,),
    }
    return Service(**{**fine, **changes})


def test_what_is_right_is_taken_as_it_is():
    declared = service(reads=("pins",), consumer_group="boards", routes=(Route(("/v1/boards",)),))

    assert declared.port() is Port.HTTP
    assert not declared.replicas.fixed
    assert service(replicas=Replicas(0, 0)).replicas.fixed


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "Boards"}, "name 'Boards'"),
        ({"name": "a" * (MAX_NAME + 1)}, f"at most {MAX_NAME}"),
        ({"owner": ""}, "owner ''"),
        ({"image": "9lives"}, "image '9lives'"),
        ({"variables": {"page-size": "3"}}, "variable 'page-size'"),
        ({"resources": Resources(0, 128, 256)}, "requests above 0"),
        ({"resources": Resources(100, 512, 256)}, "a memory limit no less than the request"),
        ({"replicas": Replicas(3, 2)}, "min <= max"),
        ({"replicas": Replicas(0, 2)}, "min above 0 where max is"),
        ({"replicas": Replicas(1, 2, cpu_percent=0)}, "1 to 100 per cent"),
        ({"volume": Volume(0, "/data")}, "a size above 0 and an absolute path"),
        ({"volume": Volume(1, "data")}, "a size above 0 and an absolute path"),
        ({"slo": Slo(100, 10)}, "an availability below 100"),
        ({"reads": ("pinns",)}, "topic 'pinns' is not declared; right would be: one of boards"),
        ({"writes": ("pinns",)}, "topic 'pinns' is not declared"),
        ({"consumer_group": "boards"}, "consumer group 'boards' reads nothing"),
        ({"buckets": (BucketAccess("attic"),)}, "bucket 'attic' is not one; right would be: one of images"),
        ({"buckets": (BucketAccess("images", prefix="/a/"),)}, "without slashes at its ends"),
        ({"queue": "Jobs"}, "queue or secret 'Jobs'"),
        ({"secrets": ("a_b",)}, "queue or secret 'a_b'"),
        ({"calls": ("boards",)}, "calls itself"),
        ({"ports": (Port.GRPC,), "routes": (Route(("/v1/boards",)),)}, "has routes and no HTTP port"),
        ({"edge": True, "routes": (Route(("/v1/boards",)),)}, "is the edge and has routes"),
        ({"routes": (Route(()),)}, "has a route without prefixes"),
        ({"routes": (Route(("/v1/boards/",)),)}, "without a slash at its end"),
        ({"routes": (Route(("v1",)),)}, "prefix 'v1'"),
        ({"routes": (Route(("/v1",), timeout_seconds=0),)}, "a timeout, rates and a body limit above 0"),
        ({"routes": (Route(("/v1",), max_body_bytes=0),)}, "a timeout, rates and a body limit above 0"),
        ({"shutdown_seconds": 3}, "at least 10"),
    ],
)
def test_what_cannot_be_right_is_refused(changes: dict[str, Any], told: str):
    with pytest.raises(DeclarationError) as refused:
        service(**changes)

    name = changes.get("name", "boards")
    assert str(refused.value).startswith(f"service {name!r}: ")
    assert "; right would be: " in str(refused.value)
    assert told in str(refused.value)


def test_nothing_can_call_what_answers_nothing():
    with pytest.raises(DeclarationError, match="has no ports, so nothing can call it"):
        service(ports=()).port()


def test_a_declaration_never_changes():
    with pytest.raises(dataclasses.FrozenInstanceError):
        service().name = "other"  # pyright: ignore[reportAttributeAccessIssue]


def test_an_address_is_a_name_of_the_cluster():
    assert address("ml", Port.GRPC) == "ml.pinwheel.svc.cluster.local:9000"


@pytest.mark.parametrize(("cpu_millis", "cpus"), [(50, 1), (1000, 1), (1001, 2), (3000, 3)])
def test_threads_follow_the_requested_cpu(cpu_millis: int, cpus: int):
    assert Resources(cpu_millis, 1, 1).cpus() == cpus
    assert Resources(cpu_millis, 1, 1).cpus(least=2) == max(2, cpus)
