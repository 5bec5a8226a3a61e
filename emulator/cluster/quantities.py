"""Kubernetes resource quantities: `250m`, `1.5`, `16Gi`, `1e3`.

The grammar is that of `k8s.io/apimachinery/pkg/api/resource.Quantity`.
"""

import re
from decimal import ROUND_UP, Decimal

PATTERN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
EXAMPLES = "a quantity such as 250m, 2, 512Mi or 16Gi"

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_LONGEST = 200
"""Characters."""
_LARGEST_EXPONENT = 100
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def parse_quantity(text: object) -> Decimal:
    """Return the number a quantity stands for: cores for CPU, bytes for memory.

    Takes numbers too, as Kubernetes does. Raises `ValueError` for anything else.
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = str(text)
    found = _QUANTITY.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{text!r} is not {EXAMPLES}")
    number, suffix = Decimal(found[1]), found[2] or ""
    if suffix in _BINARY:
        return number * 1024 ** _BINARY[suffix]
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    if abs(exponent) > _LARGEST_EXPONENT:
        raise ValueError(f"{text!r} is beyond all quantities; give {EXAMPLES}")
    return number.scaleb(exponent)


def canonical_quantity(text: object) -> str:
    """Write a quantity as the API server stores it: `0.5` is `500m`, `1024Mi` is `1Gi`, `2000` is `2k`.

    No fraction and the largest suffix of its family (decimal, binary or exponent). Raises `ValueError`.
    """
    value = parse_quantity(text)
    suffix = str(text).lstrip("+-.0123456789")
    if suffix in _BINARY and value == value.to_integral_value() and abs(value) >= 1024:  # noqa: PLR2004
        whole, power = int(value), 0
        while whole % 1024 == 0 and power < len(_BINARY):
            whole, power = whole // 1024, power + 1
        return f"{whole}{list(_BINARY)[power - 1] if power else ''}"
    exponent = -9
    while exponent < 18 and value.scaleb(-exponent - 3) == value.scaleb(-exponent - 3).to_integral_value():  # noqa: PLR2004
        exponent += 3
    if not value:
        return "0"
    number = int(value.scaleb(-exponent).to_integral_value(ROUND_UP))
    if suffix[:1] in {"e", "E"} and suffix != "E":
        return f"{number}e{exponent}" if exponent else str(number)
    return f"{number}{next(name for name, power in _DECIMAL.items() if power == exponent)}"
