"""Two resources of one name, where AWS takes the second creation for a change of the first and stays silent.

Elsewhere the emulator refuses the second, as AWS does.
"""

from collections.abc import Iterable, Iterator

from emulator.problem import Problem
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_NAME_OF = {
    "aws:cloudwatch/dashboard:Dashboard": "dashboardName",
    "aws:cloudwatch/eventRule:EventRule": "name",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "name",
    "aws:s3/bucket:Bucket": "bucket",  # in us-east-1; the provider looks first, and refuses
    "aws:sns/topic:Topic": "name",
    "aws:sqs/queue:Queue": "name",
}
"""Type -> the property that names it in the account and region."""


class Names(Rule):
    """A name belongs to the resource that came first."""

    def __init__(self) -> None:
        self._owners: dict[tuple[str, ...], Record] = {}

    def check(self, record: Record) -> Iterable[Problem]:
        """The name, if it is given: those that Pulumi makes up differ."""
        return self._taken(record, _NAME_OF[record.type]) if record.type in _NAME_OF else ()

    def _taken(self, record: Record, key: str) -> Iterator[Problem]:
        name = record.inputs.get(key)
        if not isinstance(name, str):
            return
        place = (record.type, name, str(record.inputs.get("eventBusName", "")))
        owner = self._owners.setdefault(place, record)
        if owner is not record:
            yield Problem(key, name, f"is the name of {owner.name} already", "a name of its own")
