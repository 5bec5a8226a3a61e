"""Whatever comes to the public address with a token, no answer is a failure or shows the inside."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from tests.system.system import Person, System
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("world")

_PEOPLE: Final = 4
"""Each may ask 600 times a minute: with several, few requests are only refused for their number."""

examples: Final = settings(
    max_examples=8, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@dataclass
class Fuzzers:
    """People with something of their own, who take turns."""

    system: System
    people: list[tuple[Person, dict[str, str]]]
    turns: Iterator[int] = field(default_factory=itertools.count)

    def send(self, case: Any) -> None:
        """Send it, and look at what it is answered."""
        turn = next(self.turns)
        person, things = self.people[turn % len(self.people)]
        for name, value in (case.path_parameters or {}).items():
            if isinstance(value, str) and value.isdigit() and value[0] != "0":  # of nothing, most likely
                case.path_parameters[name] = things[name]
        if (case.method, case.path) == ("DELETE", "/v1/users/me"):
            person = self.system.person()
        headers = {"Authorization": f"Bearer {person.token}"}
        if turn // len(self.people) % 2:
            headers["If-Match"] = "*"
        answer = self._answer(case, headers)
        assert answer.status_code < 500, answer.text
        assert "Traceback" not in answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"], answer.text
            assert answer.json()["status"] == answer.status_code

    def _answer(self, case: Any, headers: dict[str, str]) -> Any:
        """As any client does, it tries again what is told to: a picture may take long on a machine that is busy."""

        def answer() -> Any:
            found = case.call(base_url=self.system.url, headers=headers)
            return None if found.status_code == 503 and "retry-after" in found.headers else found

        (found,) = until(lambda: [found] if (found := answer()) is not None else None)
        return found


@pytest.fixture(scope="module")
def fuzzers(system: System) -> Fuzzers:
    return Fuzzers(system, [_with_things(system.person()) for _ in range(_PEOPLE)])


def _with_things(person: Person) -> tuple[Person, dict[str, str]]:
    board = person.board()
    pin = person.pin(board, "A lamp", upload_id=person.uploaded(seed=1))
    section = person.make(f"/v1/boards/{board}/sections", {"name": "Lamps"})["id"]
    person.make(f"/v1/pins/{pin}/saves", {"board_id": person.board()})
    return person, {"user_id": person.id, "board_id": board, "section_id": section, "pin_id": pin}


@pytest.mark.parametrize("service", ["pin", "search"])
def test_nothing_that_a_fuzzer_sends_is_answered_by_a_failure(
    system: System, fuzzers: Fuzzers, service: str
) -> None:
    told = system.client().get(f"/openapi/{service}.json").raise_for_status().json()
    document = schemathesis.openapi.from_dict(told)
    operations = [each.ok() for each in document.get_all_operations()]
    assert operations
    for operation in operations:
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @examples
            def send(case: schemathesis.Case) -> None:
                fuzzers.send(case)

            send()
