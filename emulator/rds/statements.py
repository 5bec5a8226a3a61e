"""Statements of the Data API, run over a PyMySQL connection."""

import base64
import json
from collections.abc import Mapping
from typing import Any, Final

import pymysql
from pymysql.constants import CLIENT

from emulator.operations import OperationError
from emulator.rds.values import AS_SENT, column, fields, with_parameters

STATEMENT_SECONDS: Final = 45.0
"""A call's longest. Source: Aurora user guide, "Using RDS Data API"."""
MOST_BYTES: Final = 1024 * 1024
"""Of a result."""

_INTERRUPTED: Final = {1969, 3024}
"""MariaDB's and MySQL's code for a statement that took too long."""
_LOST: Final = {0, 2003, 2006, 2013}
"""PyMySQL's codes for a server that is not there (any more); 0 is a connection that is closed."""


def options_of_connection() -> dict[str, Any]:
    """Options of the connections that statements run on."""
    return {
        "conv": AS_SENT,
        "client_flag": CLIENT.FOUND_ROWS,  # as JDBC: rows that an UPDATE found, changed or not
        # Past the longest statement, whose end the server then tells of.
        "read_timeout": int(STATEMENT_SECONDS) + 5,
    }


def execute(connection: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """ExecuteStatement."""
    with connection.cursor() as cursor:
        _run(connection, cursor, request, request.get("parameters") or ())
        if cursor.description is None:
            return {"numberOfRecordsUpdated": max(cursor.rowcount, 0), "generatedFields": _generated(cursor)}
        columns, rows = cursor._result.fields, cursor.fetchall()
    described = [column(each) for each in columns]
    if request.get("formatRecordsAs") == "JSON":
        labels = [each["label"] for each in described]
        return {"formattedRecords": _small(json.dumps([_as_json(labels, row) for row in rows], default=str))}
    options = request.get("resultSetOptions") or {}
    records = [fields(row, columns, options) for row in rows]
    _small(json.dumps(records, default=str))
    metadata = {"columnMetadata": described} if request.get("includeResultMetadata") else {}
    return {"records": records, "numberOfRecordsUpdated": 0, **metadata}


def batch(connection: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """BatchExecuteStatement."""
    results: list[dict[str, Any]] = []
    with connection.cursor() as cursor:
        for parameters in request.get("parameterSets") or [[]]:
            _run(connection, cursor, request, parameters)
            results.append({"generatedFields": _generated(cursor)})
    return {"updateResults": results}


def error_of(error: pymysql.MySQLError) -> OperationError:
    """The Data API's error for one of the server or of the connection to it."""
    code, text = error.args if len(error.args) == 2 else (None, str(error))  # noqa: PLR2004
    if code in _INTERRUPTED or "timed out" in text:  # the latter when it may continue after that
        return OperationError("StatementTimeoutException", "Request timed out")
    if code in _LOST:
        return OperationError("DatabaseUnavailableException", f"The database is not available. {text}")
    return OperationError("DatabaseErrorException", f"Database error code: {code}. Message: {text}")


def _run(connection: Any, cursor: Any, request: Mapping[str, Any], parameters: Any) -> None:
    seconds = 0 if request.get("continueAfterTimeout") else STATEMENT_SECONDS
    try:
        if request.get("transactionId") and request.get("database"):
            raise OperationError(
                "BadRequestException", "Database name is not the same as transaction's database"
            )
        cursor.execute(f"SET max_statement_time = {seconds}")
        cursor.execute(with_parameters(request["sql"], parameters, connection))
    except pymysql.MySQLError as error:
        raise error_of(error) from None


def _generated(cursor: Any) -> list[dict[str, Any]]:
    """The ids that AUTO_INCREMENT drew: of an INSERT of several rows they follow one another."""
    first = cursor.lastrowid
    return [{"longValue": first + number} for number in range(cursor.rowcount)] if first else []


def _as_json(labels: list[str], row: Any) -> dict[str, Any]:
    shown = (base64.b64encode(value).decode() if isinstance(value, bytes) else value for value in row)
    return dict(zip(labels, shown, strict=True))


def _small(text: str) -> str:
    if len(text) > MOST_BYTES:
        raise OperationError(
            "BadRequestException", "Database returned more than the allowed response size limit (1 MiB)"
        )
    return text
