"""OpenTelemetry traces: one trace follows a request through HTTP, gRPC and Kafka (W3C Trace Context).

Without a collector (OTEL_EXPORTER_OTLP_ENDPOINT unset) no span is made, but the caller's trace is still passed on.
"""

from collections.abc import Generator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.settings import CommonSettings

TRACEPARENT: Final = "traceparent"
_PROPAGATOR: Final = TraceContextTextMapPropagator()
_EXPORT_TIMEOUT_SECONDS: Final = 5
_LINKS: Final = 32


class _Tracing:
    """Of this process: it exports spans, or makes none."""

    provider: TracerProvider | None = None


def configure(settings: CommonSettings, processor: SpanProcessor | None = None) -> None:
    """Export spans from now on, if a collector is set. `processor` takes the exporter's place in tests."""
    endpoint = settings.otel_exporter_otlp_endpoint
    if processor is None and endpoint is not None:
        processor = BatchSpanProcessor(
            OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT_SECONDS)
        )
    if processor is None:
        return
    resource = Resource.create(
        {
            "service.name": settings.service_name,
            "deployment.environment.name": settings.environment,
            "k8s.pod.name": settings.pod_name,
        }
    )
    provider = TracerProvider(
        resource=resource, sampler=ParentBasedTraceIdRatio(settings.otel_traces_sampler_arg)
    )
    provider.add_span_processor(processor)
    _Tracing.provider = provider


def stop() -> None:
    """Export what is left."""
    if _Tracing.provider is not None:
        _Tracing.provider.shutdown()
        _Tracing.provider = None


def exporting() -> bool:
    """Whether spans are made at all."""
    return _Tracing.provider is not None


@contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    carrier: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
) -> Generator[Span]:
    """What happens inside is one span, which fails with what is raised.

    Args:
        name: of few different values: a route, not a path.
        kind: SERVER or CONSUMER with a carrier, CLIENT or PRODUCER before `inject`.
        carrier: headers of the caller, in lower case; None goes on with the present trace.
        links: to other traces that it belongs to.
    """
    provider = _Tracing.provider
    if provider is None and (carrier is None or TRACEPARENT not in carrier):
        yield trace.INVALID_SPAN
        return
    parent = context.get_current() if carrier is None else _PROPAGATOR.extract(carrier, context.Context())
    if provider is None:
        token = context.attach(parent)
        try:
            yield trace.INVALID_SPAN
        finally:
            context.detach(token)
        return
    tracer = provider.get_tracer("services")
    with tracer.start_as_current_span(
        name, parent, kind, links=links, record_exception=False, set_status_on_exception=False
    ) as made:
        try:
            yield made
        except Exception as error:
            fail(made, type(error).__name__)  # its text may hold what people wrote
            raise


def fail(made: Span, description: str) -> None:
    """Mark a span as failed without raising."""
    made.set_status(StatusCode.ERROR, description)


def inject(headers: MutableMapping[str, str]) -> None:
    """Add the present trace to the headers of an outgoing HTTP or gRPC request."""
    _PROPAGATOR.inject(headers)


def kafka_headers() -> list[tuple[str, bytes]]:
    """The present trace for a record's headers; empty outside of any."""
    headers: dict[str, str] = {}
    inject(headers)
    return [(name, value.encode()) for name, value in headers.items()]


@contextmanager
def records_span(topic: str, headers: Sequence[Mapping[str, bytes]]) -> Generator[None]:
    """What happens inside is the handling of records, which goes on with the trace of the first.

    The others' traces are linked to it, as the conventions for messaging ask of batches.
    """
    carriers = [
        {name: value.decode("latin-1") for name, value in each.items() if name in (TRACEPARENT, "tracestate")}
        for each in headers
        if TRACEPARENT in each
    ]
    first = carriers[0] if carriers else {}
    linked = [
        Link(trace.get_current_span(_PROPAGATOR.extract(carrier, context.Context())).get_span_context())
        for carrier in (carriers[1:_LINKS] if exporting() else ())
    ]
    with span(f"process {topic}", SpanKind.CONSUMER, first, linked) as made:
        made.set_attributes({"messaging.system": "kafka", "messaging.batch.message_count": len(headers)})
        yield
