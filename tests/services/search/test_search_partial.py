"""Leaves that are slow or down: answers are partial and say so; without any leaf they are a 503."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.services.search import searching
from tests.services.search.searching import Api, Broker, Publisher, Service, board, embedding, pin
from tests.waiting import until

Ending = Callable[[Service], Service]


@contextmanager
def stopped(leaf: Service) -> Iterator[None]:
    """It neither answers nor closes its connections."""
    os.kill(leaf.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(leaf.process.pid, signal.SIGCONT)


def test_a_leaf_that_is_slow_or_down_makes_answers_partial(
    broker: Broker, publisher: Publisher, tmp_path: Path, ending: Ending
) -> None:
    publisher.send(board(1, name="Harbour"), *(pin(n, title="a lighthouse") for n in range(1, 41)))
    publisher.send(*(embedding(n, 1, n / 40) for n in range(1, 41)))
    leaves = [
        ending(
            searching.leaf(broker, tmp_path / str(shard), shard=shard, shards=2, SHUTDOWN_GRACE_SECONDS="5")
        )
        for shard in range(2)
    ]
    addresses = [leaf.ready().address("rpc") for leaf in leaves]
    root = ending(searching.root(*addresses, LEAF_TIMEOUT_MS="1000")).ready()
    api = Api(root)
    until(lambda: len(api.found("pins?q=lighthouse&limit=100")) == 40)

    with stopped(leaves[1]):
        status, body = api.get("pins?q=lighthouse&limit=100")
        assert (status, body["partial"], body["missing_shards"]) == (200, True, [1])
        held = {int(item["pin_id"]) for item in body["items"]}
        assert 0 < len(held) < 40
        assert not body["total_exact"]
        assert root.metric('search_shard_failures_total{code="DEADLINE_EXCEEDED",shard="1"}') >= 1
        status, body = api.get(f"pins/{min(held)}/similar?limit=100")
        assert (status, body["partial"]) == (200, True)
        assert api.get("boards?q=harbour")[1]["items"][0]["board_id"] == "1"
    until(lambda: len(api.found("pins?q=lighthouse&limit=100")) == 40)

    leaves[1].kill()
    until(lambda: api.get("pins?q=lighthouse")[1]["missing_shards"] == [1])
    assert api.get(f"pins/{next(iter(set(range(1, 41)) - held))}/similar")[0] == 503
    assert root.probe("readyz")[0] == 200

    leaves[0].kill()
    status, problem = until(lambda: answer if (answer := api.get("pins?q=lighthouse"))[0] == 503 else None)
    assert problem["title"] == "Service Unavailable"
    assert api.get("boards?q=harbour")[0] == 503
    assert until(lambda: (probed := root.probe("readyz"))[0] == 503 and "shard 0" in probed[1])

    # A leaf that comes back at its address is used again, and nobody had to be told.
    leaves[0].environment["RPC_PORT"] = addresses[0].rpartition(":")[2]
    leaves[0].start()
    leaves[0].ready()
    until(lambda: set(api.found("pins?q=lighthouse&limit=100")) == held)


def test_a_root_without_leaves_is_not_ready_but_answers_its_document(broker: Broker, ending: Ending) -> None:
    root = ending(searching.root("127.0.0.1:1"))
    status, reason = until(lambda: probed if "shard 0" in (probed := root.probe("readyz"))[1] else None)
    assert status == 503
    assert "127.0.0.1:1" in reason
    assert root.probe("livez")[0] == 200
    status, _ = searching.fetch(f"http://{root.address('http')}/openapi.json")
    assert status == 200


def test_a_root_without_leaves_named_ends_with_a_line_that_helps(ending: Ending) -> None:
    root = ending(searching.root())
    assert root.process.wait(searching.PATIENCE_SECONDS) == 2
    until(lambda: any("SEARCH_LEAVES must name" in str(entry) for entry in root.log))
