"""The cluster's objects on disk, so that a process that is started again goes on with them.

What is lost when the process is killed is at most the last second; pods are processes and start anew.
"""

import asyncio
import logging
import os
from pathlib import Path
from typing import Any, Final

import orjson

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import CRD, Resources
from emulator.cluster.store import Store

_LOG: Final = logging.getLogger(__name__)
_INTERVAL_SECONDS: Final = 1.0
_VERSION_GAP: Final = 1_000_000
"""What the resource version jumps by at a restart: clients may know versions that came after the snapshot, and
must not take new changes for those."""


class Snapshot:
    """Writes the store into `file` whenever it has changed, and reads it back."""

    def __init__(self, store: Store, file: Path) -> None:
        self._store = store
        self._file = file
        self._written = 0

    def restore(self, resources: Resources, schemas: KubernetesSchemas) -> int:
        """Put back what the file holds; returns how many objects. Kinds that are not known are left out."""
        if not self._file.exists():
            return 0
        told: dict[str, Any] = orjson.loads(self._file.read_bytes())
        objects: list[dict[str, Any]] = told["objects"]
        definitions = [each for each in objects if each["kind"] == CRD]
        for definition in definitions:
            resources.define(definition)
            schemas.add_custom_resource_definition(definition)
        restored = 0
        for obj in objects:
            resource = resources.of_kind(obj["apiVersion"], obj["kind"])
            if resource is not None:
                self._store.restore(resource, obj, told["version"] + _VERSION_GAP)
                restored += 1
        return restored

    def save(self) -> None:
        """Write, if anything has changed since. When the disk is full what was written last stays."""
        if self._written == self._store.version:
            return
        partial = self._file.with_suffix(".partial")
        try:
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds Secrets
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(self._store.snapshot()))
            partial.replace(self._file)
        except OSError as error:
            _LOG.warning("the objects could not be saved: %s", error)
        else:
            self._written = self._store.version

    async def run(self) -> None:
        """Save for ever."""
        while True:
            await asyncio.sleep(_INTERVAL_SECONDS)
            self.save()
