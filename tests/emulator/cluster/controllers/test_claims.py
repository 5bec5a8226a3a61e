"""Claims are bound at once to volumes of their own."""

from typing import Any

from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import World

CLAIMS, VOLUMES = "persistentvolumeclaims", "persistentvolumes"


def claim(world: World, **spec: Any) -> Object:
    told = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    return world.create(CLAIMS, {"metadata": {"name": "data"}, "spec": told})


def test_a_claim_is_bound_to_a_volume_made_for_it(world: World):
    storage_class = {"metadata": {"name": "gp3"}, "provisioner": "ebs.csi.aws.com"}
    world.create("storageclasses.storage.k8s.io", storage_class)
    uid = claim(world, storageClassName="gp3")["metadata"]["uid"]

    found = world.get(CLAIMS, "data")
    assert found["status"] == {
        "phase": "Bound",
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": "1Gi"},
    }
    volume = world.get(VOLUMES, f"pvc-{uid}")
    assert found["spec"]["volumeName"] == volume["metadata"]["name"]
    assert volume["status"]["phase"] == "Bound"
    assert volume["spec"]["claimRef"]["name"] == "data"
    assert volume["spec"]["csi"]["driver"] == "ebs.csi.aws.com"


def test_the_volume_goes_with_the_claim(world: World):
    claim(world)
    world.delete(CLAIMS, "data")
    assert world.names(VOLUMES) == []


def test_a_volume_that_is_to_be_retained_is_released(world: World):
    told = {"metadata": {"name": "slow"}, "provisioner": "ebs.csi.aws.com", "reclaimPolicy": "Retain"}
    world.create("storageclasses.storage.k8s.io", told)
    claim(world, storageClassName="slow")
    world.delete(CLAIMS, "data")
    (volume,) = world.objects(VOLUMES)
    assert volume["status"]["phase"] == "Released"


def test_a_claim_on_a_volume_by_name_waits_for_it(world: World):
    claim(world, volumeName="disk")
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Pending"
    spec = {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"]}
    world.create(VOLUMES, {"metadata": {"name": "disk"}, "spec": spec})
    assert world.get(CLAIMS, "data")["status"]["phase"] == "Bound"
    assert world.get(CLAIMS, "data")["status"]["capacity"] == {"storage": "2Gi"}
    assert world.get(VOLUMES, "disk")["spec"]["claimRef"]["name"] == "data"
