"""What stands in the outbox is on Kafka once, in order, whoever dies meanwhile."""

import signal
import threading
from collections import defaultdict
from uuid import uuid4

import httpx
import pytest

from emulator.backing import Backing
from emulator.kafka.broker.tansu import Tansu
from emulator.kafka.server import RealBrokers
from emulator.ports import free_port
from services.api.events.v1.events_pb2 import PinEvent
from services.common.kafka import producer
from services.pin.outbox.publisher import Publisher
from tests.services.pin.outbox.conftest import Broker, Outbox, Reader, Relays, declared, pymysql_to
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("outbox")

LATE = {"ClusterArn": "arn:late", "ClusterName": "late", "ClusterType": "SERVERLESS"}


def test_an_event_is_a_record_with_key_payload_and_headers(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    outbox.write(7, title="a red bicycle")
    [event_id] = outbox.waiting()
    relays.start(variables, broker.address)
    [message] = until(reader.read)
    assert message.key() == b"7"
    assert PinEvent.FromString(message.value() or b"") == PinEvent(pin_id=7, version=1, title="a red bicycle")
    assert dict(message.headers() or []) == {
        "event-id": event_id.encode(),
        "event-type": b"services.api.events.v1.PinEvent",
        "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    until(outbox.empty)


def test_events_of_a_key_come_in_order_and_once(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    relays.start(variables, broker.address, RELAY_BATCH="7")
    for _ in range(20):
        outbox.write(1, 2, 3)
    until(lambda: len(reader.read()) >= 60)
    seen = defaultdict[int, list[int]](list)
    for event in reader.events():
        seen[event.pin_id].append(event.version)
    assert seen == {pin: list(range(1, 21)) for pin in (1, 2, 3)}
    until(outbox.empty)


def test_killing_the_relay_at_any_point_loses_nothing(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    written = 0
    for attempt in range(4):
        relay = relays.start(variables, broker.address, RELAY_BATCH="5")
        until(lambda relay=relay: relay.said("leads"))
        for number in range(20 + 7 * attempt):  # killed while the last of them are on their way
            outbox.write(number % 10)
            written += 1
        relay.kill()
    outbox.write(*range(10))
    written += 10
    relays.start(variables, broker.address)
    until(outbox.empty)
    until(lambda: len(set(reader.ids())) == written)
    events = reader.events()
    # What came twice has the same id and version; the last of each pin is its newest.
    assert {(event.pin_id, event.version) for event in events} == {
        (pin, version) for pin, last in outbox.versions.items() for version in range(1, last + 1)
    }
    assert {event.pin_id: event.version for event in events} == outbox.versions


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_what_is_sent_twice_has_the_same_id(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    outbox.write(1, 2, 3)
    ids = outbox.waiting()
    dies_before_it_deletes = Publisher(lambda: producer(broker.settings), threading.Event())
    dies_before_it_deletes.publish(outbox.rows())
    assert outbox.waiting() == ids
    relays.start(variables, broker.address)
    until(outbox.empty)
    until(lambda: len(reader.read()) == 6)
    assert sorted(reader.ids()) == sorted(ids * 2)


def test_a_second_relay_waits_and_takes_over_when_the_first_dies(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    first = relays.start(variables, broker.address)
    until(lambda: first.said("leads"))
    second = relays.start(variables, broker.address)
    until(lambda: httpx.get(f"{second.operations}/readyz").status_code == 200)
    outbox.write(1, 2, 3)
    until(outbox.empty)
    assert not second.said("leads")
    first.kill()
    until(lambda: second.said("leads"))
    outbox.write(1, 2, 3)
    until(outbox.empty)
    until(lambda: len(reader.read()) >= 6)
    assert sorted((event.pin_id, event.version) for event in reader.events()) == [
        (pin, version) for pin in (1, 2, 3) for version in (1, 2)
    ]


def test_a_row_that_a_slow_transaction_commits_late_is_not_passed_over(
    mysql: dict[str, str], topic: str, reader: Reader, relays: Relays, broker: Broker
) -> None:
    outbox = Outbox(mysql, topic)
    slow = pymysql_to(mysql)
    with slow.cursor() as cursor:
        cursor.execute(
            "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, created_at) "
            "VALUES (%s, %s, '99', 'x', %s, NOW(6))",
            (str(uuid4()), topic, PinEvent(pin_id=99, version=1).SerializeToString()),
        )
    outbox.write(1)  # has the higher number, and is committed first
    relays.start(mysql, broker.address)
    assert [event.pin_id for event in until(reader.events)] == [1]
    until(outbox.empty)
    slow.commit()
    slow.close()
    assert until(lambda: len(reader.read()) == 2)
    assert reader.events()[1].pin_id == 99
    outbox.close()


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_while_the_broker_does_not_answer_rows_stay_and_metrics_tell(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    relay = relays.start(variables, broker.address)
    until(lambda: relay.said("leads"))
    with broker.silent():
        outbox.write(1, 2)
        outbox.write(1)
        until(lambda: relay.metric("outbox_oldest_seconds") > 0)
        assert len(outbox.waiting()) == 3
    until(outbox.empty)
    until(lambda: relay.metric("outbox_oldest_seconds") == 0)
    until(lambda: len(set(reader.ids())) == 3)
    assert {event.pin_id: event.version for event in reader.events()} == outbox.versions


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_what_was_written_before_there_was_a_broker_flows_when_it_comes(
    outbox: Outbox, relays: Relays, variables: dict[str, str], outbox_backing: Backing
) -> None:
    brokers = RealBrokers(outbox_backing, lambda name, _, watcher: Tansu(name, port, outbox_backing, watcher))
    port = free_port()
    relay = relays.start(variables, f"127.0.0.1:{port}")
    outbox.write(1, 2)
    until(lambda: relay.metric("outbox_oldest_seconds") > 0)
    try:
        brokers.create_cluster(LATE, "eu-west-1", b"")
        brokers.declare_topic(LATE, declared(outbox.topic))
        until(outbox.empty)
        assert outbox.versions == {1: 1, 2: 1}
    finally:
        brokers.stop()


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_an_unknown_topic_keeps_nothing_else_waiting(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    outbox.write(1, topic="of-nobody")
    [lost] = outbox.waiting()
    relay = relays.start(variables, broker.address)
    outbox.write(2)
    assert [event.pin_id for event in until(reader.events)] == [2]
    until(lambda: outbox.waiting() == [lost])
    until(lambda: relay.said("not published"))
    outbox.write(3)
    until(lambda: len(reader.read()) == 2)
    assert outbox.waiting() == [lost]


@pytest.mark.parametrize("variables", ["sqlite"], indirect=True)
def test_sigterm_ends_it_with_everything_acknowledged_deleted(
    outbox: Outbox, reader: Reader, relays: Relays, variables: dict[str, str], broker: Broker
) -> None:
    relay = relays.start(variables, broker.address, SHUTDOWN_DRAIN_SECONDS="0")
    outbox.write(*range(50))
    until(reader.read)
    relay.process.send_signal(signal.SIGTERM)
    assert relay.process.wait(30) == 0
    left = set(outbox.waiting())
    sent = until(lambda: ids if len(ids := set(reader.ids())) + len(left) >= 50 else None)
    assert len(sent | left) == 50
    assert not sent & left


def test_a_wrong_environment_ends_it_with_2_and_says_why(relays: Relays, sqlite: dict[str, str]) -> None:
    relay = relays.start(sqlite, "nowhere")
    assert relay.process.wait(60) == 2
    assert "KAFKA_BOOTSTRAP_SERVERS" in relay.log.read_text()
