"""What every service reads from its environment, typed and bounded.

A service subclasses what it needs (`class PinSettings(KafkaSettings, DatabaseSettings)`) and calls `load` first of
all, so that a wrong value ends the process before it serves anything.
"""

import sys
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, IPvAnyAddress, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

EXIT_CONFIGURATION = 2
"""Exit status of a process whose environment is wrong."""

Port = Annotated[int, Field(ge=0, le=65535)]
"""0 takes a free one; the address that is bound is logged."""
S = TypeVar("S", bound=BaseSettings)


def _addresses(text: str) -> str:
    for address in text.split(","):
        host, colon, port = address.strip().rpartition(":")
        if not colon or not host or not port.isdigit() or not 0 < int(port) <= 65535:  # noqa: PLR2004 - of TCP
            raise ValueError(f"{address.strip()!r} is not host:port")
    return text


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("is not a URL that begins with http:// or https://")
    return text.rstrip("/")


Addresses = Annotated[str, AfterValidator(_addresses)]
"""`host:port`, or several with commas."""
HttpUrl = Annotated[str, AfterValidator(_url)]


class CommonSettings(BaseSettings):
    """What every deployable has. A field is the environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    service_name: str = Field(default="service", min_length=1, max_length=63)
    """The deployable's name, as its Deployment has it: of metrics, logs and traces."""
    environment: str = Field(default="local", min_length=1, max_length=63)
    pod_ip: IPvAnyAddress = Field(default=IPv4Address("127.0.0.1"))
    """Everything listens here and nowhere else."""
    pod_name: str = Field(default="", max_length=253)
    http_port: Port = 8080
    grpc_port: Port = 9000
    operations_port: Port = 9090
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    otel_exporter_otlp_endpoint: HttpUrl | None = None
    """Base URL of an OTLP/HTTP collector. Unset: traces are passed on, but not exported."""
    otel_traces_sampler_arg: float = Field(default=1.0, ge=0, le=1)
    """Share of the traces that begin here which are exported; one that began elsewhere keeps its caller's choice."""
    shutdown_grace_seconds: float = Field(default=20.0, ge=0, le=600)
    """From SIGTERM to the end, at most. Must be less than the pod's terminationGracePeriodSeconds."""
    shutdown_drain_seconds: float = Field(default=3.0, ge=0, le=60)
    """Part of the grace in which it serves on, not ready, until nobody sends it anything new."""

    @property
    def host(self) -> str:
        """Where everything listens."""
        return str(self.pod_ip)

    @model_validator(mode="after")
    def _drain_within_grace(self) -> Self:
        if self.shutdown_drain_seconds > self.shutdown_grace_seconds:
            raise ValueError(
                f"SHUTDOWN_DRAIN_SECONDS ({self.shutdown_drain_seconds:g}) is part of SHUTDOWN_GRACE_SECONDS "
                f"({self.shutdown_grace_seconds:g}) and cannot be longer"
            )
        return self


class KafkaSettings(CommonSettings):
    """Of what reads or writes Kafka."""

    kafka_bootstrap_servers: Addresses
    kafka_security_protocol: Literal["SASL_SSL", "PLAINTEXT"] = "SASL_SSL"
    """SASL_SSL is IAM authentication of Amazon MSK (OAUTHBEARER), with the pod's AWS identity."""
    kafka_fetch_wait_ms: int = Field(default=500, ge=1, le=10_000)
    """How long a broker may hold a fetch while there is nothing. Kafka answers as soon as there is something; a
    broker that does not (tansu) needs a short one."""
    aws_region: str = "us-east-1"
    """Of the MSK cluster; only IAM asks for it."""


class DatabaseSettings(CommonSettings):
    """Of what has a database: either the secret's file, or a URL for tests and the fallback."""

    database_secret_file: Path | None = None
    """JSON: engine, host, port, dbname, username, password. Read again on reconnect, because of rotation."""
    database_ca_file: Path | None = None
    """PEM; the MySQL users require TLS."""
    database_url: str | None = Field(default=None, repr=False)
    """SQLAlchemy's, such as sqlite+aiosqlite:///pin.db; instead of the secret."""

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.database_secret_file is None) == (self.database_url is None):
            raise ValueError("set either DATABASE_SECRET_FILE or DATABASE_URL, and not both")
        return self


def load(settings: type[S]) -> S:
    """Read the environment; on a wrong one, say on stderr what would be right and end the process with 2."""
    try:
        return settings()
    except ValidationError as error:
        print(problems(error), file=sys.stderr, flush=True)  # noqa: T201 - there are no logs yet
        sys.exit(EXIT_CONFIGURATION)


def problems(error: ValidationError) -> str:
    """One line for each wrong variable. Values are not shown: one may be a secret."""
    lines = ["error: the environment of this process is wrong"]
    for each in error.errors(include_url=False, include_input=False):
        variable = ".".join(str(part) for part in each["loc"][:1]).upper()
        what = "is not set" if each["type"] == "missing" else each["msg"].removeprefix("Value error, ")
        lines.append(f"  {variable}: {what}" if variable else f"  {what}")
    return "\n".join(lines)
