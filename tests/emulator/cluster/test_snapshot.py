"""What a cluster's process that is started again goes on with."""

from pathlib import Path

import pytest

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import Resources
from emulator.cluster.snapshot import Snapshot
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Object, Store, copy_of

RESOURCES = Resources()
CONFIG_MAPS = RESOURCES["configmaps"]


def config_map(name: str) -> Object:
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "objects.json"


def restarted(file: Path) -> Store:
    store = Store()
    Snapshot(store, file).restore(RESOURCES, KubernetesSchemas("1.35"))
    return store


def test_objects_are_as_they_were_and_told_as_new(file: Path) -> None:
    before = Store()
    kept = before.create(CONFIG_MAPS, config_map("kept"))
    Snapshot(before, file).save()
    after, heard = Store(), list[Event]()
    after.subscribe(heard.append)
    assert Snapshot(after, file).restore(RESOURCES, KubernetesSchemas("1.35")) == 1
    assert after.get(CONFIG_MAPS, "shop", "kept") == kept
    assert [(event.type, event.object) for event in heard] == [("ADDED", kept)]


def test_a_watch_of_before_the_restart_has_to_list_again(file: Path) -> None:
    """What came after the snapshot was told and is lost: its versions must not be given to other changes."""
    before = Store()
    before.create(CONFIG_MAPS, config_map("kept"))
    Snapshot(before, file).save()
    lost = before.create(CONFIG_MAPS, config_map("lost"))
    after = restarted(file)
    after.create(CONFIG_MAPS, config_map("new"))
    with pytest.raises(ApiError) as refused:
        after.changes(CONFIG_MAPS, int(lost["metadata"]["resourceVersion"]))
    assert (refused.value.code, refused.value.reason) == (410, "Expired")


def test_a_change_of_a_lost_version_is_a_conflict(file: Path) -> None:
    before = Store()
    before.create(CONFIG_MAPS, config_map("kept"))
    Snapshot(before, file).save()
    lost = before.update(CONFIG_MAPS, {**config_map("kept"), "data": {"a": "lost"}})
    after = restarted(file)
    after.update(CONFIG_MAPS, {**config_map("kept"), "data": {"a": "new"}})
    with pytest.raises(ApiError) as refused:
        after.update(CONFIG_MAPS, copy_of(lost))
    assert refused.value.code == 409


def test_a_watch_from_the_restart_on_sees_what_comes_and_nothing_twice(file: Path) -> None:
    before = Store()
    before.create(CONFIG_MAPS, config_map("kept"))
    Snapshot(before, file).save()
    after = restarted(file)
    listed = after.version
    after.create(CONFIG_MAPS, config_map("new"))
    assert [event.key for event in after.changes(CONFIG_MAPS, listed)] == [("shop", "new")]


def test_only_its_user_reads_it(file: Path) -> None:
    store = Store()
    store.create(CONFIG_MAPS, config_map("kept"))
    Snapshot(store, file).save()
    assert file.stat().st_mode & 0o077 == 0


def test_what_was_saved_stays_when_nothing_more_can_be_written(file: Path) -> None:
    store = Store()
    snapshot = Snapshot(store, file)
    kept = store.create(CONFIG_MAPS, config_map("kept"))
    snapshot.save()
    store.create(CONFIG_MAPS, config_map("new"))
    in_the_way = file.with_suffix(".partial")
    in_the_way.mkdir()
    snapshot.save()
    assert restarted(file).list(CONFIG_MAPS) == [kept]
    in_the_way.rmdir()
    snapshot.save()
    assert len(restarted(file).list(CONFIG_MAPS)) == 2
