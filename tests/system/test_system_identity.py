"""Who may do what, as the gateway and the services behind it see to it together."""

import httpx
import pytest

from tests.system.system import Person, System
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("world")


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and detail of an RFC 9457 problem."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.text
    told = answer.json()
    assert told["status"] == answer.status_code
    return answer.status_code, told["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/users", {"username": "nobody"}),
        ("/v1/boards", {"name": "Nobody's"}),
        ("/v1/pins", {"board_id": "1", "title": "Nobody's"}),
        ("/v1/uploads", {"content_type": "image/jpeg", "content_length": 100}),
    ],
)
def test_who_shows_no_token_writes_nothing(system: System, path: str, body: dict[str, object]) -> None:
    status, detail = problem(system.client().post(path, json=body))
    assert status == 401
    assert "token" in detail


def test_a_token_that_is_made_up_is_refused_on_reads_too(system: System) -> None:
    answer = system.client(authorization="Bearer made.up.token").get("/v1/search/pins?q=lamp")
    assert problem(answer) == (401, "the access token is not valid")


def test_who_says_to_be_somebody_is_not_believed(system: System, person: Person) -> None:
    subject = person.ask("GET", "/v1/users/me")
    assert subject.status_code == 200
    for forged in (person.name, person.id):
        forger = system.client(**{"x-pinwheel-subject": forged})
        assert problem(forger.post("/v1/boards", json={"name": "Forged"}))[0] == 401
        assert problem(forger.get("/v1/users/me"))[0] == 401
    other = system.person()
    told = other.ask("GET", "/v1/users/me", headers={"x-pinwheel-subject": person.name})
    assert told.json()["username"] == other.name


def test_a_board_is_its_owners(system: System, person: Person) -> None:
    board, stranger = person.board(), system.person()
    pin = person.pin(board, "Mine")
    theirs = {"name": "Theirs now"}
    assert (
        problem(stranger.ask("PATCH", f"/v1/boards/{board}", json=theirs, headers={"if-match": "*"}))[0]
        == 403
    )
    assert problem(stranger.ask("DELETE", f"/v1/boards/{board}", headers={"if-match": "*"}))[0] == 403
    assert problem(stranger.ask("POST", "/v1/pins", json={"board_id": board, "title": "A guest"}))[0] == 403
    assert problem(stranger.ask("DELETE", f"/v1/pins/{pin}", headers={"if-match": "*"}))[0] == 403
    assert problem(stranger.ask("POST", f"/v1/pins/{pin}/saves", json={"board_id": board}))[0] == 403
    assert stranger.ask("GET", f"/v1/boards/{board}").json()["name"] == "Seen today"


def test_a_secret_board_is_not_there_for_others_nor_found(system: System, person: Person) -> None:
    secret, public = person.board("Surprise", secret=True), person.board()
    hidden = person.pin(secret, f"Present {person.name}")
    shown = person.pin(public, f"Present paper {person.name}")
    stranger = system.person()
    for each in (stranger.client, system.client()):
        assert problem(each.get(f"/v1/boards/{secret}"))[0] == 404
        assert problem(each.get(f"/v1/boards/{secret}/pins"))[0] == 404
        assert problem(each.get(f"/v1/pins/{hidden}"))[0] == 404
    assert person.ask("GET", f"/v1/pins/{hidden}").status_code == 200
    until(lambda: stranger.found(f"present {person.name}") == [shown])


@pytest.mark.parametrize("service", ["pin", "search"])
def test_each_service_says_what_it_takes(system: System, service: str) -> None:
    answer = system.client().get(f"/openapi/{service}.json")
    assert answer.status_code == 200
    told = answer.json()
    assert told["openapi"].startswith("3.1")
    assert told["paths"]


@pytest.mark.parametrize("path", ["/", "/v2/pins", "/openapi.json", "/readyz", "/metrics", "/v1/pinsetters"])
def test_there_is_nothing_else(system: System, path: str) -> None:
    assert problem(system.client().get(path))[0] == 404


def test_what_is_too_large_is_refused_and_told(system: System, person: Person) -> None:
    assert problem(person.ask("POST", "/v1/boards", content=b"x" * (1 << 20)))[0] == 413


def test_an_answer_has_the_id_that_its_logs_have(system: System) -> None:
    answer = system.client().get("/v1/pins/1")
    assert problem(answer)[0] == 404
    assert answer.headers["x-request-id"] == answer.json()["request_id"]
