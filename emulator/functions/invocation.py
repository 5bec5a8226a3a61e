"""Invocations of Lambda functions that are really run: each in a child process of its own.

Every invocation is a cold start. The function's role is not assumed, and limits nothing; its VPC, layers, memory
size and file systems are not emulated either. Its log is a file of the world, not a CloudWatch log stream.
"""

import io
import json
import os
import sys
import tempfile
import zipfile
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emulator.backing import Backing
from emulator.process import client_environment
from emulator.processes import Process

LOG_TAIL_BYTES: Final = 4096
"""How much of its log an invocation returns when asked for it."""

_RUNTIME: Final = Path(__file__).with_name("runtime.py")
_GRACE_SECONDS: Final = 2.0
"""For the interpreter's own start and end, which a function's time does not count."""


@dataclass(frozen=True)
class Function:
    """What must be known of a function to run it."""

    name: str
    arn: str
    version: str
    handler: str
    runtime: str
    code: bytes
    """A ZIP archive."""
    variables: dict[str, str]
    timeout: float
    """Seconds."""
    memory: int
    """MB; only told to the function."""
    log_group: str


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to: the result as JSON, or the JSON that describes the error."""

    payload: str
    failed: bool
    log: str
    """The end of what it logged, in base64."""


@dataclass(frozen=True)
class Invocation:
    """One run of a function with a JSON payload."""

    backing: Backing
    function: Function
    payload: str
    request_id: str

    def run(self) -> Outcome:
        """Run it to its end or its timeout."""
        log = self.backing.log(f"function-{self.function.name}")
        logged = log.stat().st_size if log.exists() else 0
        with tempfile.TemporaryDirectory(dir=self.backing.data("functions")) as folder:
            outcome = self._run(Path(folder), log)
        tail = log.read_bytes()[logged:][-LOG_TAIL_BYTES:] if log.exists() else b""
        failed = "error" in outcome
        answer = (
            json.dumps({**outcome["error"], "requestId": self.request_id}) if failed else outcome["result"]
        )
        return Outcome(answer, failed, b64encode(tail).decode())

    def _run(self, folder: Path, log: Path) -> dict[str, Any]:
        task, event, result = folder / "task", folder / "event.json", folder / "result.json"
        try:
            zipfile.ZipFile(io.BytesIO(self.function.code)).extractall(task)
        except zipfile.BadZipFile:
            return _error("Runtime.ImportModuleError", "the function's code is no ZIP archive")
        event.write_text(json.dumps(self._event()), encoding="utf-8")
        process = Process(
            f"function/{self.function.name}/{self.request_id}",
            [sys.executable, str(_RUNTIME), str(event), str(result)],
            log,
            self.backing.registry,
            environment=self._environment(task),
            directory=task,
        )
        told = f"RequestId: {self.request_id} Error:"
        if not process.join(self.function.timeout + _GRACE_SECONDS):
            process.stop(0)
            seconds = f"{self.function.timeout:.2f}"
            return _error("Sandbox.Timedout", f"{told} Task timed out after {seconds} seconds")
        try:
            return json.loads(result.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            status = process.status or 0
            how = f"exit status {status}" if status >= 0 else f"signal {-status}"
            return _error("Runtime.ExitError", f"{told} Runtime exited with error: {how}")

    def _event(self) -> dict[str, Any]:
        function = self.function
        return {
            "handler": function.handler,
            "payload": self.payload,
            "context": {
                "seconds": function.timeout,
                "function_name": function.name,
                "function_version": function.version,
                "invoked_function_arn": function.arn,
                "memory_limit_in_mb": str(function.memory),
                "aws_request_id": self.request_id,
                "log_group_name": function.log_group,
                "log_stream_name": self.request_id,
            },
        }

    def _environment(self, task: Path) -> dict[str, str]:
        """Nothing of this machine's: a function must not find a person's credentials, proxies or settings."""
        function = self.function
        return {
            **function.variables,
            **client_environment(self.backing.endpoint, self.backing.region),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": function.version,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
            "LAMBDA_TASK_ROOT": str(task),
            "_HANDLER": function.handler,
            "PATH": os.defpath,
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONUNBUFFERED": "1",
        }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"errorType": kind, "errorMessage": message}}
