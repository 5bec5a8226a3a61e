"""Lambda: moto's without Docker, with the logging configuration that it loses. Invocations succeed and do nothing."""

from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse

_make = LambdaFunction.__init__
_describe = LambdaFunction.get_configuration
_change = LambdaFunction.update_configuration


def _init(self: Any, account_id: str, spec: dict[str, Any], *more: Any, **named: Any) -> None:
    self.logging_config = spec.get("LoggingConfig") or {}
    _make(self, account_id, spec, *more, **named)


def _get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002 - moto's
    default = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
    return {**_describe(self, on_create), "LoggingConfig": default | self.logging_config}


def _update_configuration(self: Any, config_updates: dict[str, Any]) -> dict[str, Any]:
    self.logging_config |= config_updates.get("LoggingConfig") or {}
    _change(self, config_updates)
    return self.get_configuration()


class EmulatedLambdaResponse(LambdaResponse):
    """Lambda with logging configurations."""


LambdaFunction.__init__ = _init
LambdaFunction.get_configuration = _get_configuration
LambdaFunction.update_configuration = _update_configuration
