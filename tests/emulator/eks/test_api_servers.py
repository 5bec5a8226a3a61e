"""The kubeconfig of a world: every cluster is in it, and a second one does not take kubectl away from the first."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emulator.backing import Backing
from emulator.eks import api_server


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Any]]:
    """Reads the kubeconfig of a world whose API servers are only described."""

    def described(_: Backing, name: str, version: str) -> SimpleNamespace:
        return SimpleNamespace(
            endpoint=f"https://{name}:443",
            certificate_authority=version,
            token=name,
            stop=lambda: None,
        )

    monkeypatch.setattr(api_server, "ApiServer", described)
    backing = Backing(tmp_path, "http://127.0.0.1:4588", "123456789012", "us-east-1")
    api_server.install(backing)
    yield lambda: json.loads((tmp_path / api_server.KUBECONFIG).read_text())
    backing.stop()


def test_a_second_cluster_is_a_context_beside_the_current_one(kubeconfig: Callable[[], Any]) -> None:
    for name in ("first", "second"):
        api_server.created(name, "1.36")
    told = kubeconfig()
    assert [each["name"] for each in told["contexts"]] == ["first", "second"]
    assert told["current-context"] == "first"


def test_a_deleted_cluster_hands_over(kubeconfig: Callable[[], Any]) -> None:
    for name in ("first", "second"):
        api_server.created(name, "1.36")
    api_server.deleted("first")
    assert kubeconfig()["current-context"] == "second"
    assert [each["name"] for each in kubeconfig()["clusters"]] == ["second"]
