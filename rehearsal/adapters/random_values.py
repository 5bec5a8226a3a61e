"""Random values that are not random: derived from the URN, so that a rehearsal repeats itself.

They serve only to be passed on; a real deployment draws its own.
"""

import base64
import hashlib
import string
from collections.abc import Iterator

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_SPECIAL = "!@#$%&*()-_=+[]{}<>:?"
"""What the provider uses when `overrideSpecial` is not given."""


@adapter("random:index/randomPassword:RandomPassword", "random:index/randomString:RandomString")
def password(order: Order) -> Created:
    """Text of a given length from the asked-for classes of characters."""
    inputs = order.inputs
    length = inputs.get("length")
    if not isinstance(length, int) or length < 1:
        order.refuse("length", length, "is not a length", "a number of characters, 1 or more")
        return Created("")
    classes = {
        "lower": string.ascii_lowercase,
        "upper": string.ascii_uppercase,
        "numeric": string.digits,
        "special": inputs.get("overrideSpecial") or _SPECIAL,
    }
    wanted = {key: letters for key, letters in classes.items() if inputs.get(key, True)}
    least = {key: inputs.get(f"min{key.title()}") or 0 for key in wanted}
    if not wanted or sum(least.values()) > length:
        reason = "leaves no class of characters" if not wanted else "is less than the minimums of all classes"
        order.refuse("length", length, reason, "allow a class, or a greater length")
        return Created("")
    numbers = _numbers(order.urn)
    letters = [wanted[key][next(numbers) % len(wanted[key])] for key in wanted for _ in range(least[key])]
    everything = "".join(wanted.values())
    letters += [everything[next(numbers) % len(everything)] for _ in range(length - len(letters))]
    letters.sort(key=lambda _: next(numbers))
    result = "".join(letters)
    return Created("none" if order.type.endswith("Password") else result, {"result": result})


@adapter("random:index/randomId:RandomId")
def identifier(order: Order) -> Created:
    """Bytes, in four spellings."""
    length = order.inputs.get("byteLength")
    if not isinstance(length, int) or length < 1:
        order.refuse("byteLength", length, "is not a length", "a number of bytes, 1 or more")
        return Created("")
    numbers = _numbers(order.urn)
    value = bytes(next(numbers) % 256 for _ in range(length))
    prefix = order.inputs.get("prefix") or ""
    url = base64.urlsafe_b64encode(value).decode().rstrip("=")
    return Created(
        url,
        {
            "hex": prefix + value.hex(),
            "dec": prefix + str(int.from_bytes(value, "big")),
            "b64Std": prefix + base64.b64encode(value).decode(),
            "b64Url": prefix + url,
        },
    )


def _numbers(seed: str) -> Iterator[int]:
    count = 0
    while True:
        digest = hashlib.sha256(f"{seed}/{count}".encode()).digest()
        yield from (int.from_bytes(digest[at : at + 4], "big") for at in range(0, len(digest), 4))
        count += 1
