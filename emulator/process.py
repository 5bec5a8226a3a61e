"""Start and stop the emulator as a child process.

The emulator lives in its own process for three reasons: it starts while the parent imports Pulumi, its
memory and CPU are not the parent's, and other programs (the AWS CLI, pyiceberg) talk to it the same way.
This module imports only the standard library, so that a command line that needs no emulator pays nothing.
"""

import contextlib
import ipaddress
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

READY_TIMEOUT_SECONDS: Final = 60.0
STOP_TIMEOUT_SECONDS: Final = 5.0
BACKED_STOP_TIMEOUT_SECONDS: Final = 40.0
"""With real processes behind it: a database that is asked to end writes first, pods have a grace period."""

CREDENTIALS: Final = {
    "aws_access_key_id": "AKIAREHEARSAL0000000",
    "aws_secret_access_key": "rehearsal-only-never-a-real-secret-00000",
}
"""What every client of the emulator signs with: the emulator checks no signature, and no AWS account
has this key. Keyword arguments of `boto3.client`; `client_environment` has them as variables."""


class EmulatorError(Exception):
    """The emulator cannot start or went away. `remedy` says in one line what to do about it."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class HostNotLoopbackError(EmulatorError):
    """The emulator has no authentication: it binds to nothing but loopback."""


class PortInUseError(EmulatorError):
    """Another program listens on the port."""


class BackingError(EmulatorError):
    """A process that was asked for cannot stand behind a service."""


class EmulatorDiedError(EmulatorError):
    """The child ended before it was ready; the message carries the last lines of its stderr."""


class EmulatorNotReadyError(EmulatorError):
    """The child lives but did not report in time."""


_ERRORS_FROM_CHILD: Final[dict[str, type[EmulatorError]]] = {
    error.__name__: error for error in (HostNotLoopbackError, PortInUseError, BackingError)
}


def require_loopback(host: str) -> None:
    """Refuse a host that other machines could reach. Checked by the parent and again by the child."""
    with contextlib.suppress(ValueError):
        if host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    raise HostNotLoopbackError(
        f"the emulator refuses to listen on {host!r}: it checks no credentials, so only this machine may reach it",
        "use 127.0.0.1, ::1 or localhost",
    )


def client_environment(endpoint: str, region: str) -> dict[str, str]:
    """Environment variables that point boto3, the AWS CLI and every other AWS SDK at the emulator."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@dataclass(frozen=True)
class BackedBy:
    """Real processes behind the services that carry data: brokers, databases, clusters."""

    directory: Path
    """Where they keep their data, logs and registry; see `emulator.backing`."""
    keep: bool = False
    """Whether they go on with what is there, and leave it at the end."""
    images: Path | None = None
    """Where the project's own images are; see `emulator.cluster.kubelet.images`."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Of the child's command line."""
        keep = ("--keep",) if self.keep else ()
        images = ("--images", str(self.images)) if self.images else ()
        return ("--backed", str(self.directory), *keep, *images)


class Emulator:
    """An emulated AWS account and region, listening on loopback while the context is open.

    `with Emulator(...) as emulator:` is `start()`, `wait_ready()` and, at the end, `stop()`. Call these
    yourself to do something else while it starts (2-3 s of work in the child). The child ends when `stop`
    is called, when this process ends in whatever way, and at no other time: it is in a session of its own,
    so Ctrl-C in the terminal reaches only the parent, which stops it in its own order.

    Args:
        account: 12-digit account id that every ARN carries.
        region: the region of requests that name none.
        host: a loopback address or `localhost`.
        port: a TCP port; 0 is any free one.
        log: file that the child's stderr is appended to (nothing while all goes well).
        backing: what stands behind the services that carry data; by default nothing does, and they only
            describe.
    """

    def __init__(
        self,
        account: str,
        region: str,
        host: str = "127.0.0.1",
        port: int = 0,
        log: Path | None = None,
        *,
        backing: BackedBy | None = None,
    ) -> None:
        self.account = account
        self.region = region
        self.host = host
        self.port = port
        self.log = log
        self.backing = backing
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: IO[bytes] | None = None
        self._started_at = 0.0
        self.seconds_to_ready: float | None = None
        """Seconds from `start` to the child's report; None until it is ready."""

    @property
    def endpoint(self) -> str:
        """The URL for `endpoint_url`, `--endpoint-url` and `AWS_ENDPOINT_URL`; known once ready."""
        if self.seconds_to_ready is None:
            raise EmulatorError("the emulator has no endpoint yet", "call wait_ready() first")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def pid(self) -> int:
        """The child's process id."""
        if self._process is None:
            raise EmulatorError("the emulator is not started", "call start() first")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the child and return at once. Raises `HostNotLoopbackError`; other errors come at `wait_ready`."""
        require_loopback(self.host)
        if self._process is not None:
            raise EmulatorError("the emulator is already started", "use one Emulator object for one child")
        if self.log is None:
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop()
        else:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self._stderr = self.log.open("ab+")
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            [
                *(sys.executable, "-m", "emulator"),
                *("--account", self.account, "--region", self.region),
                *("--host", self.host, "--port", str(self.port)),
                *(self.backing.arguments if self.backing else ()),
            ],
            # The child reads stdin until EOF, which it sees when this process ends, even by kill -9.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=_child_environment(),
            start_new_session=True,
        )

    def wait_ready(self, timeout: float = READY_TIMEOUT_SECONDS) -> None:
        """Wait for the child's report; returns at once when it has already come.

        Raises `PortInUseError`, `EmulatorDiedError` or, after `timeout` seconds, `EmulatorNotReadyError`;
        the child is gone then.
        """
        if self._process is None:
            self.start()
        if self.seconds_to_ready is not None:
            return
        try:
            report = self._read_report(timeout)
            self.port = int(report["port"])
            self.seconds_to_ready = time.monotonic() - self._started_at
        except BaseException:
            self.stop()
            raise

    def _read_report(self, timeout: float) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise EmulatorError("the emulator is not started", "call start() first")
        readable, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not readable:
            raise EmulatorNotReadyError(
                f"the emulator (process {self._process.pid}) was not ready after {timeout:g} seconds",
                f"try again when the machine is less busy{self._log_hint()}",
            )
        line = self._process.stdout.readline()
        if not line:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_SECONDS)
            status = self._process.returncode
            raise EmulatorDiedError(
                f"the emulator ended with status {status} before it was ready:\n{self._last_stderr()}",
                f"run `make setup` again if a module is missing{self._log_hint()}",
            )
        report: dict[str, Any] = json.loads(line)
        if "error" in report:
            raise _ERRORS_FROM_CHILD[report["error"]](report["message"], report["remedy"])
        return report

    def _last_stderr(self, lines: int = 10) -> str:
        if self._stderr is None:
            return ""
        size = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, size - 8192))
        return "\n".join(self._stderr.read().decode(errors="replace").splitlines()[-lines:])

    def _log_hint(self) -> str:
        return f"; its log is {self.log}" if self.log else ""

    def stop(self) -> None:
        """End the child and wait until it is gone. Calling it again, or before `start`, does nothing."""
        process = self._process
        if process is not None:
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            try:
                process.wait(BACKED_STOP_TIMEOUT_SECONDS if self.backing else STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    def __enter__(self) -> Self:
        try:
            if self._process is None:
                self.start()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def python_path() -> str:
    """PYTHONPATH of a child that imports this package, wherever it runs."""
    here = str(Path(__file__).resolve().parent.parent)
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))


def _child_environment() -> dict[str, str]:
    """The parent's environment without what would change the emulated account, plus the way to this package."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))
    }
    environment["PYTHONPATH"] = python_path()
    # boto3 inside the child must never look for credentials or regions on this machine.
    environment["AWS_CONFIG_FILE"] = environment["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    return environment
