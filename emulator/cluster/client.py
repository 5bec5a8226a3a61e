"""A small synchronous client of a cluster's API, for the emulator's own parts and for the rehearsal.

The official Python client takes longer to import than the rehearsal of a layer takes; this one is urllib3
and JSON. It goes straight to the server: no proxy of the environment is asked.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode

import orjson
import urllib3

from emulator.cluster.resources import BUILT_IN, Resource
from emulator.cluster.status import ApiError, Cause
from emulator.cluster.store import Object
from emulator.process import EmulatorError

Objects = list[Object]

MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
_APPLY_PATCH: Final = "application/apply-patch+yaml"  # JSON is YAML

_TIMEOUT_SECONDS: Final = 30.0
_POOL_SIZE: Final = 8
_NOT_FOUND: Final = 404
_FIRST_REFUSAL: Final = 400
_FIRST_FAILURE: Final = 500
_BUILT_IN: Final = {(resource.api_version, resource.kind): resource for resource in BUILT_IN}


class ClusterClient:
    """Calls one API server; may be used by several threads at once.

    Args:
        endpoint: `https://host:port`.
        certificate_authority: PEM text, or the file that has it.
        token: bearer token.
        timeout_seconds: of waiting for the server: to connect, and for each piece of an answer.

    Every call raises `ApiError` when the server refuses and `EmulatorError` when there is no answer.
    """

    def __init__(
        self,
        endpoint: str,
        certificate_authority: str | Path,
        token: str,
        timeout_seconds: float = _TIMEOUT_SECONDS,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._pool = urllib3.PoolManager(
            maxsize=_POOL_SIZE,
            timeout=timeout_seconds,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_cert_data=_pem(certificate_authority),
        )
        self._discovered: dict[tuple[str, str], Resource] = {}
        """Custom resources by API version and kind."""

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The object; `namespace` is empty where there is none."""
        return self.request("GET", resource.path(namespace, name))

    def list(self, resource: Resource, namespace: str | None = None, label_selector: str = "") -> Objects:
        """All objects, of one namespace or of all, which the selector matches."""
        path = _with(resource.path(namespace), labelSelector=label_selector)
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [kind | each for each in self.request("GET", path)["items"]]

    def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object in the namespace that it names (`default` if none)."""
        return self.request("POST", resource.path(_namespace(resource, obj)), obj)

    def replace(self, resource: Resource, obj: Object, subresource: Literal["", "status"] = "") -> Object:
        """Put the object in place of the one with its name. Refused with 409 when that has changed since."""
        path = resource.path(_namespace(resource, obj), obj["metadata"]["name"])
        return self.request("PUT", f"{path}/{subresource}" if subresource else path, obj)

    def apply(self, resource: Resource, obj: Object, manager: str, *, force: bool = True) -> Object:
        """Server-side apply as the field manager `manager`; without `force`, others' fields are a conflict."""
        path = resource.path(_namespace(resource, obj), obj["metadata"]["name"])
        path = _with(path, fieldManager=manager, force="true" if force else "")
        return self.request("PATCH", path, obj, _APPLY_PATCH)

    def patch(
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: object,
        *,
        content_type: str = MERGE_PATCH,
        subresource: str = "",
    ) -> Object:
        """Change parts of an object; `content_type` says which of the patch types it is."""
        path = resource.path(namespace, name)
        return self.request("PATCH", f"{path}/{subresource}" if subresource else path, patch, content_type)

    def delete(self, resource: Resource, namespace: str, name: str, **options: object) -> Object:
        """Delete an object; `options` are those of `DeleteOptions`, such as propagationPolicy="Foreground".

        Returns the object while something still holds it, else a `Status`.
        """
        body = {"kind": "DeleteOptions", "apiVersion": "v1", **options} if options else None
        return self.request("DELETE", resource.path(namespace, name), body)

    def resource_of(self, manifest: Mapping[str, Any]) -> Resource:
        """The resource of a manifest's kind, which the server is asked for when it is not a built-in one.

        Raises `ApiError` 404 when the server has no such kind.
        """
        wanted = str(manifest.get("apiVersion", "")), str(manifest.get("kind", ""))
        found = _BUILT_IN.get(wanted) or self._discovered.get(wanted)
        if found is None:
            self._discover(wanted[0])
            found = self._discovered.get(wanted)
        if found is None:
            raise _no_such_kind(*wanted)
        return found

    def request(
        self, method: str, path: str, body: object = None, content_type: str = "application/json"
    ) -> Any:
        """One call. `path` may carry a query; the answer is parsed JSON."""
        headers = {**self._headers, "Content-Type": content_type} if body is not None else self._headers
        content = None if body is None else orjson.dumps(body)
        try:
            answer = self._pool.request(method, self.endpoint + path, body=content, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise _unreachable(self.endpoint, error) from error
        return _parsed(answer.status, answer.data)

    def _discover(self, api_version: str) -> None:
        group, _, version = api_version.rpartition("/")
        try:
            answer = self.request("GET", f"/apis/{group}/{version}" if group else f"/api/{version}")
        except ApiError as refusal:
            if refusal.code != _NOT_FOUND:
                raise
            return  # no such group
        for each in answer["resources"]:
            if "/" in each["name"]:
                continue
            scope = "Namespaced" if each["namespaced"] else "Cluster"
            self._discovered[api_version, each["kind"]] = Resource(
                *(group, version, each["kind"], each["name"], scope),
                short_names=tuple(each.get("shortNames") or ()),
            )


def _pem(certificate_authority: str | Path) -> str:
    if isinstance(certificate_authority, str) and "-----BEGIN" in certificate_authority:
        return certificate_authority
    return Path(certificate_authority).read_text(encoding="ascii")


def _namespace(resource: Resource, obj: Object) -> str:
    return (obj["metadata"].get("namespace") or "default") if resource.namespaced else ""


def _with(path: str, **query: str) -> str:
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{path}?{given}" if given else path


def _parsed(code: int, data: bytes) -> Any:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = None
    if code < _FIRST_REFUSAL:
        return body
    if not isinstance(body, dict) or body.get("kind") != "Status":
        reason = "InternalError" if code >= _FIRST_FAILURE else "Unknown"
        raise ApiError(code, reason, data.decode(errors="replace"))
    raise _refusal(code, body)


def _refusal(code: int, status: dict[str, Any]) -> ApiError:
    """The error that the server raised."""
    details = status.get("details") or {}
    return ApiError(
        *(status.get("code") or code, status.get("reason") or "Unknown", status.get("message") or ""),
        name=details.get("name") or "",
        group=details.get("group") or "",
        kind=details.get("kind") or "",
        causes=[
            Cause(each.get("field") or "", each.get("message") or "", each.get("reason") or "")
            for each in details.get("causes") or ()
        ],
        retry_after=details.get("retryAfterSeconds"),
    )


def _no_such_kind(api_version: str, kind: str) -> ApiError:
    return ApiError(
        404,
        "NotFound",
        f'no matches for kind "{kind}" in version "{api_version}": install its CustomResourceDefinition first',
    )


def _unreachable(endpoint: str, error: Exception) -> EmulatorError:
    if isinstance(error, urllib3.exceptions.SSLError):
        return EmulatorError(
            f"the API server at {endpoint} is not the one that the certificate authority vouches for: {error}",
            "take the endpoint and the certificate authority from the same kubeconfig",
        )
    return EmulatorError(
        f"the API server at {endpoint} does not answer: {error}",
        "`pinwheel status` tells whether the cluster runs; a killed one is back within seconds",
    )
