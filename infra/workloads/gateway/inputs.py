"""What the gateway's configuration is made from, and how Envoy's messages are written."""

from dataclasses import dataclass
from typing import Any, Final

from infra.workloads.service import Route

Message = dict[str, Any]
"""A protobuf message in its JSON form."""

SUBJECT_HEADER: Final = "x-pinwheel-subject"
"""Who asks: the `sub` of a verified token. Services believe it, because only the gateway reaches them."""

_TYPES: Final = "type.googleapis.com/envoy"


@dataclass(frozen=True)
class Identity:
    """Whose tokens are believed: access tokens of one app client of one user pool.

    https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-tokens-verifying-a-jwt.html
    """

    issuer: str
    """`https://cognito-idp.<region>.amazonaws.com/<user pool>`, without a slash at its end."""
    client_id: str

    @property
    def host(self) -> str:
        """Where the pool's keys are."""
        return self.issuer.removeprefix("https://").partition("/")[0]

    @property
    def keys_url(self) -> str:
        """The pool's public keys (a JSON Web Key Set)."""
        return f"{self.issuer}/.well-known/jwks.json"


@dataclass(frozen=True)
class Upstream:
    """A service that has routes, and the name that all its ready pods have in DNS.

    `host` should be a headless Service's: Envoy balances, ejects and retries between pods, and can do so only
    where it sees each of them. Behind a cluster IP it sees one.
    """

    service: str
    host: str
    port: int
    routes: tuple[Route, ...]
    api: str = ""
    """Its OpenAPI document is `/openapi/<api>.json`; the service's name when empty."""


def typed(name: str, message: str, **fields: Any) -> Message:
    """A named extension: `message` is the type of its configuration, below `envoy.`."""
    return {"name": name, "typed_config": any_of(message, **fields)}


def any_of(message: str, **fields: Any) -> Message:
    """A message that says of itself which it is."""
    return {"@type": f"{_TYPES}.{message}", **fields}


def seconds(value: float) -> str:
    """A `google.protobuf.Duration`."""
    return f"{value:g}s"


def socket(address: str, port: int) -> Message:
    """An address and a port."""
    return {"socket_address": {"address": address, "port_value": port}}


def header(name: str, value: str) -> Message:
    """A header that replaces what is there; left out when its value is empty."""
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
