"""The Data API's values: parameters become SQL literals, columns and rows become fields."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from pymysql.constants import FIELD_TYPE, FLAG
from pymysql.converters import conversions

from emulator.operations import OperationError

AS_SENT: Final = {
    kind: convert
    for kind, convert in conversions.items()
    if kind not in {FIELD_TYPE.DATE, FIELD_TYPE.TIME, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP}
}
"""For PyMySQL's `conv`: dates and times stay the text that the server sends, as the Data API returns them."""

_PARAMETERS: Final = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | --[ \t][^\n]* | \#[^\n]* | /\*.*?\*/
    | (?<![:\w]):(?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL,
)
"""Quoted text and comments, in which nothing is a parameter, and `:name`."""

_BINARY: Final = 63
"""The character set of columns that hold bytes, not text."""
_TEXTS: Final = {
    FIELD_TYPE.TINY_BLOB: "TINY",
    FIELD_TYPE.BLOB: "",
    FIELD_TYPE.MEDIUM_BLOB: "MEDIUM",
    FIELD_TYPE.LONG_BLOB: "LONG",
}
# MySQL's type -> java.sql.Types' number and the name that the Data API returns.
_TYPES: Final = {
    FIELD_TYPE.BIT: (-7, "BIT"),
    FIELD_TYPE.TINY: (-6, "TINYINT"),
    FIELD_TYPE.SHORT: (5, "SMALLINT"),
    FIELD_TYPE.INT24: (4, "MEDIUMINT"),
    FIELD_TYPE.LONG: (4, "INT"),
    FIELD_TYPE.LONGLONG: (-5, "BIGINT"),
    FIELD_TYPE.FLOAT: (7, "FLOAT"),
    FIELD_TYPE.DOUBLE: (8, "DOUBLE"),
    FIELD_TYPE.NEWDECIMAL: (3, "DECIMAL"),
    FIELD_TYPE.YEAR: (91, "YEAR"),
    FIELD_TYPE.DATE: (91, "DATE"),
    FIELD_TYPE.TIME: (92, "TIME"),
    FIELD_TYPE.DATETIME: (93, "DATETIME"),
    FIELD_TYPE.TIMESTAMP: (93, "TIMESTAMP"),
}


def with_parameters(sql: str, parameters: Iterable[Mapping[str, Any]], connection: Any) -> str:
    """The statement with a literal in the place of each `:name`. Raises BadRequestException for what is missing."""
    values = {parameter.get("name"): _python(parameter) for parameter in parameters}

    def literal(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match[0]
        if name not in values:
            raise OperationError("BadRequestException", f"Cannot find parameter: {name}")
        return connection.literal(values[name])

    return _PARAMETERS.sub(literal, sql)


def _python(parameter: Mapping[str, Any]) -> Any:
    name, value, hint = parameter.get("name"), parameter.get("value") or {}, parameter.get("typeHint")
    if value.get("isNull"):
        return None
    given = [key for key in value if key != "isNull"]
    if len(given) != 1 or given == ["arrayValue"]:
        reason = "Array parameters are not supported." if given else "has no value"
        raise OperationError("BadRequestException", f"Parameter {name}: {reason}")
    found = value[given[0]]
    if hint and isinstance(found, str):
        return _hinted(name, found, hint)
    return found


def _hinted(name: Any, text: str, hint: str) -> Any:
    try:
        if hint == "DECIMAL":
            return Decimal(text)
        if hint == "JSON":
            json.loads(text)
        elif hint in _ISO:
            _ISO[hint](text)
    except (ValueError, InvalidOperation):
        raise OperationError(
            "BadRequestException", f"Parameter {name}: {text!r} cannot be converted to {hint}"
        ) from None
    return text


_ISO: Final[Mapping[str, Any]] = {
    "DATE": date.fromisoformat,
    "TIME": time.fromisoformat,
    "TIMESTAMP": datetime.fromisoformat,
}


def column(field: Any) -> dict[str, Any]:
    """The metadata of a column, from PyMySQL's description of it."""
    number, name = _TYPES.get(field.type_code) or _text_type(field)
    unsigned = bool(field.flags & FLAG.UNSIGNED)
    numeric = field.type_code in _NUMBERS
    return {
        "arrayBaseColumnType": 0,
        "isAutoIncrement": bool(field.flags & FLAG.AUTO_INCREMENT),
        "isCaseSensitive": not numeric and bool(field.flags & FLAG.BINARY),
        "isCurrency": False,
        "isSigned": numeric and not unsigned,
        "label": field.name,
        "name": field.org_name or field.name,
        "nullable": 0 if field.flags & FLAG.NOT_NULL else 1,
        "precision": field.length,
        "scale": field.scale if numeric else 0,
        "schemaName": field.db.decode(),
        "tableName": field.table_name,
        "type": number,
        "typeName": f"{name} UNSIGNED" if numeric and unsigned else name,
    }


_NUMBERS: Final = {kind for kind, (_, name) in _TYPES.items() if name in {"FLOAT", "DOUBLE", "DECIMAL"}} | {
    kind for kind, (_, name) in _TYPES.items() if name.endswith("INT")
}


def _text_type(field: Any) -> tuple[int, str]:
    binary = field.charsetnr == _BINARY
    if field.type_code in _TEXTS:
        kind = "BLOB" if binary else "TEXT"
        return (-4 if binary else -1), _TEXTS[field.type_code] + kind
    if field.type_code == FIELD_TYPE.STRING:
        return (-2, "BINARY") if binary else (1, "CHAR")
    return (-3, "VARBINARY") if binary else (12, "VARCHAR")


def fields(row: Sequence[Any], columns: Sequence[Any], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row's values, each under the key of its type; `options` are the request's resultSetOptions."""
    return [_field(value, column, options) for value, column in zip(row, columns, strict=True)]


def _field(value: Any, column: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    if value is None:
        return {"isNull": True}
    if isinstance(value, bytes) and column.type_code == FIELD_TYPE.BIT:
        return {"booleanValue": any(value)} if column.length == 1 else {"longValue": int.from_bytes(value)}
    if isinstance(value, bytes):
        return {"blobValue": value}
    if isinstance(value, int | float | Decimal):
        return _number(value, column, options)
    return {"stringValue": str(value)}


def _number(value: float | Decimal, column: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(value, Decimal):
        if options.get("decimalReturnType") != "DOUBLE_OR_LONG":
            return {"stringValue": str(value)}
        value = float(value) if column.scale else int(value)
    if isinstance(value, float):
        return {"doubleValue": value}
    if column.type_code == FIELD_TYPE.TINY and column.length == 1:
        return {"booleanValue": bool(value)}
    return {"stringValue": str(value)} if options.get("longReturnType") == "STRING" else {"longValue": value}
