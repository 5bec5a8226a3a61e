"""The lake across restarts: what `--keep` writes of S3 and Glue when the world ends, and puts back.

moto holds objects and tables in memory. When the world ends in good order, the present version of each object
and the place of each Iceberg table's metadata are written; when a bucket, a database or a table of the same name
is created the next time, they are there again, in a database also the tables that no program declares. A world
that is killed keeps what it had at its start.
"""

import base64
import hashlib
import shutil
from pathlib import Path
from typing import Any

import orjson
from moto.glue.models import glue_backends
from moto.s3.models import S3Backend, s3_backends

from emulator.backing import Backing, present

_INDEX = "index.json"
_put_back: set[tuple[str, str]] = set()
"""Databases and names of tables that came with their database and were not created again yet."""
_kept: dict[tuple[str, str], dict[str, Any]] = {}
"""By database and name, the tables that were kept and are not there again yet: each comes back once."""


def install(backing: Backing) -> None:
    """Put back what is there, and write it anew at the end; nothing unless `backing.keep`."""
    if not backing.keep:
        return
    backing.at_stop(lambda: save(backing))
    for qualified, table in _read(backing.data("glue") / _INDEX).items():
        database, _, name = qualified.partition(".")
        _kept[database, name] = table
    create = S3Backend.create_bucket

    def create_bucket(self: Any, bucket_name: str, *others: Any, **named: Any) -> Any:
        bucket = create(self, bucket_name, *others, **named)
        _restore(self, bucket_name, backing.data("s3") / bucket_name)
        return bucket

    S3Backend.create_bucket = create_bucket


def put_back_tables(database: str) -> None:
    """Let a new database have the Iceberg tables that it had, as far as their metadata is there."""
    backing = present()
    if backing is None:
        return
    for name in [name for owner, name in _kept if owner == database]:
        table = kept_table(database, name)
        if table is not None:
            glue_backends[backing.account][backing.region].create_table(database, name, table)
            _put_back.add((database, name))


def created_again(database: str, name: str) -> bool:
    """Whether a table that is there came with its database, and is created for the first time since."""
    if (database, name) not in _put_back:
        return False
    _put_back.remove((database, name))
    return True


def kept_table(database: str, name: str) -> dict[str, Any] | None:
    """The table input of an Iceberg table that was kept, if its metadata is there; told once."""
    backing, table = present(), _kept.get((database, name))
    if backing is None or table is None:
        return None
    bucket, _, key = table["Parameters"]["metadata_location"].removeprefix("s3://").partition("/")
    buckets = s3_backends[backing.account]["aws"].buckets
    if bucket not in buckets or key not in buckets[bucket].keys:
        return None
    return _kept.pop((database, name))


def save(backing: Backing) -> None:
    """Write all objects and the tables' places, in place of what was kept before."""
    folder = backing.data("s3")
    for name, bucket in s3_backends[backing.account]["aws"].buckets.items():
        _write_bucket(bucket, folder / name)
    tables: dict[str, Any] = {}
    for database in glue_backends[backing.account][backing.region].databases.values():
        for name, table in database.tables.items():
            last = table.get_version(table.as_dict()["VersionId"])
            if (last.get("Parameters") or {}).get("metadata_location"):
                tables[f"{database.name}.{name}"] = last
    (backing.data("glue") / _INDEX).write_bytes(orjson.dumps(tables, default=str))


def _write_bucket(bucket: Any, folder: Path) -> None:
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    index: dict[str, dict[str, Any]] = {}
    for name, key in bucket.keys.items():
        file = hashlib.sha256(name.encode()).hexdigest()
        (partial / file).write_bytes(key.value)
        checksum = key.checksum_value
        index[name] = {
            "file": file,
            "metadata": dict(key.metadata),
            "encryption": key.encryption,
            "kms_key_id": key.kms_key_id,
            "storage": key.storage_class,
            "checksum": base64.b64encode(checksum).decode() if isinstance(checksum, bytes) else checksum,
        }
    (partial / _INDEX).write_bytes(orjson.dumps(index))
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)


def _restore(backend: Any, bucket: str, folder: Path) -> None:
    for name, told in _read(folder / _INDEX).items():
        key = backend.put_object(
            bucket,
            name,
            (folder / told["file"]).read_bytes(),
            storage=told["storage"],
            encryption=told["encryption"],
            kms_key_id=told["kms_key_id"],
            checksum_value=told["checksum"],
            disable_notification=True,
        )
        key.set_metadata(told["metadata"])


def _read(file: Path) -> dict[str, Any]:
    return orjson.loads(file.read_bytes()) if file.exists() else {}
