"""Checks min <= desired <= max wherever a resource scales, which Pulumi's mocks do not.

Node groups, Auto Scaling groups, MSK Connect workers, Aurora capacity, autoscaling targets and HorizontalPod-
Autoscalers all name their bounds alike: `min`, `desired` or `max` before the same word.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from emulator.problem import Problem, join

_BOUND = re.compile(r"(min|max|desired)([A-Z]\w*)")
_SUFFIXES = {"Size", "Capacity", "Replicas", "WorkerCount", "Count", "Nodes", "Instances", "Vcpus"}


def check_scaling(inputs: Mapping[str, Any]) -> list[Problem]:
    """Return the bounds, anywhere in a resource's inputs, that contradict each other or are negative."""
    return list(_walk(inputs, ""))


def _walk(value: Any, path: str) -> Iterator[Problem]:
    if isinstance(value, Mapping):
        yield from _check_group(value, path)
        for name, member in value.items():
            yield from _walk(member, join(path, str(name)))
    elif isinstance(value, list | tuple):
        for place, member in enumerate(value):
            yield from _walk(member, f"{path}[{place}]")


def _check_group(owner: Mapping[str, Any], path: str) -> Iterator[Problem]:
    groups: dict[str, dict[str, str]] = {}  # by suffix: bound -> property
    for name, value in owner.items():
        found = _BOUND.fullmatch(str(name))
        if found and found[2] in _SUFFIXES and isinstance(value, int | float) and not isinstance(value, bool):
            groups.setdefault(found[2], {})[found[1]] = name
    if "Size" in groups and set(groups.get("Capacity", ())) == {"desired"}:
        # An Auto Scaling group says desiredCapacity between minSize and maxSize.
        groups["Size"].update(groups.pop("Capacity"))
    for names in groups.values():
        for name in names.values():
            if owner[name] < 0:
                yield Problem(join(path, name), owner[name], "is negative", "0 or more")
        bounds = [names[bound] for bound in ("min", "desired", "max") if bound in names]
        for lower, upper in pairwise(bounds):
            if owner[lower] > owner[upper]:
                reason = f"is more than {upper}, which is {owner[upper]:g}"
                remedy = f"{' <= '.join(bounds)}: at most {owner[upper]:g}, or raise {upper}"
                yield Problem(join(path, lower), owner[lower], reason, remedy)
