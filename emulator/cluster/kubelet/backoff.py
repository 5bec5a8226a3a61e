"""How long a container that keeps ending waits before it is started again."""

from typing import Final

_MAXIMUM_SECONDS: Final = 300.0
_FORGOTTEN_SECONDS: Final = 600.0
"""Of running, after which earlier ends are forgotten."""


class BackOff:
    """None at first, then `base_seconds`, doubled each time up to five minutes."""

    def __init__(self, base_seconds: float) -> None:
        self._base = base_seconds
        self._next = 0.0

    def after(self, ran_seconds: float) -> float:
        """The seconds to wait after a run."""
        delay = 0.0 if ran_seconds > _FORGOTTEN_SECONDS else self._next
        self._next = min(delay * 2, _MAXIMUM_SECONDS) if delay else self._base
        return delay


def told(seconds: float) -> str:
    """A time as Go writes it: `40s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
