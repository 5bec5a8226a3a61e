"""What a request says about how to write."""

from dataclasses import dataclass, field
from typing import Final

from emulator.cluster.status import ApiError, bad_request

STRICT: Final = "Strict"
WARN: Final = "Warn"
IGNORE: Final = "Ignore"


@dataclass
class WriteOptions:
    """The query of a writing request, and what it finds out besides the object."""

    field_manager: str = ""
    """Who writes, for managedFields; the API server takes the first word of the user agent if not given."""
    force: bool = False
    """A server-side apply takes fields over from their managers."""
    dry_run: bool = False
    """Answer what would be, store nothing."""
    field_validation: str = WARN
    """What fields that no schema has lead to: STRICT refuses, WARN and IGNORE drop them."""
    warnings: list[str] = field(default_factory=list)
    """For `Warning` headers of the answer."""
    created: bool = False
    """Whether the write made the object: a server-side apply then answers 201."""

    def check(self) -> None:
        """Raise ApiError when a value is none of those there are."""
        if self.field_validation not in {STRICT, WARN, IGNORE}:
            raise bad_request(
                f'invalid fieldValidation "{self.field_validation}": one of "{IGNORE}", "{STRICT}", "{WARN}"'
            )
        longest = 128
        if len(self.field_manager) > longest:
            raise ApiError(422, "Invalid", f"fieldManager: Too long: may not be more than {longest} bytes")
