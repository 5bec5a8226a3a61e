"""Reads `environments/<name>.yaml`: extension, then validation, with every fault told by file and line."""

import contextlib
import difflib
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from infra.environment import Environment

ENVIRONMENTS = Path(__file__).resolve().parent.parent / "environments"

Path_ = tuple[str | int, ...]
"""Keys and list positions from the top of the file to a value."""


class InvalidEnvironment(Exception):  # noqa: N818 - reads as what it is
    """An environment that cannot be used. `faults` are whole sentences: where, what is wrong, what would be right."""

    def __init__(self, *faults: str) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class _Origin:
    """Where a value was written, so that a fault in an inherited value points at the file that states it."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file.parent.name}/{self.file.name}:{self.line}"


def names(directory: Path = ENVIRONMENTS) -> list[str]:
    """The environments there are."""
    return sorted(path.stem for path in directory.glob("*.yaml"))


def load(name: str, directory: Path = ENVIRONMENTS) -> Environment:
    """The environment `name`, extended and validated; raises InvalidEnvironment with every fault found."""
    file = directory / f"{name}.yaml"
    values, origins = _extended(name, directory, ())
    try:
        return Environment.model_validate({**values, "name": name})
    except ValidationError as error:
        raise InvalidEnvironment(*(_fault(each, values, origins, file) for each in error.errors())) from None


def _extended(
    name: str, directory: Path, seen: tuple[str, ...]
) -> tuple[dict[str, Any], dict[Path_, _Origin]]:
    if name in seen:
        raise InvalidEnvironment(
            f"{directory.name}/{name}.yaml: extends itself ({' -> '.join((*seen, name))}); remove one `extends`"
        )
    file = directory / f"{name}.yaml"
    document = _read(file, name, directory)
    origins: dict[Path_, _Origin] = {}
    _locate(document, (), file, origins)
    values = _plain(document)
    base = values.pop("extends", None)
    if base is None:
        return values, origins
    if not isinstance(base, str):
        raise InvalidEnvironment(f"{origins[('extends',)]}: extends: must be the name of an environment")
    base_values, base_origins = _extended(base, directory, (*seen, name))
    inherited = {path: origin for path, origin in base_origins.items() if not _replaced(path, values)}
    return _merged(base_values, values), {**inherited, **origins}


def _replaced(path: Path_, over: Any) -> bool:
    """Whether `over` states a whole (a list, say) at or above `path`, so that nothing below is inherited."""
    for step in path:
        if not isinstance(over, dict):
            return True
        if step not in over:
            return False
        over = over[step]
    return not isinstance(over, dict)


def _read(file: Path, name: str, directory: Path) -> CommentedMap:
    where = f"{directory.name}/{file.name}"
    try:
        document = YAML(typ="rt").load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        close = difflib.get_close_matches(name, names(directory), n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        known = ", ".join(names(directory)) or "none"
        raise InvalidEnvironment(f"{where}: no such environment; there are {known}{hint}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidEnvironment(
            f"{where}: cannot be read ({error}); it must be a readable UTF-8 file"
        ) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InvalidEnvironment(
            f"{where}:{line}: not valid YAML: {error.problem}; correct the line"
        ) from None
    except YAMLError as error:
        raise InvalidEnvironment(f"{where}: not valid YAML: {str(error).splitlines()[0]}") from None
    if document is None:
        raise InvalidEnvironment(f"{where}: is empty; start with `extends: dev` and state what differs")
    if not isinstance(document, CommentedMap):
        raise InvalidEnvironment(f"{where}:1: must be a mapping of settings (`key: value` lines)")
    return document


def _locate(node: Any, path: Path_, file: Path, origins: dict[Path_, _Origin]) -> None:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            origins[(*path, key)] = _Origin(file, node.lc.key(key)[0] + 1)
            _locate(value, (*path, key), file, origins)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            origins[(*path, index)] = _Origin(file, node.lc.item(index)[0] + 1)
            _locate(value, (*path, index), file, origins)


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, CommentedSeq):
        return [_plain(value) for value in node]
    return node


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key, everything else (lists too) is replaced; `key: null` removes what was inherited."""
    result = dict(base)
    for key, value in over.items():
        inherited = result.get(key)
        if value is None:
            result.pop(key, None)
        elif isinstance(inherited, dict) and isinstance(value, dict):
            result[key] = _merged(inherited, value)
        else:
            result[key] = value
    return result


def _fault(error: Any, values: dict[str, Any], origins: dict[Path_, _Origin], file: Path) -> str:
    path = tuple(
        step for step in error["loc"] if not isinstance(step, str) or not step.startswith("function-")
    )
    dotted = ".".join(str(step) for step in path) or "the environment"
    where = next(
        (origins[path[:end]] for end in range(len(path), 0, -1) if path[:end] in origins), _Origin(file, 1)
    )
    if error["type"] == "extra_forbidden":
        known = _settings_at(path[:-1])
        close = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"the settings here are {', '.join(known)}"
        return f"{where}: {dotted}: is not a setting; {hint}"
    if error["type"] == "missing":
        return f"{where}: {dotted}: is missing; state it, or extend an environment that does"
    value = _at(values, path)
    shown = "" if isinstance(value, dict | list) or value is None else f" = {value}"
    return f"{where}: {dotted}{shown}: {_message(error, path, value)}"


_RIGHT = {
    "account": 'the 12 digits of an AWS account, in quotes: "111122223333"',
    "administrators": "the ARN of an IAM role: arn:aws:iam::<account>:role/<name>",
    "domain": "a domain name in lower case: prod.pinwheel.internal",
    "endpoint": "http://127.0.0.1:<port>, which is where the emulator is",
    "engine_version": "Aurora MySQL 3's own notation: 8.0.mysql_aurora.3.10.0",
    "instance_class": "an Aurora instance class: db.r7g.large",
    "instance_type": "an MSK broker type: kafka.m7g.large",
    "instance_types": "EC2 instance types: m7i.large; of a GPU pool, g5 types: g5.xlarge",
    "kubernetes_version": 'a minor version, in quotes: "1.36"',
    "name": "2 to 20 lower-case letters, digits and -, beginning with a letter",
    "notify": "mail addresses",
    "region": "an AWS region: us-east-1",
    "version": "a Kafka version of MSK: 3.9.x.kraft",
}
"""What would be right where a text has not the form that its setting wants."""


def _message(error: Any, path: Path_, value: Any) -> str:
    """What is wrong with a value and what would be right."""
    kind = error["type"]
    setting = next((str(step) for step in reversed(path) if isinstance(step, str)), "")
    if kind in ("string_type", "string_pattern_mismatch") and setting in _RIGHT:
        return f"must be {_RIGHT[setting]}"
    if kind == "ip_v4_network":
        with contextlib.suppress(ValueError):
            return f"has host bits set; the network it lies in is {ipaddress.ip_network(value, strict=False)}"
        return "must be a network: address/prefix length, such as 10.64.0.0/16"
    if kind in ("too_short", "too_long"):
        bound = error["ctx"].get("min_length", error["ctx"].get("max_length"))
        return f"must have {'at least' if kind == 'too_short' else 'at most'} {bound}, and has {len(value or ())}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"


def _at(values: Any, path: Path_) -> Any:
    for step in path:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return None
    return values


def _settings_at(path: Path_) -> list[str]:
    """The names of the settings of the model that stands at `path`."""
    model: Any = Environment
    for step in path:
        if isinstance(step, int):
            continue
        model = _model_in(model.model_fields[step].annotation)
    return list(model.model_fields)


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
