"""One adapter per resource type: how the type is created in the emulator, and what AWS adds to its inputs.

An adapter is a function from an `Order` to `Created`. It is found by the type's Pulumi token; the modules
here follow the providers' own modules. Adding a type: see CONTRIBUTING.md.
"""

import base64
import hashlib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.problem import MASKED, Problem
from rehearsal import placeholders
from rehearsal.cloud import Answer, Cloud, Created


@dataclass
class Order:
    """What an adapter gets: the resource's inputs and the tags (the provider's and its own) it must carry."""

    cloud: Cloud
    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    tags: dict[str, str]

    def create(
        self,
        service: str,
        operation: str,
        *,
        renames: Mapping[str, str] | None = None,
        omit: Iterable[str] = (),
        within: str = "",
        extra: Mapping[str, Any] | None = None,
        tagged: bool = True,
    ) -> Answer:
        """Calls `operation` with this resource's inputs; `rehearsal.mapping.mapped` has the parameters."""
        return self.cloud.create(
            service,
            operation,
            self.inputs,
            renames=renames,
            omit=omit,
            within=within,
            tags=self.tags if tagged else None,
            extra=extra,
        )

    def create_ec2(
        self,
        operation: str,
        kind: str,
        *,
        renames: Mapping[str, str] | None = None,
        omit: Iterable[str] = (),
        extra: Mapping[str, Any] | None = None,
        within: str = "",
    ) -> Answer:
        """As `create`, with the tags in EC2's form: a specification for the `kind` of resource."""
        specification = (
            {"TagSpecifications": [{"ResourceType": kind, "Tags": self.tag_list}]} if self.tags else {}
        )
        more = {**specification, **(extra or {})}
        return self.create(
            "ec2", operation, renames=renames, omit=omit, within=within, tagged=False, extra=more
        )

    def further(
        self,
        service: str,
        operation: str,
        *properties: str,
        renames: Mapping[str, str] | None = None,
        within: str = "",
        **request: Any,
    ) -> dict[str, Any]:
        """A further call for the resource: some of its `properties`, and parameters named as in the API."""
        given = {name: self.inputs[name] for name in properties if name in self.inputs}
        return self.cloud.create(
            service, operation, given, renames=renames, within=within, extra=request
        ).response

    def call(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """A further call whose parameters are all named as in the API."""
        return self.cloud.call(service, operation, request)

    def later(
        self,
        service: str,
        operation: str,
        *properties: str,
        renames: Mapping[str, str] | None = None,
        **request: Any,
    ) -> None:
        """Judges, without making it, a call that the provider makes to update or delete the resource."""
        given = {name: self.inputs[name] for name in properties if self.inputs.get(name) is not None}
        if given:
            self.cloud.judge(service, operation, given, renames=renames, extra=request)

    def refuse(self, name: str, value: object, reason: str, remedy: str) -> None:
        """Refuses the property `name` where neither the API's model nor the emulator does, but AWS would."""
        if not placeholders.mentions(reason):  # a stand-in answer's words are no reason
            self.cloud.refuse(Problem(name, value, reason, remedy))

    def keep_within(self, key: str, least: int, most: int) -> None:
        """Refuses a property that is given but out of the range that AWS's documentation states."""
        value = self.inputs.get(key)
        if value is not None and not least <= value <= most:
            self.refuse(key, value, "is out of range", f"from {least} to {most}")

    def default_name(self, key: str = "name", *, suffix: str = "", separator: str = "-") -> str:
        """The physical name: the property `key`, or what Pulumi makes of the logical name when it is absent.

        Seven hexadecimal digits, here of the URN's hash, so that a rehearsal repeats itself. The inputs carry
        the name from then on; `<key>Prefix` is used up.
        """
        name = self.inputs.get(key)
        if not name:
            prefix = self.inputs.get(f"{key}Prefix") or f"{self.name}{separator}"
            name = f"{prefix}{self.digits(7)}{suffix}"
        self.inputs = {**self.inputs, key: name, f"{key}Prefix": None}
        return name

    def bytes_of(self, key: str) -> bytes:
        """The property `key`, written in base64."""
        try:
            return base64.b64decode(self.inputs[key], validate=True)
        except ValueError:
            self.refuse(key, MASKED, "is not base64", "the bytes, encoded in base64")
            return b"-"

    def digits(self, length: int) -> str:
        """Up to 64 hexadecimal digits that belong to this resource: the same in every rehearsal."""
        return hashlib.sha256(self.urn.encode()).hexdigest()[:length]

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account and region; for services that do not return one."""
        return f"arn:aws:{service}:{self.cloud.region}:{self.cloud.account}:{resource}"

    @property
    def tag_list(self) -> list[dict[str, str]]:
        """The tags as most APIs want them."""
        return [{"Key": key, "Value": value} for key, value in self.tags.items()]


Adapter = Callable[[Order], Created]
_ADAPTERS: dict[str, Adapter] = {}

_NOT_JUDGED = frozenset({"kubernetes:helm.sh/v3:Release", "kubernetes:helm.sh/v4:Chart"})
"""What a chart renders is known only where the chart can be fetched."""


def adapter(*tokens: str) -> Callable[[Adapter], Adapter]:
    """Registers a function as the adapter of the types `tokens`, e.g. `aws:eks/cluster:Cluster`."""

    def register(function: Adapter) -> Adapter:
        for token in tokens:
            if token in _ADAPTERS:
                raise ValueError(
                    f"{token} has two adapters: {_ADAPTERS[token].__name__} and {function.__name__}"
                )
            _ADAPTERS[token] = function
        return function

    return register


def load() -> None:
    """Imports every module of this package, so that `find` knows all types."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")


def find(token: str) -> Adapter | None:
    """The adapter of a type, or None: the type is then recorded only."""
    if token.startswith("kubernetes:") and token not in _NOT_JUDGED:
        return _ADAPTERS.get(token) or _ADAPTERS.get("kubernetes:*")
    return _ADAPTERS.get(token)


def tokens() -> list[str]:
    """The types with an adapter, sorted."""
    return sorted(_ADAPTERS)
