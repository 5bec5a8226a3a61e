"""A broker of this machine that somebody else runs, named in `PINWHEEL_KAFKA_BOOTSTRAP`."""

import ipaddress
import socket
from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from emulator.kafka.broker.interface import NO_AUTHENTICATION, Broker, BrokerError, Watcher

VARIABLE: Final = "PINWHEEL_KAFKA_BOOTSTRAP"
_ANSWER_SECONDS: Final = 5.0


class GivenBroker(Broker):
    """Neither started nor stopped here.

    Args:
        address: `host:port`, or several with commas.
        copies: how many brokers it has.
        watcher: see `Watcher`; told once.
    """

    kind = "given"
    durable = True
    insider = "pinwheel"
    limits = (
        "all MSK clusters share the one broker and its topics",
        "the cluster's configuration has no effect: the broker has its own",
        "topics that are there already are kept and brought to what is declared; deleting the MSK cluster leaves them",
        "not watched, not started again",
        NO_AUTHENTICATION,
    )

    def __init__(self, address: str, copies: int, watcher: Watcher) -> None:
        self._address = address
        self.copies = copies
        self._watcher = watcher

    @property
    def address(self) -> str:
        """As given."""
        return self._address

    def start(self) -> None:
        """Nothing to start."""
        self._watcher.came(self._address, 0)

    def stop(self) -> None:
        """Nothing to stop."""

    def discard(self) -> None:
        """Its data is not ours."""

    def configure(self, properties: Mapping[str, str]) -> None:
        """Nothing to configure."""


def checked_bootstrap(given: str) -> int:
    """How many brokers answer at a bootstrap address.

    Raises `BrokerError` when it is no address, is not of this machine, or no Kafka answers there.
    """
    for each in given.split(","):
        host, _, port = each.strip().rpartition(":")
        if not host or not port.isdecimal():
            raise BrokerError(f"{VARIABLE} is {given!r}: expected host:port, or several with commas")
        try:
            found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
        except OSError as error:
            raise BrokerError(f"{VARIABLE}: the name {host!r} cannot be resolved: {error}") from error
        elsewhere = [ip for *_, (ip, *_) in found if not ipaddress.ip_address(ip).is_loopback]
        if elsewhere:
            raise BrokerError(
                f"{VARIABLE}: {host} is {elsewhere[0]}, not this machine; what is rehearsed must not reach a "
                "broker that others use: name one on 127.0.0.1"
            )
    try:
        client = AdminClient({"bootstrap.servers": given, "log_level": 0})
        return len(client.list_topics(timeout=_ANSWER_SECONDS).brokers)
    except KafkaException as error:
        raise BrokerError(
            f"{VARIABLE}: no Kafka answers at {given} ({error.args[0].str()}): start it, or unset the variable"
        ) from error
