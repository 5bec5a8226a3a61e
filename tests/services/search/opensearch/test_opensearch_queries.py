"""What is sent to OpenSearch for each kind of search, and what becomes of its answers."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import numpy as np
import pytest
from opensearchpy import AsyncOpenSearch

from services.search.backend import (
    Backend,
    BackendUnavailableError,
    GroupFilter,
    GroupKind,
    GroupSearch,
    InvalidSearchError,
    Mode,
    PinResults,
    PinSearch,
    SimilarSearch,
    UnknownPinError,
)
from services.search.opensearch.backend import OpenSearchBackend, connect
from services.search.opensearch.client import search_client
from services.search.opensearch.indexes import Indexes
from services.search.opensearch.settings import OpenSearchSettings
from tests.services.search.opensearch.fake import Answer, FakeOpenSearch

T = TypeVar("T")
OWNER, STRANGER = 7, 8
VECTOR = np.array([0.6, 0.8], "<f4")


def asked(opensearch: FakeOpenSearch, call: Callable[[Backend], Awaitable[T]], timeout: float = 10) -> T:
    """The result of one call to the backend."""

    async def run() -> T:
        client = AsyncOpenSearch(hosts=[opensearch.url], max_retries=0, timeout=timeout)
        backend: Backend = OpenSearchBackend(client, Indexes("test-"), dimension=2, timeout_ms=500)
        try:
            return await call(backend)
        finally:
            await backend.close()

    return asyncio.run(run())


def searched(opensearch: FakeOpenSearch, **search: Any) -> PinResults:
    return asked(opensearch, lambda backend: backend.search(PinSearch(**search)))


def hit(pin_id: int, board_id: int = 1, score: float = 1.0, **more: Any) -> dict[str, Any]:
    source = {
        "pin_id": pin_id,
        "board_id": board_id,
        "owner_id": OWNER,
        "title": f"Pin {pin_id}",
        "link": "https://example.org/",
        "image_key": f"originals/{pin_id}",
        "created_at_ms": 1_000,
        **more,
    }
    return {"_id": str(pin_id), "_score": score, "_source": source}


def board(board_id: int, **more: Any) -> dict[str, Any]:
    return {
        "live": True,
        "group_id": board_id,
        "owner_id": OWNER,
        "owner_key": OWNER,
        "name": f"Board {board_id}",
        "description": "",
        "secret": False,
        "country": "DE",
        "kind": "board",
        **more,
    }


def counts(**saves: int) -> dict[str, Any]:
    buckets = [{"key": int(pin.removeprefix("pin")), "doc_count": count} for pin, count in saves.items()]
    return {"aggregations": {"pins": {"buckets": buckets}}}


@pytest.fixture(autouse=True)
def _boards(opensearch: FakeOpenSearch) -> None:
    opensearch.put("test-groups", 1, board(1))
    opensearch.put("test-groups", 2, board(2, secret=True))
    opensearch.put("test-groups", 3, {"live": False, "group_id": 3})
    opensearch.will_find("test-saves", **counts())


def visible_to(viewer: int | None) -> dict[str, Any]:
    seen: list[Any] = [{"term": {"secret": False}}]
    if viewer is not None:
        seen.append({"term": {"owner_key": viewer}})
    return {
        "bool": {"filter": [{"term": {"live": True}}, {"bool": {"should": seen, "minimum_should_match": 1}}]}
    }


WORDS = {"multi_match": {"query": "red chair", "fields": ["title^2", "description"], "type": "most_fields"}}
SHOWN = ["pin_id", "board_id", "owner_id", "title", "link", "image_key", "created_at_ms"]
SORT = [{"_score": "desc"}, {"pin_id": "asc"}]


def test_text(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(5, score=3.0), hit(6, score=2.0))
    opensearch.searches["test-saves"].clear()
    opensearch.will_find("test-saves", **counts(pin5=12))
    found = searched(opensearch, text="red chair", limit=10)
    assert opensearch.bodies("/test-pins/_search") == [
        {
            "size": 22,
            "timeout": "500ms",
            "_source": SHOWN,
            "query": {"bool": {"must": [WORDS], "filter": [{"term": {"live": True}}]}},
            "sort": SORT,
        }
    ]
    assert opensearch.bodies("/test-groups/_mget") == [{"ids": ["1"]}]
    assert opensearch.bodies("/test-saves/_search") == [
        {
            "size": 0,
            "track_total_hits": False,
            "query": {"bool": {"filter": [{"term": {"live": True}}, {"terms": {"pin_id": [5, 6]}}]}},
            "aggs": {"pins": {"terms": {"field": "pin_id", "size": 2}}},
        }
    ]
    assert next(each for each in opensearch.asked if each.path == "/test-saves/_search").parameters == {
        "routing": "5,6"
    }
    first = found.hits[0]
    assert (first.pin_id, first.board_name, first.saves, first.score) == (5, "Board 1", 12, 3.0)
    assert found.hits[1].saves == 0
    assert (found.total, found.total_exact, found.shards, found.missing_shards) == (2, True, 3, ())


def test_vector(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(5, vector=[0.6, 0.8]))
    found = searched(opensearch, vector=VECTOR.tobytes(), limit=4, with_vectors=True)
    (body,) = opensearch.bodies("/test-pins/_search")
    assert body == {
        "size": 15,
        "timeout": "500ms",
        "_source": [*SHOWN, "vector"],
        "query": {
            "knn": {
                "vector": {
                    "vector": pytest.approx([0.6, 0.8]),
                    "k": 15,
                    "filter": {"bool": {"filter": [{"term": {"live": True}}]}},
                    "method_parameters": {"ef_search": 128},
                }
            }
        },
        "sort": SORT,
    }
    assert found.hits[0].vector == VECTOR.tobytes()


def test_text_and_vector_are_scaled_and_combined(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(9, score=0.5), hit(4, score=0.5), hit(5, score=0.9))
    found = searched(opensearch, text="red chair", vector=VECTOR.tobytes(), limit=4)
    (body,) = opensearch.bodies("/test-pins/_search")
    queries = body["query"]["hybrid"]["queries"]
    assert queries[0] == {"bool": {"must": [WORDS], "filter": [{"term": {"live": True}}]}}
    assert queries[1]["knn"]["vector"]["k"] == 15
    assert body["query"]["hybrid"]["pagination_depth"] == 15
    assert body["search_pipeline"] == {
        "phase_results_processors": [
            {
                "normalization-processor": {
                    "normalization": {"technique": "min_max"},
                    "combination": {"technique": "arithmetic_mean", "parameters": {"weights": [0.5, 0.5]}},
                }
            }
        ]
    }
    assert "sort" not in body, "OpenSearch sorts hybrid scores by nothing else"
    assert [each.pin_id for each in found.hits] == [5, 4, 9], "best first, ties by the lower id"


def test_two_stages_in_one_request_where_groups_only_narrow(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(5))
    groups = GroupFilter(country="DE", ids=(1, 2), owner=OWNER, kinds=(GroupKind.BOARD, GroupKind.CAMPAIGN))
    searched(opensearch, text="red chair", groups=groups, viewer=STRANGER)
    (body,) = opensearch.bodies("/test-pins/_search")
    assert body["query"]["bool"]["filter"][1] == {
        "terms": {
            "board_id": {
                "index": "test-groups",
                "path": "group_id",
                "query": {
                    "bool": {
                        "filter": [
                            visible_to(STRANGER),
                            {"term": {"country": "DE"}},
                            {"terms": {"group_id": [1, 2]}},
                            {"term": {"owner_id": OWNER}},
                            {"terms": {"kind": ["board", "campaign"]}},
                        ]
                    }
                },
            }
        }
    }


def test_two_requests_where_the_groups_words_count_for_the_score(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-groups", {"_id": "1", "_score": 8.0}, {"_id": "4", "_score": 2.0})
    opensearch.will_find("test-pins", hit(5))
    searched(opensearch, text="red chair", groups=GroupFilter(text="kitchen", country="DE"))
    assert opensearch.bodies("/test-groups/_search") == [
        {
            "query": {
                "bool": {
                    "filter": [visible_to(None), {"term": {"country": "DE"}}],
                    "must": [
                        {
                            "multi_match": {
                                "query": "kitchen",
                                "fields": ["name^2", "description"],
                                "type": "most_fields",
                            }
                        }
                    ],
                }
            },
            "size": 1000,
            "_source": False,
            "track_total_hits": False,
            "sort": [{"_score": "desc"}, {"group_id": "asc"}],
        }
    ]
    (body,) = opensearch.bodies("/test-pins/_search")
    scored = body["query"]["script_score"]
    assert scored["query"]["bool"]["filter"] == [{"term": {"live": True}}, {"terms": {"board_id": [1, 4]}}]
    assert scored["script"]["params"] == {"weight": 0.5, "scores": {"1": 1.0, "4": 0.25}}


def test_no_group_fits(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-groups")
    found = searched(opensearch, text="red chair", groups=GroupFilter(text="nothing"))
    assert (found.hits, found.total) == ([], 0)
    assert opensearch.bodies("/test-pins/_search") == []


TOO_MANY = {
    "error": {
        "type": "illegal_argument_exception",
        "reason": "The number of terms [80000] used in the Terms Query request has exceeded the allowed maximum "
        "of [65536]. This maximum can be set by changing the [index.max_terms_count] index level setting.",
    },
    "status": 400,
}


def test_where_too_many_groups_fit_pins_are_found_first_and_their_groups_checked(
    opensearch: FakeOpenSearch,
) -> None:
    opensearch.put("test-groups", 4, board(4, country="FR"))
    opensearch.will_answer("test-pins", 400, TOO_MANY)
    opensearch.will_find("test-pins", hit(5, board_id=1), hit(6, board_id=4))
    found = searched(opensearch, text="red chair", groups=GroupFilter(country="DE"))
    assert [each.pin_id for each in found.hits] == [5]
    _, flat = opensearch.bodies("/test-pins/_search")
    assert flat["query"]["bool"]["filter"] == [{"term": {"live": True}}]


def test_two_stage_that_was_asked_for_is_not_silently_another(opensearch: FakeOpenSearch) -> None:
    opensearch.will_answer("test-pins", 400, TOO_MANY)
    with pytest.raises(InvalidSearchError, match="65,536"):
        searched(opensearch, text="red chair", groups=GroupFilter(country="DE"), mode=Mode.TWO_STAGE)


@pytest.mark.parametrize(
    ("viewer", "seen"),
    [(None, [10]), (STRANGER, [10]), (OWNER, [10, 20])],
    ids=["nobody", "stranger", "owner"],
)
def test_pins_of_secret_boards_are_their_owner_s_and_those_of_deleted_or_unknown_ones_nobody_s(
    opensearch: FakeOpenSearch, viewer: int | None, seen: list[int]
) -> None:
    hits = [hit(10, board_id=1), hit(20, board_id=2), hit(30, board_id=3), hit(40, board_id=99)]
    opensearch.will_find("test-pins", *hits)
    found = searched(opensearch, text="red chair", viewer=viewer)
    assert [each.pin_id for each in found.hits] == seen
    assert found.total == len(seen), "a total would tell of what is secret"


def test_more_are_fetched_when_many_are_secret(opensearch: FakeOpenSearch) -> None:
    secret = [hit(number, board_id=2, score=9.0) for number in range(100, 122)]
    opensearch.will_find("test-pins", *secret)
    opensearch.will_find("test-pins", *secret, *(hit(number) for number in range(1, 31)))
    found = searched(opensearch, text="red chair", limit=10, viewer=STRANGER)
    assert [body["size"] for body in opensearch.bodies("/test-pins/_search")] == [22, 88]
    assert [each.pin_id for each in found.hits] == list(range(1, 11))


def test_pages_follow_each_other(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", *(hit(number) for number in range(1, 31)))
    found = searched(opensearch, text="red chair", offset=20, limit=10)
    assert [each.pin_id for each in found.hits] == list(range(21, 31))


def test_similar(opensearch: FakeOpenSearch) -> None:
    opensearch.put("test-pins", 5, {"live": True, "pin_id": 5, "board_id": 1, "vector": [0.6, 0.8]})
    opensearch.will_find("test-pins", hit(6))
    found = asked(opensearch, lambda backend: backend.similar(SimilarSearch(pin_id=5)))
    (body,) = opensearch.bodies("/test-pins/_search")
    nearest = body["query"]["knn"]["vector"]
    assert nearest["vector"] == [0.6, 0.8]
    assert nearest["filter"]["bool"]["filter"][1] == {"bool": {"must_not": [{"term": {"pin_id": 5}}]}}
    assert [each.pin_id for each in found.hits] == [6]


@pytest.mark.parametrize(
    "pin",
    [
        None,
        {"live": False, "pin_id": 5},
        {"live": True, "pin_id": 5, "board_id": 1},
        {"vector": [0.6, 0.8], "vector_version": 1},
        {"live": True, "pin_id": 5, "board_id": 2, "vector": [0.6, 0.8]},
        {"live": True, "pin_id": 5, "board_id": 99, "vector": [0.6, 0.8]},
    ],
    ids=["unknown", "deleted", "no vector yet", "no pin yet", "secret", "board unknown"],
)
def test_similar_to_what_may_not_be_seen(opensearch: FakeOpenSearch, pin: dict[str, Any] | None) -> None:
    if pin is not None:
        opensearch.put("test-pins", 5, pin)
    with pytest.raises(UnknownPinError):
        asked(opensearch, lambda backend: backend.similar(SimilarSearch(pin_id=5, viewer=STRANGER)))


def test_vectors_are_told_to_those_who_may_see_the_pins(opensearch: FakeOpenSearch) -> None:
    opensearch.put("test-pins", 5, {"live": True, "pin_id": 5, "board_id": 1, "vector": [0.6, 0.8]})
    opensearch.put("test-pins", 6, {"live": True, "pin_id": 6, "board_id": 2, "vector": [0.8, 0.6]})
    opensearch.put("test-pins", 7, {"live": False, "pin_id": 7})
    seen = {
        viewer: set(asked(opensearch, lambda backend, viewer=viewer: backend.vectors([5, 6, 7, 8], viewer)))
        for viewer in (OWNER, STRANGER)
    }
    assert seen == {OWNER: {5, 6}, STRANGER: {5}}


def test_groups(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-groups", {"_id": "1", "_score": 2.0, "_source": board(1, name="Kitchens")})
    found = asked(
        opensearch, lambda backend: backend.groups(GroupSearch(text="kitchen", offset=10, viewer=OWNER))
    )
    (body,) = opensearch.bodies("/test-groups/_search")
    assert (body["from"], body["size"]) == (10, 10)
    assert body["query"]["bool"]["filter"] == [visible_to(OWNER), {"terms": {"kind": ["board"]}}]
    assert [(each.group_id, each.name, each.kind) for each in found.hits] == [
        (1, "Kitchens", GroupKind.BOARD)
    ]
    assert (found.total, found.total_exact) == (1, True)


def test_shards_that_failed_make_results_partial(opensearch: FakeOpenSearch) -> None:
    shards = {
        "total": 3,
        "successful": 1,
        "skipped": 0,
        "failed": 2,
        "failures": [{"shard": 1, "reason": {}}],
    }
    opensearch.will_find("test-pins", hit(5), _shards=shards)
    found = searched(opensearch, text="red chair")
    assert (found.shards, found.missing_shards, found.total_exact) == (3, (0, 1), False)


def test_a_search_that_ran_out_of_time_is_partial_everywhere(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(5), timed_out=True)
    assert searched(opensearch, text="red chair").missing_shards == (0, 1, 2)


def test_counts_that_cannot_be_had_do_not_cost_the_page(opensearch: FakeOpenSearch) -> None:
    opensearch.will_find("test-pins", hit(5))
    opensearch.searches["test-saves"].clear()
    opensearch.will_answer("test-saves", 503, {"error": "no_shard_available_action_exception", "status": 503})
    assert [each.pin_id for each in searched(opensearch, text="red chair").hits] == [5]


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 502, 503, 504])
def test_what_is_not_the_query_s_fault_is_unavailability(opensearch: FakeOpenSearch, status: int) -> None:
    opensearch.failures.append(Answer(status, {"error": {"type": "some_exception"}, "status": status}))
    opensearch.will_find("test-pins", hit(5))

    async def twice(backend: Backend) -> tuple[str | None, str | None]:
        with pytest.raises(BackendUnavailableError, match=str(status)):
            await backend.search(PinSearch(text="red chair"))
        unready = backend.unready()
        await backend.search(PinSearch(text="red chair"))
        return unready, backend.unready()

    assert asked(opensearch, twice) == (f"OpenSearch does not answer: {status}", None)


def test_a_query_that_opensearch_refuses_is_invalid(opensearch: FakeOpenSearch) -> None:
    opensearch.will_answer(
        "test-pins", 400, {"error": {"type": "search_phase_execution_exception"}, "status": 400}
    )
    with pytest.raises(InvalidSearchError, match="search_phase_execution_exception"):
        searched(opensearch, text="red chair")


def test_nobody_there() -> None:
    gone = FakeOpenSearch(url="http://127.0.0.1:1")
    with pytest.raises(BackendUnavailableError):
        searched(gone, text="red chair")


@pytest.mark.parametrize(
    "vector", [b"abc", VECTOR[:1].tobytes(), np.array([np.nan, 1], "<f4").tobytes(), bytes(8)]
)
def test_vectors_that_are_none_are_refused_before_anything_is_sent(
    opensearch: FakeOpenSearch, vector: bytes
) -> None:
    with pytest.raises(InvalidSearchError):
        searched(opensearch, vector=vector)
    assert opensearch.asked == []


def test_requests_are_signed_with_the_pod_s_identity(
    opensearch: FakeOpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    opensearch.will_find("test-pins", hit(5))
    settings = OpenSearchSettings(opensearch_url=opensearch.url, aws_region="eu-west-1")

    async def run() -> None:
        backend = OpenSearchBackend(search_client(settings), Indexes("test-"), dimension=2, timeout_ms=500)
        await backend.search(PinSearch(text="red chair"))
        await backend.close()

    asyncio.run(run())
    for each in opensearch.asked:
        assert each.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE000000000/")
        assert "/eu-west-1/es/aws4_request" in each.headers["authorization"]


def test_the_environment_chooses_the_domain(
    opensearch: FakeOpenSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENSEARCH_URL", opensearch.url)
    monkeypatch.setenv("OPENSEARCH_AUTH", "none")
    monkeypatch.setenv("OPENSEARCH_PREFIX", "test-")
    opensearch.will_find("test-pins", hit(5))

    async def run() -> PinResults:
        backend = connect()
        try:
            return await backend.search(PinSearch(text="red chair"))
        finally:
            await backend.close()

    assert [each.pin_id for each in asyncio.run(run()).hits] == [5]
    assert "authorization" not in opensearch.asked[0].headers
