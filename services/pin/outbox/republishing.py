"""Publishes the present state of all boards, pins and saves again, when the brokers do not have their past any more.

A topic that was deleted and made anew, or brokers that lost everything, have a log that begins with what comes next:
whoever reads it from its beginning would never hear of the rest. Kafka gives each topic an id at its creation. The
relay keeps the id of the topic that all was published to; under another id, all is published again.

The events go through the outbox like any others, and are written there while their rows are locked: of one key, the
last record stays the newest. They have the rows' versions, so consumers that know them already drop them.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient  # pyright: ignore[reportPrivateImportUsage]
from prometheus_client import Counter
from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.pin import events
from services.pin.database import Database, DatabaseUnavailable
from services.pin.models import Board, OutboxEvent, Pin, PublishedTopic, Save, User

_PART: Final = 500
"""Rows that are locked and written at once."""
_PART_SECONDS: Final = 30.0
_ROOM: Final = 2_000
"""Events that may wait in the outbox before more is added: new ones wait behind them."""
_ROOM_SECONDS: Final = 0.1
_ASK_SECONDS: Final = 10.0
_MISSING: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)

REPUBLISHED: Final = Counter("outbox_republished", "Events that were published again.", ["topic"])
_log = logger(__name__)


@dataclass(frozen=True)
class _Source:
    """Where the events of a topic come from: rows in the order of their keys, and what to tell of each."""

    rows: Select[*tuple[Any, ...]]
    key: ColumnElement[int]
    event: Callable[[events.Columns], events.Event]


def _board(row: events.Columns) -> events.Event:
    if row["deleted"]:
        return events.board_deleted(row["board_id"], row["version"])
    return events.board_changed(row, row["country"], row["subject"])


def _pin(row: events.Columns) -> events.Event:
    return events.pin_deleted(row["pin_id"], row["version"]) if row["deleted"] else events.pin_changed(row)


_SOURCES: Final = MappingProxyType(
    {
        events.BOARDS: _Source(
            select(*Board.__table__.c, User.subject, User.country).join(User, User.user_id == Board.owner_id),
            Board.__table__.c.board_id,
            _board,
        ),
        events.PINS: _Source(select(*Pin.__table__.c), Pin.__table__.c.pin_id, _pin),
        events.SAVES: _Source(select(*Save.__table__.c), Save.__table__.c.save_id, events.saved),
    }
)
"""By topic; boards first, because pins are shown with theirs."""


async def republish(database: Database) -> int:
    """Write the events of everything to the outbox; returns how many. Raises DatabaseUnavailable."""
    count = 0
    for topic in _SOURCES:
        after: int | None = 0
        while after is not None:
            part = await database.write(
                lambda connection, topic=topic, after=after: _write_part(connection, topic, after),
                seconds=_PART_SECONDS,
            )
            count += part.count
            after = part.last
    return count


class Republisher:
    """Watches the topics' ids, and republishes. Only the relay that leads may run it.

    `replaced` is called when a topic is not the one that was published to before.
    """

    def __init__(
        self, database: Database, admin: AdminClient, check_seconds: float, replaced: Callable[[], None]
    ) -> None:
        self._database = database
        self._admin = admin
        self._check_seconds = check_seconds
        self._replaced = replaced

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                for topic, topic_id in (await asyncio.to_thread(self._topic_ids)).items():
                    await self._republish(topic, topic_id)
            except (KafkaException, DatabaseUnavailable) as error:
                _log.info("cannot look at the topics now", reason=str(error))
            except Exception:
                _log.exception("republishing failed; it is gone on with")
            await asyncio.sleep(self._check_seconds)

    def _topic_ids(self) -> dict[str, str]:
        """Of the topics that are there. Raises KafkaException."""
        asked = self._admin.describe_topics(TopicCollection(list(_SOURCES)), request_timeout=_ASK_SECONDS)
        _, late = wait(asked.values(), _ASK_SECONDS)
        if late:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        found: dict[str, str] = {}
        for topic, answer in asked.items():
            try:
                topic_id = answer.result(0).topic_id
            except KafkaException as error:
                if error.args[0].code() not in _MISSING:
                    raise
                continue
            # Brokers before Kafka 2.8 know no ids.
            if topic_id.get_most_significant_bits() or topic_id.get_least_significant_bits():
                found[topic] = str(topic_id)
        return found

    async def _republish(self, topic: str, topic_id: str) -> None:
        """All that is left of it to do, if anything is."""
        known = await self._database.write(lambda connection: _know(connection, topic, topic_id))
        if known.replaced:
            self._replaced()
        count, after = 0, known.republished_to
        while after is not None:
            await self._wait_for_room()
            part = await self._database.write(
                lambda connection, after=after: _republish_part(connection, topic, after),
                seconds=_PART_SECONDS,
            )
            count, after = count + part.count, part.last
            REPUBLISHED.labels(topic).inc(part.count)
        if count:
            _log.warning("republished", topic=topic, topic_id=topic_id, events=count)

    async def _wait_for_room(self) -> None:
        some = select(OutboxEvent.sequence).limit(_ROOM).subquery()
        while (await self._database.rows(select(func.count()).select_from(some)))[0][0] >= _ROOM:
            await asyncio.sleep(_ROOM_SECONDS)


class _Known(NamedTuple):
    replaced: bool
    """Another topic had this name."""
    republished_to: int | None
    """The key after which to go on with republishing; None when all was published to this topic."""


async def _know(connection: AsyncConnection, topic: str, topic_id: str) -> _Known:
    """What was done for this topic; from now on it is known."""
    this = PublishedTopic.topic == topic
    columns = PublishedTopic.__table__.c
    known = (await connection.execute(select(*columns).where(this).with_for_update())).first()
    if known is None:
        row = {"topic": topic, "topic_id": topic_id, "republished_to": 0}
        await connection.execute(insert(PublishedTopic), row)
        return _Known(replaced=False, republished_to=0)
    if known.topic_id == topic_id:
        return _Known(replaced=False, republished_to=known.republished_to)
    _log.error(
        "the topic is not the one that was published to before: it was made anew, or the brokers lost it. All is "
        "published again",
        topic=topic,
        topic_id=topic_id,
        topic_id_before=known.topic_id,
    )
    values = {"topic_id": topic_id, "republished_to": 0}
    await connection.execute(update(PublishedTopic).where(this).values(values))
    return _Known(replaced=True, republished_to=0)


@dataclass(frozen=True)
class _Part:
    count: int
    last: int | None
    """The last row's key; None when there are no more rows."""


async def _republish_part(connection: AsyncConnection, topic: str, after: int) -> _Part:
    part = await _write_part(connection, topic, after)
    progress = update(PublishedTopic).where(PublishedTopic.topic == topic)
    await connection.execute(progress.values(republished_to=part.last))
    return part


async def _write_part(connection: AsyncConnection, topic: str, after: int) -> _Part:
    source = _SOURCES[topic]
    query = source.rows.where(source.key > after).order_by(source.key).limit(_PART)
    # Nobody changes them until their events have their places in the outbox.
    found = await connection.execute(query.with_for_update(read=True))
    rows = [dict(zip(found.keys(), row, strict=True)) for row in found]
    await events.publish(connection, *(source.event(row) for row in rows))
    return _Part(len(rows), rows[-1][str(source.key.key)] if len(rows) == _PART else None)
