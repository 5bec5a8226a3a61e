"""Optimistic concurrency: the ETag of a thing is its version, and who changes it says which version they saw."""

import re
from typing import Annotated, Final

from litestar.params import HeaderParameter

from services.common.problems import FieldProblem, Problem

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        required=False,
        max_length=1000,
        description="The ETag of what is changed, as last seen; `*` for whatever is there",
    ),
]
_TAG: Final = re.compile(r'\s*(W/)?"([\x21\x23-\x7e]*)"\s*')


def etag(version: int) -> dict[str, str]:
    """The header that tells a thing's version."""
    return {"etag": f'"{version}"'}


def require_if_match(if_match: str | None) -> str:
    """The header. Raises Problem 428 when it is missing, and 400 when it is malformed."""
    if if_match is None:
        raise Problem(428, "send the ETag of what you saw in If-Match, or `*` to change whatever is there")
    if not is_any(if_match) and not all(_TAG.fullmatch(tag) for tag in if_match.split(",")):
        detail = 'must be ETags such as "3", or *'
        raise Problem(400, f"If-Match: {detail}", errors=[FieldProblem(detail, "If-Match", "header")])
    return if_match


def is_any(if_match: str) -> bool:
    """Whatever is there will do."""
    return if_match.strip() == "*"


def check(if_match: str, version: int) -> None:
    """Raise Problem 412 unless `version` is one of those in the header. Weak ETags match nothing (RFC 9110, 13.1.1)."""
    if is_any(if_match):
        return
    tags = (_TAG.fullmatch(tag) for tag in if_match.split(","))
    if not any(tag and not tag[1] and tag[2] == str(version) for tag in tags):
        raise changed()


def changed() -> Problem:
    """Somebody was faster."""
    return Problem(412, "it has changed since you saw it: get it again, and decide anew")
