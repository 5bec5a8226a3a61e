"""Identifiers that depend on what is created, not on when.

A rehearsal must have the same resource inputs every time, and identifiers flow from one resource into the
next; but Pulumi creates resources in no fixed order. So a client may send a seed with a request (the
resource's URN), and the random part of the identifiers is drawn from it. The same request with the same
seed, sent again, draws other ones: two resources never get the same identifier.
"""

import re
from collections import Counter
from typing import Any, Final

from moto.moto_api._internal import mock_random

SEED_HEADER: Final = "HTTP_X_PINWHEEL_SEED"
"""The header `X-Pinwheel-Seed`, as WSGI spells it."""

_ACTION: Final = re.compile(rb"Action=([A-Za-z0-9]+)")


class Seeding:
    """Seeds moto's random source before a request; used under the server's lock."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()
        self._seeded = False

    def before(self, environ: dict[str, Any]) -> None:
        """Seed for a request: by its header, the operation and how often both came; else by chance."""
        seed = environ.get(SEED_HEADER)
        if seed:
            key = f"{seed} {_operation(environ)}"
            self._uses[key] += 1
            mock_random.seed(f"{key} {self._uses[key]}")
            self._seeded = True
        elif self._seeded:
            mock_random.seed()
            self._seeded = False


def _operation(environ: dict[str, Any]) -> str:
    """What tells the operations of a service apart: a header, a form field, or method and path."""
    target = environ.get("HTTP_X_AMZ_TARGET")
    if target:
        return str(target)
    body = environ["wsgi.input"]
    action = _ACTION.match(body.read(128))
    body.seek(0)
    return action[1].decode() if action else f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"
