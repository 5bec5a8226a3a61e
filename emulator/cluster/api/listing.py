"""Which objects a list or a watch is about, and the pages of a list.

A list that continues shows the objects as they were when its first page was answered, whatever changed since:
the changes are taken back one after the other. So a client can watch from the version of the list.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from emulator.cluster.resources import Resource
from emulator.cluster.selectors import FieldSelector, LabelSelector
from emulator.cluster.status import ApiError, Cause, bad_request
from emulator.cluster.store import Key, Object, Store, key_of

_RETRY_SECONDS = 1
_DIGITS = 19


@dataclass(frozen=True)
class Selection:
    """Objects of one resource."""

    resource: Resource
    namespace: str | None = None
    """None for all."""
    labels: LabelSelector = field(default_factory=LabelSelector)
    fields: FieldSelector = field(default_factory=FieldSelector)

    @classmethod
    def of(cls, resource: Resource, namespace: str | None, query: Mapping[str, str]) -> "Selection":
        """By the query of a request. Raises ApiError 400 for selectors that cannot be."""
        fields = FieldSelector.parse(query.get("fieldSelector", ""))
        fields.check(resource)
        return cls(resource, namespace, LabelSelector.parse(query.get("labelSelector", "")), fields)

    @property
    def everything(self) -> bool:
        """Whether there are no selectors."""
        return not self.labels.requirements and not self.fields.requirements

    def matches(self, obj: Object) -> bool:
        """Whether the object is selected."""
        metadata = obj["metadata"]
        if self.namespace is not None and metadata.get("namespace") != self.namespace:
            return False
        if self.everything:
            return True
        return self.labels.matches(metadata.get("labels")) and self.fields.matches(obj)


@dataclass(frozen=True)
class Page:
    """A list, or a part of it, with the metadata that a list has."""

    objects: Sequence[Object]
    metadata: dict[str, Any]


def page(store: Store, selection: Selection, query: Mapping[str, str]) -> Page:
    """What a list request gets. Raises ApiError 400, 410 and 504."""
    limit = integer(query, "limit") or 0
    if query.get("continue"):
        version, after = _continued(query["continue"])
        if version > store.version:  # a token of an earlier life of the cluster
            raise ApiError(410, "Expired", "The provided continue parameter is too old; start a new list")
        objects = [obj for obj in _at(store, selection, version) if key_of(obj) > after]
    else:
        version = _version(store, query)
        objects = _at(store, selection, version)
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if limit and len(objects) > limit:
        metadata["continue"] = _continue(version, key_of(objects[limit - 1]))
        if selection.everything:  # as in Kubernetes, which would have to read them all otherwise
            metadata["remainingItemCount"] = len(objects) - limit
        objects = objects[:limit]
    return Page(objects, metadata)


def resource_version(store: Store, query: Mapping[str, str]) -> int | None:
    """The version that a request names; None for none. Raises ApiError 400, and 504 for one yet to come."""
    given = query.get("resourceVersion", "")
    if not given:
        return None
    if not _is_number(given):
        raise bad_request(
            f'Invalid value: "{given}": resourceVersion must be a number of a list or an object'
        )
    version = int(given)
    if version > store.version:
        message = f"Too large resource version: {version}, current: {store.version}"
        raise ApiError(
            *(504, "Timeout", f"Timeout: {message}"),
            causes=[Cause("", "Too large resource version", "ResourceVersionTooLarge")],
            retry_after=_RETRY_SECONDS,
        )
    return version


def integer(query: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a whole number, zero or more. Raises ApiError 400."""
    given = query.get(name, "")
    if given and not _is_number(given):
        raise bad_request(f'{name}: Invalid value: "{given}": must be a whole number, zero or more')
    return int(given) if given else None


def _is_number(text: str) -> bool:
    """Whether a text is a whole number, zero or more, of Go's int64."""
    return text.isascii() and text.isdecimal() and len(text) < _DIGITS


def _version(store: Store, query: Mapping[str, str]) -> int:
    version = resource_version(store, query)
    match = query.get("resourceVersionMatch", "")
    if match and version is None:
        raise _forbidden_match("resourceVersionMatch is forbidden unless resourceVersion is provided")
    if match not in {"", "Exact", "NotOlderThan"}:
        raise _forbidden_match(f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"')
    if match == "Exact":
        if not version:
            raise _forbidden_match('resourceVersionMatch "Exact" is forbidden for resourceVersion "0"')
        return version
    return store.version


def _forbidden_match(message: str) -> ApiError:
    cause = Cause("resourceVersionMatch", message, "FieldValueForbidden")
    return ApiError(
        *(422, "Invalid", f'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: {message}'),
        group="meta.k8s.io",
        kind="ListOptions",
        causes=[cause],
    )


def _at(store: Store, selection: Selection, version: int) -> list[Object]:
    """The objects selected, as they were at a version, in the order of namespace and name."""
    if version == store.version:
        only = selection.fields.name
        if only is not None and (selection.namespace is not None or not selection.resource.namespaced):
            found = store.find(selection.resource, selection.namespace or "", only)
            objects = [found] if found else []
        else:
            objects = store.list(selection.resource, selection.namespace)
    else:
        past: dict[Key, Object] = {key_of(obj): obj for obj in store.list(selection.resource)}
        for event in reversed([*store.changes(selection.resource, version)]):
            past.pop(event.key, None)
            if event.before is not None:
                past[event.key] = event.before
        objects = [past[key] for key in sorted(past)]
    if selection.everything and (selection.namespace is None or version == store.version):
        return objects
    return [obj for obj in objects if selection.matches(obj)]


def _continue(version: int, key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, *key])).decode().rstrip("=")


def _continued(token: str) -> tuple[int, Key]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        return int(version), (str(namespace), str(name))
    except (ValueError, TypeError, binascii.Error):
        raise bad_request(
            "continue key is not valid: it is not one that a list of this server answered"
        ) from None
