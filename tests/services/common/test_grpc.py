"""gRPC calls over a real connection: what servers answer, and what clients do about it."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common import grpc_server
from services.common.grpc_client import aio_channel, channel
from tests.services.common.conftest import Running
from tests.waiting import until


@pytest.fixture(scope="module")
def stub(example: Running) -> Iterator[ml_pb2_grpc.EmbeddingServiceStub]:
    with channel(example.address("grpc")) as connection:
        yield ml_pb2_grpc.EmbeddingServiceStub(connection)


def texts(*given: str) -> ml_pb2.EmbedTextsRequest:
    return ml_pb2.EmbedTextsRequest(texts=given)


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value.code().name, raised.value.details()  # pyright: ignore[reportAttributeAccessIssue]


def test_a_call_is_answered_and_counted(stub: Any, example: Running) -> None:
    assert list(stub.EmbedTexts(texts("a", "b")).vectors) == [b"a", b"b"]
    metrics = httpx.get(example.url("operations") + "/metrics").text
    route = 'route="services.api.ml.v1.EmbeddingService/EmbedTexts"'
    assert f'requests_total{{method="POST",protocol="grpc",{route},status="OK"}}' in metrics


def test_a_problem_says_what_would_be_right(stub: Any) -> None:
    assert refused(lambda: stub.EmbedTexts(texts())) == ("INVALID_ARGUMENT", "give at least one text")


def test_what_fails_there_is_told_without_details_and_logged(stub: Any, example: Running) -> None:
    code, detail = refused(lambda: stub.EmbedTexts(texts("fail"), metadata=[("x-request-id", "r-9")]))
    assert (code, detail) == ("INTERNAL", "something failed here; its logs tell of request_id r-9")
    log = until(lambda: next((each for each in example.logs if each.get("request_id") == "r-9"), None))
    assert log["exception"][0]["exc_value"] == "a secret"


def test_a_method_that_is_not_there(stub: Any) -> None:
    assert refused(lambda: stub.EmbedImages(ml_pb2.EmbedImagesRequest()))[0] == "UNIMPLEMENTED"


def test_a_message_that_is_too_large(stub: Any) -> None:
    assert refused(lambda: stub.EmbedTexts(texts("x" * 40_000_000)))[0] == "RESOURCE_EXHAUSTED"


def test_a_call_without_a_deadline_has_one(example: Running) -> None:
    with channel(example.address("grpc"), timeout_seconds=0.001) as connection:
        stub = ml_pb2_grpc.EmbeddingServiceStub(connection)
        assert refused(lambda: stub.EmbedTexts(texts("a")))[0] == "DEADLINE_EXCEEDED"


async def _call(address: str) -> list[bytes]:
    async with aio_channel(address) as connection:
        return list((await ml_pb2_grpc.EmbeddingServiceStub(connection).EmbedTexts(texts("a"))).vectors)  # pyright: ignore


def test_coroutines_call_it_too(example: Running) -> None:
    import asyncio

    assert asyncio.run(_call(example.address("grpc"))) == [b"a"]


def test_its_health_is_what_probes_ask_for(example: Running) -> None:
    with channel(example.address("grpc")) as connection:
        answer = health_pb2_grpc.HealthStub(connection).Check(health_pb2.HealthCheckRequest())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_server_that_is_not_there_is_tried_again_until_it_is() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    answers: list[str] = []
    with channel(address, timeout_seconds=20, attempts=5) as connection:
        stub = ml_pb2_grpc.EmbeddingServiceStub(connection)

        def call() -> None:
            while not answers:  # each call is five attempts
                try:
                    stub.EmbedTexts(texts("a"))
                    answers.append("answered")
                except grpc.RpcError as error:
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:  # pyright: ignore
                        answers.append(str(error))

        calling = threading.Thread(target=call)
        calling.start()
        server = grpc_server.create_server(threads=1)
        ml_pb2_grpc.add_EmbeddingServiceServicer_to_server(_Answering(), server)
        server.add_insecure_port(address)
        server.start()
        calling.join(30)
        server.stop(None).wait()
    assert answers == ["answered"]


class _Answering(ml_pb2_grpc.EmbeddingServiceServicer):
    def EmbedTexts(self, request: Any, context: grpc.ServicerContext) -> ml_pb2.EmbedTextsResponse:  # noqa: N802
        return ml_pb2.EmbedTextsResponse()
