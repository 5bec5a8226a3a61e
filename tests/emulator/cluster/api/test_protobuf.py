import json
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.api.protobuf import decode
from emulator.cluster.status import ApiError
from tests.emulator.cluster.api.serving import TOKEN, Served

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def body(api_version: str, kind: str, *message: bytes) -> bytes:
    return b"k8s\0" + field(1, field(1, api_version) + field(2, kind)) + field(2, b"".join(message))


def test_scalars_lists_maps_and_messages() -> None:
    metadata = field(1, "web") + field(11, field(1, "app") + field(2, "web")) + field(8, field(1, 1767225600))
    container = field(1, "main") + field(3, "run") + field(3, "") + field(6, field(3, 8080))
    spec = field(1, -1) + field(3, field(2, field(2, container))) + field(5, 0) + field(7, 1)
    assert decode(body("apps/v1", "Deployment", field(1, metadata), field(2, spec))) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "labels": {"app": "web"},
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {
            "replicas": -1,
            "template": {
                "spec": {
                    "containers": [
                        {"name": "main", "command": ["run", ""], "ports": [{"containerPort": 8080}]}
                    ]
                }
            },
            "paused": True,
        },
    }


def test_what_may_be_empty_stays_and_what_may_not_goes() -> None:
    spec = field(1, 0) + field(5, 0)  # replicas, which may be none at all, and minReadySeconds, which may not
    assert decode(body("apps/v1", "Deployment", field(2, spec)))["spec"] == {"replicas": 0}


def test_numbers_or_texts_amounts_bytes_and_fields_of_the_object_around() -> None:
    port = field(2, "TCP") + field(3, 80) + field(4, field(1, 1) + field(3, "http"))
    service = decode(body("v1", "Service", field(2, field(1, port))))
    assert service["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": "http"}]
    secret = decode(body("v1", "Secret", field(2, field(1, "key") + field(2, b"\x00\xff"))))
    assert secret["data"] == {"key": "AP8="}
    quota = field(1, field(1, "cpu") + field(2, field(1, "500m")))
    assert decode(body("v1", "ResourceQuota", field(2, quota)))["spec"] == {"hard": {"cpu": "500m"}}
    volume = field(1, "tmp") + field(2, field(2, b""))  # emptyDir, of the VolumeSource within
    assert decode(body("v1", "Pod", field(2, field(1, volume))))["spec"]["volumes"] == [
        {"name": "tmp", "emptyDir": {}}
    ]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"k8s\0",
        b"{}",
        body("v1", "Pod", field(1, "web"))[:-2],
        body("v1", "Pod", field(1, 7)),
        body("v1", "Pod", field(2, field(4, "soon"))),
        body("v1", "Pod", b"\x0b"),
        body("v1", "ConfigMap", field(1, field(1, b"\xff"))),
    ],
    ids=["nothing", "no envelope", "json", "cut", "number", "text", "group", "no text"],
)
def test_a_broken_body_is_a_bad_request(broken: bytes) -> None:
    with pytest.raises(ApiError) as refusal:
        decode(broken)
    assert refusal.value.code == 400


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        (body("example.com/v1", "Board"), "does not know example.com/v1 Board in protobuf"),
        (body("v1", "Pod", field(99, "x")), "does not know field 99 of core.v1.Pod in protobuf"),
    ],
)
def test_what_is_not_known_is_refused_rather_than_dropped(unknown: bytes, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        decode(unknown)
    assert refusal.value.code == 415
    assert message in refusal.value.message


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_refusal(data: bytes) -> None:
    try:
        found = decode(body("v1", "Pod", data))
    except ApiError as refusal:
        found = {"kind": refusal.body()["kind"]}
    assert found["kind"] in {"Pod", "Status"}


def kubectl(api: Served, *arguments: str) -> Any:
    """Run kubectl, whose imperative commands send protobuf; returns the JSON that it prints."""
    to = [
        "--server",
        api.endpoint,
        "--certificate-authority",
        str(api.authority),
        "--token",
        TOKEN,
        "-n",
        "shop",
    ]
    ended = subprocess.run(
        [KUBECTL, *to, *arguments, "-o", "json"],
        capture_output=True,
        check=False,
        env={"HOME": str(api.authority.parent), "KUBECONFIG": ""},
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def contains(whole: Any, part: Any) -> bool:
    """Whether all that stands in `part` also stands in `whole`, nothing apart."""
    if isinstance(part, dict):
        return all(contains(whole.get(name, {}), value) for name, value in part.items() if value)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return whole == part


@pytest.mark.parametrize(
    "arguments",
    [
        ["namespace", "made"],
        ["deployment", "made", "--image=x", "--replicas=3", "--port=80"],
        ["configmap", "made", "--from-literal=a=b"],
        ["secret", "generic", "made", "--from-literal=a=b"],
        ["job", "made", "--image=x"],
        ["cronjob", "made", "--image=x", "--schedule=1 2 * * *"],
        ["poddisruptionbudget", "made", "--selector=a=b", "--min-available=50%"],
        ["role", "made", "--verb=get,list", "--resource=pods", "--resource-name=web"],
        ["rolebinding", "made", "--role=made", "--user=somebody"],
        ["service", "clusterip", "made", "--tcp=80:web"],
        ["ingress", "made", "--rule=example.com/path=made:80"],
        ["priorityclass", "made", "--value=7", "--description=text"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_kubectl_creates_is_what_it_would_have_written(api: Served, arguments: list[str]) -> None:
    written = kubectl(api, "create", *arguments, "--dry-run=client")
    created = kubectl(api, "create", *arguments)
    assert created["metadata"]["uid"]
    assert contains(created, written)


def test_kubectl_asks_who_it_is(api: Served) -> None:
    assert kubectl(api, "auth", "whoami")["status"]["userInfo"]["username"] == "pinwheel:admin"
