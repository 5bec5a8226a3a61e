"""The HTTP server of the API: who asks, what the URL names, and refusals as Kubernetes writes them."""

import asyncio
import hashlib
import logging
import ssl
from typing import TYPE_CHECKING, Any, Final

import orjson
from aiohttp import web

from emulator.cluster.api import discovery
from emulator.cluster.api.authentication import Authentication, User
from emulator.cluster.api.negotiation import BODY_LIMIT, JSON, decoded, media_ranges, too_large
from emulator.cluster.api.openapi import OPENAPI_V2, OPENAPI_V2_TYPE, OpenApi
from emulator.cluster.api.rest import Rest, json_response, method_not_allowed, target_of
from emulator.cluster.api.reviews import REVIEWS, review
from emulator.cluster.api.subresources import Subresources
from emulator.cluster.settings import Settings
from emulator.cluster.status import ApiError, bad_request

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster

_LOG: Final = logging.getLogger(__name__)
_HEALTH: Final = {"healthz", "livez", "readyz"}
_OPEN: Final = {*_HEALTH, "version"}
"""First steps of the paths that need no token."""


def application(cluster: "Cluster") -> web.Application:
    """The API of a cluster; run it with `handler_cancellation`, so that who left is noticed."""
    server = _Server(cluster)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/{path:.*}", server.answer)
    app.on_shutdown.append(server.end_watches)
    return app


def ssl_context(settings: Settings) -> ssl.SSLContext:
    """TLS with the server's certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    return context


def refused(refusal: ApiError) -> web.Response:
    """A refusal as its Status object."""
    response = json_response(refusal.body(), refusal.code)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


class _Server:
    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster
        self._resources = cluster.resources
        self._authentication = Authentication(lambda: cluster.settings, cluster.store.clock)
        self._rest = Rest(cluster)
        self._subresources = Subresources(cluster, self._authentication)
        self._openapi = OpenApi(cluster.store, cluster.resources)

    async def end_watches(self, _: web.Application) -> None:
        self._rest.watches.end_all()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except ApiError as refusal:
            return refused(refusal)
        except web.HTTPRequestEntityTooLarge:
            return refused(too_large())
        except RecursionError:
            return refused(bad_request("exceeded max depth: the object has too many levels"))
        except (ConnectionResetError, asyncio.CancelledError):
            raise  # the client went away
        except Exception as error:
            _LOG.exception("%s %s", request.method, request.path)
            what = type(error).__name__
            return refused(ApiError(500, "InternalError", f"Internal error occurred: {what}; see the log"))

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        steps = [step for step in request.rel_url.raw_path.split("/") if step]
        if steps and steps[0] in _OPEN:
            return self._described(request, steps) or _page_not_found()
        user = self._authentication.user(request.headers.get("Authorization", ""))
        match steps:
            case ["api", "v1" as version, *rest] if rest:
                return await self._resource(request, user, "", version, rest)
            case ["apis", group, version, *rest] if rest:
                return await self._resource(request, user, group, version, rest)
            case _:
                return self._described(request, steps) or _page_not_found()

    async def _resource(
        self, request: web.Request, user: User, group: str, version: str, rest: list[str]
    ) -> web.StreamResponse:
        kind = REVIEWS.get((group, version, rest[0]))
        if kind and len(rest) == 1:
            if request.method != "POST":
                raise method_not_allowed()
            given = decoded(await request.read(), request.content_type)
            return json_response(review(kind, given, user, self._authentication), 201)
        if discovery.resource_list(self._resources, group, version) is None:
            return _page_not_found()
        target = target_of(self._resources, group, version, rest)
        if target.subresource:
            answered = await self._subresources.answer(request, target)
            if answered is not None:
                return answered
        return await self._rest.answer(request, target)

    def _described(self, request: web.Request, steps: list[str]) -> web.Response | None:
        """What the server says of itself; None for a path that has nothing."""
        found = self._document(request, steps)
        if found is None:
            return None
        if request.method not in {"GET", "HEAD"}:
            raise method_not_allowed()
        if isinstance(found, web.Response):
            return found
        body = found if isinstance(found, bytes) else orjson.dumps(found)
        tag = f'"{hashlib.sha256(body).hexdigest()[:32].upper()}"'
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(body=body, content_type=JSON, headers={"ETag": tag, "Vary": "Accept"})

    def _document(
        self, request: web.Request, steps: list[str]
    ) -> dict[str, Any] | bytes | web.Response | None:
        version = self._cluster.settings.version
        match steps:
            case ["version"]:
                found = discovery.version_info(version)
            case [health, *_] if health in _HEALTH:
                found = web.Response(text="ok")
            case ["api" | "apis" as root] if discovery.wants_aggregated(request.headers.get("Accept", "")):
                found = self._aggregated(core=root == "api")
            case ["api"]:
                found = discovery.core_versions(request.host)
            case ["apis"]:
                found = discovery.group_list(self._resources)
            case ["apis", group]:
                found = discovery.group(self._resources, group)
            case ["api", "v1" as at]:
                found = discovery.resource_list(self._resources, "", at)
            case ["apis", group, at]:
                found = discovery.resource_list(self._resources, group, at)
            case ["openapi", *path]:
                found = self._schemas(request, path)
            case _:
                found = None
        return found

    def _schemas(self, request: web.Request, path: list[str]) -> dict[str, Any] | bytes | web.Response | None:
        version = self._cluster.settings.version
        match path:
            case ["v2"]:
                return web.Response(body=OPENAPI_V2, content_type=OPENAPI_V2_TYPE)
            case ["v3"]:
                return self._openapi.index(version)
            case ["v3", *rest]:
                if not any(each.json for each in media_ranges(request.headers.get("Accept", ""))):
                    raise ApiError(
                        406, "NotAcceptable", f"only the following media types are accepted: {JSON}"
                    )
                return self._openapi.document("/".join(rest), version)
            case _:
                return None

    def _aggregated(self, *, core: bool) -> web.Response:
        body = orjson.dumps(discovery.aggregated(self._resources, core=core))
        kind = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        return web.Response(body=body, headers={"Content-Type": kind})


def _page_not_found() -> web.Response:
    """What the real server answers where nothing is served."""
    return web.Response(text="404 page not found\n", status=404)
