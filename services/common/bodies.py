"""JSON bodies are read as strictly as the OpenAPI document describes them, and in one pass.

Litestar reads parameters and bodies alike: what stands in a query is text, so it takes "7" for 7 and "false" for
false, and would in a body too.
"""

import re
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.exceptions import ValidationException

_AT: Final = re.compile(r"(?s)(.*) - at `\$\.?(.*)`\Z")


class StrictRequest(Request[Any, Any, Any]):
    """Litestar's, but for JSON bodies."""

    async def json(self) -> Any:
        """The body as the type of the handler's `data`. Raises ValidationException, with what is wrong where."""
        field = self.route_handler.parsed_data_field
        if field is None:
            return await super().json()
        try:
            return msgspec.json.decode(await self.body(), type=field.annotation)
        except msgspec.ValidationError as error:
            found = _AT.fullmatch(str(error))
            message, key = (found[1], found[2]) if found else (str(error), "")
            raise ValidationException(
                f"the body is not as it should be: {error}",
                extra=[{"message": message, "key": key, "source": "body"}],
            ) from error
        except (msgspec.DecodeError, UnicodeDecodeError):
            return await super().json()  # which says that it is no JSON
