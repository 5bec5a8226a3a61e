"""Rows as they are answered."""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Response

from services.pin.api import schemas
from services.pin.api.conditions import etag
from services.pin.api.idempotency import Answer

Columns = Mapping[str, Any]


def user(row: Columns) -> schemas.User:
    """For everybody."""
    return schemas.User(str(row["user_id"]), row["username"], row["created_at"])


def profile(row: Columns) -> schemas.Profile:
    """For themselves."""
    return schemas.Profile(
        id=str(row["user_id"]),
        username=row["username"],
        country=row["country"] or None,
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def board(row: Columns) -> schemas.Board:
    """A board's columns."""
    return schemas.Board(
        id=str(row["board_id"]),
        owner_id=str(row["owner_id"]),
        name=row["name"],
        description=row["description"],
        secret=bool(row["secret"]),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def section(row: Columns) -> schemas.Section:
    """A section's columns."""
    return schemas.Section(
        id=str(row["section_id"]),
        board_id=str(row["board_id"]),
        name=row["name"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def pin(row: Columns) -> schemas.Pin:
    """A pin's columns."""
    return schemas.Pin(
        id=str(row["pin_id"]),
        board_id=str(row["board_id"]),
        section_id=str(row["section_id"]) if row["section_id"] else None,
        owner_id=str(row["owner_id"]),
        title=row["title"],
        description=row["description"],
        link=row["link"] or None,
        image=_image(row) if row["image_key"] else None,
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def save(row: Columns) -> schemas.Save:
    """A save's columns."""
    return schemas.Save(
        id=str(row["save_id"]),
        pin_id=str(row["pin_id"]),
        board_id=str(row["board_id"]),
        user_id=str(row["user_id"]),
        version=row["version"],
        saved_at=row["saved_at"],
    )


def one(body: Any, version: int, headers: dict[str, str] | None = None) -> Response[Any]:
    """The answer about one thing."""
    return Response(body, headers={**etag(version), **(headers or {})})


def created(body: msgspec.Struct, version: int, location: str) -> Answer:
    """The answer of a POST that made something."""
    return Answer.of(201, body, {**etag(version), "location": location})


def _image(row: Columns) -> schemas.Image:
    return schemas.Image(row["image_key"], row["image_width"], row["image_height"], row["image_color"])
