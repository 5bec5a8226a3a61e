"""How a leaf comes to its index when it starts: from its disk, else from the newest snapshot, else from Kafka alone.

Kafka keeps events for days, so an index that is begun empty lacks what is older, and so do the snapshots that are
made of it: that is right only where there is no snapshot. While S3 does not answer nobody knows, and the leaf does
not start.
"""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from services.common import logs
from services.search.index import ENGINE, Index
from services.search.settings import LeafSettings
from services.search.snapshots import Snapshots

_LOCK: Final = "lock"
_log = logs.logger(__name__)


class DirectoryInUseError(OSError):
    """Another process has the index open; the message says which directory."""


def lock(directory: Path) -> Callable[[], None]:
    """Have the index' directory to oneself, until the process ends or what is returned is called.

    Engines refuse to open what another process has open, which looks like damage, and what is damaged is thrown
    away. Raises DirectoryInUseError.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise DirectoryInUseError(
            f"another process has the index in {directory} open: end it first"
        ) from None
    return lambda: os.close(file)


def open_or_recover(settings: LeafSettings, snapshots: Snapshots | None) -> Index:
    """The index of the directory if it is usable, else that of the newest snapshot, else an empty one.

    Raises boto3's and botocore's errors when S3 cannot say whether there is a snapshot.
    """
    directory = settings.index_directory
    if (directory / ENGINE).exists():
        try:
            return Index.open(settings)
        except Exception:  # damaged in whichever way: it is known to be elsewhere too
            _log.exception("the index on disk cannot be used and is thrown away")
    Index.clear(directory)
    if snapshots is not None and (restored := snapshots.restore()) is not None:
        return restored
    _log.warning("there is neither an index nor a good snapshot: everything is read from Kafka")
    return Index.open(settings)
