"""Runs one event through a Python function's handler, as Lambda's runtime does. A program of its own.

Its environment has the function's variables; its directory is the function's code. It imports nothing of this
project: the function sees the interpreter's packages (boto3 among them) and its own files.

Usage: `python runtime.py EVENT RESULT`, two JSON files: `{"handler", "payload", "context"}` is read, and
`{"result": text}` or `{"error": {...}}` written.
"""

import importlib
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Context:
    """Lambda's context object."""

    identity = None
    client_context = None

    def __init__(self, told: dict[str, Any]) -> None:
        self._deadline = time.monotonic() + told.pop("seconds")
        vars(self).update(told)

    def get_remaining_time_in_millis(self) -> int:
        """Until the function is ended."""
        return max(0, int((self._deadline - time.monotonic()) * 1000))


def run(event: dict[str, Any]) -> dict[str, Any]:
    """The outcome of one event."""
    module_name, _, name = event["handler"].rpartition(".")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        return _error("Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        return _error("Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}")
    except Exception as error:
        return _raised(error)
    handler = getattr(module, name, None)
    if handler is None:
        return _error("Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module_name}'")
    return _called(handler, event)


def _called(handler: Callable[..., Any], event: dict[str, Any]) -> dict[str, Any]:
    try:
        result = handler(json.loads(event["payload"]), Context(event["context"]))
    except Exception as error:
        return _raised(error)
    try:
        return {"result": json.dumps(result)}
    except (TypeError, ValueError) as error:
        return _error("Runtime.MarshalError", f"Unable to marshal response: {error}")


def _raised(error: Exception) -> dict[str, Any]:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    traceback.print_exception(error)  # into the function's log
    return _error(type(error).__name__, str(error), traceback.format_list(frames))


def _error(kind: str, message: str, stack: list[str] | None = None) -> dict[str, Any]:
    return {"error": {"errorMessage": message, "errorType": kind, "stackTrace": stack or []}}


if __name__ == "__main__":
    sys.path[0] = str(Path.cwd())  # the function's files, not the emulator's
    outcome = run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    Path(sys.argv[2]).write_text(json.dumps(outcome), encoding="utf-8")
