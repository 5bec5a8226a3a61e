"""What Envoy answers itself: every error is a problem document (RFC 9457), in the words that services use."""

from collections.abc import Sequence
from typing import Final

from infra.workloads.gateway.inputs import Message, any_of, header

SECURITY_HEADERS: Final = (
    header("strict-transport-security", "max-age=31536000; includeSubDomains"),
    header("x-content-type-options", "nosniff"),
    header("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    header("referrer-policy", "no-referrer"),
)
"""Of an API that browsers call: nothing of it is a page. https://owasp.org/www-project-secure-headers"""

_BEARER: Final = 'Bearer realm="pinwheel"'

_TITLES: Final = {
    400: ("Bad Request", "the request is malformed: its path, a header or its framing"),
    401: ("Unauthorized", "a valid access token is needed: `authorization: Bearer <token>`"),
    403: ("Forbidden", "this is not allowed"),
    404: ("Not Found", "nothing is at this path; /openapi/<api>.json says what there is"),
    405: ("Method Not Allowed", "this method is not allowed here"),
    408: ("Request Timeout", "the request did not arrive in time"),
    413: ("Content Too Large", "the body is larger than this path takes"),
    415: ("Unsupported Media Type", "the content's type or encoding is not taken here"),
    426: ("Upgrade Required", "HTTP/1.1 or HTTP/2 is needed"),
    429: ("Too Many Requests", "too many requests; try again after the seconds in `retry-after`"),
    431: ("Request Header Fields Too Large", "the headers are too many or too large"),
    500: ("Internal Server Error", "the gateway could not handle the request"),
    502: ("Bad Gateway", "the service behind this path gave no valid answer"),
    503: ("Service Unavailable", "the service behind this path is not available; try again soon"),
    504: ("Gateway Timeout", "the service behind this path did not answer in time"),
}

_BY_CAUSE: Final = (
    # A token that is valid, and not for this API: 403 of the filter, but the caller must bring another one.
    ("rbac_access_denied", 401, "the token is not an access token of this API's client"),
    ("jwt_authn_access_denied{Jwt_is_expired}", 401, "the access token has expired"),
    (
        "jwt_authn_access_denied{Jwt_is_missing}",
        401,
        "an access token is needed: `authorization: Bearer <token>`",
    ),
    ("jwt_authn_access_denied", 401, "the access token is not valid"),
    ("path_normalization_failed", 400, "the path is not normal: no escaped slashes, no way out of the root"),
    ("http1.unexpected_underscore", 400, "names of headers have no underscores here"),
    ("http2.unexpected_underscore", 400, "names of headers have no underscores here"),
)
"""Beginnings of Envoy's response code details, the first that fits counts."""


def replies() -> Message:
    """How local replies look."""
    by_cause = [_mapper(_details_start_with(cause), status, detail) for cause, status, detail in _BY_CAUSE]
    by_status = [_mapper(_status_is(status), status, detail) for status, (_, detail) in _TITLES.items()]
    return {
        "mappers": [*by_cause, *by_status],
        "body_format": _problem("Error", "%LOCAL_REPLY_BODY%"),
    }


def _mapper(condition: Message, status: int, detail: str) -> Message:
    challenge = [header("www-authenticate", _BEARER)] if status == 401 else []  # noqa: PLR2004
    return {
        "filter": condition,
        "status_code": status,
        "body_format_override": _problem(_TITLES[status][0], detail),
        "headers_to_add": [*_of_every_reply(), *challenge],
    }


def _of_every_reply() -> Sequence[Message]:
    return (*SECURITY_HEADERS, header("cache-control", "no-store"))


def _problem(title: str, detail: str) -> Message:
    return {
        "json_format": {
            "type": "about:blank",
            "title": title,
            "status": "%RESPONSE_CODE%",
            "detail": detail,
            "request_id": "%REQ(X-REQUEST-ID)%",
        },
        "content_type": "application/problem+json",
    }


def _status_is(status: int) -> Message:
    comparison = {"op": "EQ", "value": {"default_value": status, "runtime_key": "gateway.no_such_key"}}
    return {"status_code_filter": {"comparison": comparison}}


def _details_start_with(cause: str) -> Message:
    condition = f"has(response.code_details) && response.code_details.startsWith('{cause}')"
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": any_of(
                "extensions.access_loggers.filters.cel.v3.ExpressionFilter", expression=condition
            ),
        }
    }
