"""What each layer hands to the next: one frozen dataclass a layer, exported and decoded whole.

A layer's stack exports exactly one output, `contract`. The next layer decodes it with `read`; nothing else
crosses a stack's border. Values are `Output`s on both sides; the wire form is checked against the
annotations when it is written and when it is read, so a field that changes its type fails where it changed.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

import pulumi

OUTPUT = "contract"


class ContractError(Exception):
    """A contract that does not hold: the field, what it carries and what it should carry."""


@dataclass(frozen=True)
class NetworkContract:
    """Where things run. Lists of subnets follow the order of the environment's zones."""

    LAYER: ClassVar[str] = "network"
    VERSION: ClassVar[int] = 1

    vpc_id: pulumi.Output[str]
    vpc_cidr: pulumi.Output[str]
    public_subnet_ids: pulumi.Output[list[str]]
    private_subnet_ids: pulumi.Output[list[str]]
    """Nodes and pods."""
    intra_subnet_ids: pulumi.Output[list[str]]
    """No route to the internet: databases, brokers, the EKS control plane's interfaces."""
    zone_id: pulumi.Output[str]
    """The private Route 53 zone."""
    zone_name: pulumi.Output[str]


@dataclass(frozen=True)
class ClusterContract:
    """How to reach the cluster and who runs in it."""

    LAYER: ClassVar[str] = "cluster"
    VERSION: ClassVar[int] = 1

    name: pulumi.Output[str]
    arn: pulumi.Output[str]
    endpoint: pulumi.Output[str]
    certificate_authority: pulumi.Output[str]
    """PEM, base64; public."""
    security_group_id: pulumi.Output[str]
    """Of the control plane and of every node: what databases and brokers admit."""
    node_role_arn: pulumi.Output[str]


@dataclass(frozen=True)
class DataContract:
    """Where data lives. Credentials are never here: only the ARN of the secret that holds them."""

    LAYER: ClassVar[str] = "data"
    VERSION: ClassVar[int] = 2

    database_writer_endpoint: pulumi.Output[str]
    database_reader_endpoint: pulumi.Output[str]
    database_port: pulumi.Output[int]
    database_secret_arns: pulumi.Output[dict[str, str]]
    """Database -> ARN of the secret with its user's name, password, host, port and database."""
    database_credentials_key_arn: pulumi.Output[str]
    """What those secrets are encrypted with."""
    kafka_cluster_arn: pulumi.Output[str]
    kafka_bootstrap_brokers_iam: pulumi.Output[str]
    kafka_bootstrap_brokers_scram: pulumi.Output[str]
    lake_bucket: pulumi.Output[str]
    lake_database: pulumi.Output[str]
    """The Glue database of the Iceberg tables."""


@dataclass(frozen=True)
class WorkloadsContract:
    """The services, as those who deliver, observe and call them need to know them."""

    LAYER: ClassVar[str] = "workloads"
    VERSION: ClassVar[int] = 1

    namespace: pulumi.Output[str]
    services: pulumi.Output[list[str]]
    """Names of the deployables."""
    gateway_address: pulumi.Output[str]
    """`host:port` within the cluster."""
    user_pool_id: pulumi.Output[str]
    user_pool_client_id: pulumi.Output[str]
    """Of the app client whose access tokens the gateway takes; public."""
    issuer: pulumi.Output[str]
    """What those tokens name as theirs: a URL."""
    image_repositories: pulumi.Output[dict[str, str]]
    """Image -> URL of its repository."""
    buckets: pulumi.Output[dict[str, str]]
    """What for -> the bucket's name."""
    queue_prefixes: pulumi.Output[dict[str, str]]
    """Kind of job -> what its queues' names begin with."""


Contract = NetworkContract | ClusterContract | DataContract | WorkloadsContract
ContractT = TypeVar("ContractT", NetworkContract, ClusterContract, DataContract, WorkloadsContract)


def export(contract: Contract) -> None:
    """Exports `contract` as the stack's one output."""
    values = {field.name: getattr(contract, field.name) for field in dataclasses.fields(contract)}
    wire = pulumi.Output.all(**values).apply(lambda resolved: encoded(type(contract), resolved))
    pulumi.export(OUTPUT, wire)


def read(kind: type[ContractT], environment: str) -> ContractT:
    """The contract that stack `<environment>-<layer>` exported."""
    stack = f"{environment}-{kind.LAYER}"
    organization = pulumi.get_organization()
    reference = pulumi.StackReference(stack, stack_name=f"{organization}/{pulumi.get_project()}/{stack}")
    wire = reference.get_output(OUTPUT).apply(lambda value: decoded(kind, value))

    def field_of(name: str) -> pulumi.Output[Any]:
        return wire.apply(lambda value: value[name])

    return kind(**{field.name: field_of(field.name) for field in dataclasses.fields(kind)})


def encoded(kind: type[Contract], values: dict[str, Any]) -> dict[str, Any]:
    """The wire form of resolved `values`; raises ContractError naming the field that does not fit."""
    return {"version": kind.VERSION, **_checked(kind, values)}


def decoded(kind: type[Contract], wire: dict[str, Any] | None) -> dict[str, Any]:
    """The values of a wire form; raises ContractError for none, another version or a field that does not fit."""
    if wire is None:
        raise ContractError(
            f"the {kind.LAYER} layer exports no `{OUTPUT}`: its stack must end with contracts.export, and be up"
        )
    version = wire.get("version")
    if version != kind.VERSION:
        raise ContractError(
            f"the {kind.LAYER} layer exports contract version {version}, this program reads {kind.VERSION}: "
            f"run `pulumi up` of the {kind.LAYER} layer first"
        )
    return _checked(kind, wire)


def _checked(kind: type[Contract], values: dict[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    checked: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        (expected,) = get_args(hints[field.name])
        value = values.get(field.name)
        if expected is int and isinstance(value, float) and value.is_integer():
            value = int(value)  # Pulumi's wire has no integers
        if not _fits(value, expected):
            raise ContractError(
                f"contract of the {kind.LAYER} layer: {field.name} is {type(value).__name__} {value!r}, not {expected}"
            )
        checked[field.name] = value
    return checked


def _fits(value: Any, expected: Any) -> bool:
    arguments = get_args(expected)
    if not arguments:
        return isinstance(value, expected) and value != ""
    if isinstance(value, list):
        return len(arguments) == 1 and all(_fits(each, arguments[0]) for each in value)
    return isinstance(value, dict) and all(_fits(each, arguments[-1]) for each in value.values())
