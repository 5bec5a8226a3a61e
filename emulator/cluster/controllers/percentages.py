"""Numbers that may be percentages: `maxSurge: 25%`, `minAvailable: 2`."""

from typing import Any


def scaled(value: int | str | None, total: int, *, round_up: bool) -> int:
    """The number that an IntOrString stands for, a percentage being one of `total`."""
    if isinstance(value, str):
        product = int(value.removesuffix("%")) * total
        return -(-product // 100) if round_up else product // 100
    return value or 0


def fenceposts(rolling: dict[str, Any], replicas: int) -> tuple[int, int]:
    """How many pods a rolling update may add and take away at once, for a Deployment's `rollingUpdate`.

    The surge is rounded up and what may be unavailable down; should both come to 0, one may be unavailable,
    since nothing could move otherwise (`ResolveFenceposts`).
    """
    surge = scaled(rolling.get("maxSurge", "25%"), replicas, round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable", "25%"), replicas, round_up=False)
    return (surge, unavailable) if surge or unavailable else (0, 1)
