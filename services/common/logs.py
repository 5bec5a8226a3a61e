"""Structured logs: one JSON object a line on stdout, which says which request and which trace it belongs to.

Never log what people wrote or who they are: identifiers of things, counts and durations are enough.
"""

import logging
import sys
from contextvars import ContextVar
from typing import Any, cast

import msgspec
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from services.common.settings import CommonSettings

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Of the request that is being answered; `x-request-id` between services."""


def configure(settings: CommonSettings) -> None:
    """Send every log of this process to stdout as JSON, those of libraries too."""
    about = {"service": settings.service_name, "environment": settings.environment, "pod": settings.pod_name}
    shared: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_context(about),
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
        ),
    ]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_json_bytes)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.ExtraAdder(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(serializer=_json_text),
            ],
        )
    )
    # A library tells of each request at level info; that is what metrics are for.
    logging.basicConfig(handlers=[handler], level=max(level, logging.WARNING), force=True)


def logger(name: str) -> FilteringBoundLogger:
    """The logger of a module. `log.info("what happened", key=value)`."""
    return cast("FilteringBoundLogger", structlog.get_logger(logger_name=name))


def trace_id() -> str:
    """Of the trace that this belongs to, in hexadecimal; empty outside of any."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


def _add_context(about: dict[str, str]) -> Processor:
    def add(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.update(about)
        if identifier := request_id.get():
            event["request_id"] = identifier
        if identifier := trace_id():
            event["trace_id"] = identifier
        return event

    return add


def _json_bytes(value: Any, **_: Any) -> bytes:
    return msgspec.json.encode(value, enc_hook=str)


def _json_text(value: Any, **_: Any) -> str:
    return _json_bytes(value).decode()
