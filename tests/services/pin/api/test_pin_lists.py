"""Lists, page by page: nothing is missed and nothing comes twice, whatever is added meanwhile."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.problems import Problem
from services.pin.api import cursors
from services.pin.identifiers import EPOCH_MS, LARGEST, new_identifier, parse_identifier
from tests.services.pin.api.conftest import Api, Person


def walk(person: Person, path: str, limit: int) -> list[dict[str, Any]]:
    """All items of a list."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = person.get(f"{path}?limit={limit}{cursor}").json()
        assert len(page["items"]) <= limit
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_boards_pins_come_once_each_and_the_latest_first(api: Api, limit: int) -> None:
    person, other = api.person(), api.person()
    board, theirs = person.board(), other.board()
    expected: list[str] = []
    for number in range(7):
        pin = other.pin(theirs) if number % 3 == 1 else person.pin(board)
        if number % 3 == 1:
            person.post(f"/v1/pins/{pin['id']}/saves", {"board_id": board["id"]})
        expected.insert(0, pin["id"])
    path = f"/v1/boards/{board['id']}/pins"
    assert [each["pin"]["id"] for each in walk(person, path, limit)] == expected
    other.delete(f"/v1/pins/{expected[2]}", if_match="*")
    del expected[2]
    assert [each["pin"]["id"] for each in walk(person, path, limit)] == expected


def test_what_is_added_meanwhile_does_not_disturb_the_pages(api: Api) -> None:
    person = api.person()
    board = person.board()
    old = [person.pin(board)["id"] for _ in range(4)]
    path = f"/v1/boards/{board['id']}/pins?limit=2"
    first = person.get(path).json()
    new = person.pin(board)
    second = person.get(f"{path}&cursor={first['next_cursor']}").json()
    seen = [each["pin"]["id"] for each in first["items"] + second["items"]]
    assert seen == old[::-1]
    assert new["id"] not in seen


def test_boards_and_sections_are_listed_in_order(api: Api) -> None:
    person = api.person()
    boards = [person.board()["id"] for _ in range(5)]
    listed = walk(person, f"/v1/users/{person.profile['id']}/boards", 2)
    assert [each["id"] for each in listed] == boards[::-1]
    board = {"id": boards[0]}
    sections = [person.section(board, name)["id"] for name in ("a", "b", "c")]
    listed = walk(person, f"/v1/boards/{boards[0]}/sections", 2)
    assert [each["id"] for each in listed] == sections


def test_a_cursor_is_good_for_its_own_list_only(sqlite_api: Api) -> None:
    person = sqlite_api.person()
    boards = [person.board() for _ in range(2)]
    for _ in range(2):
        person.pin(boards[0])
    cursor = person.get(f"/v1/boards/{boards[0]['id']}/pins?limit=1").json()["next_cursor"]
    changed = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for path in (
        f"/v1/boards/{boards[1]['id']}/pins?cursor={cursor}",
        f"/v1/users/{person.profile['id']}/boards?cursor={cursor}",
        f"/v1/boards/{boards[0]['id']}/pins?cursor={changed}",
        f"/v1/boards/{boards[0]['id']}/pins?cursor=%00",
        f"/v1/boards/{boards[0]['id']}/pins?cursor={'x' * 65}",
    ):
        answer = person.get(path)
        assert answer.status_code == 400, path
        assert "cursor" in str(answer.json()["errors"])


@given(st.text(max_size=20), st.integers(1, LARGEST))
def test_a_cursor_leads_back_to_where_it_was_taken(listing: str, last: int) -> None:
    assert cursors.decode(listing, cursors.encode(listing, last)) == last


@given(st.one_of(st.text(max_size=64), st.from_regex(r"[A-Za-z0-9_-]{16}", fullmatch=True)))
def test_whatever_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refusal:
        cursors.decode("pins/17", text)
    assert refusal.value.status_code == 400


@given(st.text(max_size=30))
def test_an_identifier_is_its_digits(text: str) -> None:
    number = parse_identifier(text)
    assert number is None or (0 < number <= LARGEST and int(text) == number)


def test_identifiers_rise_and_differ() -> None:
    made = [new_identifier() for _ in range(5000)]
    assert made == sorted(set(made))
    assert made[-1] <= LARGEST
    assert EPOCH_MS + (made[0] >> 22) > EPOCH_MS
