"""Label and field selectors, read as the API server reads them and refused in its words.

The grammar and the messages are those of `k8s.io/apimachinery/pkg/labels/selector.go` and `.../fields`; which
fields a resource can be selected by is fixed by its type, as in `pkg/apis/*/v1/conversion.go` of Kubernetes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from emulator.cluster import names
from emulator.cluster.resources import Resource
from emulator.cluster.status import ApiError, bad_request


def _less(value: str | None, bounds: frozenset[str]) -> bool:
    return _is_integer(value) and int(value or 0) < int(next(iter(bounds)))


def _greater(value: str | None, bounds: frozenset[str]) -> bool:
    return _is_integer(value) and int(value or 0) > int(next(iter(bounds)))


def _refuse(path: str, value: str, problem: str) -> None:
    if problem:
        raise bad_request(f'{path}: Invalid value: "{value}": {problem}')


_OPERATORS: Final[Mapping[str, Callable[[str | None, frozenset[str]], bool]]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,  # also of objects without the label
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": _greater,
    "Lt": _less,
}
_SYMBOLS: Final = {
    "=": "In",
    "==": "In",
    "in": "In",
    "!=": "NotIn",
    "notin": "NotIn",
    ">": "Gt",
    "<": "Lt",
}


@dataclass(frozen=True)
class Requirement:
    """What one label must be. Raises ApiError 400 for what cannot be a label."""

    key: str
    operator: str
    """In, NotIn, Exists, DoesNotExist, Gt or Lt."""
    values: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        _refuse("key", self.key, names.key_error(self.key))
        if self.operator not in _OPERATORS:
            raise bad_request(f"{self.operator!r} is not a valid label selector operator")
        if self.operator in {"In", "NotIn"} and not self.values:
            raise bad_request(
                "values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty"
            )
        if self.operator in {"Exists", "DoesNotExist"} and self.values:
            raise bad_request("values: Invalid value: values set must be empty for exists and does not exist")
        for place, value in enumerate(sorted(self.values)):
            if self.operator in {"Gt", "Lt"} and not _is_integer(value):
                raise bad_request(
                    f"values[{place}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must "
                    "be an integer"
                )
            _refuse(f"values[{place}][{self.key}]", value, names.label_value_error(value))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it."""
        return _OPERATORS[self.operator](labels.get(self.key), self.values)


@dataclass(frozen=True)
class LabelSelector:
    """All requirements must be satisfied; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False
    """It matches no object at all: an object's selector that is absent."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of a query: `app=web,tier in (front,back),!canary`. Raises ApiError 400."""
        return cls(tuple(_Parser(text).requirements()))

    @classmethod
    def of(cls, selector: Mapping[str, Any] | None) -> Self:
        """Of a `metav1.LabelSelector`: an empty one matches everything, None nothing. Raises ApiError 400."""
        if selector is None:
            return cls(nothing=True)
        equal = [Requirement(k, "In", frozenset({v})) for k, v in (selector.get("matchLabels") or {}).items()]
        others = [
            Requirement(each["key"], each["operator"], frozenset(each.get("values") or ()))
            for each in selector.get("matchExpressions") or ()
        ]
        return cls((*equal, *others))

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        """Whether an object with these labels is selected."""
        return not self.nothing and all(each.matches(labels or {}) for each in self.requirements)


@dataclass(frozen=True)
class FieldSelector:
    """Fields of an object with the values that they must, or must not, have."""

    requirements: tuple[tuple[str, bool, str], ...] = ()
    """Path of the field, whether it must equal, the value."""

    @classmethod
    def parse(cls, text: str) -> Self:
        r"""Of a query: `spec.nodeName=n1,status.phase!=Running`; `\` escapes `,` and `=`. Raises ApiError 400."""
        found: list[tuple[str, bool, str]] = []
        for term in re.findall(r"(?:\\.|[^,\\])+", text):
            match = re.fullmatch(r"((?:\\.|[^=!\\])*)(!=|==|=)(.*)", term, re.DOTALL)
            if match is None:
                raise bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
            found.append((match[1], match[2] != "!=", re.sub(r"\\(.)", r"\1", match[3])))
        return cls(tuple(found))

    def check(self, resource: Resource) -> None:
        """Raises ApiError 400 for a field that objects of the resource cannot be selected by."""
        own = _FIELDS.get(resource.qualified)
        common = {"metadata.name", "metadata.namespace"} if resource.namespaced else {"metadata.name"}
        for path, _, _ in self.requirements:
            if path not in common and (own is None or path not in own):
                raise _unsupported(path, known=own is not None)

    def matches(self, obj: Mapping[str, Any]) -> bool:
        """Whether the object is selected."""
        return all((_field(obj, path) == value) is equal for path, equal, value in self.requirements)

    @property
    def name(self) -> str | None:
        """The only name that an object may have, if the selector says one."""
        return next((value for path, eq, value in self.requirements if eq and path == "metadata.name"), None)


_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "pods": frozenset(
        {
            *("spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName"),
            *("spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName"),
        }
    ),
    "nodes": frozenset({"spec.unschedulable"}),
    "namespaces": frozenset({"status.phase"}),
    "secrets": frozenset({"type"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
    "events": frozenset(
        {
            *("reason", "reportingComponent", "source", "type"),
            *(f"involvedObject.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
            *("involvedObject.resourceVersion", "involvedObject.fieldPath"),
        }
    ),
    "events.events.k8s.io": frozenset(
        {
            *("reason", "reportingController", "type"),
            *(f"regarding.{name}" for name in ("kind", "namespace", "name", "uid", "apiVersion")),
            *("regarding.resourceVersion", "regarding.fieldPath"),
        }
    ),
    "replicationcontrollers": frozenset({"status.replicas"}),
    "replicasets.apps": frozenset({"status.replicas"}),
    "jobs.batch": frozenset({"status.successful"}),
}
_ABSENT: Final = {"spec.unschedulable": "false", "spec.hostNetwork": "false", "status.replicas": "0"}
_ELSEWHERE: Final = {"source": "source.component", "status.successful": "status.succeeded"}


def _unsupported(path: str, *, known: bool) -> ApiError:
    if known:
        return bad_request(f"field label not supported: {path}")
    return bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    for step in _ELSEWHERE.get(path, path).split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    if value is None:
        return _ABSENT.get(path, "")
    return str(value).lower() if isinstance(value, bool) else str(value)


class _Parser:
    """Of the text of a label selector. The words `in` and `notin` are keys where a key may stand."""

    _TOKENS: Final = re.compile(r"\s*(==|!=|[=!(),<>]|[^\s=!(),<>]+)")

    def __init__(self, text: str) -> None:
        self._tokens = [*self._TOKENS.findall(text), ""]  # the last: end of string
        self._place = 0

    def requirements(self) -> list[Requirement]:
        found: list[Requirement] = []
        if not self._next:
            return found
        if not self._begins_requirement():
            raise bad_request(f"found '{self._next}', expected: !, identifier, or 'end of string'")
        while True:
            try:
                found.append(self._requirement())
            except ApiError as refusal:
                raise bad_request(f"unable to parse requirement: {refusal.message}") from None
            separator = self._take()
            if not separator:
                return found
            if separator != ",":
                raise bad_request(f"found '{separator}', expected: ',' or 'end of string'")
            if not self._begins_requirement():
                raise bad_request(f"found '{self._next}', expected: identifier after ','")

    def _requirement(self) -> Requirement:
        absent = self._next == "!"
        if absent:
            self._take()
        key = self._take()
        if not self._is_word(key):
            raise bad_request(f"found '{key}', expected: identifier")
        _refuse("<nil>", key, names.key_error(key))  # the path that the real server prints here
        if absent or self._next in {"", ","}:
            return Requirement(key, "DoesNotExist" if absent else "Exists")
        symbol = self._take()
        if symbol not in _SYMBOLS:
            raise bad_request(f"found '{symbol}', expected: in, notin, =, ==, !=, gt, lt")
        values = self._set() if symbol in {"in", "notin"} else {self._single()}
        return Requirement(key, _SYMBOLS[symbol], frozenset(values))

    def _single(self) -> str:
        if self._next in {"", ","}:
            return ""
        value = self._take()
        if not self._is_word(value):
            raise bad_request(f"found '{value}', expected: identifier")
        return value

    def _set(self) -> set[str]:
        opening = self._take()
        if opening != "(":
            raise bad_request(f"found '{opening}' expected: '('")
        values: set[str] = set()
        while True:
            values.add(self._take() if self._is_word(self._next) else "")
            separator = self._take()
            if separator == ")":
                return values
            if separator != ",":
                raise bad_request(f"found '{separator}', expected: ',' or ')'")

    @property
    def _next(self) -> str:
        return self._tokens[self._place]

    def _take(self) -> str:
        token = self._tokens[self._place]
        self._place = min(self._place + 1, len(self._tokens) - 1)
        return token

    def _begins_requirement(self) -> bool:
        return self._next == "!" or self._is_word(self._next)

    def _is_word(self, token: str) -> bool:
        return bool(token) and token[0] not in "=!(),<>"


def _is_integer(value: str | None) -> bool:
    return value is not None and re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII) is not None
