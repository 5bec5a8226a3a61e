"""Names that exist only in a cluster become addresses and folders of this machine."""

from pathlib import Path

import pytest

from emulator.cluster.kubelet.translation import ServiceAddress, with_addresses, with_folders

SERVICES = {
    ("default", "echo"): ServiceAddress("127.9.128.1", {8080: 8080}),
    ("default", "web"): ServiceAddress("127.9.128.2", {80: 8080, 443: 8443}),
    ("data", "kafka"): ServiceAddress("127.9.128.3", {9092: 9092}),
}
PROMISED = ServiceAddress("127.9.128.99")


def find(namespace: str, name: str, certain: bool) -> ServiceAddress | None:
    return SERVICES.get((namespace, name)) or (PROMISED if certain else None)


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("echo.default.svc.cluster.local", "127.9.128.1"),
        ("echo.default.svc.cluster.local.:8080", "127.9.128.1:8080"),
        ("kafka.data.svc:9092,kafka.data.svc:9092", "127.9.128.3:9092,127.9.128.3:9092"),
        ("kafka.data:9092", "127.9.128.3:9092"),
        ("kafka.data", "127.9.128.3"),
        ("http://echo:8080/livez?of=echo", "127.9.128.1:8080/livez?of=echo"),
        ("http://echo", "127.9.128.1"),
        ("echo:8080", "127.9.128.1:8080"),
        ("mysql://user:secret@echo:8080/pins", "mysql://user:secret@127.9.128.1:8080/pins"),
        ("kafka://kafka.data:9092,echo:8080/x", "kafka://127.9.128.3:9092,127.9.128.1:8080/x"),
        ("upstream: 'echo:8080'\nname: echo\n", "upstream: '127.9.128.1:8080'\nname: echo\n"),
    ],
)
def test_names_of_services_become_addresses(text: str, translated: str) -> None:
    if text.startswith("http://"):
        translated = f"http://{translated}"
    assert with_addresses(text, "default", find) == translated


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("http://web/", "http://127.9.128.2:8080/"),
        ("https://web", "https://127.9.128.2:8443"),
        ("http://web:80/", "http://127.9.128.2:8080/"),
        ("web:443", "127.9.128.2:8443"),
    ],
)
def test_a_port_that_could_not_be_had_is_replaced_too(text: str, translated: str) -> None:
    assert with_addresses(text, "default", find) == translated


def test_a_service_may_come_after_its_clients() -> None:
    assert with_addresses("http://later.default.svc:80", "default", find) == "http://127.9.128.99:80"
    assert with_addresses("http://later:80", "default", find) == "http://later:80"


@pytest.mark.parametrize(
    "text",
    [
        "echo",
        "the echo: 8080",
        "pinwheel/echo:1",
        "echo:1",
        "my-echo:8080",
        "echo.example.com:8080",
        "echo.default.example.svc2",
        "/etc/echo:8080",
        "http://example.com/echo:8080",
        "kafka:9092",
        "kafka.data.json",
    ],
)
def test_what_is_not_surely_a_service_stays(text: str) -> None:
    assert with_addresses(text, "default", find) == text


@pytest.mark.parametrize(
    ("text", "translated"),
    [
        ("/data", "/real/data"),
        ("--config=/etc/echo/echo.yaml", "--config=/real/config/echo.yaml"),
        ("/etc/echo:/data", "/real/config:/real/data"),
        ("sqlite:////data/pins.db", "sqlite:////real/data/pins.db"),
        ("file:///data/pins", "file:///real/data/pins"),
        ("/data/models/x", "/real/models/x"),
        ("/database", "/database"),
        ("/srv/data", "/srv/data"),
        ("./data", "./data"),
        ("https://example.com/data", "https://example.com/data"),
    ],
)
def test_mount_paths_become_folders(text: str, translated: str) -> None:
    folders = {
        "/data": Path("/real/data"),
        "/data/models/": Path("/real/models"),
        "/etc/echo": Path("/real/config"),
    }
    assert with_folders(text, folders) == translated


def test_nothing_is_mounted_on_the_root() -> None:
    assert with_folders("/bin", {"/": Path("/real")}) == "/bin"
    assert with_folders("/bin", {}) == "/bin"
