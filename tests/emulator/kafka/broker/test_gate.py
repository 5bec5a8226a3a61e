"""The gate before the tansu broker: what it changes in requests, and who may come in when."""

import socket
import struct
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.kafka.broker.gate import Gate
from emulator.kafka.broker.requests import LONGEST_SESSION_MS, Changes, NotKafkaError, Requests
from emulator.ports import bound
from tests.waiting import until

PRODUCE, FETCH, METADATA, JOIN_GROUP, LEAVE_GROUP, SYNC_GROUP, API_VERSIONS = 0, 1, 3, 11, 13, 14, 18


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def compact(value: str) -> bytes:
    return bytes([len(value) + 1]) + value.encode()


def request(key: int, version: int, body: bytes, *, flexible: bool = False) -> bytes:
    header = struct.pack(">hhi", key, version, 7) + text("rdkafka") + (b"\0" if flexible else b"")
    return struct.pack(">i", len(header + body)) + header + body


HELLO = request(API_VERSIONS, 0, b"")


def sent_on(*requests: bytes, creates_topics: bool = False) -> list[bytes]:
    """What a connection passes on of each request, after its first."""
    connection = Requests(Changes(lambda: creates_topics))
    assert passed_on(connection, HELLO) == HELLO
    return [passed_on(connection, each) for each in requests]


def passed_on(connection: Requests, data: bytes) -> bytes:
    return b"".join(part.data for part in connection.feed(data))


def metadata(version: int, allowed: bool) -> bytes:
    """A Metadata request for topic `t`."""
    flag, others = bytes([allowed]), b"\x01"
    match version:
        case 4:
            return request(METADATA, 4, struct.pack(">i", 1) + text("t") + flag)
        case 8:
            return request(METADATA, 8, struct.pack(">i", 1) + text("t") + flag + others * 2)
        case 9:
            return request(
                METADATA, 9, b"\2" + compact("t") + b"\0" + flag + others * 2 + b"\0", flexible=True
            )
        case _:
            topic = b"\2" + bytes(16) + compact("t") + b"\0"
            return request(METADATA, version, topic + flag + others + b"\0", flexible=True)


@pytest.mark.parametrize("version", [4, 8, 9, 12])
def test_asking_for_a_topic_does_not_create_it(version: int) -> None:
    assert sent_on(metadata(version, allowed=True)) == [metadata(version, allowed=False)]
    assert sent_on(metadata(version, allowed=True), creates_topics=True) == [metadata(version, allowed=True)]


def join(version: int, session: int) -> bytes:
    if version < 6:
        return request(JOIN_GROUP, version, text("workers") + struct.pack(">ii", session, 300_000) + text(""))
    body = compact("workers") + struct.pack(">ii", session, 300_000) + compact("")
    return request(JOIN_GROUP, version, body, flexible=True)


@pytest.mark.parametrize("version", [2, 5, 6, 9])
def test_a_long_session_is_shortened_so_that_a_group_forms_soon(version: int) -> None:
    assert sent_on(join(version, 45_000)) == [join(version, LONGEST_SESSION_MS)]
    assert sent_on(join(version, 2_000)) == [join(version, 2_000)]


def leave(version: int, member: str) -> bytes:
    match version:
        case 1:
            return request(LEAVE_GROUP, 1, text("workers") + text(member))
        case 3:
            body = text("workers") + struct.pack(">i", 1) + text(member) + struct.pack(">h", -1)
            return request(LEAVE_GROUP, 3, body)
        case _:
            body = compact("workers") + b"\2" + compact(member) + b"\0" + compact("done") + b"\0\0"
            return request(LEAVE_GROUP, 5, body, flexible=True)


def sync(version: int, assignments: int) -> bytes:
    if version < 4:
        instance = struct.pack(">h", -1) if version == 3 else b""
        dealt = (text("member") + struct.pack(">i", 1) + b"x") * assignments
        head = text("workers") + struct.pack(">i", 4) + text("member") + instance
        return request(SYNC_GROUP, version, head + struct.pack(">i", assignments) + dealt)
    head = compact("workers") + struct.pack(">i", 4) + compact("member") + b"\0"
    dealt = (compact("member") + b"\2x\0") * assignments
    body = head + compact("consumer") + compact("range") + bytes([assignments + 1]) + dealt + b"\0"
    return request(SYNC_GROUP, version, body, flexible=True)


@pytest.mark.parametrize(("version", "synced"), [(1, 1), (3, 3), (5, 5)])
def test_only_one_member_at_a_time_leaves_a_group(version: int, synced: int) -> None:
    """The second one's request names nobody: the broker lets its session time out."""
    leader, follower, first, second = sent_on(
        sync(synced, 2), sync(synced, 0), leave(version, "member"), leave(version, "member")
    )
    assert (leader, follower) == (sync(synced, 2), sync(synced, 0))
    assert first == leave(version, "member")
    assert second == leave(version, "~ember")


def test_nobody_leaves_a_group_that_is_being_formed() -> None:
    *_, left = sent_on(sync(3, 2), join(5, 6_000), leave(3, "member"))
    assert left == leave(3, "~ember")
    *_, left = sent_on(sync(3, 0), leave(3, "member"))
    assert left == leave(3, "~ember")


def fetch(offset: int, wait_ms: int, version: int = 11, partitions: Sequence[int] = (0, 1)) -> bytes:
    """A Fetch of some partitions of one topic, from the same offset."""
    flexible = version >= 12
    tags = b"\0" if flexible else b""

    def partition(number: int) -> bytes:
        epoch = struct.pack(">i", -1) if version >= 9 else b""
        last_epoch = struct.pack(">i", -1) if flexible else b""
        start = struct.pack(">q", -1) if version >= 5 else b""
        read = struct.pack(">q", offset) + last_epoch + start + struct.pack(">i", 1 << 20)
        return struct.pack(">i", number) + epoch + read + tags

    def array(elements: Sequence[bytes]) -> bytes:
        count = bytes([len(elements) + 1]) if flexible else struct.pack(">i", len(elements))
        return count + b"".join(elements)

    topic = bytes(range(16)) if version >= 13 else compact("pins") if flexible else text("pins")
    head = struct.pack(">i", -1) if version < 15 else b""
    head += struct.pack(">iiib", wait_ms, 1, 1 << 20, 1)
    session = struct.pack(">ii", 0, -1) if version >= 7 else b""
    topics = array([topic + array([partition(number) for number in partitions]) + tags])
    return request(FETCH, version, head + session + topics, flexible=flexible)


@pytest.mark.parametrize("version", [4, 5, 7, 11, 12, 13, 16])
def test_a_fetch_is_answered_soon_and_says_how_long_it_may_be_held(version: int) -> None:
    connection = Requests(Changes(lambda: False))
    connection.feed(HELLO)
    stream = fetch(5, 500, version) + join(2, 2_000) + fetch(5, 500, version, (1, 0)) + fetch(6, 500, version)
    assert connection.feed(stream) == [
        (fetch(5, 20, version), 0.0),
        (join(2, 2_000), None),
        (fetch(5, 20, version, (1, 0)), 0.5),
        (fetch(6, 20, version), 0.0),
    ]


BATCH = request(PRODUCE, 9, bytes(range(256)) * 40)


@given(st.lists(st.integers(0, len(BATCH) + 200), max_size=12))
def test_the_pieces_in_which_requests_come_make_no_difference(cuts: list[int]) -> None:
    stream = HELLO + BATCH + metadata(12, allowed=True) + BATCH + join(5, 45_000) + HELLO
    expected = HELLO + BATCH + metadata(12, allowed=False) + BATCH + join(5, LONGEST_SESSION_MS) + HELLO
    connection = Requests(Changes(lambda: False))
    ends = sorted({*cuts, len(stream)})
    pieces = [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert b"".join(passed_on(connection, piece) for piece in pieces) == expected
    assert connection.client_id == "rdkafka"


@pytest.mark.parametrize(
    "stream",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        struct.pack(">i", 3) + bytes(8),
        struct.pack(">i", -1) + bytes(8),
        struct.pack(">ihhih", 10, 18, 0, 1, 400),
    ],
)
def test_what_is_not_kafka_is_refused(stream: bytes) -> None:
    with pytest.raises(NotKafkaError):
        Requests(Changes(lambda: False)).feed(stream)


@pytest.mark.parametrize(
    "broken",
    [
        request(JOIN_GROUP, 5, text("workers")),
        request(JOIN_GROUP, 6, b"\xff\xff\xff\xff\x7f", flexible=True),
        request(JOIN_GROUP, 6, b"", flexible=False),
        request(METADATA, 12, b"\1", flexible=True),
    ],
)
def test_a_request_that_cannot_be_read_is_for_the_broker_to_judge(broken: bytes) -> None:
    assert sent_on(broken) == [broken]


@pytest.fixture
def broker() -> Iterator[socket.socket]:
    """Something that listens where a broker would."""
    with bound() as listener:
        listener.listen()
        listener.settimeout(10)
        yield listener


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate(bound(), "insider", Changes(lambda: False))
    yield made
    made.close()


def hello(client_id: str) -> bytes:
    body = struct.pack(">hhi", API_VERSIONS, 0, 1) + text(client_id)
    return struct.pack(">i", len(body)) + body


@pytest.fixture
def visit(gate: Gate) -> Iterator[Callable[[str], socket.socket]]:
    """`visit("name")` is a client that has sent its first request."""
    visitors: list[socket.socket] = []

    def connect(client_id: str) -> socket.socket:
        visitor = socket.create_connection(("127.0.0.1", gate.port), timeout=10)
        visitors.append(visitor)
        visitor.sendall(hello(client_id))
        return visitor

    yield connect
    for visitor in visitors:
        visitor.close()


def received(side: socket.socket, count: int) -> bytes:
    """So many bytes, in whatever pieces they come."""
    data = b""
    while len(data) < count:
        data += side.recv(count - len(data))
    return data


def hung_up_on(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_clients_wait_until_the_topics_are_there(
    gate: Gate, broker: socket.socket, visit: Callable[[str], socket.socket]
) -> None:
    client, insider = visit("client"), visit("insider")
    gate.reach(broker.getsockname()[1])
    first, _ = broker.accept()
    assert first.recv(100) == hello("insider")
    gate.open()
    second, _ = broker.accept()
    assert second.recv(100) == hello("client")
    second.sendall(b"answer")
    assert client.recv(100) == b"answer"
    first.close()
    assert insider.recv(100) == b""
    second.close()


Connect = Callable[[str], tuple[socket.socket, socket.socket]]


@pytest.fixture
def connect(gate: Gate, broker: socket.socket, visit: Callable[[str], socket.socket]) -> Connect:
    """`connect("name")` is a client and the broker's side of its connection, past the first request."""
    gate.reach(broker.getsockname()[1])
    gate.open()

    def connected(name: str) -> tuple[socket.socket, socket.socket]:
        client = visit(name)
        side, _ = broker.accept()
        side.settimeout(10)
        assert side.recv(100) == hello(name)
        return client, side

    return connected


def test_a_fetch_that_found_nothing_waits_until_a_producer_was_answered(gate: Gate, connect: Connect) -> None:
    consumer, consumer_side = connect("consumer")
    producer, producer_side = connect("producer")
    consumer.sendall(fetch(5, 60_000))
    assert consumer_side.recv(1000) == fetch(5, 20)
    consumer.sendall(fetch(5, 60_000) + HELLO)
    until(lambda: gate.arrivals.waiting)
    producer.sendall(BATCH)
    assert received(producer_side, len(BATCH)) == BATCH
    producer_side.sendall(b"answer")
    both = fetch(5, 20) + HELLO
    assert received(consumer_side, len(both)) == both
    consumer.sendall(fetch(6, 60_000))
    assert consumer_side.recv(1000) == fetch(6, 20)


def test_a_fetch_waits_no_longer_than_it_asks_for(connect: Connect) -> None:
    consumer, side = connect("consumer")
    consumer.sendall(fetch(5, 20) * 3)
    assert received(side, 3 * len(fetch(5, 20))) == fetch(5, 20) * 3


def test_a_consumer_that_goes_away_leaves_nothing_held(gate: Gate, connect: Connect) -> None:
    consumer, side = connect("consumer")
    consumer.sendall(fetch(5, 60_000) * 2)
    until(lambda: gate.arrivals.waiting)
    consumer.close()
    until(lambda: not gate.arrivals.waiting)
    assert side.recv(1000) == fetch(5, 20)
    assert side.recv(100) == b""


def test_a_client_is_told_when_the_broker_is_gone(
    gate: Gate, broker: socket.socket, visit: Callable[[str], socket.socket]
) -> None:
    gate.reach(broker.getsockname()[1])
    gate.open()
    broker.close()
    assert hung_up_on(visit("client"))


def test_another_protocol_is_hung_up_on(gate: Gate) -> None:
    with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as browser:
        browser.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert hung_up_on(browser)


def test_closing_hangs_up_and_frees_the_port(gate: Gate, visit: Callable[[str], socket.socket]) -> None:
    waiting = visit("client")
    gate.close()
    assert hung_up_on(waiting)
    with bound(gate.port) as again:
        assert again.getsockname()[1] == gate.port
