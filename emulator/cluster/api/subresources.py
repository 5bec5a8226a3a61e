"""What pods, namespaces and service accounts have besides status and scale: logs, evictions, bindings, tokens."""

import contextlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from emulator.cluster.api.authentication import Authentication
from emulator.cluster.api.listing import integer
from emulator.cluster.api.negotiation import decoded, part
from emulator.cluster.api.rest import Target, json_response, method_not_allowed
from emulator.cluster.api.watch import flag
from emulator.cluster.conditions import conditions_of, with_condition
from emulator.cluster.controllers.disruption import evict
from emulator.cluster.status import ApiError, bad_request, conflict
from emulator.cluster.store import Object, copy_of, timestamp

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster

NOT_SERVED: Final = {
    ("pods", "exec"),
    ("pods", "attach"),
    ("pods", "portforward"),
    ("pods", "proxy"),
    ("pods", "ephemeralcontainers"),
    ("pods", "resize"),
    ("services", "proxy"),
    ("nodes", "proxy"),
}
"""Said to be missing, where silence would look like a wrong URL."""
_TOKEN_SECONDS: Final = 3600
_SHORTEST_TOKEN_SECONDS: Final = 600
_LONGEST_TOKEN_SECONDS: Final = 2**32
_DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"


class Subresources:
    """Those that are not answered by the verbs of `rest`."""

    def __init__(self, cluster: "Cluster", authentication: Authentication) -> None:
        self._cluster = cluster
        self._store = cluster.store
        self._authentication = authentication

    async def answer(self, request: web.Request, target: Target) -> web.StreamResponse | None:
        """The answer, or None when it is not for this class. Raises ApiError."""
        match target.resource.qualified, target.subresource, request.method:
            case "pods", "log", "GET":
                return await self._log(request, target)
            case "pods", "eviction", "POST":
                body = decoded(await request.read(), request.content_type)
                body = self._cluster.writes.read_fields("policy/v1", "Eviction", body)
                evict(self._store, self._cluster.resources, target.within, target.name, body)
                return _success(201)
            case "pods", "binding", "POST":
                self._bind(target, decoded(await request.read(), request.content_type))
                return _success(201)
            case "namespaces", "finalize", "PUT":
                return self._finalize(target, decoded(await request.read(), request.content_type))
            case "serviceaccounts", "token", "POST":
                return self._token(target, decoded(await request.read(), request.content_type))
            case (
                ("pods", "log" | "eviction" | "binding", _)
                | ("namespaces", "finalize", _)
                | ("serviceaccounts", "token", _)
            ):
                raise method_not_allowed()
            case qualified, subresource, _ if (qualified, subresource) in NOT_SERVED:
                raise ApiError(
                    *(501, "NotImplemented"),
                    f"{qualified}/{subresource} is not served by the emulated cluster; pods are processes of "
                    "this machine: reach one at its status.podIP, and read its output with kubectl logs",
                )
            case _:
                return None

    async def _log(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod, query = self._store.get(target.resource, target.within, target.name), request.query
        container = _container(pod, query.get("container", ""))
        if not pod["spec"].get("nodeName"):
            raise bad_request(f"pod {target.name} does not have a host assigned")
        seconds = integer(query, "sinceSeconds")
        if query.get("sinceTime"):
            seconds = self._seconds_since(query["sinceTime"])
        chunks = self._cluster.kubelet.log(
            *(target.within, target.name, container),
            follow=flag(query, "follow"),
            tail_lines=integer(query, "tailLines"),
            previous=flag(query, "previous"),
            timestamps=flag(query, "timestamps"),
            since_seconds=seconds,
            limit_bytes=integer(query, "limitBytes"),
        )
        return await _stream(request, chunks)

    def _seconds_since(self, text: str) -> int:
        try:
            age = self._store.clock() - datetime.fromisoformat(text)
        except (ValueError, TypeError):  # the latter: a time without its zone
            raise bad_request(f'sinceTime: Invalid value: "{text}": must be a time of RFC 3339') from None
        return max(1, int(age.total_seconds()))

    def _bind(self, target: Target, binding: Object) -> None:
        node = self._cluster.writes.read_fields("v1", "Binding", binding).get("target", {}).get("name")
        if not node:
            raise bad_request("target.name: Required value: the node to bind the pod to")
        pod = copy_of(self._store.get(target.resource, target.within, target.name))
        assigned = pod["spec"].get("nodeName")
        if assigned:
            message = f'pod {target.name} is already assigned to node "{assigned}"'
            raise conflict(target.resource, target.name, message)
        pod["spec"]["nodeName"] = node
        conditions = with_condition(conditions_of(pod), "PodScheduled", ("True",), self._store.clock())
        pod["status"] = {**(pod.get("status") or {}), "conditions": conditions}
        self._store.update(target.resource, pod)

    def _finalize(self, target: Target, given: Object) -> web.Response:
        namespace = copy_of(self._store.get(target.resource, "", target.name))
        given = self._cluster.writes.read_fields("v1", "Namespace", given)
        namespace.setdefault("spec", {})["finalizers"] = part(given, "spec").get("finalizers") or []
        version = part(given, "metadata").get("resourceVersion")
        if version:
            namespace["metadata"]["resourceVersion"] = version
        return json_response(self._store.update(target.resource, namespace))

    def _token(self, target: Target, given: Object) -> web.Response:
        account = self._store.get(target.resource, target.within, target.name)
        given = self._cluster.writes.read_fields("authentication.k8s.io/v1", "TokenRequest", given)
        spec: dict[str, Any] = {"expirationSeconds": _TOKEN_SECONDS, **part(given, "spec")}
        seconds = spec["expirationSeconds"]
        if not _SHORTEST_TOKEN_SECONDS <= seconds <= _LONGEST_TOKEN_SECONDS:
            bound = (
                "less than 10 minutes" if seconds < _SHORTEST_TOKEN_SECONDS else "larger than 2^32 seconds"
            )
            raise ApiError(
                *(422, "Invalid"),
                f'TokenRequest.authentication.k8s.io "{target.name}" is invalid: spec.expirationSeconds: '
                f"Invalid value: {seconds}: may not specify a duration {bound}",
            )
        uid = account["metadata"]["uid"]
        token, expires = self._authentication.issue(
            target.within, target.name, uid, timedelta(seconds=seconds)
        )
        answer: Object = {
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": {"name": target.name, "namespace": target.namespace},
            "spec": spec,
            "status": {"token": token, "expirationTimestamp": timestamp(expires)},
        }
        return json_response(answer, 201)


def _container(pod: Object, asked: str) -> str:
    """Which container's log is meant. Raises ApiError 400 when that cannot be said."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    containers = [each["name"] for each in spec["containers"]]
    others = [each["name"] for each in (*(spec.get("initContainers") or ()),)]
    preferred = (pod["metadata"].get("annotations") or {}).get(_DEFAULT_CONTAINER, "")
    if asked:
        if asked not in containers + others:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(containers) == 1:
        return containers[0]
    if preferred in containers:
        return preferred
    choices = f"a container name must be specified for pod {name}, choose one of: [{' '.join(containers)}]"
    if others:
        choices += f" or one of the init containers: [{' '.join(others)}]"
    raise bad_request(choices)


async def _stream(request: web.Request, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send chunks as they come. What is wrong before the first one becomes an answer of its own."""
    first = await anext(chunks, b"")
    response = web.StreamResponse()
    response.content_type = "text/plain"
    await response.prepare(request)
    with contextlib.suppress(ConnectionResetError):  # the client went away
        await response.write(first)
        async for chunk in chunks:
            if request.transport is None:
                break
            await response.write(chunk)
    return response


def _success(code: int) -> web.Response:
    return json_response(
        {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": code}, code
    )
