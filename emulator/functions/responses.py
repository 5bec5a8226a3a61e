"""Lambda's endpoint: moto's, with the logging configuration that it loses, and invocations.

A function is really run where it finds real databases, which is all that this project's functions work on. In a
plain rehearsal an invocation succeeds and does nothing: its result is `null`.
"""

import json
import threading
from typing import Any, Final
from urllib.parse import unquote

from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.moto_api._internal import mock_random

from emulator.backing import Backing, present
from emulator.errors import error_body
from emulator.functions.invocation import Function, Invocation, Outcome
from emulator.later import Answer, AnswerLater
from emulator.rds import real

MOST_AT_ONCE: Final = 16
"""Invocations. More would leave no thread for what the functions themselves ask: see `emulator.server.THREADS`."""
MAX_PAYLOAD_BYTES: Final = 6 * 1024 * 1024
"""Of a request and of its response. Source: Lambda quotas."""

_running: Final = threading.BoundedSemaphore(MOST_AT_ONCE)
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
    """Lambda with logging configurations and functions that run."""

    def invoke(self) -> Any:
        """Runs the function, if it is one that runs here; the answer comes when it has ended."""
        name = unquote(self.path.rsplit("/", 2)[-2])
        found: Any = self.backend.get_function(name, self.querystring.get("Qualifier", [None])[0])
        payload = self.body if isinstance(self.body, str) else self.body.decode()
        problem = _wrong_payload(payload)
        if problem:
            return problem
        kind = self.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
        if kind == "DryRun":
            return 204, {"status": "204"}, ""
        backing = present()
        if backing is None or real.servers() is None:
            return _answer(kind, found.version, Outcome("null", failed=False, log=""))
        if found.package_type != "Zip" or not str(found.run_time).startswith("python"):
            kinds = f"package type {found.package_type}, runtime {found.run_time}"
            return _refusal(
                502, "InvalidRuntimeException", f"the emulator runs Python functions only, not {kinds}"
            )
        invocation = Invocation(backing, _function(found), payload or "{}", str(mock_random.uuid4()))
        if kind == "Event":
            threading.Thread(target=_in_background, args=[backing, name, invocation], daemon=True).start()
            return _answer(kind, found.version, Outcome("", failed=False, log=""))
        raise AnswerLater(
            lambda: _outcome(found.version, invocation, self.headers.get("X-Amz-Log-Type") == "Tail")
        )


def _outcome(version: Any, invocation: Invocation, tail: bool) -> Answer:  # noqa: FBT001
    if not _running.acquire(blocking=False):
        return _refusal(
            429, "TooManyRequestsException", f"Rate Exceeded: {MOST_AT_ONCE} functions run already"
        )
    try:
        outcome = invocation.run()
    finally:
        _running.release()
    status, headers, body = _answer("RequestResponse", version, outcome)
    return status, {**headers, **({"x-amz-log-result": outcome.log} if tail else {})}, body


def _in_background(backing: Backing, name: str, invocation: Invocation) -> None:
    """Of the type Event: nobody waits, and nothing is tried again."""
    with _running:
        outcome = invocation.run()
    if outcome.failed:
        backing.report(f"function {name} failed: {outcome.payload}")


def _answer(kind: str, version: Any, outcome: Outcome) -> Any:
    if kind == "Event":
        return 202, {"status": "202"}, ""
    if len(outcome.payload) > MAX_PAYLOAD_BYTES:
        told = f"Response payload size exceeded maximum allowed payload size ({MAX_PAYLOAD_BYTES} bytes)."
        error = {"errorMessage": told, "errorType": "Function.ResponseSizeTooLarge"}
        outcome = Outcome(json.dumps(error), failed=True, log=outcome.log)
    failed = {"x-amz-function-error": "Unhandled"} if outcome.failed else {}
    headers = {"content-type": "application/json", "x-amz-executed-version": str(version), **failed}
    return 200, headers, outcome.payload


def _wrong_payload(payload: str) -> Any:
    if len(payload) > MAX_PAYLOAD_BYTES:
        return _refusal(
            413,
            "RequestTooLargeException",
            f"{len(payload)} byte payload is too large for the RequestResponse invocation type "
            f"(limit {MAX_PAYLOAD_BYTES} bytes)",
        )
    try:
        json.loads(payload or "{}")
    except ValueError as error:
        told = f"Could not parse request body into json: {error}"
        return _refusal(400, "InvalidRequestContentException", told)
    return None


def _refusal(status: int, code: str, message: str) -> Any:
    headers, body = error_body("rest-json", status, code, message)
    return status, {**dict(headers), "status": str(status)}, body


def _function(found: Any) -> Function:
    """moto's function as it is now."""
    return Function(
        name=found.function_name,
        arn=found.function_arn,
        version=str(found.version),
        handler=found.handler,
        runtime=found.run_time,
        code=found.code_bytes,
        variables=dict(found.environment_vars),
        timeout=float(found.timeout),
        memory=int(found.memory_size),
        log_group=found.logging_config.get("LogGroup") or f"/aws/lambda/{found.function_name}",
    )


LambdaFunction.__init__ = _init
LambdaFunction.get_configuration = _get_configuration
LambdaFunction.update_configuration = _update_configuration
