"""YAML of a request as the API server reads it: YAML 1.1, turned into JSON, within bounds.

Clients such as kubectl send JSON. Who sends YAML gets it read in pure Python, which takes a second for 300 kB
and holds everybody else up meanwhile; and a document of a few lines that refers to itself can stand for
terabytes. Both are refused.
"""

from typing import Any, Final

import orjson
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

LONGEST: Final = 256 * 1024
"""Bytes of text."""
_LARGEST: Final = 3 * 1024 * 1024
"""Characters and values that a document may stand for once its aliases are written out."""


class YamlDocumentError(ValueError):
    """What is wrong with a document, in one line."""


def read_yaml(text: bytes) -> Any:
    """Return the document as plain JSON values. Raises YamlDocumentError."""
    if len(text) > LONGEST:
        raise YamlDocumentError(f"the document has more than {LONGEST} bytes; send it as JSON")
    parser = YAML(typ="safe", pure=True)
    parser.version = (1, 1)
    try:
        found = parser.load(text)
        if _size(found, {}) > _LARGEST:
            raise YamlDocumentError("document contains excessive aliasing")
        # A round through JSON makes texts of dates, which JSON has not.
        return orjson.loads(orjson.dumps(found, option=orjson.OPT_NON_STR_KEYS))
    except RecursionError:
        raise YamlDocumentError("exceeded max depth") from None
    except (YAMLError, orjson.JSONEncodeError, UnicodeDecodeError) as wrong:
        raise YamlDocumentError(" ".join(str(wrong).split())) from None


def _size(value: Any, known: dict[int, int]) -> int:
    """The size of a value with its aliases written out; what they stand for is looked at once."""
    if not isinstance(value, dict | list):
        return len(value) if isinstance(value, str) else 1
    if id(value) not in known:
        known[id(value)] = 0  # a value within itself is refused as such
        inner = [*value, *value.values()] if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(value)]
