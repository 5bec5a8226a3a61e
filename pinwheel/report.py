"""The report of a rehearsal: counts, coverage, and every refusal, told so that it can be acted upon."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from rich.console import Console
from rich.text import Text

from rehearsal import adapters
from rehearsal.record import Record, Refusal, Status
from rehearsal.rehearse import LayerResult, Rehearsal

_LONGEST_VALUE = 160
_LONGEST_CRASH = 300


@dataclass(frozen=True)
class Coverage:
    """How much of an environment the rehearsal has really tried."""

    aws: int
    """Resources of AWS."""
    aws_with_adapter: int
    kubernetes: int
    kubernetes_admitted: int
    recorded_only: tuple[tuple[str, int], ...]
    """Types without an adapter and how many resources they have, the most first."""
    unchecked: tuple[tuple[str, int], ...]
    """`type property` pairs that an adapter leaves out of the request, so that nothing has judged them."""

    @property
    def percent(self) -> float:
        """AWS resources whose type has an adapter, 0-100."""
        return 100 * self.aws_with_adapter / self.aws if self.aws else 100.0


def coverage(rehearsal: Rehearsal) -> Coverage:
    """Count what was tried and what was not."""
    adapters.load()
    records = [record for layer in rehearsal.layers for record in resources(layer)]
    aws = [record for record in records if record.type.startswith("aws:")]
    kubernetes = [record for record in records if record.type.startswith("kubernetes:")]
    without = Counter(record.type for record in records if adapters.find(record.type) is None)
    unchecked = Counter(f"{record.type} {name}" for record in records for name in record.unchecked)
    return Coverage(
        aws=len(aws),
        aws_with_adapter=sum(record.type not in without for record in aws),
        kubernetes=len(kubernetes),
        kubernetes_admitted=sum(record.status is Status.CREATED for record in kubernetes),
        recorded_only=_most_first(without),
        unchecked=_most_first(unchecked),
    )


def resources(layer: LayerResult) -> list[Record]:
    """The resources that a cloud would have: no components, no providers, no references to stacks."""
    return [record for record in layer.records if record.custom and record.layer_resource]


def _most_first(counts: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def render(rehearsal: Rehearsal, *, debug: bool = False) -> Iterator[Text]:
    """The report, line by line."""
    environment = rehearsal.environment
    yield Text(
        f"Rehearsal of {environment.name} ({environment.region}, {len(environment.zones)} zones)", "bold"
    )
    yield from _layers(rehearsal.layers)
    yield from _coverage(coverage(rehearsal))
    yield from _crashes(rehearsal.layers, debug=debug)
    yield from _refusals(rehearsal.refusals)
    yield _verdict(rehearsal)


def show(rehearsal: Rehearsal, console: Console, *, debug: bool = False) -> None:
    """Print the report: long lines are the terminal's to wrap, so that they can be copied whole."""
    for line in render(rehearsal, debug=debug):
        console.print(line, soft_wrap=True, highlight=False)


def _layers(layers: Iterable[LayerResult]) -> Iterator[Text]:
    for layer in layers:
        counts = Counter(record.status for record in resources(layer))
        yield Text(
            f"  {layer.name:<10} {counts[Status.CREATED]:>4} created  "
            f"{counts[Status.RECORDED]:>3} recorded only  {counts[Status.FAILED]:>3} refused  "
            f"{layer.seconds:>5.1f} s"
        )


def _coverage(counted: Coverage) -> Iterator[Text]:
    # Rounded down: 311 of 312 must not read as all of them.
    percent = int(counted.percent * 10) / 10
    yield Text(
        f"  AWS resources with an adapter: {counted.aws_with_adapter} of {counted.aws} ({percent:g} %)"
    )
    if counted.kubernetes:
        yield Text(f"  Kubernetes objects admitted: {counted.kubernetes_admitted} of {counted.kubernetes}")
    if counted.recorded_only:
        yield Text(f"  Recorded only: {_listed(counted.recorded_only)}")
    if counted.unchecked:
        yield Text(f"  Properties that nothing judges: {_listed(counted.unchecked)}")


def _listed(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts)


def _crashes(layers: Iterable[LayerResult], *, debug: bool) -> Iterator[Text]:
    for layer in layers:
        if layer.lacks:
            yield Text(f"{layer.name}: went only as far as it goes without the outputs of {layer.lacks}")
        elif layer.crash:
            where = f", raised at {layer.crash_at}" if layer.crash_at else ""
            hint = "" if debug else " (--debug shows the way there)"
            yield Text(
                f"{layer.name}: its program ended with {_short(layer.crash, _LONGEST_CRASH)}{where}{hint}",
                "red",
            )
            if debug:
                yield Text(layer.crash_trace.rstrip())


def _refusals(refusals: list[Refusal]) -> Iterator[Text]:
    for layer, of_layer in groupby(refusals, key=lambda refusal: refusal.layer):
        yield Text(f"{layer}: refused", "bold red")
        for resource, of_resource in groupby(of_layer, key=lambda refusal: refusal.resource):
            yield Text(f"  {resource}", "bold")
            for refusal in of_resource:
                problem = refusal.problem
                where = f"{problem.property} = " if problem.property else ""
                yield Text(f"    {where}{_shown(problem.value)} {_one_line(problem.reason)}")
                yield Text(f"      right: {_one_line(problem.remedy)}", "green")


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, str | int | float | bool) else repr(value)
    return _short(text, _LONGEST_VALUE)


def _short(text: str, longest: int) -> str:
    line = _one_line(text)
    return line if len(line) <= longest else f"{line[:longest]}..."


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _verdict(rehearsal: Rehearsal) -> Text:
    if rehearsal.passed:
        return Text(f"{rehearsal.environment.name} passes.", "bold green")
    count = len(rehearsal.refusals)
    crashed = [layer.name for layer in rehearsal.layers if layer.crash and not layer.lacks]
    reasons = [f"{count} refusal{'s' if count != 1 else ''}"] if count else []
    reasons += [f"the program of {' and '.join(crashed)} ended early"] if crashed else []
    return Text(f"{rehearsal.environment.name} does not pass: {', '.join(reasons)}.", "bold red")
