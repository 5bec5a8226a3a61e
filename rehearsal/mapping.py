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
    the top; a top-level one may go to a path, as in `{"vpcId": "Network.VpcIds"}`, where each list on the
    way gets one item.
    `omit`: properties (alone or by path) that the adapter handles itself.
    `within`: the member that takes the properties for which the operation itself has no member.
    `tags`: put in the form the operation wants (a map, or a list of key and value).
    `extra`: further parameters, by member or path.
    """
    shape = operation_input(service, operation)
    result = Mapped({}, renames=renames or {})
    _Mapper(result, _ALWAYS_OMITTED.union(omit)).fill(shape, inputs, within)
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

    def fill(self, shape: Any, inputs: Mapping[str, Any], within: str) -> None:
        """Puts each of the resource's properties where it belongs."""
        inner = shape.members[within] if within else None
        for key, value in inputs.items():
            if value is None or key in self.omitted:
                continue
            target = self.renames.get(key, key)
            if "." in target:
                self._far(shape, key, target, value)
            elif (name := _member(target, shape)) is not None:
                self._put(self.result.request, shape.members[name], value, _Place(name, key))
            elif inner is not None and (name := _member(target, inner)) is not None:
                into = self.result.request.setdefault(within, {})
                self._put(into, inner.members[name], value, _Place(f"{within}.{name}", key))
            else:
                self.result.unused.append(key)

    def _far(self, shape: Any, key: str, target: str, value: Any) -> None:
        """A top-level property that belongs deeper."""
        path, at = _shape_at(shape, target)
        self.result.paths[path] = key
        _place(self.result.request, shape, target, self._value(value, at, _Place(path, key)))

    def _put(self, into: dict[str, Any], shape: Any, value: Any, place: "_Place") -> None:
        if value == [] and shape.type_name == "list":
            return  # the providers send no empty lists, and many APIs refuse them
        self.result.paths[place.path] = place.property
        into[place.path.rsplit(".", 1)[-1]] = self._value(value, shape, place)

    def _structure(self, given: Mapping[str, Any], shape: Any, place: "_Place") -> dict[str, Any]:
        request: dict[str, Any] = {}
        plain_path = _INDEX.sub("", place.property)
        for key, value in given.items():
            here = f"{plain_path}.{key}"
            if value is None or key in self.omitted or here in self.omitted:
                continue
            name = _member(self.renames.get(here) or self.renames.get(key, key), shape)
            inside = _Place(f"{place.path}.{name}", f"{place.property}.{key}")
            if name is None:
                self.result.unused.append(inside.property)
            else:
                self._put(request, shape.members[name], value, inside)
        return request

    def _value(self, value: Any, shape: Any, place: "_Place") -> Any:
        kind = shape.type_name
        if kind == "structure":
            if isinstance(value, list) and len(value) == 1:  # a block that Pulumi keeps as a list of one
                value, place = value[0], _Place(place.path, f"{place.property}[0]")
            if isinstance(value, Mapping) and not getattr(shape, "is_document_type", False):
                return self._structure(value, shape, place)
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


def _shape_at(shape: Any, target: str) -> tuple[str, Any]:
    """The path that `_place` gives to `target`, and the shape there."""
    path = ""
    for name in target.split("."):
        if shape.type_name == "list":
            shape, path = shape.member, f"{path}[0]"
        shape, path = shape.members[name], f"{path}.{name}" if path else name
    return path, shape


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
        result.paths[f"{name}[{index}]"] = f"tags.{each}"


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
