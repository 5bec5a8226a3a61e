"""The base of the services written here: operations that take and return botocore-shaped dictionaries.

moto parses requests and serialises responses by the botocore model when asked to; this class asks, checks
the parameters against the model as AWS does (botocore's client checks only types and required keys), and
gives operations the few things they all need: pages, clocks, identifiers, and the other services' state.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Final

from moto.core.base_backend import BaseBackend
from moto.core.responses import BaseResponse
from moto.core.utils import camelcase_to_underscores, get_service_model
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.moto_api._internal import mock_random

from emulator.errors import error_body
from emulator.model_check import problems

DEFAULT_PAGE: Final = 100


class OperationError(Exception):
    """An AWS error of a service that speaks the rest-json protocol; its model knows the HTTP status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Operations(BaseResponse):
    """One service's operations: a method per operation, named in snake case, that returns its output.

    Subclasses set the botocore service name and the error code for bad input.
    """

    service: ClassVar[str]
    invalid_code: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(service_name=self.service)
        self.automated_parameter_parsing = True
        self.params: dict[str, Any] = {}
        self._action: str | None = None

    def _get_action(self) -> str:
        if self._action is None:
            self._action = self._get_action_from_method_and_request_uri(self.normalized_request)
        return self._action

    def call_action(self) -> Any:
        """Check the parameters, then run the operation; errors are answered as the model says."""
        action = self._get_action()
        if not action or not hasattr(self, camelcase_to_underscores(action)):
            return super().call_action()
        model = get_service_model(self.boto3_service_name)
        shape = model.operation_model(action).input_shape
        try:
            problem = next(problems(self.params, shape), None) if shape is not None else None
            if problem is not None:
                raise self.invalid(problem)
            return super().call_action()
        except OperationError as error:
            return self.refusal(error)

    def refusal(self, error: OperationError) -> tuple[int, dict[str, str], bytes]:
        """The answer that tells of an error."""
        model = get_service_model(self.boto3_service_name)
        metadata: Any = model.shape_for(error.code).metadata
        status = metadata["error"]["httpStatusCode"]
        headers, body = error_body(str(model.protocol), status, error.code, error.message)
        return status, dict(headers), body

    def invalid(self, message: str) -> OperationError:
        """The service's error for bad input, to be raised."""
        return OperationError(self.invalid_code, message)

    def page(
        self, items: Sequence[Any], limit: int | None, token: str | None
    ) -> tuple[Sequence[Any], str | None]:
        """The page that starts at `token` (an offset, as a string) and the next page's token, if any."""
        start = 0
        if token:
            if not token.isdecimal() or int(token) > len(items):
                raise self.invalid(f"nextToken {token!r} is not one that an earlier call returned")
            start = int(token)
        end = start + (limit or DEFAULT_PAGE)
        return items[start:end], (str(end) if end < len(items) else None)

    # What other services know.

    def ec2(self) -> Any:
        """moto's EC2 backend of this account and region."""
        return ec2_backends[self.current_account][self.region]

    def subnet(self, subnet_id: str) -> Any:
        """moto's subnet, or the error for bad input if there is none."""
        for subnets in self.ec2().subnets.values():
            if subnet_id in subnets:
                return subnets[subnet_id]
        raise self.invalid(f"The subnet ID '{subnet_id}' does not exist")

    def require_security_group(self, group_id: str, vpc_id: str) -> None:
        """Refuse a security group that does not exist or is in another VPC."""
        group = self.ec2().get_security_group_from_id(group_id)
        if group is None:
            raise self.invalid(f"The security group '{group_id}' does not exist")
        if group.vpc_id != vpc_id:
            raise self.invalid(f"The security group '{group_id}' is in VPC {group.vpc_id}, not in {vpc_id}")

    def require_role(self, arn: str, trusted: str | None) -> None:
        """Refuse a role that does not exist or whose trust policy does not name the service principal."""
        roles = iam_backends[self.current_account][self.partition].roles.values()
        role = next((role for role in roles if role.arn == arn), None)
        if role is None:
            raise self.invalid(f"Role with arn: {arn} could not be assumed because it does not exist")
        if trusted is not None and f'"{trusted}"' not in str(role.assume_role_policy_document):
            raise self.invalid(
                f"Role with arn: {arn} could not be assumed: its trust policy does not allow {trusted}"
            )


class State(BaseBackend):
    """One service's state in one account and region; plain dictionaries in the shapes of the botocore model."""

    def arn(self, service: str, resource: str) -> str:
        """`arn:<partition>:<service>:<region>:<account>:<resource>`."""
        return f"arn:{self.partition}:{service}:{self.region_name}:{self.account_id}:{resource}"


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


def new_uuid() -> str:
    """A UUID from moto's random source, which the server seeds by the request (see `emulator.identifiers`)."""
    return str(mock_random.uuid4())


def new_id(length: int) -> str:
    """Lower-case hexadecimal digits from moto's random source."""
    return f"{mock_random.getrandbits(4 * length):0{length}x}"


def picked(source: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named entries of a dictionary that are there and not None."""
    return {name: source[name] for name in names if source.get(name) is not None}
