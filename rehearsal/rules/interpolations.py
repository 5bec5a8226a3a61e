"""Outputs put into a string before they are known: the text is then about the Output, not its value."""

from collections.abc import Iterable

from emulator.problem import Problem
from rehearsal.checks.texts import texts
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_TELLTALE = "Calling __str__ on an Output[T] is not supported"
"""What Pulumi's Output says as a string; the engine would take it for the value."""


class Interpolations(Rule):
    """No input may hold the text that an Output gives instead of its value."""

    def check(self, record: Record) -> Iterable[Problem]:
        """All strings of the inputs."""
        return [
            Problem(
                path,
                value.split(_TELLTALE)[0] + "<Output>",
                "was made of an Output as if its value were known",
                "pulumi.Output.concat, pulumi.Output.format or `.apply` in place of an f-string or str()",
            )
            for path, value in texts(record.inputs)
            if _TELLTALE in value
        ]
