"""Where parameters are in a statement."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymysql.converters import escape_item

from emulator.rds.values import with_parameters


class Connection:
    """All that is needed of one."""

    def literal(self, value: Any) -> str:
        return escape_item(value, "utf8mb4")


def filled(sql: str, **values: str) -> str:
    parameters = [{"name": name, "value": {"stringValue": value}} for name, value in values.items()]
    return with_parameters(sql, parameters, Connection())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT '10:x', \":x\", `:x`",
        "SELECT 'it''s :x', 'it\\'s :x'",
        "SELECT 1 -- :x\n",
        "SELECT 1 # :x\n",
        "SELECT /* :x\n:x */ 1",
        "SET @a := 1",
        "SELECT a::x",
    ],
)
def test_what_is_quoted_or_a_comment_is_left_alone(sql: str) -> None:
    assert filled(sql, x="wrong") == sql


def test_a_parameter_may_come_twice_and_next_to_anything() -> None:
    assert filled("SELECT (:x),:x=:xy", x="a", xy="b") == "SELECT ('a'),'a'='b'"


@given(st.text())
def test_a_value_is_always_one_literal(text: str) -> None:
    literal = filled(":x", x=text)
    assert filled(f"{literal} :y", y="end") == f"{literal} 'end'"
