"""What a rule is."""

from collections.abc import Iterable

from emulator.problem import Problem
from rehearsal.record import Record


class Rule:
    """Judges resources. Calls never overlap; each rule overrides what it needs."""

    def check(self, record: Record) -> Iterable[Problem]:
        """What is wrong with this resource."""
        del record
        return ()

    def remember(self, record: Record) -> None:
        """Keeps what later resources are judged by; called for resources that were not refused."""

    def whole(self) -> Iterable[tuple[str, Problem]]:
        """What is wrong that only all layers together show, as pairs of URN and problem."""
        return ()
