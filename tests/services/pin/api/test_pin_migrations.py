"""The schema that the revisions make is the one that the code expects; several pods may migrate at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection

from infra.data.catalogue import CAPTURED_TABLES, TABLES
from services.pin.migrations import head
from services.pin.models import Base
from tests.services.pin.api.conftest import Api, MySql
from tests.services.pin.api.processes import role


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.xdist_group("pin-mysql"))])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Variables that lead to an empty database."""
    if request.param == "sqlite":
        return {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'pin.db'}"}
    new_mysql: Callable[[], MySql] = request.getfixturevalue("new_mysql")
    return new_mysql().variables


def test_several_migrate_at_once_and_again(empty: dict[str, str]) -> None:
    for _ in range(2):
        migrating = [role("migrate", empty) for _ in range(3)]
        for each in migrating:
            output, errors = each.communicate(timeout=120)
            assert (each.returncode, errors) == (0, ""), output


@pytest.mark.xdist_group("pin-mysql")
def test_a_migration_that_was_killed_midway_is_finished(new_mysql: Callable[[], MySql]) -> None:
    made = new_mysql()
    assert role("migrate", made.variables).wait(60) == 0
    for statement in (
        f"DROP TABLE {made.name}.idempotency_keys",
        f"DROP INDEX pins_of_section ON {made.name}.pins",
        f"DELETE FROM {made.name}.alembic_version",
    ):
        made.execute(statement)
    again = role("migrate", made.variables)
    output, _ = again.communicate(timeout=60)
    assert again.returncode == 0, output


def test_the_tables_are_those_of_the_models(api: Api) -> None:
    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Base.metadata)

    async def work(connection: AsyncConnection) -> list[Any]:
        return await connection.run_sync(compare)

    assert api.run(api.database.write, work) == []
    (row,) = api.run(api.database.rows, text("SELECT version_num FROM alembic_version"))
    assert row.version_num == head()


@pytest.mark.parametrize("name", CAPTURED_TABLES["pin"])
def test_captured_tables_have_the_columns_of_the_lake(name: str) -> None:
    (table,) = [each for each in TABLES if each.name == name]
    columns = Base.metadata.tables[name].columns
    assert {each.name for each in table.columns} <= set(columns.keys())
    assert [each.name for each in Base.metadata.tables[name].primary_key] == list(table.key)
    for each in table.columns:
        assert not (each.required and columns[each.name].nullable), each.name


def test_a_database_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    migrating = role("migrate", {"DATABASE_SECRET_FILE": str(tmp_path / "missing.json")})
    output, errors = migrating.communicate(timeout=60)
    assert migrating.returncode == 1
    assert "cannot be read" in output
    assert "Traceback" not in output + errors


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, "set either DATABASE_SECRET_FILE or DATABASE_URL"),
        (
            {"DATABASE_URL": "mysql+asyncmy://root@localhost/pin"},
            "DATABASE_URL: must be sqlite+aiosqlite:///",
        ),
        ({"DATABASE_URL": "sqlite+aiosqlite:///:memory:"}, "DATABASE_URL: must be sqlite+aiosqlite:///"),
        ({"DATABASE_URL": "sqlite+aiosqlite:///x", "DATABASE_POOL_SIZE": "0"}, "DATABASE_POOL_SIZE"),
    ],
)
def test_a_wrong_environment_ends_with_2(variables: dict[str, str], told: str) -> None:
    migrating = role("migrate", variables)
    _, errors = migrating.communicate(timeout=60)
    assert migrating.returncode == 2
    assert told in errors


def test_a_role_that_there_is_not_ends_with_2() -> None:
    wrong = role("sleep", {})
    _, errors = wrong.communicate(timeout=60)
    assert (wrong.returncode, "usage" in errors.lower()) == (2, True)
