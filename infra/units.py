"""Quantities with their unit written out, as environment files state them: `7 days`, `500 GiB`.

A bare number is refused: whether `retention: 7` means days or hours is exactly the mistake that is found
too late. Values are kept in one unit (whole days, whole GiB, ...) so that a resource reads what it needs.
"""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")

_MINUTES = {"minute": 1, "minutes": 1, "hour": 60, "hours": 60, "day": 1440, "days": 1440}
_GIB = {"GiB": 1, "TiB": 1024}
_ACU = {"ACU": 1}


def _in_unit(units: dict[str, int], divisor: int, whole: str, example: str) -> Callable[[Any], int | float]:
    def convert(value: Any) -> int | float:
        match = _QUANTITY.fullmatch(str(value))
        if match is None or isinstance(value, bool):
            raise ValueError(f"is not a quantity; write a number and its unit, for example `{example}`")
        number, unit = match.groups()
        if unit not in units:
            known = ", ".join(name for name in units)
            problem = f"has the unit `{unit}`" if unit else "has no unit"
            raise ValueError(f"{problem}; the units are {known}: for example `{example}`")
        amount = float(number) * units[unit] / divisor
        if whole and not amount.is_integer():
            raise ValueError(f"is not a whole number of {whole}; for example `{example}`")
        return int(amount) if amount.is_integer() else amount

    return convert


Days = Annotated[int, BeforeValidator(_in_unit(_MINUTES, 1440, "days", "7 days"))]
"""A length of time in whole days."""

Minutes = Annotated[int, BeforeValidator(_in_unit(_MINUTES, 1, "minutes", "30 minutes"))]
"""A length of time in whole minutes."""

Gib = Annotated[int, BeforeValidator(_in_unit(_GIB, 1, "GiB", "500 GiB"))]
"""Storage in whole GiB (2**30 bytes); AWS's own unit for volumes, though it often writes GB."""

Acu = Annotated[float, BeforeValidator(_in_unit(_ACU, 1, "", "0.5 ACU"))]
"""Aurora capacity units; one is about 2 GiB of memory with matching CPU and network."""
