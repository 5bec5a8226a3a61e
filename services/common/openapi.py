"""The OpenAPI document of a service: what Litestar derives from its handlers, with problems as its errors."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

import msgspec
from litestar import Request, Router
from litestar._openapi.schema_generation import SchemaCreator
from litestar._openapi.schema_generation.plugins.struct import StructSchemaPlugin
from litestar.constants import OPENAPI_JSON_HANDLER_NAME
from litestar.handlers.base import BaseRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Schema, SecurityScheme
from litestar.routes import BaseRoute
from litestar.types import ControllerRouterHandler
from litestar.typing import FieldDefinition
from typing_extensions import override

from services.common.problems import MEDIA_TYPE, ProblemDetails

BEARER: Final[list[dict[str, list[str]]]] = [{"bearer": []}]
"""`security=` of handlers that need a person."""
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch"})
_PROBLEM: Final = "#/components/schemas/Problem"


def configuration(title: str, version: str, description: str) -> OpenAPIConfig:
    """Serves the document at /openapi.json."""
    made = OpenAPIConfig(
        title=title,
        version=version,
        description=description,
        render_plugins=[_Document()],
        openapi_router=_DocumentOnly("/", route_handlers=[], include_in_schema=False),
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http", scheme="bearer", bearer_format="JWT", description="The gateway verifies it."
                )
            }
        ),
    )
    made.default_plugin = None  # would be served at / as well
    return made


class StrictStructs(StructSchemaPlugin):
    """Litestar forgets to tell that a Struct with `forbid_unknown_fields` takes no others."""

    @override
    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: SchemaCreator) -> Schema:
        schema = super().to_openapi_schema(field_definition, schema_creator)
        described = msgspec.inspect.type_info(field_definition.annotation)
        if isinstance(described, msgspec.inspect.StructType) and described.forbid_unknown_fields:
            schema.additional_properties = False
        return schema


class _DocumentOnly(Router):
    """Without the pages that Litestar adds, of which one answers every unknown path with HTML."""

    @override
    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        if isinstance(value, BaseRouteHandler) and value.name == OPENAPI_JSON_HANDLER_NAME:
            return super().register(value)
        return []


class _Document(JsonRenderPlugin):
    @override
    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The document as JSON."""
        return self.render_json(request, with_problems(openapi_schema))


def with_problems(document: dict[str, Any]) -> dict[str, Any]:
    """The document in which every error, told or not, is a problem."""
    document = deepcopy(document)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _, parts = msgspec.json.schema_components([ProblemDetails], ref_template="#/components/schemas/{name}")
    schemas.update(parts)
    schemas["Problem"] = schemas.pop("ProblemDetails")
    for operation in _operations(document):
        responses = operation.setdefault("responses", {})
        told = [status for status in responses if status.isdigit() and int(status) >= 400]  # noqa: PLR2004
        for status in told:
            responses[status] = _response(responses[status].get("description", ""))
        if operation.get("parameters") or operation.get("requestBody"):
            responses.setdefault("400", _response("Something in the request is wrong; `errors` says what."))
        if operation.get("requestBody"):
            responses.setdefault("413", _response("The body is too large."))
            responses.setdefault("415", _response("The body is of another media type."))
        if operation.get("security"):
            responses.setdefault("401", _response("There is no valid token."))
        responses["default"] = _response("Any other error.")
    return document


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document.get("paths", {}).values():
        for method, operation in path.items():
            if method in _METHODS:
                yield operation


def _response(description: str) -> dict[str, Any]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": _PROBLEM}}}}
