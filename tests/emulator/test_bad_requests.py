"""Bad requests get an AWS error that says what is wrong, and the emulator lives on."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from emulator.process import CREDENTIALS, Emulator
from emulator.server import MAX_BODY_BYTES
from tests.emulator.conftest import REGION, Clients


def signed_for(service: str) -> str:
    key = CREDENTIALS["aws_access_key_id"]
    scope = f"{key}/20261122/{REGION}/{service}/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"


def connected(emulator: Emulator) -> socket.socket:
    return socket.create_connection((emulator.host, emulator.port))


def ask(
    emulator: Emulator, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(urlsplit(emulator.endpoint).netloc, timeout=30)
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, spelled)
    response = connection.getresponse()
    spelled = {name.lower(): value for name, value in response.getheaders()}
    answer = response.status, spelled, response.read().decode(errors="replace")
    connection.close()
    return answer


@pytest.fixture(autouse=True)
def _still_serving(emulator: Emulator, client: Clients) -> Any:
    yield
    assert emulator.alive
    assert client("sts").get_caller_identity()["Account"]


@pytest.mark.parametrize(
    "service", ["eks", "kafka", "glue", "ec2", "iam", "rds", "s3", "kms", "backup", "sqs", "logs"]
)
@pytest.mark.parametrize(
    "body", [b"\xff\xfe\x00garbage", b'{"name": ', b"[1, 2]", b'"text"', b"Action=&&==", b"<xml>"], ids=repr
)
@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "text/x-nonsense"]
)
def test_garbage(emulator: Emulator, service: str, body: bytes, content_type: str) -> None:
    path = {
        "eks": "/clusters",
        "kafka": "/v1/clusters",
        "backup": "/backup/plans/",
        "s3": "/bucket-of-garbage?acl",
    }
    status, _, text = ask(
        emulator,
        "POST",
        path.get(service, "/"),
        body,
        Authorization=signed_for(service),
        Content_Type=content_type,
    )
    assert 400 <= status < 500 or status == 501, text
    assert text.strip()
    assert "Traceback" not in text
    assert "<!doctype html>" not in text.lower()


def test_an_unknown_service(emulator: Emulator) -> None:
    status, headers, text = ask(emulator, "POST", "/", b"{}", Authorization=signed_for("teleport"))
    assert status == 400
    assert headers["x-amzn-errortype"] == "UnknownService"
    assert "'teleport'" in json.loads(text)["message"]


def test_an_unknown_operation(emulator: Emulator) -> None:
    status, _, text = ask(
        emulator,
        "POST",
        "/",
        b"{}",
        Authorization=signed_for("glue"),
        X_Amz_Target="AWSGlue.CreateHappiness",
        Content_Type="application/x-amz-json-1.1",
    )
    assert status == 400
    assert json.loads(text)["__type"] == "UnknownOperationException"
    assert "CreateHappiness" in text
    status, _, text = ask(
        emulator,
        "POST",
        "/",
        b"Action=CreateHappiness&Version=2016-11-15",
        Authorization=signed_for("ec2"),
        Content_Type="application/x-www-form-urlencoded",
    )
    assert status == 400
    assert "<Code>InvalidAction</Code>" in text


def test_an_unknown_path(emulator: Emulator) -> None:
    status, _, text = ask(emulator, "GET", "/happiness", Authorization=signed_for("eks"))
    assert status == 404
    assert json.loads(text)["__type"] == "UnknownOperationException"


@pytest.mark.parametrize(
    ("service", "operation", "parameters"),
    [
        ("eks", "create_capability", {"clusterName": "c"}),
        (
            "ec2",
            "create_capacity_reservation_fleet",
            {"InstanceTypeSpecifications": [{}], "TotalTargetCapacity": 1},
        ),
        ("cloudwatch", "put_composite_alarm", {"AlarmName": "a", "AlarmRule": "ALARM(b)"}),
        ("glue", "create_blueprint", {"Name": "b", "BlueprintLocation": "s3://x"}),
        ("s3", "get_bucket_metrics_configuration", {"Bucket": "anything", "Id": "a"}),
        ("pricing", "describe_services", {}),
    ],
)
def test_what_the_emulator_lacks_is_named_and_not_retried(
    emulator: Emulator, service: str, operation: str, parameters: dict[str, Any]
) -> None:
    config = Config(retries={"max_attempts": 3, "mode": "standard"}, parameter_validation=False)
    client = boto3.client(
        service, endpoint_url=emulator.endpoint, region_name=REGION, config=config, **CREDENTIALS
    )
    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**parameters)
    response = error.value.response
    assert response["Error"]["Code"] == "NotImplementedByEmulator"
    assert operation.replace("_", "") in response["Error"]["Message"].lower()
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert response["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_body_above_the_bound_is_refused_unread(emulator: Emulator) -> None:
    with connected(emulator) as connection:
        length = MAX_BODY_BYTES + 1
        connection.sendall(f"PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 413
        assert str(MAX_BODY_BYTES) in answer.read().decode()


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /" + b"a" * 300_000 + b" HTTP/1.1\r\n\r\n", 431),
    ],
    ids=["no HTTP", "length", "chunk", "long line"],
)
def test_broken_http(emulator: Emulator, request_text: bytes, status: int) -> None:
    with connected(emulator) as connection:
        connection.sendall(request_text)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == status


def test_a_client_that_hangs_up_in_the_middle_is_forgotten(emulator: Emulator) -> None:
    with connected(emulator) as connection:
        connection.sendall(b"PUT /b/k HTTP/1.1\r\nContent-Length: 1000\r\n\r\nhalf")


def test_a_connection_serves_several_requests(emulator: Emulator) -> None:
    connection = http.client.HTTPConnection(urlsplit(emulator.endpoint).netloc, timeout=30)
    sockets: set[Any] = set()
    for _ in range(3):
        connection.request("POST", "/clusters", b'{"unread": "body"}', {"Authorization": signed_for("eks")})
        response = connection.getresponse()
        assert response.status == 400
        response.read()
        sockets.add(connection.sock)
    assert len(sockets) == 1
    assert None not in sockets
    connection.close()


def test_a_chunked_body_is_read(emulator: Emulator, client: Clients) -> None:
    client("s3").create_bucket(Bucket="chunked", CreateBucketConfiguration={"LocationConstraint": REGION})
    connection = http.client.HTTPConnection(urlsplit(emulator.endpoint).netloc, timeout=30)
    headers = {"Authorization": signed_for("s3")}
    connection.request("PUT", "/chunked/key", iter([b"one ", b"two"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()
    assert client("s3").get_object(Bucket="chunked", Key="key")["Body"].read() == b"one two"


def test_concurrent_creations_are_all_kept(client: Clients) -> None:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]

    def create(number: int) -> str:
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{number}.0/24", AvailabilityZone=f"{REGION}a")
        return made["Subnet"]["SubnetId"]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(create, range(64)))
    found = ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]
    assert sorted(subnet["SubnetId"] for subnet in found) == sorted(made)
    assert len(set(made)) == 64


def test_the_same_seed_gives_the_same_identifier_once(emulator: Emulator) -> None:
    def vpcs(region_emulator: Emulator) -> list[str]:
        ec2 = boto3.client("ec2", endpoint_url=region_emulator.endpoint, region_name=REGION, **CREDENTIALS)
        ec2.meta.events.register(
            "before-call", lambda params, **_: params["headers"].update({"X-Pinwheel-Seed": "urn:a-vpc"})
        )
        return [ec2.create_vpc(CidrBlock="10.98.0.0/16")["Vpc"]["VpcId"] for _ in range(2)]

    first = vpcs(emulator)
    assert first[0] != first[1]
    with Emulator("210987654321", REGION) as another:
        assert vpcs(another) == first
