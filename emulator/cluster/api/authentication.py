"""Who asks: the administrator's token, tokens of `aws eks get-token`, and tokens of service accounts.

There is no authorization: the emulated cluster checks no RBAC rules, so whoever is known may do everything.
It listens on loopback only.

A token of `aws eks get-token` is a presigned URL of STS' GetCallerIdentity. EKS sends it to STS, which checks
its signature. Here the signature is computed anew with the only credentials that the emulator has, because
nothing else says which cluster the token is for: the URL only names the signed header `x-k8s-aws-id`.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from emulator.cluster.settings import Settings
from emulator.cluster.status import ApiError
from emulator.process import CREDENTIALS

_AWS_PREFIX: Final = "k8s-aws-v1."
_AWS_LIFETIME: Final = timedelta(minutes=15)
"""Of a token since it was signed, whatever X-Amz-Expires says: as aws-iam-authenticator has it."""
_AWS_DATE: Final = "%Y%m%dT%H%M%S%z"
_SERVICE_ACCOUNT_PREFIX: Final = "pinwheel-sa."


@dataclass(frozen=True)
class User:
    """Somebody who is known."""

    name: str
    groups: tuple[str, ...]
    uid: str = ""
    extra: Mapping[str, list[str]] = field(default_factory=dict)

    def info(self) -> dict[str, Any]:
        """As `authentication.k8s.io/v1` writes it."""
        told = {"username": self.name, "groups": list(self.groups), "uid": self.uid, "extra": self.extra}
        return {key: value for key, value in told.items() if value}


def unauthorized() -> ApiError:
    """401: what every token that is not accepted gets; as in Kubernetes it does not say why."""
    return ApiError(401, "Unauthorized", "Unauthorized")


class Authentication:
    """Of one cluster."""

    def __init__(self, settings: Callable[[], Settings], clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._issued: dict[str, tuple[User, datetime]] = {}

    def user(self, authorization: str) -> User:
        """Who sent an `Authorization` header. Raises ApiError 401."""
        scheme, _, token = authorization.strip().partition(" ")
        found = self.of_token(token.strip()) if scheme.lower() == "bearer" else None
        if found is None:
            raise unauthorized()
        return found

    def of_token(self, token: str) -> User | None:
        """Whose token it is; None for one that is not known, or no longer."""
        if hmac.compare_digest(token.encode(errors="replace"), self._settings().token.encode()):
            return User("pinwheel:admin", ("system:masters", "system:authenticated"))
        if token.startswith(_AWS_PREFIX):
            return self._of_presigned_url(token.removeprefix(_AWS_PREFIX))
        user, expires = self._issued.get(token, (None, self._clock()))
        return user if expires > self._clock() else None

    def issue(self, namespace: str, name: str, uid: str, lifetime: timedelta) -> tuple[str, datetime]:
        """A new opaque token of a service account, and when it expires. It is forgotten at a restart."""
        now = self._clock()
        self._issued = {token: kept for token, kept in self._issued.items() if kept[1] > now}
        token = _SERVICE_ACCOUNT_PREFIX + secrets.token_urlsafe(32)
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        user = User(f"system:serviceaccount:{namespace}:{name}", groups, uid)
        self._issued[token] = user, now + lifetime
        return token, now + lifetime

    def _of_presigned_url(self, encoded: str) -> User | None:
        try:
            url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            parts = urlsplit(url)
            query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True))
            signed = datetime.strptime(query["X-Amz-Date"].replace("Z", "+0000"), _AWS_DATE)
            key_id = query["X-Amz-Credential"].partition("/")[0]
            given = query.pop("X-Amz-Signature")
        except (KeyError, ValueError, binascii.Error):
            return None
        settings = self._settings()
        accepted = (
            query.get("Action") == "GetCallerIdentity"
            and key_id == CREDENTIALS["aws_access_key_id"]
            and abs(self._clock() - signed) < _AWS_LIFETIME
            and hmac.compare_digest(given, _signature(parts.netloc, parts.path, query, settings.name))
        )
        if not accepted:
            return None
        arn = f"arn:aws:sts::{settings.account}:user/moto"  # what the emulator's STS calls every caller
        return User(
            arn,
            ("system:masters", "system:authenticated"),
            f"aws-iam-authenticator:{settings.account}:{key_id}",
            {"accessKeyId": [key_id], "arn": [arn], "canonicalArn": [arn]},
        )


def _signature(host: str, path: str, query: Mapping[str, str], cluster: str) -> str:
    """Signature version 4 of a presigned GET that signs the headers host and x-k8s-aws-id.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    request = "\n".join(
        [
            *("GET", path or "/", "&".join(f"{name}={value}" for name, value in pairs)),
            *(f"host:{host}", f"x-k8s-aws-id:{cluster}", "", "host;x-k8s-aws-id"),
            hashlib.sha256(b"").hexdigest(),
        ]
    )
    _, *scope = query["X-Amz-Credential"].split("/")
    hashed = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"], "/".join(scope), hashed])
    key = f"AWS4{CREDENTIALS['aws_secret_access_key']}".encode()
    for step in (*scope, text):
        key = hmac.digest(key, step.encode(), "sha256")
    return key.hex()
