"""Refuses versions of managed services that AWS does not, or no longer, support.

The table `supported_versions.yaml` has the end of support of each version and its source. What "today" is
comes from the caller or the table, never from the clock: a rehearsal gives the same answer every day.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from emulator.problem import Problem, one_of


def check_version(
    product: str,
    version: str,
    property: str,  # noqa: A002  (the name of the field of Problem)
    on: date | None = None,
    *,
    extended: bool = False,
) -> list[Problem]:
    """Return a problem if the version of a product is unknown or out of support on a day.

    `on` defaults to the day the table was collected. With `extended`, extended support (EKS: six times the
    price) is support too. Raises `KeyError` for a product the table does not have.
    """
    table = _table()
    described: Mapping[str, Any] | None = table["products"].get(product)
    if described is None:
        raise KeyError(f"supported_versions.yaml has no {product}: {one_of(table['products'], product)}")
    called, source = described["called"], described["source"]
    if "form" in described:
        if re.fullmatch(described["form"], version):
            return []
        return [
            Problem(property, version, f"is not a version of {called}", f"such as {described['example']}")
        ]
    day = on or table["as_of"]
    versions: Mapping[str, Mapping[str, date]] = described["versions"]
    supported = [name for name, ends in versions.items() if _end(ends, extended=extended) >= day]
    known = next((name for name in versions if _is(version, name, patched="patched" in described)), None)
    if known is None:
        remedy = one_of(supported[::-1], version)
        return [Problem(property, version, f"is not a version of {called}", f"{remedy} (see {source})")]
    end = _end(versions[known], extended=extended)
    if end >= day:
        return []
    reason = f"is out of {'' if extended else 'standard '}support of {called} since {end}"
    return [Problem(property, version, reason, f"{one_of(supported[::-1])} (see {source})")]


def _is(version: str, name: str, *, patched: bool) -> bool:
    return version == name or (patched and version.startswith(f"{name}."))


def _end(ends: Mapping[str, date], *, extended: bool) -> date:
    standard = ends.get("standard", date.max)
    return ends.get("extended", standard) if extended else standard


@cache
def _table() -> Mapping[str, Any]:
    text = (resources.files("rehearsal.checks") / "supported_versions.yaml").read_text(encoding="utf-8")
    return YAML(typ="safe").load(text)
