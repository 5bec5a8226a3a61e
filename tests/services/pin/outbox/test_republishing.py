"""Brokers that lost everything are told of everything again: of what is there, and of what is gone."""

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, KafkaError, TopicPartition
from google.protobuf.message import Message
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from emulator.backing import Backing
from emulator.kafka.broker.tansu import Tansu
from emulator.kafka.server import RealBrokers
from services.api.events.v1.events_pb2 import BoardEvent, PinEvent, SaveEvent
from services.pin.database import Database
from services.pin.migrations import migrate
from services.pin.models import Board, OutboxEvent, Pin, Save, User
from services.pin.outbox.republishing import republish
from services.pin.settings import PinDatabaseSettings
from tests.services.conftest import PATIENCE_SECONDS
from tests.services.pin.outbox.conftest import PARTITIONS, Relays, declared
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("outbox")

EVENTS: dict[str, type[Message]] = {"boards": BoardEvent, "pins": PinEvent, "saves": SaveEvent}
_NOW = datetime.now(UTC)


@dataclass
class ForgetfulBroker:
    """A broker that keeps nothing when it is killed."""

    brokers: RealBrokers
    arn: str = field(default_factory=lambda: f"arn:{uuid4().hex}")

    @property
    def address(self) -> str:
        return self.broker.address

    @property
    def broker(self) -> Any:
        return self.brokers.broker(self.arn)

    def start(self) -> None:
        cluster = {"ClusterArn": self.arn, "ClusterName": uuid4().hex, "ClusterType": "SERVERLESS"}
        self.brokers.create_cluster(cluster, "eu-west-1", b"")
        for topic in EVENTS:
            self.brokers.declare_topic(cluster, declared(topic))

    def lose_everything(self) -> None:
        before = self.broker.pid
        os.kill(before, signal.SIGKILL)
        until(lambda: self.broker.pid != before)

    def state(self, topic: str) -> dict[int, Any]:
        """The last event of each key."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "test",
                "log_level": 0,
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 10,
            }
        )
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        try:
            found: dict[int, Any] = {}
            ended: set[int | None] = set()
            while len(ended) < PARTITIONS:
                message = consumer.poll(PATIENCE_SECONDS)
                assert message is not None
                error = message.error()
                if error is None:
                    found[int(message.key() or b"")] = EVENTS[topic].FromString(message.value() or b"")
                elif error.code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
            return found
        finally:
            consumer.close()


@pytest.fixture
def forgetful(outbox_backing: Backing) -> Iterator[ForgetfulBroker]:
    brokers = RealBrokers(
        outbox_backing, lambda name, port, watcher: Tansu(name, port, outbox_backing, watcher)
    )
    made = ForgetfulBroker(brokers)
    made.start()
    yield made
    brokers.stop()


class Stored:
    """A migrated database with two boards, pins on the first, and saves; the last pin and board are gone."""

    def __init__(self, variables: dict[str, str], pins: int) -> None:
        self.pins = pins
        self.settings = PinDatabaseSettings.model_validate(
            {name.lower(): value for name, value in variables.items()}
        )
        self.runner = asyncio.Runner()
        self.runner.run(migrate(self.settings))
        self.database = self.runner.run(self._open())
        self.runner.run(self.database.write(self._fill))

    async def _open(self) -> Database:
        return Database(self.settings)

    async def _fill(self, connection: AsyncConnection) -> None:
        row = {"deleted": False, "created_at": _NOW, "updated_at": _NOW}
        user = {"user_id": 1, "subject": "s", "username": "ada", "country": "DE", "version": 1}
        await connection.execute(insert(User), {**row, **user})
        board = {**row, "owner_id": 1, "name": "Lamps", "description": "", "secret": False}
        await connection.execute(
            insert(Board),
            [{**board, "board_id": 1, "version": 3}, {**board, "board_id": 2, "version": 2, "deleted": True}],
        )
        pin = {**row, "board_id": 1, "owner_id": 1, "title": "A lamp", "description": "", "link": ""}
        pin |= {"section_id": None, "image_key": "", "image_width": None, "image_height": None}
        for number in range(1, self.pins + 1):
            values = {**pin, "image_color": None, "pin_id": number, "version": number}
            await connection.execute(insert(Pin), {**values, "deleted": number == self.pins})
        save = {"save_id": 9, "pin_id": 1, "board_id": 1, "user_id": 1, "version": 4, "deleted": False}
        await connection.execute(insert(Save), {**save, "saved_at": _NOW, "updated_at": _NOW})

    def republish(self) -> int:
        return self.runner.run(republish(self.database))

    def waiting(self) -> int:
        count = select(func.count()).select_from(OutboxEvent)
        return self.runner.run(self.database.rows(count))[0][0]

    def is_told(self, broker: ForgetfulBroker) -> bool:
        """Whether the brokers have the last version of everything."""
        boards, pins, saves = (broker.state(topic) for topic in ("boards", "pins", "saves"))
        versions = {pin_id: event.version for pin_id, event in pins.items()}
        if versions != {number: number for number in range(1, self.pins + 1)} or not boards or not saves:
            return False
        assert (boards[1].name, boards[1].country, boards[1].version) == ("Lamps", "DE", 3)
        assert (boards[2].deleted, boards[2].version) == (True, 2)
        assert pins[1].title == "A lamp"
        assert [number for number, event in pins.items() if event.deleted] == [self.pins]
        assert saves[1].version == 4
        return True


@pytest.fixture
def stored(variables: dict[str, str]) -> Iterator[Stored]:
    made = Stored(variables, pins=12)
    yield made
    made.runner.run(made.database.close())
    made.runner.close()


def test_brokers_that_lost_everything_are_told_again(
    stored: Stored, forgetful: ForgetfulBroker, relays: Relays, variables: dict[str, str]
) -> None:
    relay = relays.start(variables, forgetful.address, RELAY_TOPIC_CHECK_SECONDS="0.2")
    until(lambda: stored.is_told(forgetful))
    until(lambda: relay.said("republished"))
    assert not relay.said(_REPLACED)

    forgetful.lose_everything()
    until(lambda: relay.said(_REPLACED), 60)
    until(lambda: stored.is_told(forgetful), 60)


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_what_was_lost_while_no_relay_ran_is_told_again_and_once(
    stored: Stored, forgetful: ForgetfulBroker, relays: Relays, variables: dict[str, str]
) -> None:
    first = relays.start(variables, forgetful.address)
    until(lambda: stored.is_told(forgetful))
    first.kill()
    forgetful.lose_everything()
    second = relays.start(variables, forgetful.address)
    until(lambda: stored.is_told(forgetful), 60)
    until(lambda: sum(line["event"] == "republished" for line in second.lines()) == 3)
    second.kill()

    third = relays.start(variables, forgetful.address, RELAY_TOPIC_CHECK_SECONDS="0.1")
    until(lambda: third.said("leads"))
    until(lambda: third.metric("outbox_rows") == 0)
    assert not third.said("republished")


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_an_operator_may_have_it_all_told_again(variables: dict[str, str]) -> None:
    stored = Stored(variables, pins=1_203)  # several parts
    assert stored.republish() == 2 + 1_203 + 1 == stored.waiting()
    stored.runner.run(stored.database.close())
    stored.runner.close()


_REPLACED = (
    "the topic is not the one that was published to before: it was made anew, or the brokers lost it. All is "
    "published again"
)
