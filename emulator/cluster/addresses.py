"""The addresses of one cluster: a /16 of loopback, so that every pod and Service has one of its own.

All of 127.0.0.0/8 is loopback on Linux, without any set-up. Each world on the machine claims another second
octet by holding a listening socket there, which the kernel takes back whatever becomes of the process.
"""

import contextlib
import errno
import ipaddress
import itertools
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CLAIM_PORT: Final = 61719
"""Above the range of ports that Linux gives to clients."""
_OCTETS: Final = range(16, 255)
"""Second octets; those below are left to people, who like 127.0.0.1 and 127.1.1.1."""
_POD_SUBNETS: Final = range(1, 128)
"""Third octets."""
_SERVICE_SUBNETS: Final = range(128, 256)
_HOSTS: Final = range(1, 255)


class NoAddressesError(Exception):
    """The machine has no loopback addresses for a cluster; says what would help."""


class Addresses:
    """The addresses of the cluster whose state is in `directory`: the same network each time if it is free.

    The lower half is for pods, the upper for Services. An address that was released is given again only after
    all others, so that who still holds an old one reaches nobody.

    Raises NoAddressesError.
    """

    def __init__(self, directory: Path) -> None:
        remembered = directory / "network"
        self._claim, octet = _claim(_preferred(directory, remembered))
        remembered.write_text(f"127.{octet}.0.0/16\n", encoding="utf-8")
        self.network: Final = ipaddress.IPv4Network(f"127.{octet}.0.0/16")
        self._taken: set[str] = set()
        self._promised: dict[tuple[str, str], str] = {}
        self._pods = itertools.cycle(_addresses(octet, _POD_SUBNETS))
        self._services = itertools.cycle(_addresses(octet, _SERVICE_SUBNETS))

    def __contains__(self, address: object) -> bool:
        """Whether an address is of this network."""
        with contextlib.suppress(ValueError):
            return isinstance(address, str) and ipaddress.IPv4Address(address) in self.network
        return False

    def pod_ip(self) -> str:
        """An address for a pod."""
        return self._next(self._pods)

    def service_ip(self, namespace: str = "", name: str = "") -> str:
        """An address for a Service; for a named one that which was promised, if one was."""
        return self._promised.pop((namespace, name), None) or self._next(self._services)

    def promise(self, namespace: str, name: str) -> str:
        """The address that a Service will have which does not exist yet: who knows its name may start before."""
        found = self._promised.get((namespace, name))
        if found is None:
            found = self._promised[namespace, name] = self._next(self._services)
        return found

    def promised(self, namespace: str, name: str) -> str | None:
        """What was promised to a Service and not given yet."""
        return self._promised.get((namespace, name))

    def reserve(self, address: str) -> None:
        """Do not give `address` to anybody: it is in use."""
        self._taken.add(address)

    def release(self, address: str) -> None:
        """Take an address back."""
        self._taken.discard(address)

    def close(self) -> None:
        """Leave the network to other worlds."""
        self._claim.close()

    def _next(self, half: Iterator[str]) -> str:
        for address in itertools.islice(half, len(_SERVICE_SUBNETS) * len(_HOSTS)):
            if address not in self._taken:
                self._taken.add(address)
                return address
        raise NoAddressesError(f"all addresses of {self.network} are in use")


def _addresses(octet: int, subnets: range) -> list[str]:
    return [f"127.{octet}.{subnet}.{host}" for subnet in subnets for host in _HOSTS]


def _preferred(directory: Path, remembered: Path) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        octet = int(remembered.read_text(encoding="utf-8").split(".")[1])
        if octet in _OCTETS:
            return octet
    return _OCTETS[zlib.crc32(str(directory.resolve()).encode()) % len(_OCTETS)]


def _claim(preferred: int) -> tuple[socket.socket, int]:
    """Claim a network, the preferred one first; returns the socket that holds it and the second octet."""
    start = _OCTETS.index(preferred)
    for octet in (*_OCTETS[start:], *_OCTETS[:start]):
        claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            claim.bind((f"127.{octet}.0.1", CLAIM_PORT))
            claim.listen(1)
        except OSError as error:
            claim.close()
            if error.errno == errno.EADDRNOTAVAIL:
                raise NoAddressesError(
                    f"127.{octet}.0.1 is not an address of this machine, and a cluster's pods need a network of "
                    "their own below 127.0.0.0/8. Linux has all of it; elsewhere each address must be added, as "
                    f"by `sudo ifconfig lo0 alias 127.{octet}.0.1`. Run the cluster on Linux."
                ) from error
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return claim, octet
    raise NoAddressesError(
        f"port {CLAIM_PORT} is taken at 127.16.0.1 and all further networks up to 127.254.0.1: "
        f"{len(_OCTETS)} worlds run, or another program listens on that port of every address"
    )
