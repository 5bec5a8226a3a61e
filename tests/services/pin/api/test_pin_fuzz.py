"""Whatever is sent, the answer is one that the OpenAPI document tells of, and never a 5xx or a stack trace."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from services.common import http
from services.common.openapi import with_problems
from services.pin.api.app import create_app
from services.pin.database import Database
from services.pin.graph.feed import GraphFeed
from services.pin.migrations import migrate
from services.pin.uploads import ImageStore
from tests.services.pin.api.conftest import Person, settings_of
from tests.services.pin.api.processes import serving

ME = "somebody-with-a-fuzzer"
_turns = itertools.count()


def _document() -> dict[str, Any]:
    settings_ = settings_of({"DATABASE_URL": "sqlite+aiosqlite:///nowhere", "IMAGES_BUCKET": "images"})
    app = create_app(settings_, Database(settings_), ImageStore(None, "images"), GraphFeed(settings_))
    return with_problems(app.openapi_schema.to_schema())


schema = schemathesis.openapi.from_dict(_document())
# What is well-formed may still name what is not there, or lack the ETag that nobody can guess.
schema.config.checks.positive_data_acceptance.expected_statuses = [
    *("2xx", "401", "403", "404", "409", "412", "422", "428")
]
# Litestar answers OPTIONS by handler and not by path; the gateway answers it itself (CORS).
schema.config.checks.allow_header_conformance.enabled = False
schema.config.checks.ignored_auth.enabled = False  # the gateway's


@dataclass
class Fuzzed:
    """A running API, on which there are some things of one's own and of another's."""

    url: str
    known: list[dict[str, str]]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    directory = tmp_path_factory.mktemp("fuzzed")
    variables = {
        "DATABASE_URL": f"sqlite+aiosqlite:///{directory / 'pin.db'}",
        "IMAGES_BUCKET": "images",
    }
    asyncio.run(migrate(settings_of(variables)))
    with serving(directory / "log", variables) as served, httpx.Client(base_url=served.url) as client:
        people = {"mine": Person(client, ME), "anothers": Person(client, "another")}
        yield Fuzzed(served.url, [_things(person, name) for name, person in people.items()])
        assert served.process.poll() is None
        assert not [line for line in served.lines() if line["level"] == "error"]


def _things(person: Person, username: str) -> dict[str, str]:
    """Path parameters that lead to something."""
    profile = person.post("/v1/users", {"username": username}).json()
    board = person.board()
    section = person.section(board)
    pin = person.pin(board, section_id=section["id"])
    person.post(f"/v1/pins/{pin['id']}/saves", {"board_id": person.board()["id"]})
    return {
        "user_id": profile["id"],
        "board_id": board["id"],
        "section_id": section["id"],
        "pin_id": pin["id"],
    }


@schema.parametrize()
@settings(
    max_examples=40, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_nothing_that_a_fuzzer_sends_to_the_pin_service_is_answered_otherwise_than_documented(
    case: Any, fuzzed: Fuzzed
) -> None:
    _lead_somewhere(case, fuzzed.known)
    if case.headers is not None and next(_turns) % 2:
        case.headers["If-Match"] = "*"
    case.call_and_validate(fuzzed.url, headers=_as_the_gateway(case))


def _as_the_gateway(case: Any) -> dict[str, str]:
    """It knows the subject of a token, and refuses a request without one."""
    if "Authorization" not in (case.headers or {}):
        return {}
    # Who leaves is somebody else: the rest needs a profile.
    return {http.SUBJECT: "a-leaver" if (case.method, case.path) == ("DELETE", "/v1/users/me") else ME}


def _lead_somewhere(case: Any, known: list[dict[str, str]]) -> None:
    """Most numbers are of nothing: let some be of something."""
    things = known[next(_turns) % len(known)]
    length = case.body.get("content_length") if isinstance(case.body, dict) else None
    if isinstance(length, float) and length.is_integer():
        case.body["content_length"] = int(length)  # JSON Schema takes 1.0 for an integer; we need not
    if isinstance((case.query or {}).get("cursor"), str):
        del case.query["cursor"]  # a cursor that is made up is a 400, whatever it looks like
    for name, value in (case.path_parameters or {}).items():
        if isinstance(value, str) and value.isascii() and value.isdigit() and value[0] != "0":
            case.path_parameters[name] = things[name]
