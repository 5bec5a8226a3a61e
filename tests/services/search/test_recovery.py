"""How a leaf comes to its index, and does not, when another has it or nobody knows what there is."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from boto3.exceptions import S3UploadFailedError
from botocore.exceptions import ClientError

from services.search.index import Index
from services.search.recovery import DirectoryInUseError, lock, open_or_recover
from services.search.settings import LeafSettings
from services.search.snapshots import Snapshots, SnapshotThread
from tests.services.search import searching
from tests.services.search.searching import Api, Broker, Publisher, Service, board, pin
from tests.waiting import until


def settings(directory: Path, **more: Any) -> LeafSettings:
    return LeafSettings(
        shard=0,
        index_directory=directory,
        kafka_bootstrap_servers="127.0.0.1:1",
        snapshots_bucket="snapshots",
        **more,
    )


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "ListObjectsV2")


class UnansweringS3:
    """Lists nothing: it is overloaded."""

    def get_paginator(self, _: str) -> "UnansweringS3":
        return self

    def paginate(self, **_: Any) -> Any:
        raise refusal("SlowDown")


def test_while_nobody_knows_whether_there_is_a_snapshot_no_index_is_begun(tmp_path: Path) -> None:
    given = settings(tmp_path / "index")
    with pytest.raises(ClientError, match="SlowDown"):
        open_or_recover(given, Snapshots(given, UnansweringS3()))
    assert not (tmp_path / "index" / "engine").exists()


def test_only_one_process_has_an_index_open(tmp_path: Path) -> None:
    release = lock(tmp_path)
    with pytest.raises(DirectoryInUseError, match=str(tmp_path)):
        lock(tmp_path)
    release()
    lock(tmp_path)()


def test_a_second_leaf_on_the_same_disk_leaves_the_first_alone(
    broker: Broker, publisher: Publisher, tmp_path: Path, ending: Callable[[Service], Service]
) -> None:
    first = ending(searching.leaf(broker, tmp_path / "index")).ready()
    second = ending(searching.leaf(broker, tmp_path / "index"))
    assert second.process.wait(30) == 1
    publisher.send(board(1), pin(1, title="slate"))
    api = Api(ending(searching.root(first.address("rpc"))).ready())
    until(lambda: api.found("pins?q=slate") == [1])


class FailingSnapshots:
    """What `SnapshotThread` makes and prunes: never."""

    def __init__(self) -> None:
        self.tried = threading.Semaphore(0)

    def make(self, _: Index) -> None:
        self.tried.release()
        raise S3UploadFailedError("An error occurred (SlowDown) when calling the PutObject operation")


class UnchangingIndex:
    def positions(self) -> dict[tuple[str, int], int]:
        return {("pins@1", 0): 7}


def test_after_an_upload_that_failed_the_next_snapshot_is_tried(tmp_path: Path) -> None:
    failing = FailingSnapshots()
    thread = SnapshotThread(
        settings(tmp_path, snapshot_interval_seconds=1),
        cast("Snapshots", failing),
        cast("Index", UnchangingIndex()),
    )
    thread.start()
    try:
        assert failing.tried.acquire(timeout=30)
        assert failing.tried.acquire(timeout=30)
    finally:
        thread.stop()
