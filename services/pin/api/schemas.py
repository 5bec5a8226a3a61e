"""What goes over the wire, with its bounds. Identifiers are strings of digits: JavaScript's numbers end at 2^53."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from services.pin.models import DESCRIPTION_LENGTH, LINK_LENGTH, TITLE_LENGTH

# In JSON Schema's dialect too; `$` alone would let Python take a trailing line feed.
_LINE: Final = r"^[^\u0000-\u001f\u007f]*$(?!\n)"
_NAME: Final = r"^[^\u0000-\u0020\u007f]([^\u0000-\u001f\u007f]*[^\u0000-\u0020\u007f])?$(?!\n)"
_LINES: Final = r"^[^\u0000-\u0008\u000b-\u001f\u007f]*$"
_LINK: Final = r"^https?://[^\s/?#@\\\u0000-\u001f]+([/?#][^\s\u0000-\u001f]*)?$(?!\n)"
DIGITS: Final = r"^[1-9][0-9]{0,18}$(?!\n)"

Identifier = Annotated[str, Meta(pattern=DIGITS, description="A 64-bit number in decimal", examples=["1"])]
Username = Annotated[str, Meta(pattern=r"^[a-z0-9_]{3,30}$(?!\n)", description="Unique", examples=["ada_l"])]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$(?!\n)", description="ISO 3166-1 alpha-2", examples=["DE"])]
Name = Annotated[str, Meta(min_length=1, max_length=TITLE_LENGTH, pattern=_NAME, examples=["Chairs"])]
Title = Annotated[str, Meta(max_length=TITLE_LENGTH, pattern=_LINE)]
Description = Annotated[str, Meta(max_length=DESCRIPTION_LENGTH, pattern=_LINES)]
Link = Annotated[
    str,
    Meta(
        max_length=LINK_LENGTH,
        pattern=_LINK,
        description="An http or https URL",
        examples=["https://a.example/"],
    ),
]
Version = Annotated[int, Meta(ge=1, description="Rises with every change; the ETag is made of it")]


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    """A misspelt field is an error, not nothing."""


class NewUser(_Request):
    """A person's profile, made with their first request."""

    username: Username
    country: Country | None = None


class UserChanges(_Request):
    """What is left out stays."""

    username: Username | UnsetType = UNSET
    country: Country | UnsetType | None = UNSET


class NewBoard(_Request):
    """A board to make."""

    name: Name
    description: Description = ""
    secret: bool = False


class BoardChanges(_Request):
    """What is left out stays."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    secret: bool | UnsetType = UNSET


class NewSection(_Request):
    """A section to make."""

    name: Name


class SectionChanges(_Request):
    """What is left out stays."""

    name: Name | UnsetType = UNSET


class NewPin(_Request):
    """A pin to put on one of one's own boards."""

    board_id: Identifier
    section_id: Identifier | None = None
    """A section of that board."""
    title: Title = ""
    description: Description = ""
    link: Link | None = None
    upload_id: Identifier | None = None
    """An image that was uploaded before (`POST /v1/uploads`)."""


class PinChanges(_Request):
    """What is left out stays. A pin that is moved to another board leaves its section, unless one is given."""

    board_id: Identifier | UnsetType = UNSET
    section_id: Identifier | UnsetType | None = UNSET
    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    link: Link | UnsetType | None = UNSET


class NewSave(_Request):
    """Where to save a pin."""

    board_id: Identifier


class NewUpload(_Request):
    """An image about to be uploaded."""

    content_type: Annotated[str, Meta(pattern=r"^image/(jpeg|png|webp|gif)$(?!\n)", examples=["image/jpeg"])]
    content_length: Annotated[int, Meta(ge=1, le=20 * 1024 * 1024, description="Bytes")]


class User(msgspec.Struct):
    """What everybody sees of a person."""

    id: Identifier
    username: Username
    created_at: datetime


class Profile(msgspec.Struct):
    """What a person sees of themselves."""

    id: Identifier
    username: Username
    country: Country | None
    version: Version
    created_at: datetime
    updated_at: datetime


class Board(msgspec.Struct):
    """A collection of pins."""

    id: Identifier
    owner_id: Identifier
    name: Name
    description: Description
    secret: bool
    version: Version
    created_at: datetime
    updated_at: datetime


class Section(msgspec.Struct):
    """A part of a board."""

    id: Identifier
    board_id: Identifier
    name: Name
    version: Version
    created_at: datetime
    updated_at: datetime


class Image(msgspec.Struct):
    """The picture of a pin."""

    key: str
    """Of the original in the images bucket."""
    width: int | None
    """Pixels; null, as height and color, until the image has been looked at."""
    height: int | None
    color: str | None
    """#rrggbb: what most of it has, to show while it loads."""


class Pin(msgspec.Struct):
    """A picture with words."""

    id: Identifier
    board_id: Identifier
    section_id: Identifier | None
    owner_id: Identifier
    title: Title
    description: Description
    link: Link | None
    image: Image | None
    version: Version
    created_at: datetime
    updated_at: datetime


class Save(msgspec.Struct):
    """A pin that somebody put on one of their boards."""

    id: Identifier
    pin_id: Identifier
    board_id: Identifier
    user_id: Identifier
    version: Version
    saved_at: datetime


class BoardPin(msgspec.Struct):
    """A pin as a board shows it."""

    pin: Pin
    added_at: datetime
    """When it was made or saved there."""
    save_id: Identifier | None
    """Of a pin that was saved from another board."""


class Upload(msgspec.Struct):
    """Where and how to put an image: a multipart/form-data POST of `fields`, then the file as `file`."""

    id: Identifier
    url: str
    fields: dict[str, str]
    expires_at: datetime


NextCursor = Annotated[str | None, Meta(description="`cursor` of the next page; null: this is the last")]


class BoardPage(msgspec.Struct):
    """Boards, the newest first."""

    items: list[Board]
    next_cursor: NextCursor


class SectionPage(msgspec.Struct):
    """Sections, the oldest first."""

    items: list[Section]
    next_cursor: NextCursor


class BoardPinPage(msgspec.Struct):
    """Pins of a board, the latest first; a page may have fewer than `limit` of them and not be the last."""

    items: list[BoardPin]
    next_cursor: NextCursor


class PinList(msgspec.Struct):
    """Pins, the best first."""

    items: list[Pin]
