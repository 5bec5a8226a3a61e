"""An OpenSearch on loopback that records what it is asked.

It keeps documents as far as the indexer needs (`_bulk` with external versions and with the one script there is) and
reads them by id; searches are answered with what a test has put in line.
"""

import gzip
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from services.search.opensearch.documents import NEWER_WINS


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    parameters: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass
class Answer:
    status: int
    body: Any


@dataclass
class FakeOpenSearch:
    documents: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    searches: dict[str, deque[Answer]] = field(default_factory=dict)
    """Index -> the answers of its next searches; the last one stays."""
    failures: deque[Answer] = field(default_factory=deque)
    """Answers of the next requests, whatever they are."""
    item_failures: deque[Answer] = field(default_factory=deque)
    """Outcomes of the next bulk actions."""
    url: str = ""

    def put(self, index: str, identifier: int, document: dict[str, Any]) -> None:
        self.documents[index, str(identifier)] = document

    def will_find(self, index: str, *hits: dict[str, Any], **more: Any) -> None:
        """The answer of the next search of an index; after the last, it is repeated."""
        self.searches.setdefault(index, deque()).append(Answer(200, found(*hits, **more)))

    def will_answer(self, index: str, status: int, body: Any) -> None:
        self.searches.setdefault(index, deque()).append(Answer(status, body))

    def bodies(self, path: str) -> list[Any]:
        return [each.body for each in self.asked if each.path == path]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        if self.failures:
            return self.failures.popleft()
        *index, operation = asked.path.strip("/").split("/")
        if operation == "_bulk":
            return self._bulk(asked.body)
        if operation == "_search":
            answers = self.searches[index[0]]
            return answers.popleft() if len(answers) > 1 else answers[0]
        if operation == "_mget":
            return Answer(200, {"docs": [self._read(index[0], each) for each in asked.body["ids"]]})
        if asked.method == "GET" and index[1:] == ["_doc"]:
            document = self._read(index[0], operation)
            return Answer(200 if document["found"] else 404, document)
        if asked.method == "PUT" and not index:
            return Answer(200, {"acknowledged": True})
        raise AssertionError(f"nobody expects {asked.method} {asked.path}")

    def _read(self, index: str, identifier: str) -> dict[str, Any]:
        document = self.documents.get((index, identifier))
        known = {"_index": index, "_id": identifier, "found": document is not None}
        return known if document is None else {**known, "_source": document}

    def _bulk(self, lines: list[Any]) -> Answer:
        items: list[dict[str, Any]] = []
        for action, body in zip(lines[::2], lines[1::2], strict=True):
            ((operation, about),) = action.items()
            if self.item_failures:
                failure = self.item_failures.popleft()
                items.append({operation: {"_id": about["_id"], "status": failure.status, **failure.body}})
                continue
            items.append({operation: {"_id": about["_id"], **self._apply(operation, about, body)}})
        errors = any("error" in outcome for item in items for outcome in item.values())
        return Answer(200, {"took": 1, "errors": errors, "items": items})

    def _apply(self, operation: str, about: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        key = (about["_index"], about["_id"])
        if operation == "index":
            assert about["version_type"] == "external_gte"
            if about["version"] < self.versions.get(key, 0):
                return {"status": 409, "error": {"type": "version_conflict_engine_exception"}}
            self.versions[key] = about["version"]
            self.documents[key] = body
            return {"status": 200, "result": "updated"}
        assert operation == "update"
        assert body["scripted_upsert"] is True
        assert body["script"]["source"] == NEWER_WINS
        source = self.documents.setdefault(key, dict(body["upsert"]))
        return {"status": 200, "result": _newer_wins(source, body["script"]["params"])}


def _newer_wins(source: dict[str, Any], params: dict[str, Any]) -> str:
    """What the script says, in Python."""
    known = source.get(params["field"])
    if known is not None and known > params["version"]:
        return "noop"
    source[params["field"]] = params["version"]
    for name in params["cleared"]:
        source.pop(name, None)
    source.update(params["state"])
    return "updated"


def found(*hits: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A search's answer of three shards."""
    answer = {
        "took": 3,
        "timed_out": False,
        "_shards": {"total": 3, "successful": 3, "skipped": 0, "failed": 0},
        "hits": {"total": {"value": len(hits), "relation": "eq"}, "hits": list(hits)},
    }
    return {**answer, **more}


class _Handler(BaseHTTPRequestHandler):
    fake: FakeOpenSearch
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.fake.answer(
            Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, _decoded(parts.path, body))
        )
        encoded = json.dumps(answer.body).encode()
        self.send_response(answer.status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _handle  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nobody reads it."""


def _decoded(path: str, body: bytes) -> Any:
    if path.endswith("/_bulk"):
        return [json.loads(line) for line in body.splitlines() if line]
    return json.loads(body) if body else None


@contextmanager
def running() -> Iterator[FakeOpenSearch]:
    fake = FakeOpenSearch()
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
