"""Every text in a value, with where it stands: what the checks that look for something anywhere walk over."""

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.problem import join


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The strings in `value` at any depth, each with its path below `path`; keys of mappings are no texts."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from texts(each, join(path, str(key)))
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from texts(each, f"{path}[{index}]")
