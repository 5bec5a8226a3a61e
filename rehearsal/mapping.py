"""From a resource's properties to the parameters of an AWS operation, guided by the botocore shape of it.

Pulumi's `scalingConfig.minSize` and the API's `ScalingConfig.MinSize` are the same words in another case, so
the shape itself is the mapping; adapters state only where the words or the nesting differ.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from rehearsal.service_models import operation_input

_TAG_MEMBERS = ("tags", "taglist", "tagset")
_ALWAYS_OMITTED = frozenset({"region", "tags", "tagsAll"})
_INDEX = re.compile(r"\[\d+\]")


@dataclass
class Mapped:
    """A request, the inputs that found no place in it, and the way back from its paths to Pulumi's."""

    request: dict[str, Any]
    unused: list[str] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    renames: Mapping[str, str] = field(default_factory=dict)

    def property_of(self, path: str) -> str:
        """The Pulumi property behind a request path such as `ScalingConfig.MinSize`.

        A path that was not given (a required member is missing) is the nearest given one and the rest in
        Pulumi's case.
        """
        for given, member in self.renames.items():
            if member == path and path not in self.paths:
                return given
        known, rest = path, ""
        while known and known not in self.paths:
            at = max(known.rfind("."), known.rfind("["), 0)
            known, rest = known[:at], known[at:] + rest
        if not known:
            return ".".join(part[:1].lower() + part[1:] for part in rest.split("."))
        return self.paths[known] + re.sub(r"\.(\w)", lambda match: "." + match[1].lower(), rest)


def mapped(
    service: str,
    operation: str,
    inputs: Mapping[str, Any],
    *,
    renames: Mapping[str, str] | None = None,
    omit: Iterable[str] = (),
    within: str = "",
    tags: Mapping[str, str] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Mapped:
    """Builds the request of `operation` from `inputs`.

    `renames`: Pulumi property -> API member. A property is named alone (at any depth) or by its path from
    the top; then the member may be a path below the property's own place, as in
    `{"vpcId": "Network.VpcIds"}`, where each list on the way gets one item.
    `omit`: properties that the adapter handles itself; nested ones by path.
    `within`: the member that takes the properties for which the operation itself has no member.
    `tags`: put in the form the operation wants (a map, or a list of key and value).
    `extra`: further parameters, by member or path.
    """
    shape = operation_input(service, operation)
    result = Mapped({}, renames=renames or {})
    mapper = _Mapper(result, frozenset(omit))
    given = {key: value for key, value in inputs.items() if key not in _ALWAYS_OMITTED}
    result.request = mapper.structure(given, shape, _Place("", ""), within)
    for path, value in (extra or {}).items():
        _place(result.request, shape, path, value)
    if tags:
        _put_tags(shape, tags, result)
    return result


class _Mapper:
    """Walks inputs and shape together; see `mapped`."""

    def __init__(self, result: Mapped, omitted: Collection[str]) -> None:
        self.result = result
        self.renames = result.renames
        self.omitted = omitted

    def structure(
        self, given: Mapping[str, Any], shape: Any, place: "_Place", within: str = ""
    ) -> dict[str, Any]:
        """The request's form of an object's properties."""
        request: dict[str, Any] = {}
        plain = _INDEX.sub("", place.property) + "." if place.property else ""
        for key, value in given.items():
            if value is None or plain + key in self.omitted:
                continue
            target = self.renames.get(plain + key)
            if target is None or "." not in target:
                target = self._target(target or self.renames.get(key, key), key, shape, within)
            if target is None:
                self.result.unused.append(plain + key)
            else:
                self._put(request, shape, target, value, place.within(target, key, shape))
        return request

    def _target(self, wanted: str, key: str, shape: Any, within: str) -> str | None:
        """The member for a property: of the object itself, or of its member `within`."""
        for name in (wanted, key):
            if member := _member(name, shape):
                return member
            if within and (inner := _member(name, shape.members[within])):
                return f"{within}.{inner}"
        return None

    def _put(self, request: dict[str, Any], shape: Any, target: str, value: Any, place: "_Place") -> None:
        at = _shape_at(shape, target)
        if value == [] and at.type_name == "list":
            return  # the providers send no empty lists, and many APIs refuse them
        self.result.paths[place.path] = place.property
        _place(request, shape, target, self._value(value, at, place))

    def _value(self, value: Any, shape: Any, place: "_Place") -> Any:
        kind = shape.type_name
        if kind == "structure":
            if isinstance(value, list) and len(value) == 1:  # a block that Pulumi keeps as a list of one
                value, place = value[0], _Place(place.path, f"{place.property}[0]")
            if isinstance(value, Mapping) and not getattr(shape, "is_document_type", False):
                return self.structure(value, shape, place)
            return value
        if kind == "list":
            return self._list(value, shape, place)
        return _scalar(value, kind, place.property)

    def _list(self, value: Any, shape: Any, place: "_Place") -> list[Any]:
        alone = not isinstance(value, list)  # one where the API takes several
        result: list[Any] = []
        for index, each in enumerate([value] if alone else value):
            item = _Place(f"{place.path}[{index}]", place.property if alone else f"{place.property}[{index}]")
            self.result.paths[item.path] = item.property
            result.append(self._value(each, shape.member, item))
        return result


class _Place(NamedTuple):
    """Where a value stands: its path in the request, and that of the property it was taken from."""

    path: str
    property: str

    def within(self, target: str, key: str, shape: Any) -> "_Place":
        """The place of a property of the object here; `shape` is the object's."""
        path = self.path
        for name in target.split("."):
            if shape.type_name == "list":
                shape, path = shape.member, f"{path}[0]"
            shape, path = shape.members[name], f"{path}.{name}" if path else name
        return _Place(path, f"{self.property}.{key}" if self.property else key)


def _scalar(value: Any, kind: str, name: str) -> Any:
    """Pulumi writes some numbers and booleans as strings, and takes policies as objects too."""
    if kind in ("integer", "long") and isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if kind in ("float", "double") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "boolean" and value in ("true", "false"):
        return value == "true"
    if kind == "string" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if kind == "string" and isinstance(value, Mapping) and name.lower().endswith("policy"):
        return json.dumps(value)
    return value


def _member(wanted: str, shape: Any) -> str | None:
    """Pulumi names lists in the plural where the API often does not, and the other way round."""
    members, wanted = _members(shape), wanted.lower()
    return members.get(wanted) or members.get(wanted + "s") or members.get(wanted.removesuffix("s"))


_MEMBERS: dict[int, tuple[Any, dict[str, str]]] = {}


def _members(shape: Any) -> dict[str, str]:
    known = _MEMBERS.get(id(shape))
    if known is None:
        known = _MEMBERS[id(shape)] = (shape, {name.lower(): name for name in shape.members})
    return known[1]


def _shape_at(shape: Any, target: str) -> Any:
    for name in target.split("."):
        if shape.type_name == "list":
            shape = shape.member
        shape = shape.members[name]
    return shape


def _place(request: dict[str, Any], shape: Any, target: str, value: Any) -> None:
    """Sets the parameter at a path such as `IpPermissions.IpRanges.CidrIp`; lists on the way get one item."""
    *parents, last = target.split(".")
    for name in parents:
        shape = shape.members[name]
        if shape.type_name == "list":
            shape = shape.member
            (request,) = request.setdefault(name, [{}])
        else:
            request = request.setdefault(name, {})
    request[last] = value


def _put_tags(shape: Any, tags: Mapping[str, str], result: Mapped) -> None:
    name = next((members for key in _TAG_MEMBERS if (members := _members(shape).get(key))), None)
    if name is None:
        return
    member = shape.members[name]
    result.paths[name] = "tags"
    if member.type_name == "map":
        result.request[name] = dict(tags)
        return
    key, value = _tag_keys(member.member)
    result.request[name] = [{key: each, value: tags[each]} for each in tags]
    for index, each in enumerate(tags):
        result.paths |= {f"{name}[{index}].{part}": f"tags.{each}" for part in (key, value)}


@cache
def _tag_keys(shape: Any) -> tuple[str, str]:
    names = list(shape.members)
    return (
        next(name for name in names if name.lower().endswith("key")),
        next(name for name in names if name.lower().endswith("value")),
    )


def camel(value: Any) -> Any:
    """A response in Pulumi's case: `VpcId` -> `vpcId`, at every depth."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: camel(each) for key, each in value.items()}
    if isinstance(value, list):
        return [camel(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
