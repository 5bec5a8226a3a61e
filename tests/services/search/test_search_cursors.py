"""Cursors are good for the search that they came from."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.common.problems import Problem
from services.search import cursors
from services.search.backend import MAX_WINDOW


@given(st.text(), st.integers(1, MAX_WINDOW - 1))
def test_a_cursor_says_how_many_were_shown(query: str, offset: int) -> None:
    cursor = cursors.encode(query, offset)
    assert len(cursor) <= cursors.MAX_CURSOR
    assert cursors.decode(query, cursor) == offset


@given(st.text(max_size=64))
def test_anything_else_is_refused(text: str) -> None:
    if not text:
        assert cursors.decode("q", text) == 0
        return
    with pytest.raises(Problem) as refused:
        cursors.decode("q", text)
    assert refused.value.status_code == 400


def test_there_is_no_page_after_the_last() -> None:
    assert cursors.following("q", 0, 10, 9) is None
    assert cursors.following("q", MAX_WINDOW - 10, 10, 10) is None
    following = cursors.following("q", 0, 10, 10)
    assert cursors.decode("q", following) == 10
