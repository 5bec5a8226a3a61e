"""pyiceberg, through the Glue catalog and S3, with nothing but what `pinwheel up` printed."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.xdist_group("world")

PROGRAM = """
import datetime, sys
import pyarrow as pa
from pyiceberg.catalog import load_catalog

catalog = load_catalog()
table = catalog.load_table((sys.argv[1], "saves"))
fields = {field.name: field for field in table.schema().fields}
assert table.spec().fields, "the declared table is partitioned"

def value(field, row):
    kind = str(field.field_type)
    if kind.startswith("timestamp"):
        moment = datetime.datetime(2026, 11, 22, 12, row)
        return moment.replace(tzinfo=datetime.timezone.utc) if kind.startswith("timestamptz") else moment
    if kind == "date":
        return datetime.date(2026, 11, 22)
    if kind in ("long", "int"):
        return row
    if kind in ("float", "double"):
        return float(row)
    if kind == "boolean":
        return True
    assert kind == "string", kind
    return f"{field.name}-{row}"

rows = [{name: value(field, row) for name, field in fields.items()} for row in range(3)]
before = table.scan().to_arrow().num_rows
table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
again = load_catalog().load_table((sys.argv[1], "saves"))
read = again.scan().to_arrow()
assert read.num_rows == before + 3, read.num_rows
assert again.current_snapshot() is not None
assert again.spec() == table.spec()
assert again.metadata.location.startswith("s3://" + sys.argv[2] + "/"), again.metadata.location
print(sorted(fields))
"""


def test_a_declared_table_is_appended_to_scanned_and_loaded_again(world) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, world.thing("Glue database"), world.thing("lake bucket")],
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[")


def test_every_declared_table_loads(world) -> None:
    program = (
        "import sys; from pyiceberg.catalog import load_catalog; catalog = load_catalog()\n"
        "for identifier in catalog.list_tables(sys.argv[1]):\n"
        "    print(identifier[1], catalog.load_table(identifier).format_version)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, world.thing("Glue database")],
        env=world.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()[::2]) == ["boards", "clicks", "embeddings", "pins", "saves"]
