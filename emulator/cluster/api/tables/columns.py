"""A column of a table, and what many kinds of objects share: names, ages, labels, containers.

The columns follow `pkg/printers/internalversion/printers.go` of Kubernetes; priority 1 is `-o wide`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from emulator.cluster.store import Object

NONE: Final = "<none>"
UNSET: Final = "<unset>"
UNKNOWN: Final = "<unknown>"


@dataclass(frozen=True)
class Column:
    """One column and how its cell follows from an object and the present moment."""

    name: str
    """As the API has it; kubectl prints it in capitals."""
    cell: Callable[[Object, datetime], object]
    type: str = "string"
    format: str = ""
    wide: bool = False
    description: str = ""

    def definition(self) -> dict[str, object]:
        """The `TableColumnDefinition`."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": int(self.wide),
        }


Columns = tuple[Column, ...]


def column(
    name: str, cell: Callable[[Object], object], type_: str = "string", *, wide: bool = False
) -> Column:
    """A column that does not depend on the time."""
    return Column(name, lambda obj, _: cell(obj), type_, wide=wide)


def field(name: str, path: str, *, absent: str = "", wide: bool = False) -> Column:
    """A column with the text at a path such as `status.phase`, and what stands there without one."""
    return column(name, lambda obj: at(obj, path) or absent, wide=wide)


def count(name: str, path: str) -> Column:
    """A column with the number at a path, 0 without one."""
    return column(name, lambda obj: at(obj, path) or 0, "integer")


def at(obj: Mapping[str, Any], path: str) -> Any:
    """What stands at a path such as `status.phase`; None where it leads nowhere."""
    found: Any = obj
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return found


def moment(text: str | None) -> datetime | None:
    """The moment that a `metav1.Time` or `MicroTime` names."""
    return datetime.fromisoformat(text) if text else None


def since(text: str | None, now: datetime) -> str:
    """How long ago a timestamp was."""
    then = moment(text)
    return human_duration(now - then) if then else UNKNOWN


def human_duration(duration: timedelta) -> str:  # noqa: PLR0911 - one for each of its steps
    """As `HumanDuration` of k8s.io/apimachinery/pkg/util/duration: never more than two units.

    Two seconds in the future are taken for clocks that differ.
    """
    seconds = int(duration.total_seconds())
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < -1:
        return "<invalid>"
    if minutes < 2:  # noqa: PLR2004
        return f"{max(seconds, 0)}s"
    if minutes < 10:  # noqa: PLR2004
        return _two(minutes, "m", seconds % 60, "s")
    if hours < 3:  # noqa: PLR2004
        return f"{minutes}m"
    if hours < 8:  # noqa: PLR2004
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:  # noqa: PLR2004
        return f"{hours}h"
    if days < 8:  # noqa: PLR2004
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large}{large_unit}{small}{small_unit}" if small else f"{large}{large_unit}"


def labels(pairs: Mapping[str, str] | None) -> str:
    """`a=b,c=d`."""
    return ",".join(f"{name}={value}" for name, value in sorted((pairs or {}).items())) or NONE


def selector(label_selector: Mapping[str, Any] | None) -> str:
    """A `LabelSelector` as people write it: `a=b,tier in (x,y),!old`."""
    if label_selector is None:
        return NONE
    written = [(name, f"{name}={value}") for name, value in (label_selector.get("matchLabels") or {}).items()]
    for each in label_selector.get("matchExpressions") or ():
        values = f"({','.join(sorted(each.get('values') or ()))})"
        told = {
            "In": f"{each['key']} in {values}",
            "NotIn": f"{each['key']} notin {values}",
            "Exists": each["key"],
            "DoesNotExist": f"!{each['key']}",
        }
        written.append((each["key"], told.get(each["operator"], "<error>")))
    return ",".join(text for _, text in sorted(written)) or NONE


def at_most(texts: Sequence[str], limit: int, *, separator: str = ",") -> str:
    """The first texts and how many more there are."""
    shown = separator.join(texts[:limit])
    return f"{shown} + {len(texts) - limit} more..." if len(texts) > limit else shown


def yes_or_no(value: bool | None) -> str:  # noqa: FBT001 - it is what is shown
    """As Go's printers write a boolean that may be missing."""
    return UNSET if value is None else str(value)


def containers(path: str) -> Columns:
    """Names and images of the containers of the pod template at a path, for `-o wide`."""

    def joined(name: str) -> Callable[[Object], str]:
        return lambda obj: ",".join(each.get(name, "") for each in at(obj, f"{path}.spec.containers") or ())

    return (column("Containers", joined("name"), wide=True), column("Images", joined("image"), wide=True))


NAME: Final = Column("Name", lambda obj, _: obj["metadata"]["name"], format="name")
AGE: Final = Column("Age", lambda obj, now: since(obj["metadata"].get("creationTimestamp"), now))
CREATED_AT: Final = column("Created At", lambda obj: obj["metadata"].get("creationTimestamp") or UNKNOWN)
DEFAULT: Final = (NAME, CREATED_AT)
"""Of built-in kinds without columns of their own."""


def selected(path: str) -> Column:
    """The label selector at a path, for `-o wide`."""
    return column("Selector", lambda obj: selector(at(obj, path)), wide=True)
