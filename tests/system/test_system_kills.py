"""Processes of every kind are killed with -9 while people write: what was acknowledged is there, once."""

import contextlib
import random
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.clients.support import needs_mysql
from tests.system.system import PATIENCE_SECONDS, Person, System
from tests.waiting import until

pytestmark = [pytest.mark.xdist_group("harmed"), needs_mysql]

VICTIMS = (
    "gateway",
    "pin",
    "pin-relay",
    "search-leaf-0",
    "search-leaf-1",
    "search-root",
    "ml-stream",
    "ml",
    "mysql",
)
_PINS_A_FAULT = 4
"""Acknowledged between two faults, at least."""


@dataclass
class Writer:
    """Somebody who makes pins one after another, and sends each again until it is acknowledged."""

    person: Person
    board: str
    word: str
    acknowledged: dict[str, str] = field(default_factory=dict)
    """Title by identifier."""
    failure: BaseException | None = None
    _stopping: threading.Event = field(default_factory=threading.Event)

    def write(self) -> None:
        """Until `stop`."""
        try:
            while not self._stopping.is_set():
                number = len(self.acknowledged)
                title = f"{self.word} number{number}"
                # A picture now and then: its upload is asked for again, too, if that was cut off.
                more = {"upload_id": self.person.uploaded(number)} if number % 5 == 0 else {}
                pin = self.person.pin(self.board, title, key=f"{self.word}-{number}", **more)
                assert pin not in self.acknowledged
                self.acknowledged[pin] = title
        except BaseException as error:
            self.failure = error

    def wait_for_more(self) -> None:
        """Until some more are acknowledged."""
        enough = len(self.acknowledged) + _PINS_A_FAULT
        until(lambda: self.failure or len(self.acknowledged) >= enough, PATIENCE_SECONDS)
        assert self.failure is None

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """It writes while the context is open; some come before and after what happens there."""
        thread = threading.Thread(target=self.write)
        thread.start()
        try:
            self.wait_for_more()
            yield
            self.wait_for_more()
        finally:
            self._stopping.set()
            thread.join()
        assert self.failure is None


def assert_all_is_there_once(writer: Writer) -> None:
    """In the database, and in search by words and by looks."""
    person = writer.person
    assert person.pins_of(writer.board) == writer.acknowledged
    wanted = sorted(writer.acknowledged)
    until(lambda: not person.search(writer.word)["partial"], PATIENCE_SECONDS)
    until(lambda: sorted(person.found(writer.word)) == wanted, PATIENCE_SECONDS)
    for pin, title in writer.acknowledged.items():
        if int(title.rpartition("number")[2]) % 5 == 0:
            until(lambda pin=pin: person.looks_like_some(pin), PATIENCE_SECONDS)


@pytest.fixture
def writer(harmed: System) -> Writer:
    person = harmed.person()
    return Writer(person, person.board(), person.name)


def test_no_acknowledged_pin_is_lost_or_doubled_whatever_is_killed(harmed: System, writer: Writer) -> None:
    with writer.at_work():
        for victim in random.Random(4).sample(VICTIMS, len(VICTIMS)):
            harmed.kill(victim)
            writer.wait_for_more()
    assert_all_is_there_once(writer)


def published(harmed: System) -> float:
    """Events of pins that the broker has acknowledged to the relay."""
    text = harmed.operations("pin-relay", "/metrics").text
    return sum(float(each) for each in re.findall(r'outbox_published_total\{topic="pins"\} (\S+)', text))


def test_what_a_broker_lost_before_it_was_read_is_published_again(harmed: System, writer: Writer) -> None:
    with contextlib.ExitStack() as unread, writer.at_work():
        for reader in ("search-leaf-0", "search-leaf-1", "ml-stream"):
            unread.enter_context(harmed.held(reader))
        lost = published(harmed) + _PINS_A_FAULT
        until(lambda: published(harmed) >= lost, PATIENCE_SECONDS)
        harmed.kill("kafka")
        writer.wait_for_more()
        unread.close()
        writer.wait_for_more()
        harmed.kill("search-leaf-0")
    assert_all_is_there_once(writer)
