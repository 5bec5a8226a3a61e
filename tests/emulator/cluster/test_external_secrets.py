"""ExternalSecrets become Secrets, follow what they come from, and say why when they cannot."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.cluster.controllers.manager import Manager
from emulator.cluster.external_secrets import API, ExternalSecrets
from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, Store, copy_of

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CREDENTIAL = "pinwheel/local/database/pin"


class World:
    """A store, the controller alone, and a Secrets Manager of a dictionary."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.held: dict[str, str] = {CREDENTIAL: '{"username": "pin", "password": "first"}'}
        self.store = Store(clock=lambda: BEGINNING + timedelta(seconds=self.seconds))
        self.resources = Resources()
        for kind in ("SecretStore", "ExternalSecret"):
            self.resources.define(definition(kind))
        controller = ExternalSecrets(self.store, self.resources, self.read)
        self.manager = Manager(self.store, [controller], lambda: self.seconds)
        self.reads = 0

    def read(self, name: str) -> str:
        self.reads += 1
        if name not in self.held:
            raise LookupError(f"could not get secret data from provider: {name}: not found")
        return self.held[name]

    def create(self, kind: str, name: str, spec: Object) -> None:
        resource = self.resources.of_kind(API, kind)
        assert resource
        metadata = {"name": name, "namespace": "default", "generation": 1}
        self.store.create(resource, {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec})

    def external(self) -> Object:
        resource = self.resources.of_kind(API, "ExternalSecret")
        assert resource
        return self.store.get(resource, "default", "database")

    def data(self, name: str = "database") -> dict[str, str]:
        secret = self.store.find(self.resources["secrets"], "default", name)
        return (
            {key: base64.b64decode(text).decode() for key, text in secret["data"].items()} if secret else {}
        )

    async def until(self, look: Callable[[], Any]) -> Any:
        """Let the controller work, a tenth of a second of its time at each step."""
        async with asyncio.timeout(30):
            while not (seen := look()):
                self.manager.settle()
                self.seconds += 0.1
                await asyncio.sleep(0.001)
        return seen

    def ready(self) -> Object:
        found = (self.external().get("status") or {}).get("conditions") or [{}]
        return found[0]


def definition(kind: str) -> Object:
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    return {
        "metadata": {"name": f"{kind.lower()}s.external-secrets.io"},
        "spec": {
            "group": "external-secrets.io",
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1", "served": True, "storage": True}],
        },
    }


STORE = {"provider": {"aws": {"service": "SecretsManager", "region": "us-east-1"}}}
WHOLE = {
    "refreshInterval": "1h",
    "secretStoreRef": {"kind": "SecretStore", "name": "aws"},
    "data": [{"secretKey": "credential.json", "remoteRef": {"key": CREDENTIAL}}],
}


@pytest.fixture
def run() -> Callable[[Callable[[World], Awaitable[None]]], None]:
    def runner(story: Callable[[World], Awaitable[None]]) -> None:
        async def told() -> None:
            await story(World())

        asyncio.run(told())

    return runner


def test_a_secret_holds_what_secrets_manager_holds(run):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", {**WHOLE, "target": {"name": "pin-database"}})
        await world.until(lambda: world.data("pin-database"))
        assert world.data("pin-database") == {"credential.json": world.held[CREDENTIAL]}
        ready = await world.until(lambda: world.ready() if world.ready().get("status") else None)
        assert (ready["status"], ready["reason"]) == ("True", "SecretSynced")
        secret = world.store.get(world.resources["secrets"], "default", "pin-database")
        (owner,) = secret["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["uid"]) == ("ExternalSecret", world.external()["metadata"]["uid"])

    run(story)


def test_one_property_of_a_secret(run):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        one = {"secretKey": "password", "remoteRef": {"key": CREDENTIAL, "property": "password"}}
        world.create("ExternalSecret", "database", {**WHOLE, "data": [one]})
        assert await world.until(world.data) == {"password": "first"}

    run(story)


def test_a_rotated_secret_arrives_after_the_refresh_interval(run):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", WHOLE)
        await world.until(world.data)
        world.held[CREDENTIAL] = '{"username": "pin", "password": "second"}'
        await world.until(lambda: world.seconds > 60)
        assert "first" in world.data()["credential.json"]
        world.seconds += 3600
        await world.until(lambda: "second" in world.data()["credential.json"])
        assert world.reads == 2

    run(story)


def test_a_secret_that_somebody_deletes_comes_back(run):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", WHOLE)
        await world.until(world.data)
        world.store.delete(world.resources["secrets"], "default", "database")
        assert await world.until(world.data)

    run(story)


def test_a_change_of_the_spec_is_fetched_at_once(run):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", WHOLE)
        await world.until(world.data)
        changed = copy_of(world.external())
        changed["spec"]["data"][0]["secretKey"] = "renamed"
        resource = world.resources.of_kind(API, "ExternalSecret")
        assert resource
        world.store.update(resource, changed)
        await world.until(lambda: "renamed" in world.data())

    run(story)


def test_a_secret_that_is_not_there_yet_is_told_and_tried_again(run):
    async def story(world: World) -> None:
        held = world.held.pop(CREDENTIAL)
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", WHOLE)
        ready = await world.until(lambda: world.ready() if world.ready().get("status") else None)
        assert (ready["status"], ready["reason"]) == ("False", "SecretSyncedError")
        assert f"{CREDENTIAL}: not found" in ready["message"]
        reads = world.reads
        await world.until(lambda: world.reads > reads + 2)
        warnings = world.store.list(world.resources["events"], "default")
        assert [event["reason"] for event in warnings] == ["UpdateFailed"]  # once, not at every try
        world.held[CREDENTIAL] = held
        await world.until(world.data)

    run(story)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"secretStoreRef": {"name": "other"}}, 'could not get SecretStore "other": it does not exist'),
        (
            {"data": [{"secretKey": "x", "remoteRef": {"key": CREDENTIAL, "property": "nothing"}}]},
            f"key nothing does not exist in secret {CREDENTIAL}",
        ),
    ],
)
def test_a_wrong_reference_says_what_is_wrong(run, spec, said):
    async def story(world: World) -> None:
        world.create("SecretStore", "aws", STORE)
        world.create("ExternalSecret", "database", {**WHOLE, **spec})
        ready = await world.until(lambda: world.ready() if world.ready().get("status") else None)
        assert (ready["status"], ready["message"]) == ("False", said)
        assert world.data() == {}

    run(story)
