"""A POST that is repeated with its key does once, and answers the same."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.services.pin.api.conftest import Api, Person


def test_the_same_request_does_once(api: Api) -> None:
    person = api.person()
    first = person.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key")
    again = person.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key")
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    for header in ("etag", "location", "content-type"):
        assert again.headers[header] == first.headers[header]
    assert len(person.get(f"/v1/users/{person.profile['id']}/boards").json()["items"]) == 1
    assert len(api.events(first.json()["id"])) == 1


def test_another_request_with_the_key_is_refused(api: Api) -> None:
    person = api.person()
    board = person.board()
    person.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key")
    others = [
        person.post("/v1/boards", {"name": "Tables"}, idempotency_key="a-key"),
        person.post(f"/v1/boards/{board['id']}/sections", {"name": "Chairs"}, idempotency_key="a-key"),
    ]
    for other in others:
        assert (other.status_code, other.json()["title"]) == (422, "Idempotency-Key is used already")


def test_keys_are_each_persons_own(api: Api) -> None:
    made = [
        person.post("/v1/boards", {"name": "Chairs"}, idempotency_key="shared").json()
        for person in (api.person(), api.person())
    ]
    assert made[0]["id"] != made[1]["id"]


def test_what_failed_may_succeed_later_with_the_same_key(api: Api) -> None:
    stranger = api.stranger()
    assert stranger.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key").status_code == 403
    stranger.post("/v1/users", {"username": stranger.subject.replace("-", "_") + "_late"})
    assert stranger.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key").status_code == 201


def test_a_replayed_profile_is_no_conflict(api: Api) -> None:
    stranger = api.stranger()
    body = {"username": stranger.subject.replace("-", "_") + "_twice"}
    answers = [stranger.post("/v1/users", body, idempotency_key="a-key") for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("path", ["/v1/users", "/v1/boards"])
def test_of_many_at_once_one_does_and_all_answer_the_same(api: Api, path: str) -> None:
    person = api.stranger() if path == "/v1/users" else api.person()
    body = (
        {"username": person.subject.replace("-", "_") + "_many"}
        if path == "/v1/users"
        else {"name": "Chairs"}
    )

    def post(_: int) -> tuple[int, bytes]:
        answer = Person(api.client, person.subject).post(path, body, idempotency_key="a-key")
        return answer.status_code, answer.content

    with ThreadPoolExecutor(10) as pool:
        answers = set(pool.map(post, range(10)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201


def test_an_expired_key_is_forgotten(api: Api) -> None:
    person = api.person()
    first = person.post("/v1/boards", {"name": "Chairs"}, idempotency_key="a-key").json()
    long_ago = "UPDATE idempotency_keys SET expires_at = '2020-01-01 00:00:00.000000' WHERE subject = :who"
    api.change(long_ago, who=person.subject)
    second = person.post("/v1/boards", {"name": "Tables"}, idempotency_key="a-key")
    assert (second.status_code, second.json()["name"]) == (201, "Tables")
    assert second.json()["id"] != first["id"]
    again = person.post("/v1/boards", {"name": "Tables"}, idempotency_key="a-key")
    assert again.json() == second.json()


@pytest.mark.parametrize("key", ["", "two words", "x" * 129])
def test_a_key_that_cannot_be_kept_is_refused(sqlite_api: Api, key: str) -> None:
    answer = sqlite_api.person().post("/v1/boards", {"name": "Chairs"}, idempotency_key=key)
    assert answer.status_code == 400
    assert "idempotency" in answer.text.lower()
