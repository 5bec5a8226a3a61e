"""Pins go into Kafka and come out of the REST API: a broker, two leaves and a root as real processes."""

import http.client
import json
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass

import grpc
import numpy as np
import pytest

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common.subjects import subject_key
from tests.services.search import searching
from tests.services.search.searching import (
    Api,
    Broker,
    Publisher,
    Service,
    board,
    embedding,
    pin,
    save,
    vector_of,
)
from tests.waiting import until


class Ml(ml_pb2_grpc.EmbeddingServiceServicer, ml_pb2_grpc.RankingServiceServicer):
    """An ml service that sees one thing in every picture, and ranks as the test says."""

    ranked: list[int]
    model = "test-1"

    def EmbedImages(self, request, context):  # noqa: N802 - gRPC's name
        if not request.images[0].startswith(b"\xff\xd8"):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no image")
        return ml_pb2.EmbedImagesResponse(model_version=self.model, vectors=[vector_of(0, 0, 1)])

    def Rerank(self, request, context):  # noqa: N802
        newest, older = (np.frombuffer(vector, "<f4") for vector in request.history)
        assert newest[2] < older[2]
        assert sorted(each.pin_id for each in request.candidates if each.vector) == sorted(self.ranked)
        return ml_pb2.RerankResponse(pin_ids=self.ranked)


@dataclass
class World:
    publisher: Publisher
    leaves: list[Service]
    root: Service
    ml: Ml

    @property
    def api(self) -> Api:
        return Api(self.root)


@pytest.fixture(scope="module")
def world(broker: Broker, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("indexes")
    ml = Ml()
    server = grpc.server(futures.ThreadPoolExecutor(1))
    ml_pb2_grpc.add_EmbeddingServiceServicer_to_server(ml, server)
    ml_pb2_grpc.add_RankingServiceServicer_to_server(ml, server)
    ml_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    leaves = [searching.leaf(broker, directory / str(number), shard=number, shards=2) for number in range(2)]
    root = searching.root(
        *(leaf.address("rpc") for leaf in leaves),
        ML_ADDRESS=f"127.0.0.1:{ml_port}",
        RERANK="true",
        EMBEDDING_MODEL_VERSION="test-1",
        LEAF_TIMEOUT_MS="3000",
        RERANK_TIMEOUT_MS="3000",
    )
    for service in (*leaves, root):
        service.ready()
    yield World(publisher, leaves, root, ml)
    for service in (root, *leaves):
        assert service.stop() == 0, service.log[-5:]
    server.stop(None)


def test_a_pin_that_is_published_is_found_with_what_is_shown_for_it(world: World) -> None:
    world.publisher.send(
        board(100, name="Home ideas"),
        pin(1, board_id=100, title="Paper lantern", link="https://a.example/", image_key="originals/1.jpg"),
        save(1, 1),
        save(2, 1),
    )
    item = until(
        lambda: (found := world.api.get("pins?q=lantern")[1]["items"]) and found[0]["saves"] == 2 and found[0]
    )
    assert item.pop("score") > 0
    assert item == {
        "pin_id": "1",
        "board_id": "100",
        "owner_id": "7",
        "title": "Paper lantern",
        "link": "https://a.example/",
        "image_key": "originals/1.jpg",
        "board_name": "Home ideas",
        "saves": 2,
        "created_at": "2023-11-14T22:13:20Z",
    }


def test_pins_of_all_shards_are_found_page_by_page_each_once(world: World) -> None:
    world.publisher.send(
        board(200), *(pin(200 + n, board_id=200, title=f"teapot number {n}") for n in range(40))
    )
    until(lambda: len(world.api.found("pins?q=teapot&limit=100")) == 40)
    status, first = world.api.get("pins?q=teapot&limit=15")
    assert (status, first["partial"], first["missing_shards"], first["shards"]) == (200, False, [], 2)
    found = [int(item["pin_id"]) for item in first["items"]]
    cursor = first["next_cursor"]
    while cursor is not None:
        page = world.api.get(f"pins?q=teapot&limit=15&cursor={cursor}")[1]
        found += [int(item["pin_id"]) for item in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(found) == list(range(200, 240))


def test_groups_narrow_pins(world: World) -> None:
    world.publisher.send(
        board(301, name="Kitchen in Lyon", country="FR", owner_id=31),
        board(302, name="Kitchen in Rome", country="IT", owner_id=32),
        pin(301, board_id=301, title="copper kettle"),
        pin(302, board_id=302, title="copper kettle"),
    )
    until(lambda: len(world.api.found("pins?q=kettle")) == 2)
    assert world.api.found("pins?q=kettle&country=FR") == [301]
    assert world.api.found("pins?q=kettle&owner=32") == [302]
    for mode in ("auto", "flat", "two-stage"):
        assert world.api.found(f"pins?q=kettle&board=Rome&mode={mode}")[0] == 302
    assert world.api.found("pins?owner=31") == [301]
    boards = world.api.get("boards?q=kitchen&country=IT")[1]
    assert [(item["board_id"], item["name"]) for item in boards["items"]] == [("302", "Kitchen in Rome")]


def test_pins_that_look_alike_are_found_in_every_shard(world: World) -> None:
    world.publisher.send(
        board(400),
        *(pin(400 + n, board_id=400) for n in range(6)),
        *(embedding(400 + n, 1, n / 9) for n in range(6)),
    )
    until(lambda: len(world.api.found("pins/400/similar")) >= 5)
    assert world.api.found("pins/400/similar?limit=5") == [401, 402, 403, 404, 405]
    status, problem = world.api.get("pins/499/similar")
    assert (status, problem["detail"]) == (404, "there is no such pin, or its image was not looked at yet")


def test_an_uploaded_image_finds_pins(world: World) -> None:
    world.publisher.send(
        board(500),
        pin(501, board_id=500, title="moss"),
        pin(502, board_id=500, title="fern"),
        embedding(501, 0, 0, 1, 0.1),
        embedding(502, 0, 0, 1, 0.11),
    )
    jpeg = b"\xff\xd8 not really, but ml here is easily pleased"

    def looked(query: str = "") -> list[str]:
        status, body = world.api.post(f"visual?limit=2{query}", jpeg, "image/jpeg")
        assert status == 200, body
        return [item["pin_id"] for item in body["items"]]

    until(lambda: world.api.found("pins?q=fern") == [502])
    until(lambda: looked() == ["501", "502"])
    assert looked("&q=fern")[0] == "502"
    world.ml.model = "test-2"
    status, problem = world.api.post("visual", jpeg, "image/jpeg")
    assert (status, problem["detail"]) == (
        503,
        "visual search cannot look at images: the ml service has another model than the index; "
        "search by text works",
    )
    world.ml.model = "test-1"
    status, problem = world.api.post("visual", b"text", "image/jpeg")
    assert (status, problem["title"]) == (400, "Bad Request")
    assert "no image" in problem["detail"]
    assert world.api.post("visual", jpeg, "text/plain")[0] == 415
    assert world.api.post("visual", b"", "image/png")[0] == 400
    host, port = world.root.address("http").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=searching.PATIENCE_SECONDS)
    connection.putrequest("POST", "/v1/search/visual")
    connection.putheader("content-type", "image/png")
    connection.putheader("content-length", str(11 * 2**20))
    connection.endheaders()
    assert connection.getresponse().status == 413  # without waiting for the body
    connection.close()


def test_only_so_many_images_are_held_in_memory_at_once(
    world: World, ending: Callable[[Service], Service]
) -> None:
    root = ending(searching.root(world.leaves[0].address("rpc"), VISUAL_SEARCHES="1"))
    host, port = root.address("http").split(":")

    def begun(given: bytes) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(host, int(port), timeout=searching.PATIENCE_SECONDS)
        connection.putrequest("POST", "/v1/search/visual")
        connection.putheader("content-type", "image/png")
        connection.putheader("content-length", "2")
        connection.endheaders(given)
        return connection

    held = begun(b"x")
    until(lambda: root.metric('requests_in_flight{protocol="http"}') == 1)
    refused = begun(b"xx").getresponse()
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")
    held.send(b"x")
    assert held.getresponse().status == 503  # there is no ml service here
    assert begun(b"xx").getresponse().status == 503


def test_what_the_person_acted_on_reorders_a_page(world: World) -> None:
    world.publisher.send(
        board(600),
        *(pin(600 + n, board_id=600, title="walnut") for n in range(3)),
        *(embedding(600 + n, 0, 1, n) for n in range(3)),
    )
    until(lambda: len(world.api.found("pins/600/similar?limit=2")) == 2)
    until(lambda: len(world.api.found("pins?q=walnut")) == 3)
    plain = world.api.found("pins?q=walnut")
    world.ml.ranked = list(reversed(plain))
    assert world.api.found("pins?q=walnut&history=601,602,699") == world.ml.ranked
    assert world.api.found("pins?q=walnut") == plain


def test_secret_boards_are_their_owners(world: World) -> None:
    world.publisher.send(
        board(700, secret=True, owner_key=subject_key("ada")), pin(700, board_id=700, title="surprise party")
    )
    world.publisher.send(
        board(701), pin(701, board_id=701, title="surprise lunch"), embedding(700, 5), embedding(701, 5)
    )

    def seen(user: str | None) -> list[str]:
        headers = {} if user is None else {"x-pinwheel-subject": user}
        url = f"http://{world.root.address('http')}/v1/search/pins?q=surprise"
        return sorted(item["pin_id"] for item in json.loads(searching.fetch(url, None, headers)[1])["items"])

    until(lambda: seen("ada") == ["700", "701"])
    assert seen(None) == seen("bob") == seen("ada; drop") == ["701"]
    world.publisher.send(board(702), pin(702, board_id=702), embedding(702, 5))
    until(lambda: world.api.found("pins/701/similar?limit=1"))
    assert world.api.get("pins/700/similar")[0] == 404


def test_changes_and_deletions_are_followed_in_whatever_order_they_come(world: World) -> None:
    world.publisher.send(
        board(800),
        pin(801, 3, board_id=800, title="quartz final"),
        pin(801, 2, board_id=800, title="quartz earlier"),
        pin(801, 1, board_id=800, title="quartz first"),
        pin(802, 2, deleted=True),
        pin(802, 1, board_id=800, title="quartz gone"),
        pin(803, 1, board_id=800, title="quartz stays"),
        pin(803, 1, board_id=800, title="quartz stays"),
        save(81, 803, 2, deleted=True),
        save(81, 803, 1),
        save(82, 803, 1),
        save(82, 803, 1),
    )
    until(lambda: world.api.found("pins?q=stays") == [803])

    def seen() -> dict[str, int]:
        return {item["title"]: item["saves"] for item in world.api.get("pins?q=quartz")[1]["items"]}

    until(lambda: seen() == {"quartz final": 0, "quartz stays": 1})
    world.publisher.send(board(800, 2, deleted=True))
    until(lambda: world.api.get("pins?q=quartz")[1]["total"] == 0)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("pins", "q"),
        ("pins?q=%20", "q"),
        ("pins?q=x&limit=0", "limit"),
        ("pins?q=x&limit=101", "limit"),
        ("pins?q=x&limit=many", "limit"),
        ("pins?q=x&country=de", "country"),
        ("pins?q=x&owner=me", "owner"),
        ("pins?q=x&owner=9999999999999999999", "owner"),
        ("pins?q=x&mode=fast", "mode"),
        ("pins?q=x&cursor=AAAAAAAA", "cursor"),
        ("pins?q=" + "x" * 501, "q"),
        ("pins/0/similar", "pin_id"),
        ("boards", "q"),
    ],
)
def test_what_is_wrong_in_a_request_is_told(world: World, path: str, field: str) -> None:
    status, problem = world.api.get(path)
    assert (status, problem["title"]) == (400, "Bad Request")
    assert field in [error["field"] for error in problem["errors"]], problem


def test_a_cursor_is_good_for_its_own_search_only(world: World) -> None:
    world.publisher.send(board(900), *(pin(900 + n, board_id=900, title="pebble") for n in range(3)))
    until(lambda: world.api.get("pins?q=pebble")[1]["total"] == 3)
    cursor = world.api.get("pins?q=pebble&limit=1")[1]["next_cursor"]
    assert len(world.api.found(f"pins?q=pebble&limit=1&cursor={cursor}")) == 1
    assert world.api.get(f"pins?q=stone&limit=1&cursor={cursor}")[0] == 400


def test_operators_see_what_is_in_it_and_how_fresh_it_is(world: World) -> None:
    world.publisher.send(board(950), pin(950, board_id=950, title="sundial"))
    until(lambda: world.api.found("pins?q=sundial"))
    until(lambda: sum(leaf.metric('search_documents{kind="pins"}') for leaf in world.leaves) >= 1)
    until(lambda: all(leaf.metric('search_documents{kind="groups"}') >= 1 for leaf in world.leaves))
    assert sum(leaf.metric('search_freshness_seconds_count{topic="pins"}') for leaf in world.leaves) >= 1
    assert sum(leaf.metric('search_query_seconds_count{kind="text"}') for leaf in world.leaves) >= 1
    assert (
        world.root.metric('requests_total{method="GET",protocol="http",route="/v1/search/pins",status="200"}')
        >= 1
    )
