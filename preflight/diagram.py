"""A picture of the layers, drawn from the resource graph: components as boxes, what they need as arrows.

`python -m preflight.diagram GRAPH.json README.md` puts it between the markers in the README; a test compares.
"""

import argparse
import json
import re
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

from preflight.graph import Graph, Resource

BEGIN, END = "<!-- layers: generated from the graph by `make picture` -->", "<!-- /layers -->"
_COMPONENT = "pinwheel:"
_ENGINE = "pulumi:"


def mermaid(graph: Graph) -> str:
    """A Mermaid flowchart: one box a top-level component with its number of resources, grouped by layer."""
    component_of = {resource.urn: _component(graph, resource) for resource in graph}
    counts = Counter(
        component_of[resource.urn]
        for resource in graph
        if not resource.type.startswith((_COMPONENT, _ENGINE))
    )
    needs: dict[str, set[str]] = {component: set() for component in counts}
    for resource in graph:
        user = component_of[resource.urn]
        if user in needs:
            used = {component_of[each] for each in resource.dependencies if each in component_of}
            needs[user].update(used & needs.keys() - {user})
    lines = ["```mermaid", "flowchart LR"]
    for layer in graph.layers:
        lines.append(f"  subgraph {layer}")
        lines += [
            f'    {_identifier(each)}["{each.split("/", 1)[1]} ({counts[each]})"]'
            for each in sorted(counts)
            if each.startswith(f"{layer}/")
        ]
        lines.append("  end")
    for user, used in sorted(_reduced(needs).items()):
        lines += [f"  {_identifier(user)} --> {_identifier(each)}" for each in sorted(used)]
    for layer in graph.layers:
        lines += [f"  {layer} == contract ==> {each}" for each in sorted(graph.layers_read_by(layer))]
    return "\n".join([*lines, "```"])


def _component(graph: Graph, resource: Resource) -> str:
    """The top-level component a resource belongs to, or its own family (`kubernetes`, `route53`) without one."""
    top, current = "", resource
    while True:
        if current.type.startswith(_COMPONENT):
            top = current.name
        parent = graph.resources.get(current.parent)
        if parent is None:
            break
        current = parent
    package, module, _ = resource.type.split(":")
    return f"{resource.layer}/{top or (module.split('/')[0] if package == 'aws' else package)}"


def _reduced(needs: dict[str, set[str]]) -> dict[str, set[str]]:
    """Without arrows that follow from others; as it is where components need each other in a circle."""
    try:
        order = list(TopologicalSorter(needs).static_order())
    except ValueError:
        return needs
    reachable: dict[str, set[str]] = {}
    for each in order:
        reachable[each] = needs[each].union(*(reachable[used] for used in needs[each]))
    return {
        user: {each for each in used if not any(each in reachable[other] for other in used - {each})}
        for user, used in needs.items()
    }


def _identifier(component: str) -> str:
    return re.sub(r"\W", "_", component)


def put_into(text: str, picture: str) -> str:
    """`text` with `picture` between the markers; raises ValueError when they are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the markers {BEGIN} and {END} are missing")
    return f"{before}{BEGIN}\n{picture}\n{END}{after}"


def main() -> None:
    """Draws a graph into a file, or to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graph", type=Path, help="what `pinwheel rehearse --json` wrote")
    parser.add_argument("file", type=Path, nargs="?", help="a text with the two markers")
    arguments = parser.parse_args()
    picture = mermaid(Graph(json.loads(arguments.graph.read_text(encoding="utf-8"))))
    if arguments.file is None:
        sys.stdout.write(picture + "\n")
        return
    arguments.file.write_text(put_into(arguments.file.read_text(encoding="utf-8"), picture), encoding="utf-8")


if __name__ == "__main__":
    main()
