"""Kubernetes resource quantities: `250m`, `1.5`, `16Gi`, `1e3`.

The grammar is that of `k8s.io/apimachinery/pkg/api/resource.Quantity`.
"""

import re
from decimal import Decimal

PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
EXAMPLES = "a quantity such as 250m, 2, 512Mi or 16Gi"

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def parse_quantity(text: object) -> Decimal:
    """Return the number a quantity stands for: cores for CPU, bytes for memory.

    Takes numbers too, as Kubernetes does. Raises `ValueError` for anything else.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        return Decimal(str(text))
    found = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not {EXAMPLES}")
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        return number * 1024 ** _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number.scaleb(exponent)


def format_quantity(value: Decimal) -> str:
    """Write a quantity the shortest exact way among plain, binary and decimal suffixes."""
    if value == value.to_integral_value():
        whole = int(value)
        for suffix, power in reversed(_BINARY.items()):
            if whole and whole % 1024**power == 0:
                return f"{whole // 1024**power}{suffix}"
        return str(whole)
    for suffix in ("m", "u", "n"):
        scaled = value.scaleb(-_DECIMAL[suffix])
        if scaled == scaled.to_integral_value():
            return f"{int(scaled)}{suffix}"
    return f"{value:f}"
