"""What people do: profiles, boards, sections, pins, saves. Over SQLite and over MySQL."""

from typing import Any

import httpx
import pytest

from services.api.events.v1.events_pb2 import GROUP_KIND_BOARD, BoardEvent, PinEvent, SaveEvent
from tests.services.pin.api.conftest import Api, Person


def problem(answer: httpx.Response, status: int) -> str:
    """The detail of a problem of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.json()["detail"]


def told(api: Api, message: type[Any], key: str) -> list[Any]:
    """The events of a key."""
    rows = [row for row in api.events(key) if row["type"] == message.DESCRIPTOR.full_name]
    return [message.FromString(row["payload"]) for row in rows]


def test_a_person_begins_with_a_profile(api: Api) -> None:
    stranger = api.stranger()
    assert "POST /v1/users" in problem(stranger.get("/v1/users/me"), 403)
    assert "POST /v1/users" in problem(stranger.post("/v1/boards", {"name": "Chairs"}), 403)
    name = stranger.subject.replace("-", "_")
    made = stranger.post("/v1/users", {"username": name, "country": "DE"})
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    assert made.json()["country"] == "DE"
    assert stranger.get("/v1/users/me").json() == made.json()
    seen = api.stranger().get(made.headers["location"])
    assert set(seen.json()) == {"id", "username", "created_at"}
    assert "profile already" in problem(stranger.post("/v1/users", {"username": f"{name}_2"}), 409)
    taken = api.stranger().post("/v1/users", {"username": name})
    assert "somebody else" in problem(taken, 409)
    assert taken.json()["errors"][0]["field"] == "username"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
def test_nobody_writes_without_a_token(api: Api, method: str) -> None:
    path = "/v1/boards" if method == "POST" else "/v1/boards/1"
    answer = api.client.request(method, path, json={"name": "Chairs"})
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_public_reads_without_a_token(api: Api) -> None:
    person = api.person()
    board = person.board()
    pin = person.pin(board)
    for path in (f"/v1/boards/{board['id']}", f"/v1/boards/{board['id']}/pins", f"/v1/pins/{pin['id']}"):
        assert api.client.get(path).status_code == 200


def test_a_pin_is_made_changed_moved_and_removed(api: Api) -> None:
    person = api.person()
    chairs, tables = person.board(), person.board(name="Tables")
    wood = person.section(chairs)
    made = person.post(
        "/v1/pins",
        {
            "board_id": chairs["id"],
            "section_id": wood["id"],
            "title": "Eames — 椅子 🪑",
            "link": "https://a.example/?q=1",
        },
    )
    pin, path = made.json(), made.headers["location"]
    assert (made.status_code, made.headers["etag"], pin["section_id"]) == (201, '"1"', wood["id"])
    assert person.get(path).json() == pin

    renamed = person.patch(path, {"title": "Wegner", "link": None}, if_match='"1"')
    assert (renamed.headers["etag"], renamed.json()["link"], renamed.json()["title"]) == (
        '"2"',
        None,
        "Wegner",
    )
    assert renamed.json()["section_id"] == wood["id"]
    same = person.patch(path, {"title": "Wegner"}, if_match='"2"')
    assert same.headers["etag"] == '"2"'  # nothing changed
    moved = person.patch(path, {"board_id": tables["id"]}, if_match='"7", "2"')
    assert (moved.json()["board_id"], moved.json()["section_id"]) == (tables["id"], None)

    assert person.delete(path, if_match='"3"').status_code == 204
    problem(person.get(path), 404)
    problem(person.delete(path, if_match="*"), 404)

    seen = told(api, PinEvent, pin["id"])
    assert [(each.version, each.title, each.board_id, each.deleted) for each in seen] == [
        (1, "Eames — 椅子 🪑", int(chairs["id"]), False),
        (2, "Wegner", int(chairs["id"]), False),
        (3, "Wegner", int(tables["id"]), False),
        (4, "", 0, True),
    ]
    (row,) = api.rows("SELECT version, deleted FROM pins WHERE pin_id = :id", id=int(pin["id"]))
    assert (row["version"], bool(row["deleted"])) == (4, True)


def test_a_pins_event_is_all_that_consumers_need(api: Api) -> None:
    person = api.person()
    board = person.board()
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {"board_id": board["id"], "title": "Eames", "link": "https://a.example"}
    pin = person.post("/v1/pins", body, traceparent=trace).json()
    (row,) = api.events(pin["id"])
    assert (row["aggregatetype"], row["type"]) == ("pins", "services.api.events.v1.PinEvent")
    assert row["traceparent"].split("-")[1] == trace.split("-")[1]
    event = PinEvent.FromString(row["payload"])
    assert event.created_at_ms > 0
    event.created_at_ms = 0
    assert event == PinEvent(
        pin_id=int(pin["id"]),
        version=1,
        board_id=int(board["id"]),
        owner_id=int(person.profile["id"]),
        title="Eames",
        link="https://a.example",
    )


def test_a_boards_event_has_its_owners_country(api: Api) -> None:
    person = api.person("FR")
    board = person.board(name="Chaises", secret=True)
    (event,) = told(api, BoardEvent, board["id"])
    assert (event.name, event.secret, event.country, event.kind) == ("Chaises", True, "FR", GROUP_KIND_BOARD)
    moved = person.patch("/v1/users/me", {"country": "BE"}, if_match='"1"')
    assert moved.json()["country"] == "BE"
    assert [(each.version, each.country) for each in told(api, BoardEvent, board["id"])] == [
        (1, "FR"),
        (2, "BE"),
    ]
    assert person.get(f"/v1/boards/{board['id']}").headers["etag"] == '"2"'


def test_a_secret_board_is_its_owners_alone(api: Api) -> None:
    owner, other = api.person(), api.person()
    board = owner.board(secret=True)
    pin, section = owner.pin(board), owner.section(board)
    paths = (
        f"/v1/boards/{board['id']}",
        f"/v1/boards/{board['id']}/pins",
        f"/v1/boards/{board['id']}/sections",
        f"/v1/boards/{board['id']}/sections/{section['id']}",
        f"/v1/pins/{pin['id']}",
    )
    for path in paths:
        assert owner.get(path).status_code == 200
        problem(other.get(path), 404)
        problem(api.client.get(path), 404)
    problem(other.patch(paths[0], {"name": "Mine"}, if_match="*"), 404)
    problem(other.delete(paths[4], if_match="*"), 404)
    problem(other.post(f"/v1/pins/{pin['id']}/saves", {"board_id": other.board()["id"]}), 404)
    assert "no such board" in problem(other.post("/v1/pins", {"board_id": board["id"]}), 422)
    listed = f"/v1/users/{owner.profile['id']}/boards"
    assert [each["id"] for each in owner.get(listed).json()["items"]] == [board["id"]]
    assert other.get(listed).json()["items"] == []

    owner.patch(paths[0], {"secret": False}, if_match="*")
    assert all(other.get(path).status_code == 200 for path in paths)


def test_what_is_anothers_cannot_be_changed(api: Api) -> None:
    owner, other = api.person(), api.person()
    board = owner.board()
    pin, section = owner.pin(board), owner.section(board)
    theirs = other.board()
    refused = [
        other.patch(f"/v1/boards/{board['id']}", {"name": "Mine"}, if_match="*"),
        other.delete(f"/v1/boards/{board['id']}", if_match="*"),
        other.post(f"/v1/boards/{board['id']}/sections", {"name": "Mine"}),
        other.patch(f"/v1/boards/{board['id']}/sections/{section['id']}", {"name": "Mine"}, if_match="*"),
        other.delete(f"/v1/boards/{board['id']}/sections/{section['id']}", if_match="*"),
        other.post("/v1/pins", {"board_id": board["id"]}),
        other.patch(f"/v1/pins/{pin['id']}", {"title": "Mine"}, if_match="*"),
        other.delete(f"/v1/pins/{pin['id']}", if_match="*"),
        other.post(f"/v1/pins/{other.pin(theirs)['id']}/saves", {"board_id": board["id"]}),
        other.delete(f"/v1/pins/{pin['id']}/saves/{board['id']}"),
    ]
    for answer in refused:
        assert "another person's" in problem(answer, 403)
    own = other.pin(theirs)
    into = other.patch(f"/v1/pins/{own['id']}", {"board_id": board["id"]}, if_match="*")
    assert "another person's" in problem(into, 403)
    assert len(told(api, PinEvent, pin["id"])) == 1


def test_a_saved_pin_is_on_both_boards(api: Api) -> None:
    maker, saver = api.person(), api.person()
    home, away = maker.board(), saver.board()
    pin = maker.pin(home)
    saves = f"/v1/pins/{pin['id']}/saves"
    saved = saver.post(saves, {"board_id": away["id"]})
    assert saved.status_code == 201
    again = saver.post(saves, {"board_id": away["id"]})
    assert (again.status_code, again.json()) == (201, saved.json())
    (entry,) = saver.get(f"/v1/boards/{away['id']}/pins").json()["items"]
    assert (entry["pin"], entry["save_id"]) == (pin, saved.json()["id"])
    (entry,) = saver.get(f"/v1/boards/{home['id']}/pins").json()["items"]
    assert entry["save_id"] is None

    assert saver.delete(saved.headers["location"]).status_code == 204
    assert saver.get(f"/v1/boards/{away['id']}/pins").json()["items"] == []
    problem(saver.delete(saved.headers["location"]), 404)
    back = saver.post(saves, {"board_id": away["id"]}).json()
    assert (back["id"], back["version"]) == (saved.json()["id"], 3)
    seen = told(api, SaveEvent, pin["id"])
    assert [(each.version, each.deleted) for each in seen] == [(1, False), (2, True), (3, False)]
    assert "own" in problem(maker.post(saves, {"board_id": home["id"]}), 422)

    maker.patch(f"/v1/boards/{home['id']}", {"secret": True}, if_match="*")
    assert saver.get(f"/v1/boards/{away['id']}/pins").json()["items"] == []


def test_a_board_goes_with_everything_on_it(api: Api) -> None:
    person, other = api.person(), api.person()
    board = person.board()
    pins = [person.pin(board) for _ in range(3)]
    section = person.section(board)
    foreign = other.pin(other.board())
    person.post(f"/v1/pins/{foreign['id']}/saves", {"board_id": board["id"]})
    assert person.delete(f"/v1/boards/{board['id']}", if_match='"1"').status_code == 204
    for path in (
        f"/v1/boards/{board['id']}",
        f"/v1/boards/{board['id']}/sections/{section['id']}",
        *(f"/v1/pins/{pin['id']}" for pin in pins),
    ):
        problem(person.get(path), 404)
    for pin in pins:
        assert [(each.version, each.deleted) for each in told(api, PinEvent, pin["id"])] == [
            (1, False),
            (2, True),
        ]
    assert [each.deleted for each in told(api, BoardEvent, board["id"])] == [False, True]
    assert [each.deleted for each in told(api, SaveEvent, foreign["id"])] == [False, True]
    assert other.get(f"/v1/pins/{foreign['id']}").status_code == 200
    assert "no such board" in problem(person.post("/v1/pins", {"board_id": board["id"]}), 422)


def test_a_section_goes_without_its_pins(api: Api) -> None:
    person = api.person()
    board = person.board()
    section = person.section(board)
    pin = person.pin(board, section_id=section["id"])
    path = f"/v1/boards/{board['id']}/sections/{section['id']}"
    within = f"/v1/boards/{board['id']}/pins?section_id={section['id']}"
    assert [each["pin"]["id"] for each in person.get(within).json()["items"]] == [pin["id"]]
    assert person.patch(path, {"name": "Steel"}, if_match='"1"').json()["name"] == "Steel"
    assert person.delete(path, if_match='"2"').status_code == 204
    left = person.get(f"/v1/pins/{pin['id']}")
    assert (left.json()["section_id"], left.headers["etag"]) == (None, '"2"')
    assert person.get(within).json()["items"] == []
    named = person.patch(f"/v1/pins/{pin['id']}", {"section_id": section["id"]}, if_match="*")
    assert "no such section" in problem(named, 422)
    other = person.section(person.board())
    named = person.patch(f"/v1/pins/{pin['id']}", {"section_id": other["id"]}, if_match="*")
    assert "no such section" in problem(named, 422)


def test_who_leaves_takes_everything_along_and_may_come_back(api: Api) -> None:
    person = api.person()
    username = person.profile["username"]
    board = person.board()
    pin = person.pin(board)
    person.post("/v1/boards", {"name": "Kept"}, idempotency_key="before")
    assert person.delete("/v1/users/me", if_match='"1"').status_code == 204
    problem(person.get("/v1/users/me"), 403)
    problem(person.get(f"/v1/users/{person.profile['id']}"), 404)
    problem(person.get(f"/v1/users/{person.profile['id']}/boards"), 404)
    problem(person.get(f"/v1/pins/{pin['id']}"), 404)
    assert told(api, PinEvent, pin["id"])[-1].deleted
    for table in ("users", "idempotency_keys"):
        assert api.rows(f"SELECT * FROM {table} WHERE subject = :who", who=person.subject) == []
    assert person.post("/v1/users", {"username": username}).status_code == 201
    assert person.get(f"/v1/users/{person.profile['id']}").status_code == 404


def test_an_uploaded_image_makes_one_pin(api: Api) -> None:
    person, other = api.person(), api.person()
    board = person.board()
    asked = person.post("/v1/uploads", {"content_type": "image/png", "content_length": 7})
    assert asked.status_code == 201
    upload = asked.json()
    body = {"board_id": board["id"], "upload_id": upload["id"]}
    assert "not been uploaded" in problem(person.post("/v1/pins", body), 422)
    api.bucket.objects[upload["fields"]["key"]] = ("image/png", 7)
    theirs = {"board_id": other.board()["id"], "upload_id": upload["id"]}
    assert "no such upload" in problem(other.post("/v1/pins", theirs), 422)
    made = person.post("/v1/pins", body, idempotency_key="with-image")
    assert made.status_code == 201, made.text
    assert made.json()["image"] == {
        "key": upload["fields"]["key"],
        "width": None,
        "height": None,
        "color": None,
    }
    assert told(api, PinEvent, made.json()["id"])[0].image_key == upload["fields"]["key"]
    again = person.post("/v1/pins", body, idempotency_key="with-image")
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")
    assert "pin's already" in problem(person.post("/v1/pins", body), 422)
    jobs = "SELECT name, queue FROM scheduled_jobs WHERE arguments LIKE :pin ORDER BY name"
    about = f"%{made.json()['id']}%"
    assert [tuple(job.values()) for job in api.rows(jobs, pin=about)] == [("thumbnails", "high")]
    assert person.delete(f"/v1/pins/{made.json()['id']}", if_match="*").status_code == 204
    assert [tuple(job.values()) for job in api.rows(jobs, pin=about)] == [
        ("remove-images", "low"),
        ("thumbnails", "high"),
    ]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/users", {"username": "Ada L"}, "username"),
    ("/v1/users", {"username": "me"}, "username"),
    ("/v1/users", {"username": "ada_l\n"}, "username"),
    ("/v1/users", {"username": "ada_l", "country": "Germany"}, "country"),
    ("/v1/users", {"username": "ada_l", "email": "a@b.example"}, "email"),
    ("/v1/boards", {"name": ""}, "name"),
    ("/v1/boards", {"name": "  "}, "name"),
    ("/v1/boards", {"name": "x" * 101}, "name"),
    ("/v1/boards", {"name": "a\u0000b"}, "name"),
    ("/v1/boards", {"name": "Chairs", "secret": "false"}, "secret"),
    ("/v1/boards", {"name": "Chairs", "description": "x" * 501}, "description"),
    ("/v1/boards", {}, "name"),
    ("/v1/pins", {"board_id": 17}, "board_id"),
    ("/v1/pins", {"board_id": "-1"}, "board_id"),
    ("/v1/pins", {"board_id": "1", "link": "javascript:alert(1)"}, "link"),
    ("/v1/pins", {"board_id": "1", "link": "https://"}, "link"),
    ("/v1/pins", {"board_id": "1", "link": "https://user:word@a.example/"}, "link"),
    ("/v1/pins", {"board_id": "1", "link": "https://a.example/\r\nset-cookie: a"}, "link"),
    ("/v1/pins", {"board_id": "1", "link": "https://a.example/" + "x" * 2048}, "link"),
    ("/v1/uploads", {"content_type": "text/html", "content_length": 1}, "content_type"),
    ("/v1/uploads", {"content_type": "image/png", "content_length": 20 * 1024 * 1024 + 1}, "content_length"),
]


@pytest.mark.parametrize(("path", "body", "field"), WRONG)
def test_what_is_malformed_is_told_with_its_place(
    sqlite_api: Api, path: str, body: dict[str, Any], field: str
) -> None:
    answer = sqlite_api.stranger().post(path, body)
    problem(answer, 400)
    assert field in str(answer.json()["errors"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/pins/0", 400),
        ("/v1/pins/x", 400),
        ("/v1/pins/\u0661", 400),
        ("/v1/pins/9223372036854775807", 404),
        ("/v1/pins/9223372036854775808", 404),
        ("/v1/pins/9999999999999999999", 404),
        ("/v1/users/17", 404),
        ("/v1/users/17/boards", 404),
        ("/v1/boards/17/pins?limit=0", 400),
        ("/v1/boards/17/pins?limit=101", 400),
        ("/v1/boards/17/pins?limit=x", 400),
        ("/v1/boards/17/sections", 404),
    ],
)
def test_what_is_not_there_is_a_404_and_what_cannot_be_a_400(sqlite_api: Api, path: str, status: int) -> None:
    problem(sqlite_api.client.get(path), status)


def test_somebody_who_signs_in_oddly_is_nobody(sqlite_api: Api) -> None:
    for subject in ("", "two words", "x" * 256):
        problem(Person(sqlite_api.client, subject).get("/v1/users/me"), 401)
