"""The typed environment: every knob of a deployment, its unit and its bounds.

One file an environment (`environments/<name>.yaml`); `infra/environment_file.py` reads it. Only what
differs between environments stands here. What is the same everywhere (topics, tables, addons) is code
beside the resource it belongs to.
"""

import ipaddress
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from infra.units import Acu, Days, Gib, Minutes

PROJECT = "pinwheel"

LogRetention = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]
_LOG_RETENTIONS: tuple[int, ...] = LogRetention.__args__

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,18}[a-z0-9]$")]
"""Lower case, 2 to 20 characters: short enough that `pinwheel-<environment>-<name>-...` fits every AWS limit."""

RoleArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")]
InstanceType = Annotated[str, Field(pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$")]


class Settings(BaseModel):
    """Base of every part: unknown keys are refused and values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NatGateways(StrEnum):
    """How private subnets reach the internet: one NAT gateway a zone survives the loss of a zone."""

    PER_ZONE = "per-zone"
    SINGLE = "single"


class Network(Settings):
    """The VPC. `cidr` is split into public, private and intra subnets by `infra/network/address_plan.py`."""

    cidr: ipaddress.IPv4Network
    nat_gateways: NatGateways
    domain: Annotated[str, Field(pattern=r"^([a-z0-9-]+\.)+[a-z]{2,}$")]
    flow_log_retention: Days
    interface_endpoints: bool = True
    """Private endpoints for ECR, STS, ... in every zone. Without them that traffic goes through NAT."""

    @field_validator("cidr")
    @classmethod
    def _size(cls, cidr: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
        if not 16 <= cidr.prefixlen <= 18:  # noqa: PLR2004 - AWS allows /16 at most; below /18 prefix delegation starves
            raise ValueError("must be a /16, /17 or /18: pods get whole /28 blocks by prefix delegation")
        if not cidr.is_private:
            raise ValueError("must be private (RFC 1918): 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16")
        return cidr


class Scaling(Settings):
    """Bounds of a node group: `min <= desired <= max` nodes."""

    min: Annotated[int, Field(ge=0, le=450)]
    desired: Annotated[int, Field(ge=0, le=450)]
    max: Annotated[int, Field(ge=1, le=450)]

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min <= self.desired <= self.max:
            raise ValueError(
                f"min {self.min}, desired {self.desired}, max {self.max}: must rise in that order"
            )
        return self


class NodeGroup(Settings):
    """A managed node group of ordinary (CPU) nodes."""

    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1, max_length=20)]
    scaling: Scaling
    disk: Gib = 50


class Capacity(StrEnum):
    """How EC2 sells a node: at the list price, or cheaper and taken back on two minutes' notice."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


class GpuPool(Settings):
    """A pool of G5 (A10G) nodes. `infra/gpu_nodes/pool.py` derives taints, labels and AMI from it."""

    name: Name
    provisioner: Literal["managed", "karpenter"]
    """A managed node group keeps warm nodes and repairs them; Karpenter starts nodes when a pod asks."""
    instance_types: Annotated[tuple[Annotated[str, Field(pattern=r"^g5\.\w+$")], ...], Field(min_length=1)]
    scaling: Scaling | None = None
    gpu_limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    capacity: Capacity = Capacity.ON_DEMAND
    time_slices: Annotated[int, Field(ge=1, le=16)] = 1
    """Pods that share one GPU. Memory is not isolated: 22,888 MiB are shared by all of them."""
    root_disk: Gib = 100

    @model_validator(mode="after")
    def _bounds_of_the_provisioner(self) -> Self:
        if self.provisioner == "managed" and (self.scaling is None or self.gpu_limit is not None):
            raise ValueError("a managed pool needs `scaling` (and no `gpu_limit`, which is Karpenter's)")
        if self.provisioner == "karpenter" and (self.gpu_limit is None or self.scaling is not None):
            raise ValueError("a karpenter pool needs `gpu_limit` (and no `scaling`, which is a node group's)")
        return self


class Karpenter(Settings):
    """General-purpose nodes that Karpenter starts on demand."""

    cpu_limit: Annotated[int, Field(ge=4, le=20_000)]
    """vCPUs in all; the cap on what a runaway HPA can cost."""
    capacity: tuple[Capacity, ...] = (Capacity.ON_DEMAND,)


class Cluster(Settings):
    """EKS."""

    kubernetes_version: Annotated[str, Field(pattern=r"^1\.\d{2}$")]
    public_access_cidrs: tuple[ipaddress.IPv4Network, ...] = ()
    """Who may reach the API server from outside. Empty: private endpoint only."""
    administrators: Annotated[tuple[RoleArn, ...], Field(min_length=1)]
    """Roles that may do everything in the cluster. Who runs `pulumi up` must be able to take one of them."""
    log_retention: Days
    system_nodes: NodeGroup
    karpenter: Karpenter
    gpu_pools: tuple[GpuPool, ...] = ()

    @field_validator("public_access_cidrs")
    @classmethod
    def _not_the_world(cls, cidrs: tuple[ipaddress.IPv4Network, ...]) -> tuple[ipaddress.IPv4Network, ...]:
        if any(cidr.prefixlen == 0 for cidr in cidrs):
            raise ValueError("0.0.0.0/0 opens the API server to the internet; name the networks that need it")
        return cidrs

    @field_validator("gpu_pools")
    @classmethod
    def _distinct(cls, pools: tuple[GpuPool, ...]) -> tuple[GpuPool, ...]:
        names = [pool.name for pool in pools]
        if len(set(names)) < len(names):
            raise ValueError(f"pool names must differ: {', '.join(names)}")
        return pools


class Kafka(Settings):
    """MSK, KRaft mode."""

    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.(\d+|x)(\.kraft)?$")]
    instance_type: Annotated[str, Field(pattern=r"^kafka\.[a-z0-9]+\.[a-z0-9]+$")]
    brokers: Annotated[int, Field(ge=2, le=15)]
    """In all zones together: a multiple of the number of zones, and no more than the API model takes."""
    storage: Gib
    """A broker's volume."""
    log_retention: Days


class Serverless(Settings):
    """Aurora Serverless v2: scales between two capacities in steps of half a unit."""

    min: Annotated[Acu, Field(ge=0, le=256, multiple_of=0.5)]
    max: Annotated[Acu, Field(ge=1, le=256, multiple_of=0.5)]
    auto_pause: Annotated[Minutes, Field(ge=5, le=1440)] | None = None
    """Idle time before it pauses; only with `min: 0 ACU`."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min:g} ACU is above max {self.max:g} ACU")
        if self.auto_pause is not None and self.min > 0:
            raise ValueError("auto_pause needs `min: 0 ACU`: a database with a floor above 0 never pauses")
        return self


class Database(Settings):
    """Aurora MySQL. Either `serverless` or `instance_class` sizes it."""

    engine_version: Annotated[str, Field(pattern=r"^8\.0\.mysql_aurora\.3\.\d+\.\d+$")]
    serverless: Serverless | None = None
    instance_class: Annotated[str, Field(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")] | None = None
    instances: Annotated[int, Field(ge=1, le=15)]
    """The writer and its readers, spread over the zones; two or more are Multi-AZ."""
    backup_retention: Annotated[Days, Field(ge=1, le=35)]
    insights: Literal["standard", "advanced"] = "standard"
    """CloudWatch Database Insights: `advanced` keeps 15 months and costs about 9 USD a vCPU and month."""

    @model_validator(mode="after")
    def _one_sizing(self) -> Self:
        if (self.serverless is None) == (self.instance_class is None):
            raise ValueError("state exactly one of `serverless` (min and max ACU) and `instance_class`")
        return self


class Lake(Settings):
    """The S3 Iceberg lake."""

    snapshot_retention: Annotated[Days, Field(ge=1, le=365)]
    """How far back time travel reaches."""
    noncurrent_retention: Annotated[Days, Field(ge=1, le=365)]
    """How long S3 keeps overwritten and deleted objects."""


class EmbeddingModel(Settings):
    """What pictures are embedded with. Vectors of two models do not compare, so all who make or compare them are
    told this one."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")] = "default"
    """In the registry (bucket `models`); `default` needs none."""
    version: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")] = "1"
    """That search's indexes hold. Another one needs indexes of its own: vectors of any other are left out."""
    dimension: Annotated[int, Field(ge=2, le=4096)] = 128

    @property
    def identifier(self) -> str:
        """As vectors carry it."""
        return f"{self.name}:{self.version}"


class Workloads(Settings):
    """The services: how large, and which build. What each is stands in `infra/workloads/declared/`."""

    image_tag: Annotated[str, Field(pattern=r"^[\w][\w.-]{0,127}$")]
    """Of every image. A tag is never moved to another image: what runs is what was built under it."""
    size: Literal["small", "full"]
    """`small` asks for little, of memory above all, and runs one pod of each: for trying, not for load."""
    search_shards: Literal[1, 2, 3, 4, 6, 12]
    """Into how many the pins are cut: a divisor of the topics' 12 partitions, so that shards are equal."""
    origins: tuple[Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:\d{2,5})?$")], ...] = ()
    """Web pages that may call the gateway and upload images from a browser (CORS)."""
    embedding: EmbeddingModel = EmbeddingModel()
    outbox: Literal["relay", "debezium"] = "relay"
    """Who takes events from the pin database to Kafka: our own process, or the Debezium connector."""


class Budget(Settings):
    """A monthly cost above which mails go out (at 80% forecast and 100% actual)."""

    monthly_usd: Annotated[int, Field(ge=1)]
    notify: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...],
        Field(min_length=1, max_length=10),
    ]


class Emulator(Settings):
    """Where every AWS endpoint of this environment leads instead of AWS. Only `local` has one."""

    endpoint: Annotated[str, Field(pattern=r"^http://(127\.0\.0\.1|localhost):\d{2,5}$")]


class Environment(Settings):
    """One deployment of the platform."""

    name: Name
    account: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]
    zones: Annotated[tuple[str, ...], Field(min_length=2, max_length=3)]
    network: Network
    cluster: Cluster
    kafka: Kafka
    database: Database
    lake: Lake
    workloads: Workloads
    backup_retention: Annotated[Days, Field(ge=1, le=3650)]
    protect: bool
    """Stateful resources refuse deletion, in AWS and in Pulumi."""
    tags: dict[str, str]
    budget: Budget
    emulator: Emulator | None = None

    @field_validator("tags")
    @classmethod
    def _own_keys(cls, tags: dict[str, str]) -> dict[str, str]:
        reserved = [key for key in tags if key.lower().startswith("aws:")]
        if reserved:
            raise ValueError(f"{', '.join(reserved)}: tag keys that begin with `aws:` are AWS's own")
        return tags

    @field_validator("zones")
    @classmethod
    def _distinct_zones(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(zones)) < len(zones):
            raise ValueError(f"zones must differ: {', '.join(zones)}")
        return zones

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for zone in self.zones:
            if zone[:-1] != self.region:
                raise ValueError(f"zone {zone} is not in region {self.region}")
        if self.kafka.brokers % len(self.zones):
            raise ValueError(
                f"kafka.brokers: {self.kafka.brokers} do not spread evenly over {len(self.zones)} zones; "
                f"use a multiple of {len(self.zones)}"
            )
        for path, days in (
            ("network.flow_log_retention", self.network.flow_log_retention),
            ("cluster.log_retention", self.cluster.log_retention),
            ("kafka.log_retention", self.kafka.log_retention),
        ):
            if days not in _LOG_RETENTIONS:
                allowed = ", ".join(str(each) for each in _LOG_RETENTIONS)
                raise ValueError(f"{path}: {days} days; CloudWatch Logs keeps {allowed} days")
        return self

    def resource_name(self, *parts: str) -> str:
        """`pinwheel-<environment>-<parts>`: the one naming convention of everything in the account."""
        return "-".join((PROJECT, self.name, *parts))

    @property
    def artifacts_bucket(self) -> str:
        """A bucket that is there before the first stack: what operators upload for stacks to take in."""
        return f"{PROJECT}-artifacts-{self.account}"

    @property
    def all_tags(self) -> dict[str, str]:
        """The tags every resource carries, beside its own `Name`."""
        return {**self.tags, "project": PROJECT, "environment": self.name, "managed-by": "pulumi"}
