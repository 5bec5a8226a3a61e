"""Every world has a network of its own below 127.0.0.0/8."""

import errno
import socket
from pathlib import Path

import pytest

from emulator.cluster import addresses as module
from emulator.cluster.addresses import Addresses, NoAddressesError


def test_worlds_side_by_side_have_different_networks(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first = Addresses(tmp_path / "a")
    (tmp_path / "b/network").write_text(str(first.network))
    second = Addresses(tmp_path / "b")
    try:
        assert not first.network.overlaps(second.network)
    finally:
        first.close()
        second.close()


def test_a_world_has_the_same_network_again(tmp_path: Path) -> None:
    first = Addresses(tmp_path)
    first.close()
    second = Addresses(tmp_path)
    second.close()
    assert first.network == second.network


@pytest.mark.parametrize("text", ["", "nonsense", "10.0.0.0/8", "127.300.0.0/16"])
def test_a_broken_memory_of_the_network_is_no_hindrance(tmp_path: Path, text: str) -> None:
    (tmp_path / "network").write_text(text)
    addresses = Addresses(tmp_path)
    addresses.close()
    assert addresses.network.prefixlen == 16


def test_pods_and_services_have_halves_of_their_own(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path)
    addresses.close()
    prefix = str(addresses.network.network_address).removesuffix(".0.0")
    assert [addresses.pod_ip() for _ in range(2)] == [f"{prefix}.1.1", f"{prefix}.1.2"]
    assert addresses.service_ip() == f"{prefix}.128.1"
    assert f"{prefix}.128.1" in addresses
    assert "10.0.0.1" not in addresses
    assert "None" not in addresses
    assert None not in addresses


def test_an_address_is_given_again_only_after_all_others(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path)
    addresses.close()
    first = addresses.pod_ip()
    addresses.release(first)
    others = {addresses.pod_ip() for _ in range(127 * 254 - 1)}
    assert first not in others
    assert addresses.pod_ip() == first
    with pytest.raises(NoAddressesError, match="all addresses of"):
        addresses.pod_ip()


def test_an_address_in_use_is_not_given(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path)
    addresses.close()
    addresses.reserve(f"{addresses.network.network_address + 0x8001}")
    assert addresses.service_ip().endswith(".128.2")


def test_a_service_gets_what_was_promised_to_its_name(tmp_path: Path) -> None:
    addresses = Addresses(tmp_path)
    addresses.close()
    promised = addresses.promise("data", "kafka")
    assert addresses.promise("data", "kafka") == addresses.promised("data", "kafka") == promised
    assert addresses.service_ip("data", "other") != promised
    assert addresses.service_ip("data", "kafka") == promised
    assert addresses.promised("data", "kafka") is None


def test_a_machine_without_these_addresses_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Socket(socket.socket):
        def bind(self, address: object) -> None:
            raise OSError(errno.EADDRNOTAVAIL, "Can't assign requested address")

    monkeypatch.setattr(module.socket, "socket", Socket)
    with pytest.raises(NoAddressesError, match="ifconfig lo0 alias 127"):
        Addresses(tmp_path)


def test_a_port_taken_everywhere_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.16.0.1", 0))
        other.listen()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "CLAIM_PORT", other.getsockname()[1])
            patch.setattr(module, "_OCTETS", range(16, 17))
            with pytest.raises(NoAddressesError, match="another program listens"):
                Addresses(tmp_path)
