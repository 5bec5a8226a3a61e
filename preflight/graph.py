"""The resource graph of an environment, over all its layers, as the judgements read it.

Built from the JSON that `pinwheel rehearse --json` writes, so that it can be made anywhere and judged elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

_REFERENCE = "pulumi:pulumi:StackReference"


@dataclass(frozen=True)
class Resource:
    """One resource of the graph."""

    layer: str
    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    parent: str
    dependencies: tuple[str, ...]


class Graph:
    """Resources by URN, and what each needs: its dependencies, its parent, and the layers it reads."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.environment: str = document["environment"]
        self.layers: list[str] = [layer["name"] for layer in document["layers"]]
        self.resources: dict[str, Resource] = {
            each["urn"]: Resource(
                layer=layer["name"],
                urn=each["urn"],
                type=each["type"],
                name=each["name"],
                inputs=each["inputs"],
                parent=each["parent"],
                dependencies=tuple(each["dependencies"]),
            )
            for layer in document["layers"]
            for each in layer["resources"]
        }

    def of_type(self, *tokens: str) -> list[Resource]:
        """Resources of any of the types; a token may end with `*`."""
        exact = {token for token in tokens if not token.endswith("*")}
        prefixes = tuple(token[:-1] for token in tokens if token.endswith("*"))
        return [
            each
            for each in self.resources.values()
            if each.type in exact or (prefixes and each.type.startswith(prefixes))
        ]

    def layers_read_by(self, layer: str) -> set[str]:
        """The layers whose contracts `layer` reads."""
        return {
            each.name.rsplit("-", 1)[-1]
            for each in self.resources.values()
            if each.layer == layer and each.type == _REFERENCE
        }

    def needs(self, urn: str) -> set[str]:
        """Everything that must exist before `urn`, transitively, within its layer and in the layers it reads."""
        return self._needs[urn]

    @cached_property
    def _needs(self) -> dict[str, set[str]]:
        needs: dict[str, set[str]] = {}
        for urn in self.creation_order():
            direct = self._direct(urn)
            needs[urn] = direct.union(*(needs[each] for each in direct))
        return needs

    def creation_order(self) -> list[str]:
        """An order in which the engine may create everything: layer by layer, needs before needers."""
        sorter = TopologicalSorter({urn: self._direct(urn) for urn in self.resources})
        return list(sorter.static_order())

    def destruction_order(self) -> list[str]:
        """The reverse: what `pinwheel destroy` takes down, first to last."""
        return self.creation_order()[::-1]

    def _direct(self, urn: str) -> set[str]:
        resource = self.resources[urn]
        direct = {each for each in (*resource.dependencies, resource.parent) if each in self.resources}
        if resource.type == _REFERENCE:
            layer = resource.name.rsplit("-", 1)[-1]
            direct.update(each.urn for each in self.resources.values() if each.layer == layer)
        return direct

    def __iter__(self) -> Iterator[Resource]:
        return iter(self.resources.values())
