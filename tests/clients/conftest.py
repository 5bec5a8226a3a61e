"""What tests with real clients share."""

import json
from typing import Any

import pytest


@pytest.fixture
def seen(world):
    """What `pinwheel status --json` tells, looked at anew with each call."""

    def look() -> dict[str, Any]:
        done = world.pinwheel.run("status", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return look
