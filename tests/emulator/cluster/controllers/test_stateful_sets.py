"""StatefulSets make pods one after the other, with names and claims that stay."""

from typing import Any

from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import World, template

SETS, PODS = "statefulsets.apps", "pods"
CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful_set(replicas: int = 3, **spec: Any) -> Object:
    labels = {"app": "db"}
    told = {
        "replicas": replicas,
        "serviceName": "db",
        "selector": {"matchLabels": labels},
        "template": template(labels, "db:1"),
        **spec,
    }
    return {"metadata": {"name": "db"}, "spec": told}


def set_image(world: World, image: str, **spec: Any) -> None:
    world.change(SETS, "db", template=template({"app": "db"}, image), **spec)


def images(world: World) -> list[str]:
    return [pod["spec"]["containers"][0]["image"] for pod in world.objects(PODS)]


def test_pods_come_in_order_each_when_the_one_before_is_ready(world: World):
    world.behaviour = lambda pod: "unready"
    world.create(SETS, stateful_set())
    assert world.names(PODS) == ["db-0"]

    world.set_ready("db-0", ready=True)
    assert world.names(PODS) == ["db-0", "db-1"]

    world.behaviour = lambda pod: "ready"
    world.set_ready("db-1", ready=True)
    assert world.names(PODS) == ["db-0", "db-1", "db-2"]
    assert "create Pod db-2 in StatefulSet db successful" in world.messages("db")


def test_in_parallel_nobody_waits(world: World):
    world.behaviour = lambda pod: "unready"
    world.create(SETS, stateful_set(podManagementPolicy="Parallel"))
    assert world.names(PODS) == ["db-0", "db-1", "db-2"]


def test_a_pod_has_an_identity(world: World):
    world.create(SETS, stateful_set(ordinals={"start": 5}))
    assert world.names(PODS) == ["db-5", "db-6", "db-7"]
    pod = world.get(PODS, "db-6")
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-6", "db")
    assert pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "db-6"
    assert pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"] == "6"


def test_a_pod_comes_back_under_its_name(world: World):
    world.create(SETS, stateful_set())
    before = world.get(PODS, "db-1")["metadata"]["uid"]
    world.delete(PODS, "db-1")
    assert world.get(PODS, "db-1")["metadata"]["uid"] != before


def test_a_pod_that_failed_is_made_anew(world: World):
    world.create(SETS, stateful_set())
    world.set_status(PODS, "db-1", phase="Failed")
    assert world.get(PODS, "db-1")["status"]["phase"] == "Running"
    assert "RecreatingFailedPod" in world.reasons("db")


def test_it_shrinks_from_the_end_and_keeps_the_claims(world: World):
    world.create(SETS, stateful_set(volumeClaimTemplates=[CLAIM]))
    claims = ["data-db-0", "data-db-1", "data-db-2"]
    assert world.names("persistentvolumeclaims") == claims
    volumes = {each["name"]: each for each in world.get(PODS, "db-1")["spec"]["volumes"]}
    assert volumes["data"]["persistentVolumeClaim"]["claimName"] == "data-db-1"

    world.behaviour = lambda pod: "hangs"
    world.change(SETS, "db", replicas=1)
    going = [pod["metadata"]["name"] for pod in world.objects(PODS) if "deletionTimestamp" in pod["metadata"]]
    assert going == ["db-2"]
    for name in ("db-2", "db-1"):
        world.store.delete(world.resource(PODS), "default", name, 0)
        world.settle()
    assert world.names(PODS) == ["db-0"]
    assert world.names("persistentvolumeclaims") == claims


def test_claims_go_with_the_set_if_it_says_so(world: World):
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    told = stateful_set(volumeClaimTemplates=[CLAIM], persistentVolumeClaimRetentionPolicy=policy)
    world.create(SETS, told)
    world.delete(SETS, "db")
    assert world.names("persistentvolumeclaims") == []
    assert world.names("persistentvolumes") == []


def test_an_update_goes_from_the_last_to_the_first(world: World):
    world.create(SETS, stateful_set())
    first = world.get(SETS, "db")["status"]["currentRevision"]
    world.behaviour = lambda pod: "unready"
    set_image(world, "db:2")
    assert images(world) == ["db:1", "db:1", "db:2"]
    status = world.get(SETS, "db")["status"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)
    assert status["currentRevision"] == first != status["updateRevision"]

    world.behaviour = lambda pod: "ready"
    world.set_ready("db-2", ready=True)
    assert images(world) == ["db:2"] * 3
    status = world.get(SETS, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"]
    assert status["currentReplicas"] == status["updatedReplicas"] == status["readyReplicas"] == 3


def test_pods_below_the_partition_keep_the_old_template(world: World):
    world.create(SETS, stateful_set())
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    set_image(world, "db:2", updateStrategy=strategy)
    assert images(world) == ["db:1", "db:1", "db:2"]

    world.delete(PODS, "db-0")
    assert images(world) == ["db:1", "db:1", "db:2"]

    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    world.change(SETS, "db", updateStrategy=strategy)
    assert images(world) == ["db:2"] * 3


def test_on_delete_waits_for_somebody_to_delete(world: World):
    world.create(SETS, stateful_set(updateStrategy={"type": "OnDelete"}))
    set_image(world, "db:2")
    assert images(world) == ["db:1"] * 3
    world.delete(PODS, "db-1")
    assert images(world) == ["db:1", "db:2", "db:1"]


def test_revisions_hold_the_patch_that_kubectl_undoes_with(world: World):
    world.create(SETS, stateful_set())
    set_image(world, "db:2")
    revisions = sorted(world.objects("controllerrevisions.apps"), key=lambda each: each["revision"])
    assert [each["revision"] for each in revisions] == [1, 2]
    patch = revisions[0]["data"]["spec"]["template"]
    assert patch["$patch"] == "replace"
    assert patch["spec"]["containers"][0]["image"] == "db:1"
    assert revisions[0]["metadata"]["labels"]["app"] == "db"

    undone = {key: value for key, value in patch.items() if key != "$patch"}
    world.change(SETS, "db", template=undone)
    assert images(world) == ["db:1"] * 3
    found = {each["metadata"]["name"]: each["revision"] for each in world.objects("controllerrevisions.apps")}
    assert found[revisions[0]["metadata"]["name"]] == 3


def test_old_revisions_are_forgotten(world: World):
    world.create(SETS, stateful_set(1, revisionHistoryLimit=1))
    for number in range(2, 6):
        set_image(world, f"db:{number}")
    assert sorted(each["revision"] for each in world.objects("controllerrevisions.apps")) == [4, 5]
