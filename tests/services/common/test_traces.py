"""One trace follows a request over HTTP, gRPC and Kafka, and costs next to nothing when nobody collects it."""

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
import httpx
import pytest
from litestar import post
from litestar.testing import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common import grpc_server, logs, traces
from services.common.grpc_client import channel, metadata
from services.common.http import create_app
from services.common.kafka import Consumer, Record, producer
from services.common.settings import CommonSettings, KafkaSettings
from tests.services.common.conftest import Start
from tests.services.conftest import Kafka
from tests.waiting import until

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """Every span that is made during the test."""
    exporter = InMemorySpanExporter()
    traces.configure(CommonSettings(), SimpleSpanProcessor(exporter))
    yield exporter
    traces.stop()


class Embedder(ml_pb2_grpc.EmbeddingServiceServicer):
    """Writes what it is given to Kafka."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self.topic = topic
        self.producer = producer(plaintext(kafka))
        self.requests: list[str] = []

    def EmbedTexts(self, request: Any, context: grpc.ServicerContext) -> ml_pb2.EmbedTextsResponse:  # noqa: N802
        self.requests.append(logs.request_id.get())
        self.producer.produce(self.topic, request.texts[0].encode(), headers=traces.kafka_headers())
        assert self.producer.flush(30) == 0
        return ml_pb2.EmbedTextsResponse()


def plaintext(kafka: Kafka) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=kafka.address, kafka_security_protocol="PLAINTEXT")


@pytest.fixture
def chain(kafka: Kafka) -> Iterator[tuple[TestClient[Any], Embedder, list[str]]]:
    """HTTP -> gRPC -> Kafka, and the trace ids that the consumer saw."""
    topic, seen = kafka.topic(), list[str]()
    embedder = Embedder(kafka, topic)
    server = grpc_server.create_server(threads=2)
    ml_pb2_grpc.add_EmbeddingServiceServicer_to_server(embedder, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def handle(records: Sequence[Record]) -> None:
        seen.extend(logs.trace_id() for _ in records)

    consumer = Consumer(plaintext(kafka), handle, assign={(topic, 0): 0}, batch_records=1)
    consumer.start()
    with channel(f"127.0.0.1:{port}") as connection:
        stub = ml_pb2_grpc.EmbeddingServiceStub(connection)

        @post("/embed", sync_to_thread=True)
        def embed() -> None:
            stub.EmbedTexts(ml_pb2.EmbedTextsRequest(texts=["a"]), metadata=metadata())

        with TestClient(create_app([embed], title="Chain")) as client:
            yield client, embedder, seen
    consumer.stop()
    server.stop(None).wait()


def test_one_trace_goes_over_http_grpc_and_kafka(
    spans: InMemorySpanExporter, chain: tuple[TestClient[Any], Embedder, list[str]]
) -> None:
    client, embedder, seen = chain
    answer = client.post("/embed", headers={"traceparent": CALLER, "x-request-id": "r-7"})
    assert answer.status_code == 201
    until(lambda: len(spans.get_finished_spans()) == 3)
    found = {span.kind.name + " " + span.name: span for span in spans.get_finished_spans()}
    http = found["SERVER POST /embed"]
    called = found["SERVER services.api.ml.v1.EmbeddingService/EmbedTexts"]
    consumed = found[f"CONSUMER process {embedder.topic}"]
    assert [trace_of(span) for span in (http, called, consumed)] == [TRACE] * 3
    assert format(parent_of(http), "016x") == "b7ad6b7169203331"
    assert parent_of(called) == http.context.span_id
    assert parent_of(consumed) == called.context.span_id
    assert embedder.requests == ["r-7"]
    assert seen == [TRACE]


def test_a_trace_is_passed_on_when_nobody_collects_it_here(
    chain: tuple[TestClient[Any], Embedder, list[str]],
) -> None:
    client, _, seen = chain
    client.post("/embed", headers={"traceparent": CALLER})
    client.post("/embed")
    client.post("/embed", headers={"traceparent": "00-broken"})
    until(lambda: len(seen) == 3)
    assert seen == [TRACE, "", ""]


def test_the_callers_choice_not_to_record_is_kept(spans: InMemorySpanExporter) -> None:
    with traces.span("unrecorded", carrier={"traceparent": CALLER[:-1] + "0"}):
        pass
    with traces.span("recorded", carrier={"traceparent": CALLER}):
        pass
    assert [span.name for span in spans.get_finished_spans()] == ["recorded"]


def test_what_fails_marks_its_span_without_the_errors_text(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="a person's name"), traces.span("fails"):
        raise ValueError("a person's name")
    (span,) = spans.get_finished_spans()
    assert not span.status.is_ok
    assert "person" not in span.to_json()


def test_a_batch_is_linked_to_the_traces_of_all_its_records(spans: InMemorySpanExporter) -> None:
    others = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]
    headers = [{"traceparent": each.encode()} for each in (CALLER, *others)]
    with traces.records_span("pins", [*headers, {}]):
        pass
    (span,) = spans.get_finished_spans()
    assert trace_of(span) == TRACE
    assert [link.context.trace_id for link in span.links] == [1, 2]


def test_a_process_exports_to_its_collector_also_what_is_left_at_the_end(service: Start) -> None:
    exported: list[ExportTraceServiceRequest] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            exported.append(
                ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
            )
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    collector = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever).start()
    try:
        endpoint = f"http://127.0.0.1:{collector.server_port}"
        running = service("http", OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        running.wait_until_ready()
        httpx.get(f"{running.url()}/things/7", headers={"traceparent": CALLER})
        assert running.terminate() == 0
    finally:
        collector.shutdown()
        collector.server_close()
    (resource,) = [each for request in exported for each in request.resource_spans]
    attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert attributes["service.name"] == "example"
    (span,) = [span for scope in resource.scope_spans for span in scope.spans]
    assert (span.name, span.trace_id.hex()) == ("GET /things/{number}", TRACE)


def trace_of(span: ReadableSpan) -> str:
    return format(span.context.trace_id, "032x")


def parent_of(span: ReadableSpan) -> int:
    assert span.parent is not None
    return span.parent.span_id
