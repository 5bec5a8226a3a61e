"""One emulator for all tests here: each test uses names of its own."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config

from emulator.model_check import problems
from emulator.process import CREDENTIALS, Emulator

ACCOUNT = "210987654321"
REGION = "eu-west-1"

OWN_SERVICES = ("eks", "kafka", "kafkaconnect")

Clients = Callable[[str], Any]


def fits_the_model(parsed: dict[str, Any], model: Any, http_response: Any, **_: Any) -> None:
    """Every answer of the services written here has what botocore's model requires, in every test."""
    if http_response.status_code < 300 and model.output_shape is not None:
        answer = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        found = problems(answer, model.output_shape)
        # The minimum of one tag is for requests: AWS, too, answers with none.
        assert [problem for problem in found if "0 entries given" not in problem] == []


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(ACCOUNT, REGION) as running:
        yield running


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Clients:
    """`client("eks")` is a boto3 client of the emulator, one per service."""
    made: dict[str, Any] = {}

    def get(service: str) -> Any:
        if service not in made:
            made[service] = boto3.client(
                service,
                endpoint_url=emulator.endpoint,
                region_name=REGION,
                config=Config(retries={"max_attempts": 0}, read_timeout=30),
                **CREDENTIALS,
            )
            if service in OWN_SERVICES:
                made[service].meta.events.register("after-call", fits_the_model)
        return made[service]

    return get


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """`unique("cluster")` is a name that no other test has."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}-{next(numbers)}"


def trust(*services: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": list(services)},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Network:
    vpc: str
    subnets: list[str]
    security_group: str


@pytest.fixture(scope="session")
def network(client: Clients) -> Network:
    ec2 = client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.20.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")[
            "Subnet"
        ]["SubnetId"]
        for index, zone in enumerate("abc")
    ]
    group = ec2.create_security_group(GroupName="brokers", Description="brokers", VpcId=vpc)["GroupId"]
    return Network(vpc, subnets, group)


@pytest.fixture(scope="session")
def role(client: Clients, unique: Callable[[str], str]) -> Callable[..., str]:
    """`role("eks.amazonaws.com")` is the ARN of a new role that the service may assume."""

    def create(*services: str) -> str:
        made = client("iam").create_role(RoleName=unique("role"), AssumeRolePolicyDocument=trust(*services))
        return made["Role"]["Arn"]

    return create


@pytest.fixture
def cluster(client: Clients, unique: Callable[[str], str], role: Callable[..., str], network: Network) -> str:
    name = unique("cluster")
    client("eks").create_cluster(
        name=name,
        version="1.35",
        roleArn=role("eks.amazonaws.com"),
        resourcesVpcConfig={"subnetIds": network.subnets},
        accessConfig={"authenticationMode": "API"},
    )
    return name
