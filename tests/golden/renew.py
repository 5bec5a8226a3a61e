"""The golden files: what each environment declares, as data that reviews well. `make golden` renews them.

    python -m tests.golden.renew [ENVIRONMENT ...]

A file has one entry a resource, sorted by layer, type, parent and name, with its inputs. Policies and other
JSON in strings are spread out, long texts (code, user data) stand as their hash. Ids are in them: they are drawn
from the URN, so that a reference to another resource shows as a change.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).resolve().parent
ENVIRONMENTS = ("local", "prod")

_LONGEST = 400
"""Characters; a longer text is a hash."""


def reduced(graph: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resource graph that a program decides."""
    return {
        layer["name"]: [
            {
                "resource": f"{each['type']} {each['name']}",
                "parent": each["parent"].rpartition("::")[2],
                "inputs": _readable(each["inputs"]),
            }
            for each in sorted(layer["resources"], key=_order)
        ]
        for layer in graph["layers"]
    }


def written(graph: Mapping[str, Any]) -> str:
    """The golden file of a resource graph."""
    return json.dumps(reduced(graph), indent=1, ensure_ascii=False) + "\n"


def _order(resource: Mapping[str, Any]) -> tuple[str, str, str]:
    return resource["type"], resource["parent"], resource["name"]


def _readable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _readable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_readable(each) for each in value]
    if not isinstance(value, str):
        return value
    if value.startswith(("{", "[")):
        try:
            return {"json": _readable(json.loads(value))}
        except ValueError:
            pass
    if len(value) > _LONGEST:
        return f"sha256:{hashlib.sha256(value.encode()).hexdigest()[:16]} of {len(value)} characters"
    return value


def main() -> None:
    """Rehearses and writes."""
    from tests.rehearsing import rehearse_anew  # Pulumi takes seconds to import

    for name in sys.argv[1:] or ENVIRONMENTS:
        rehearsal = rehearse_anew(name)
        if not rehearsal.passed:
            raise SystemExit(f"{name} does not pass: run `pinwheel rehearse {name}`")
        file = GOLDEN / f"{name}.json"
        file.write_text(written(rehearsal.as_json()), encoding="utf-8")
        print(f"{file.relative_to(Path.cwd())}: {file.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
