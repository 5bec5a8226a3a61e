"""A gRPC server with health, metrics, traces and errors that tell clients nothing internal.

    server = create_server(threads=4)
    add_EmbeddingServiceServicer_to_server(Embedder(), server)
    serve(server, lifetime)

Methods are plain functions in a pool of threads, as native engines want. They raise `GrpcProblem(code, "what would be
right")`; what else is raised is INTERNAL without details, logged with the request's id.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from opentelemetry.trace import SpanKind
from typing_extensions import override

from services.common import logs, metrics, traces
from services.common.grpc_client import MAX_MESSAGE_BYTES
from services.common.lifetime import Lifetime
from services.common.observed import REQUEST_ID, request_id

_log = logs.logger(__name__)
Behaviour = Callable[[Any, grpc.ServicerContext], Any]


class GrpcProblem(Exception):  # noqa: N818 - as problems.Problem
    """Raise it to answer with a status: INVALID_ARGUMENT, NOT_FOUND, UNAVAILABLE, ..."""

    def __init__(self, code: grpc.StatusCode, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def create_server(*, threads: int, concurrent: int | None = None) -> grpc.Server:
    """A server to add servicers to.

    Args:
        threads: that answer.
        concurrent: calls at once, waiting ones too; more are RESOURCE_EXHAUSTED at once instead of waiting in vain.
    """
    return grpc.server(
        ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
        interceptors=[_Observing()],
        maximum_concurrent_rpcs=concurrent or threads * 64,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.so_reuseport", 0),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
            # Callers come back by a new connection now and then: else pods that are added get none of the work.
            ("grpc.max_connection_age_ms", 300_000),
            ("grpc.max_connection_age_grace_ms", 30_000),
        ],
    )


def serve(server: grpc.Server, lifetime: Lifetime) -> str:
    """Answer on POD_IP:GRPC_PORT until the process ends; returns the `host:port` that is listened on.

    Raises RuntimeError when the port is taken.
    """
    host = lifetime.settings.host
    port = server.add_insecure_port(f"{host}:{lifetime.settings.grpc_port}")
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    server.start()

    async def stop() -> None:
        healthy.enter_graceful_shutdown()
        await lifetime.drain()
        await asyncio.to_thread(server.stop(lifetime.seconds_left()).wait)

    lifetime.on_stop("grpc", stop)
    _log.info("grpc listens", address=f"{host}:{port}")
    return f"{host}:{port}"


class _Observing(grpc.ServerInterceptor):
    """Request id, trace, golden signals and errors of every unary call."""

    @override
    def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[Any, Any] | None]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or method.startswith("/grpc.health."):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            _observed(method, handler.unary_unary), handler.request_deserializer, handler.response_serializer
        )


def _observed(method: str, behaviour: Behaviour) -> Behaviour:
    route = method.lstrip("/")
    seconds = metrics.REQUEST_SECONDS.labels("grpc", "POST", route)
    in_flight = metrics.REQUESTS_IN_FLIGHT.labels("grpc")

    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        carrier = {str(name): str(value) for name, value in context.invocation_metadata()}
        token = logs.request_id.set(request_id(carrier.get(REQUEST_ID)))
        began = time.perf_counter()
        in_flight.inc()
        code = grpc.StatusCode.OK
        try:
            with traces.span(route, SpanKind.SERVER, carrier):
                return behaviour(request, context)
        except GrpcProblem as problem:
            code = problem.code
            _abort(context, problem.code, problem.detail)
        except Exception:
            told: grpc.StatusCode | None = context.code()  # pyright: ignore[reportAttributeAccessIssue] - not in stubs
            code = told or grpc.StatusCode.INTERNAL
            if told is not None:  # the method itself aborted
                raise
            _log.exception("a call failed", method=route)
            _abort(
                context, code, f"something failed here; its logs tell of request_id {logs.request_id.get()}"
            )
        finally:
            in_flight.dec()
            seconds.observe(time.perf_counter() - began)
            metrics.REQUESTS.labels("grpc", "POST", route, code.name).inc()
            logs.request_id.reset(token)

    return answer


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, detail: str) -> NoReturn:
    context.abort(code, detail)
    raise AssertionError("abort raises")
