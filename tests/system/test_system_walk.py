"""What people do, through the real processes: a pin is made, found by its words and by its picture."""

import re

import pytest

from tests.system.system import Person, System
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("world")


def test_the_demo_finds_the_pin_that_it_made_by_its_words_and_by_its_picture(system: System) -> None:
    done = system.printed.pinwheel.run("demo")
    assert done.returncode == 0, done.stderr
    assert re.search(r"found it by its words", done.stdout)
    assert re.search(r"found it by a part of its picture, at place \d+", done.stdout)


def test_a_catalogue_that_is_seeded_twice_is_there_once(system: System) -> None:
    first = system.printed.pinwheel.run("seed", "--pins", "30")
    assert first.returncode == 0, first.stderr
    assert "30 pins" in first.stdout
    (search,) = re.findall(r"^Search: (\S+)$", first.stdout, re.MULTILINE)
    before = found(system, search)
    assert before

    second = system.printed.pinwheel.run("seed", "--pins", "30")
    assert second.stdout == first.stdout, second.stderr
    assert found(system, search) == before


def test_a_token_from_the_command_line_is_taken_by_the_gateway(system: System) -> None:
    done = system.printed.pinwheel.run("token", "ada")
    assert done.returncode == 0, done.stderr
    bearer = {"authorization": f"Bearer {done.stdout.strip()}"}
    profile = {"username": "ada", "country": "GB"}
    assert system.client().post("/v1/users", json=profile, headers=bearer).status_code == 201
    assert system.client().get("/v1/users/me", headers=bearer).json()["username"] == "ada"


def found(system: System, search: str) -> list[str]:
    answer = system.client().get(f"{search}&limit=100").raise_for_status().json()
    return sorted(hit["pin_id"] for hit in answer["items"])


def test_what_is_changed_and_what_is_deleted_is_so_in_search_too(person: Person) -> None:
    board = person.board()
    pin = person.pin(board, f"Cobalt teapot {person.name}")
    until(lambda: person.found(f"cobalt {person.name}") == [pin])

    told = person.ask(
        "PATCH", f"/v1/pins/{pin}", json={"title": f"Scarlet teapot {person.name}"}, headers={"if-match": "*"}
    )
    assert told.status_code == 200, told.text
    until(lambda: person.found(f"scarlet {person.name}") == [pin])

    assert person.ask("DELETE", f"/v1/pins/{pin}", headers={"if-match": "*"}).status_code == 204
    until(lambda: person.found(f"scarlet {person.name}") == [])


def test_a_saved_pin_counts_its_saves(system: System, person: Person) -> None:
    pin = person.pin(person.board(), f"Amber lantern {person.name}")
    for each in (system.person(), system.person()):
        each.make(f"/v1/pins/{pin}/saves", {"board_id": each.board()})
    until(lambda: [hit["saves"] for hit in person.search(f"amber {person.name}")["items"]] == [2])
