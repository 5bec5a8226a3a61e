"""A Kubernetes API server behind each EKS cluster: a process of `emulator.cluster`, on loopback, with TLS.

This process holds the listening socket and hands it to the child, so that the endpoint stays the same when
the child is started again, and requests that come meanwhile wait instead of failing.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import trustme

from emulator.backing import Backing
from emulator.cluster.client import ClusterClient
from emulator.cluster.settings import Settings
from emulator.ports import bound
from emulator.process import client_environment, python_path
from emulator.processes import Process, Supervised
from emulator.rds.database_server import certificate_authority

KUBECONFIG: Final = "kubeconfig"
"""In the backing's directory."""
_BACKLOG: Final = 1024
_STOP_SECONDS: Final = 30.0


class ApiServer:
    """The API server of one cluster."""

    def __init__(self, backing: Backing, name: str, version: str) -> None:
        self.name = name
        self._backing = backing
        self.directory = backing.data("clusters") / name
        if not backing.keep:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._listener = self._listen()
        self.endpoint = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.certificate_authority = self._certify()
        self.token = secrets.token_urlsafe(32)
        self._settings_file = self.directory / "settings.json"
        self.configure(version)
        self.client = ClusterClient(self.endpoint, self.certificate_authority, self.token)
        self._supervised = Supervised(f"eks/{name}", self._start, backing.report)
        self._supervised.start()

    def configure(self, version: str) -> None:
        """Say which version of Kubernetes it serves."""
        Settings(
            name=self.name,
            version=version,
            account=self._backing.account,
            region=self._backing.region,
            directory=self.directory,
            registry=self._backing.registry,
            token=self.token,
            certificate=self.directory / "server.pem",
            key=self.directory / "server.key",
            certificate_authority=self.certificate_authority,
            images=self._backing.images,
            environment=client_environment(self._backing.endpoint, self._backing.region),
            overrides=_overrides(self._backing),
        ).write(self._settings_file)

    def upgrade(self, version: str) -> None:
        """Serve another version; pods run on."""
        self.configure(version)
        if self._supervised.process:
            self._supervised.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it and its pods."""
        self._supervised.stop(_STOP_SECONDS)
        self._listener.close()
        if not self._backing.keep:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self, restarts: int, on_exit: Callable[[int], None]) -> Process:
        descriptor = self._listener.fileno()
        return Process(
            f"eks/{self.name}",
            [sys.executable, "-m", "emulator.cluster", str(self._settings_file), str(descriptor)],
            self._backing.log(f"cluster-{self.name}"),
            self._backing.registry,
            environment={**os.environ, "PYTHONPATH": python_path()},
            details={"address": self.endpoint, "restarts": restarts},
            on_exit=on_exit,
            pass_fds=[descriptor],
        )

    def _listen(self) -> socket.socket:
        """On the port of the last time, if it was kept and is free; else on any."""
        kept = self.directory / "port"
        listener = bound(int(kept.read_text()) if kept.exists() else 0)
        listener.listen(_BACKLOG)
        kept.write_text(str(listener.getsockname()[1]))
        return listener

    def _certify(self) -> str:
        """Make a certificate authority and the server's certificate; returns the authority's, in PEM."""
        authority = trustme.CA(organization_name=f"emulated EKS cluster {self.name}")
        server = authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        server.private_key_pem.write_to_path(self.directory / "server.key")
        (self.directory / "server.key").chmod(0o600)
        chain = b"".join(each.bytes() for each in server.cert_chain_pems)
        (self.directory / "server.pem").write_bytes(chain)
        return authority.cert_pem.bytes().decode()


def _overrides(backing: Backing) -> dict[str, str]:
    """Where what stands in for AWS differs from it, in the variables that our services read."""
    return {
        "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",  # the broker has neither TLS nor IAM
        "DATABASE_CA_FILE": str(certificate_authority(backing)),  # not Amazon's
    }


_backing: list[Backing] = []
_servers: dict[str, ApiServer] = {}


def install(backing: Backing) -> None:
    """Let clusters that are created from now on have an API server."""
    _backing[:] = [backing]
    backing.at_stop(_stop_all)


def created(name: str, version: str) -> ApiServer | None:
    """Start the API server of a new cluster; None when clusters only describe."""
    if not _backing:
        return None
    server = _servers[name] = ApiServer(_backing[0], name, version)
    _write_kubeconfig()
    return server


def deleted(name: str) -> None:
    """End the API server of a cluster, if it has one."""
    server = _servers.pop(name, None)
    if server:
        server.stop()
        _write_kubeconfig()


def upgraded(name: str, version: str) -> None:
    """Have a cluster's API server serve another version of Kubernetes."""
    if name in _servers:
        _servers[name].upgrade(version)


def client_of(name: str) -> ClusterClient | None:
    """A client, as administrator, of the cluster; None when it only describes."""
    server = _servers.get(name)
    return server.client if server else None


def _stop_all() -> None:
    for server in list(_servers.values()):
        server.stop()
    _servers.clear()
    (_backing[0].directory / KUBECONFIG).unlink(missing_ok=True)


def _write_kubeconfig() -> None:
    """For kubectl: every cluster a context, the oldest the current one. JSON is YAML."""
    told: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "clusters": [], "users": [], "contexts": []}
    for name, server in _servers.items():
        authority = base64.b64encode(server.certificate_authority.encode()).decode()
        cluster = {"server": server.endpoint, "certificate-authority-data": authority}
        told["clusters"].append({"name": name, "cluster": cluster})
        told["users"].append({"name": name, "user": {"token": server.token}})
        told["contexts"].append({"name": name, "context": {"cluster": name, "user": name}})
        told.setdefault("current-context", name)
    file = _backing[0].directory / KUBECONFIG
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(told, opened, indent=2)
