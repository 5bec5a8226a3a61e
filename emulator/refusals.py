"""Answers to requests that no operation handles, and the facts about a request that they need."""

import functools
import re
from typing import Any, Final

from botocore.exceptions import ClientError, UnknownServiceError
from moto.core.model import ServiceModel
from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.wrappers import Response

from emulator.errors import NOT_IMPLEMENTED, error_body

_CREDENTIAL: Final = re.compile(r"Credential=[^/,]+/\d+/([^/,]*)/([^/,]+)/aws4_request")
_QUERY_ACTION: Final = re.compile(rb"(?:^|[&?])Action=([A-Za-z0-9]+)")
_BAD_REQUEST: Final = 400
_CLIENT_ERRORS: Final = range(400, 500)
_FLASK_PAGE: Final = b"<!doctype html>"


_UNSIGNED: Final = {"AWSCognitoIdentityProviderService": "cognito-idp"}
"""What people who sign up or sign in ask, who have no AWS credentials to sign with, by the target's first part."""


def signing_name(environ: dict[str, Any]) -> str | None:
    """The service that the request's signature names, e.g. `ec2`; None without a version 4 signature."""
    match = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if match:
        return match[2].lower()
    return _UNSIGNED.get(environ.get("HTTP_X_AMZ_TARGET", "").partition(".")[0])


_OTHER_SIGNING_NAMES: Final = {
    "access-analyzer": "accessanalyzer",
    "airflow": "mwaa",
    "aoss": "opensearchserverless",
    "aps": "amp",
    "elasticfilesystem": "efs",
    "elasticloadbalancing": "elbv2",
    "elasticmapreduce": "emr",
    "monitoring": "cloudwatch",
    "servicequotas": "service-quotas",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
"""Services that sign with another name than botocore calls them by; the rest sign with their own."""


@functools.cache
def service_model(signing: str) -> ServiceModel | None:
    """botocore's model of the service that signs with this name; None if there is none."""
    try:
        return get_service_model(_OTHER_SIGNING_NAMES.get(signing, signing))
    except UnknownServiceError:
        return None


def _operations(model: ServiceModel) -> list[str]:
    names: Any = model.operation_names  # botocore's cached property, which has no type
    return names


def protocol(environ: dict[str, Any]) -> str | None:
    """The protocol in which the client expects errors; None if it cannot be known."""
    signing = signing_name(environ)
    if signing is None:
        return None if environ.get("HTTP_X_AMZ_TARGET") else "s3"
    if signing == "s3":
        return "s3"
    model = service_model(signing)
    if model is None:
        return None
    if environ.get("HTTP_X_AMZ_TARGET"):
        return "json"
    return str(model.protocol)


def operation(environ: dict[str, Any]) -> str | None:
    """The operation's name by header, form field or method and path; None when the service has none such."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target).rsplit(".", 1)[-1]
    body = environ["wsgi.input"]
    body.seek(0)
    match = _QUERY_ACTION.search(body.read(65536)) or _QUERY_ACTION.search(
        environ.get("QUERY_STRING", "").encode("latin-1")
    )
    if match:
        return match[1].decode()
    signing = signing_name(environ)
    model = service_model(signing) if signing else None
    if model is None:
        return None
    try:
        found, _ = get_service_router(model.service_name).match(Request(environ))
    except (NotFound, MethodNotAllowed, NotImplementedError, KeyError):
        return None
    return str(found.name)


def _refusal(environ: dict[str, Any], status: int, code: str, message: str) -> Response:
    headers, body = error_body(protocol(environ), status, code, message)
    return Response(body, status, headers)


def busy(environ: dict[str, Any], seconds: float) -> Response:
    """An earlier operation has held the emulator for too long."""
    return _refusal(
        environ,
        503,
        "ServiceUnavailable",
        f"another request has kept the emulator busy for {seconds:g} seconds",
    )


_S3_MISSING: Final = ("metrics", "analytics", "intelligent-tiering", "metadataTable", "metadataConfiguration")
"""Sub-resources of buckets that moto does not know: it takes such a request for CreateBucket or ListObjects."""


def asks_for_missing_s3(environ: dict[str, Any]) -> bool:
    """Whether an S3 request is about a sub-resource that moto would mistake for the bucket itself."""
    query = environ.get("QUERY_STRING", "")
    return any(part.partition("=")[0] in _S3_MISSING for part in query.split("&")) if query else False


def unanswered(environ: dict[str, Any]) -> Response:
    """No handler took the request: the operation is missing here, or AWS has none such either."""
    signing = signing_name(environ) or "s3"
    model = service_model(signing)
    place = f"{environ['REQUEST_METHOD']} {environ.get('RAW_URI', environ['PATH_INFO'])[:200]}"
    if model is None:
        return _refusal(
            environ, 400, "UnknownService", f"AWS has no service that signs as {signing!r} ({place})"
        )
    name = operation(environ)
    if name is None:
        return _refusal(
            environ, 404, "UnknownOperationException", f"{model.service_name} has no operation at {place}"
        )
    if name not in _operations(model):
        code = "InvalidAction" if model.protocol in {"query", "ec2"} else "UnknownOperationException"
        return _refusal(environ, 400, code, f"{model.service_name} has no operation {name!r}")
    return _refusal(
        environ, 501, NOT_IMPLEMENTED, f"the emulator does not implement {model.service_name} {name}"
    )


def from_http_exception(environ: dict[str, Any], error: HTTPException) -> Response:
    """moto raises its AWS errors as HTTP exceptions; werkzeug's own (404, 405, 413, ...) become AWS errors."""
    if hasattr(error, "error_type"):
        return Response(error.get_body(), error.code, error.get_headers())
    if error.code in {404, 405}:
        return unanswered(environ)
    status = error.code or _BAD_REQUEST
    if status not in _CLIENT_ERRORS:
        status = _BAD_REQUEST
    return _refusal(environ, status, "InvalidRequest", error.description or error.name)


def from_exception(environ: dict[str, Any], error: Exception) -> Response:
    """An exception that escaped a backend: not implemented, or a request it could not make sense of."""
    if isinstance(error, NotImplementedError):
        return unanswered(environ)
    if isinstance(error, ClientError):
        details = error.response["Error"]
        return _refusal(environ, 400, details["Code"], details["Message"])
    signing = signing_name(environ)
    model = service_model(signing or "s3")
    named = operation(environ)
    if model is None or (named is not None and named not in _operations(model)):
        return unanswered(environ)
    name = named or "the request"
    detail = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return _refusal(
        environ,
        400,
        "UnprocessableByEmulator",
        f"{signing or 's3'} {name} could not be processed ({detail[:500]}): most likely a required value is "
        "missing or has the wrong type or format; the emulator's log has the details",
    )


def checked(environ: dict[str, Any], response: Response) -> Response:
    """Replace Flask's own error pages and moto's empty 404 by an AWS error."""
    if response.status_code < 400:  # noqa: PLR2004
        return response
    body = response.get_data()
    is_page = body[:15].lower() == _FLASK_PAGE
    if is_page and response.status_code == 413:  # noqa: PLR2004
        return _refusal(environ, 413, "EntityTooLarge", "the form is larger than moto takes")
    if is_page or (response.status_code == 404 and not body and environ["REQUEST_METHOD"] != "HEAD"):  # noqa: PLR2004
        return unanswered(environ)
    return response
