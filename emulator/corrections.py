"""Corrections of moto 5.2.5, each with its reason. Applied once, before the first request.

They replace functions and classes of moto in place, for what has no other seam. moto is pinned, and
`tests/emulator` has a test for each, so that an upgrade which makes one needless or breaks it is noticed.
"""

import functools
import json
from fnmatch import fnmatchcase
from typing import Any

import moto.core.responses
import moto.core.utils
import moto.ec2.utils
import moto.kms.models
from moto.core.base_backend import AccountSpecificBackend
from moto.core.config import default_user_config
from moto.core.utils import method_names_from_class
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.kms.utils import AbstractPrivateKey, generate_private_key
from moto.moto_api._internal import mock_random
from moto.s3.models import FakeBucket
from moto.s3.utils import LOGGING_SERVICE_PRINCIPAL


def apply() -> None:
    """Apply all corrections."""
    # moto lists a class's methods anew for every request: 1.5 ms for EC2, whose answer never changes.
    responses: Any = moto.core.responses
    responses.method_names_from_class = functools.cache(method_names_from_class)
    # One loader for all services: each new one lists botocore's 460 folders again, 15 ms a service.
    utils: Any = moto.core.utils
    utils.create_loader = functools.cache(utils.create_loader)
    # One draw in the place of 17: identifiers are half of the cost of EC2's start and of a small creation.
    moto.ec2.utils.random_resource_id = _random_resource_id
    AccountSpecificBackend.__getitem__ = _backend_without_draws
    bucket: Any = FakeBucket
    bucket.get_permission = _bucket_permission
    bucket._log_permissions_enabled_policy = staticmethod(_may_deliver_logs)
    # An RSA key for every symmetric key, which can neither sign nor show it: 30 ms each.
    models: Any = moto.kms.models
    models.generate_private_key = _private_key
    # A rotation invokes its function; without this moto would look for Docker and pull an image.
    default_user_config["lambda"] = {"use_docker": False}


def _random_resource_id(size: int = 8) -> str:
    return f"{mock_random.getrandbits(4 * size):0{size}x}"


def _private_key(key_spec: str) -> AbstractPrivateKey | None:
    return None if key_spec == "SYMMETRIC_DEFAULT" else generate_private_key(key_spec)


_backend_of = AccountSpecificBackend.__getitem__


def _backend_without_draws(self: AccountSpecificBackend[Any], region_name: str) -> Any:
    """A region's backend, made when it is first asked for.

    Making EC2's draws a thousand identifiers; the random source is put back, so that a seeded request gives
    the same identifiers whether it is the first one or not.
    """
    if region_name in self.keys():
        return _backend_of(self, region_name)
    state = mock_random.getstate()
    try:
        return _backend_of(self, region_name)
    finally:
        mock_random.setstate(state)


def _bucket_permission(self: FakeBucket, action: str, resource: str) -> Any:
    """What a bucket's policy says of an action.

    moto takes a statement whose condition it cannot evaluate for a denial, so a bucket whose policy denies
    plain HTTP (as every bucket's should) would deny everything. The emulator stands for AWS's TLS endpoint:
    conditional statements do not apply here; unconditional ones do.
    """
    if self.policy is None:
        return PermissionResult.NEUTRAL
    policy = json.loads(self.policy)
    policy["Statement"] = [
        statement for statement in _several(policy.get("Statement")) if not statement.get("Condition")
    ]
    return IAMPolicy(json.dumps(policy)).is_action_permitted(action, resource)


def _may_deliver_logs(target_bucket: FakeBucket, target_prefix: str | None) -> bool:
    """Whether a bucket's policy lets S3 deliver access logs to it.

    moto reads policies in one spelling only, and fails on a statement whose principal is `*`.
    """
    wanted = f"arn:{target_bucket.partition}:s3:::{target_bucket.name}/{target_prefix or ''}log"
    policy = json.loads(target_bucket.policy or "{}")
    for statement in _several(policy.get("Statement")):
        principal = statement.get("Principal")
        services = _several(principal.get("Service")) if isinstance(principal, dict) else []
        if (
            statement.get("Effect") == "Allow"
            and LOGGING_SERVICE_PRINCIPAL in services
            and any(fnmatchcase("s3:PutObject", action) for action in _several(statement.get("Action")))
            and any(fnmatchcase(wanted, resource) for resource in _several(statement.get("Resource")))
        ):
            return True
    return False


def _several(value: Any) -> list[Any]:
    """IAM's documents take one or a list almost everywhere."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
