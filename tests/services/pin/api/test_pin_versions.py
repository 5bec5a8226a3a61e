"""Of several who change the same thing, one wins each version, and the others are told."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.api.events.v1.events_pb2 import PinEvent
from tests.services.pin.api.conftest import Api, Person


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_who_does_not_say_what_they_saw_is_asked_to(api: Api, method: str) -> None:
    person = api.person()
    board = person.board()
    pin, section = person.pin(board), person.section(board)
    for path in (
        "/v1/users/me",
        f"/v1/boards/{board['id']}",
        f"/v1/boards/{board['id']}/sections/{section['id']}",
        f"/v1/pins/{pin['id']}",
    ):
        assert person.request(method, path, {}).status_code == 428
        stale = person.request(method, path, {}, if_match='"99"')
        assert stale.status_code == 412, stale.text
        assert person.request(method, path, {}, if_match="version 1").status_code == 400
        assert person.get(path).headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('"1"', 200),
        ('"0", "1"', 200),
        ("*", 200),
        ('W/"1"', 412),
        ('"01"', 412),
        ('""', 412),
        ("1", 400),
        ("", 400),
    ],
)
def test_if_match_is_compared_strongly(sqlite_api: Api, if_match: str, status: int) -> None:
    person = sqlite_api.person()
    board = person.board()
    answer = person.patch(f"/v1/boards/{board['id']}", {"name": "Tables"}, if_match=if_match)
    assert answer.status_code == status


def test_of_twenty_writers_exactly_one_wins(api: Api) -> None:
    person = api.person()
    pin = person.pin(person.board())
    path = f"/v1/pins/{pin['id']}"

    def write(number: int) -> int:
        body = {"title": f"Writer {number}"}
        return Person(api.client, person.subject).patch(path, body, if_match='"1"').status_code

    with ThreadPoolExecutor(20) as pool:
        assert Counter(pool.map(write, range(20))) == {200: 1, 412: 19}
    assert person.get(path).headers["etag"] == '"2"'
    assert [row_version(row) for row in api.events(pin["id"])] == [1, 2]


def test_who_takes_whatever_is_there_loses_nothing(api: Api) -> None:
    person = api.person()
    pin = person.pin(person.board())

    def write(number: int) -> int:
        body = {"title": f"Writer {number}"}
        return (
            Person(api.client, person.subject).patch(f"/v1/pins/{pin['id']}", body, if_match="*").status_code
        )

    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(write, range(20))) == {200}
    assert [row_version(row) for row in api.events(pin["id"])] == list(range(1, 22))


def test_a_board_that_goes_while_pins_come_keeps_none_of_them(api: Api) -> None:
    person = api.person()
    board = person.board()

    def create(number: int) -> int:
        body = {"board_id": board["id"], "title": str(number)}
        return Person(api.client, person.subject).post("/v1/pins", body).status_code

    def remove(_: int) -> int:
        path = f"/v1/boards/{board['id']}"
        return Person(api.client, person.subject).delete(path, if_match="*").status_code

    with ThreadPoolExecutor(12) as pool:
        creating = [pool.submit(create, number) for number in range(10)]
        removing = [pool.submit(remove, number) for number in range(2)]
        creating += [pool.submit(create, number) for number in range(10, 20)]
        assert sorted(each.result() for each in removing) == [204, 404]
        assert {each.result() for each in creating} <= {201, 422}
    left = api.rows(
        "SELECT pin_id, version, deleted FROM pins WHERE board_id = :board", board=int(board["id"])
    )
    assert len(left) == sum(each.result() == 201 for each in creating)
    for row in left:
        assert (row["version"], bool(row["deleted"])) == (2, True)
        assert [row_version(each) for each in api.events(str(row["pin_id"]))] == [1, 2]


def test_moves_that_cross_do_not_lock_each_other_out(api: Api) -> None:
    person = api.person()
    boards = [person.board() for _ in range(2)]
    pins = [person.pin(boards[number % 2]) for number in range(10)]

    def move(number: int) -> int:
        body = {"board_id": boards[(number + 1) % 2]["id"]}
        return (
            Person(api.client, person.subject)
            .patch(f"/v1/pins/{pins[number]['id']}", body, if_match="*")
            .status_code
        )

    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(move, range(10))) == {200}


def row_version(row: dict[str, Any]) -> int:
    return PinEvent.FromString(row["payload"]).version
