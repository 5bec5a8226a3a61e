"""Every error that a client sees is a problem: RFC 9457, `application/problem+json`, and never a stack trace."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import ExceptionHandlersMap

from services.common import logs

MEDIA_TYPE: Final = "application/problem+json"
_READERS: Final = ("litestar.", "services.common.bodies")
_NO_BODY: Final = "a JSON body is needed"
_log = logs.logger(__name__)


class FieldProblem(msgspec.Struct, omit_defaults=True):
    """What is wrong with one part of the request."""

    detail: str
    field: str = ""
    """Its name; empty for the whole."""
    location: str = ""
    """Where it stands: body, query, path or header."""


class ProblemDetails(msgspec.Struct, kw_only=True, rename={"kind": "type"}):
    """What is wrong, for people and programs (RFC 9457)."""

    kind: str
    """A URI for problems that programs tell apart; `about:blank` when the status says all."""
    title: str
    status: int
    detail: str
    instance: str
    """The path that was asked for."""
    request_id: str
    """Under which the service's logs tell of it."""
    errors: list[FieldProblem] | msgspec.UnsetType = msgspec.UNSET


class Problem(HTTPException):
    """Raise it to answer with a problem.

    Args:
        status: 400 to 599.
        detail: a sentence for people: what was wrong, and what would be right. Nothing internal.
        title: of the kind of problem, the same for each of its occurrences; else the status's own phrase.
        type_: a URI, if programs must tell it from others with this status.
        errors: the parts of the request that are wrong.
        headers: of the answer, such as Retry-After.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str | None = None,
        type_: str = "about:blank",
        errors: list[FieldProblem] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail=detail, status_code=status, headers=headers)
        self.title = title or HTTPStatus(status).phrase
        self.type = type_
        self.errors = errors or []


def handlers() -> ExceptionHandlersMap:
    """For Litestar: whatever is raised becomes a problem."""
    return {
        HTTPException: _expected,
        RecursionError: _unreadable("the JSON is nested too deeply"),
        UnicodeDecodeError: _unreadable("the JSON is not UTF-8"),
        Exception: _unexpected,
    }


def _expected(request: Request[Any, Any, Any], error: HTTPException) -> Response[ProblemDetails]:
    if isinstance(error, Problem):
        return _response(request, error, error.title, error.type, error.errors)
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _unexpected(request, error)
    if error.status_code == HTTPStatus.NOT_FOUND and "path_template" not in request.scope:
        error.detail = "there is nothing at this path"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and error.headers:
        error.detail = f"this path takes {error.headers.get('allow')}"
    errors = _fields(error) if isinstance(error, ValidationException) else []
    if errors:
        error.detail = "the request is not as the OpenAPI document asks; `errors` says where"
    return _response(request, error, HTTPStatus(error.status_code).phrase, "about:blank", errors)


def _unreadable(detail: str) -> Callable[[Request[Any, Any, Any], Exception], Response[ProblemDetails]]:
    """The parser lets these pass. What it raises is the client's mistake, what our code raises is ours."""

    def answer(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
        return (
            _expected(request, Problem(400, detail))
            if _raised_by_parser(error)
            else _unexpected(request, error)
        )

    return answer


def _raised_by_parser(error: BaseException) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__", "").startswith(_READERS)


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    _log.error(
        "a request failed", method=request.method, route=request.scope.get("path_template"), exc_info=error
    )
    detail = "something failed here; the logs tell of it under this request_id"
    return _expected(request, Problem(500, detail))


def _fields(error: ValidationException) -> list[FieldProblem]:
    extra: Any = error.extra
    if not isinstance(extra, list):
        return []
    return [
        FieldProblem(
            detail=_NO_BODY if each.get("message") == "'data'" else str(each.get("message", "")),
            field="" if each.get("key") == "data" else str(each.get("key", "")),
            location=str(getattr(each.get("source", "body"), "value", each.get("source", "body"))),
        )
        for each in extra
        if isinstance(each, dict)
    ]


def _response(
    request: Request[Any, Any, Any], error: HTTPException, title: str, type_: str, errors: list[FieldProblem]
) -> Response[ProblemDetails]:
    details = ProblemDetails(
        status=error.status_code,
        title=title,
        kind=type_,
        detail=error.detail,
        instance=request.scope.get("raw_path", b"").decode("ascii", "replace") or request.scope["path"],
        request_id=logs.request_id.get(),
        errors=errors or msgspec.UNSET,
    )
    return Response(details, status_code=error.status_code, media_type=MEDIA_TYPE, headers=error.headers)
