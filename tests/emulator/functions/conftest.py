"""The world of `tests/emulator/rds`: functions run where there are real databases."""

from tests.emulator.rds.conftest import (  # noqa: F401 - fixtures
    _needs_a_server,  # pyright: ignore[reportPrivateUsage, reportUnusedImport]
    aurora,  # pyright: ignore[reportUnusedImport]
    cloud,  # pyright: ignore[reportUnusedImport]
    new_aurora,  # pyright: ignore[reportUnusedImport]
    unique,  # pyright: ignore[reportUnusedImport]
)
