"""AWS-style error responses for what goes wrong outside an operation: no such service, a broken body, ...

Each AWS protocol has its own envelope; a client that gets the wrong one reports a parse error instead of
the message, so the service's protocol decides.
"""

import json
from collections.abc import Mapping
from typing import Final
from xml.sax.saxutils import escape

NOT_IMPLEMENTED: Final = "NotImplementedByEmulator"
"""Error code of operations that AWS has and the emulator has not: HTTP 501, which no SDK retries."""

_XML: Final[Mapping[str, str]] = {
    "ec2": (
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>emulator</RequestID></Response>"
    ),
    "query": (
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
        "<RequestId>emulator</RequestId></ErrorResponse>"
    ),
    "s3": "<Error><Code>{code}</Code><Message>{message}</Message><RequestId>emulator</RequestId></Error>",
}


def error_body(
    protocol: str | None, status: int, code: str, message: str
) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of an error.

    Args:
        protocol: the service's protocol in botocore's words (`ec2`, `query`, `rest-xml`, `json`,
            `rest-json`), `s3` for S3, None when the service is not known.
        status: the HTTP status, which some envelopes repeat.
        code: AWS's (or the emulator's) error code.
        message: what was wrong and what would be right.
    """
    template = _XML.get("query" if protocol == "rest-xml" else protocol or "")
    if template is not None:
        text = '<?xml version="1.0" encoding="UTF-8"?>\n' + template.format(
            code=escape(code), message=escape(message)
        )
        return [("Content-Type", "text/xml"), ("x-amzn-errortype", code)], text.encode()
    text = json.dumps({"__type": code, "message": message, "status": status})
    return [("Content-Type", "application/json"), ("x-amzn-errortype", code)], text.encode()
