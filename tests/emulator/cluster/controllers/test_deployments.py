"""Deployments make ReplicaSets, roll from one to the next, and say how far they are."""

from emulator.cluster.controllers.revisions import EARLIER_REVISIONS, REVISION
from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import World, deployment, template


def condition(obj: Object, type_: str) -> Object:
    return next(each for each in obj["status"]["conditions"] if each["type"] == type_)


def images(world: World) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in world.objects("pods"))


def sizes(world: World) -> dict[str, int]:
    """Replicas by image."""
    return {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each["spec"]["replicas"]
        for each in world.objects("replicasets.apps")
    }


def set_image(world: World, image: str, **spec: object) -> None:
    world.change("deployments.apps", "web", template=template({"app": "web"}, image), **spec)


def test_a_deployment_becomes_ready_pods(world: World):
    world.create("deployments.apps", deployment())

    (replica_set,) = world.objects("replicasets.apps")
    digest = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{digest}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    pods = world.objects("pods")
    assert len(pods) == 3
    for pod in pods:
        assert pod["metadata"]["name"].startswith(f"web-{digest}-")
        assert pod["metadata"]["ownerReferences"][0]["name"] == replica_set["metadata"]["name"]
    told = world.get("deployments.apps", "web")
    assert told["metadata"]["annotations"][REVISION] == "1"
    assert told["status"] | {"conditions": []} == {
        "observedGeneration": 1,
        "replicas": 3,
        "updatedReplicas": 3,
        "readyReplicas": 3,
        "availableReplicas": 3,
        "conditions": [],
    }
    assert condition(told, "Available")["reason"] == "MinimumReplicasAvailable"
    progressing = condition(told, "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == f'ReplicaSet "web-{digest}" has successfully progressed.'
    assert world.messages("web") == [f"Scaled up replica set web-{digest} from 0 to 3"]


def test_a_new_template_replaces_the_pods(world: World):
    world.create("deployments.apps", deployment())
    set_image(world, "web:2")

    assert images(world) == ["web:2"] * 3
    assert sizes(world) == {"web:1": 0, "web:2": 3}
    told = world.get("deployments.apps", "web")
    assert told["metadata"]["annotations"][REVISION] == "2"
    assert told["status"]["updatedReplicas"] == told["status"]["replicas"] == 3


def test_a_rolling_update_waits_for_new_pods_that_are_not_ready(world: World):
    world.create("deployments.apps", deployment(replicas=4))
    world.behaviour = lambda pod: "unready"
    set_image(world, "web:2")

    # 25% of 4: one more than 4 at most, and 3 available at least.
    assert sizes(world) == {"web:1": 3, "web:2": 2}
    told = world.get("deployments.apps", "web")
    assert told["status"]["availableReplicas"] == 3
    assert condition(told, "Progressing")["reason"] == "ReplicaSetUpdated"
    assert condition(told, "Available")["status"] == "True"

    for pod in world.objects("pods"):
        if pod["spec"]["containers"][0]["image"] == "web:2":
            world.set_ready(pod["metadata"]["name"], ready=True)
    assert sizes(world) == {"web:1": 1, "web:2": 4}


def test_never_fewer_are_available_nor_more_there_than_allowed(world: World):
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.create("deployments.apps", deployment(replicas=5, strategy=rolling))
    counts: list[tuple[int, int]] = []

    def note(event: object) -> None:
        pods = [each for each in world.objects("pods") if "deletionTimestamp" not in each["metadata"]]
        ready = [
            each for each in pods if (each["status"].get("conditions") or [{}])[0].get("status") == "True"
        ]
        counts.append((len(pods), len(ready)))

    world.store.subscribe(note)
    set_image(world, "web:2")

    assert images(world) == ["web:2"] * 5
    assert max(there for there, _ in counts) == 6
    assert min(ready for _, ready in counts) == 5


def test_recreate_ends_all_old_pods_before_a_new_one_starts(world: World):
    world.create("deployments.apps", deployment(strategy={"type": "Recreate"}))
    world.behaviour = lambda pod: "hangs"
    set_image(world, "web:2")
    assert images(world) == ["web:1"] * 3

    world.behaviour = lambda pod: "ready"
    for name in world.names("pods"):
        world.store.delete(world.resource("pods"), "default", name, 0)
    world.settle()
    assert images(world) == ["web:2"] * 3


def test_undo_uses_the_old_replica_set_again_as_a_new_revision(world: World):
    world.create("deployments.apps", deployment())
    (first,) = world.names("replicasets.apps")
    set_image(world, "web:2")
    set_image(world, "web:1")

    assert len(world.names("replicasets.apps")) == 2
    again = world.get("replicasets.apps", first)
    assert again["spec"]["replicas"] == 3
    assert again["metadata"]["annotations"][REVISION] == "3"
    assert again["metadata"]["annotations"][EARLIER_REVISIONS] == "1"
    assert world.get("deployments.apps", "web")["metadata"]["annotations"][REVISION] == "3"


def test_old_replica_sets_are_kept_up_to_the_limit(world: World):
    world.create("deployments.apps", deployment(revisionHistoryLimit=2))
    for number in range(2, 7):
        set_image(world, f"web:{number}")

    assert sorted(sizes(world)) == ["web:4", "web:5", "web:6"]


def test_a_paused_deployment_scales_but_does_not_roll(world: World):
    world.create("deployments.apps", deployment())
    set_image(world, "web:2", paused=True, replicas=5)

    assert images(world) == ["web:1"] * 5
    assert condition(world.get("deployments.apps", "web"), "Progressing")["reason"] == "DeploymentPaused"

    world.change("deployments.apps", "web", paused=False)
    assert images(world) == ["web:2"] * 5
    told = condition(world.get("deployments.apps", "web"), "Progressing")
    assert (told["status"], told["reason"]) == ("True", "NewReplicaSetAvailable")


def test_scaling_during_a_rollout_keeps_the_proportions(world: World):
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    world.create("deployments.apps", deployment(replicas=10, strategy=rolling))
    world.behaviour = lambda pod: "unready"
    set_image(world, "web:2")
    assert sizes(world) == {"web:1": 8, "web:2": 5}

    world.change("deployments.apps", "web", replicas=15)

    # The example of kubernetes.io/docs/concepts/workloads/controllers/deployment/#proportional-scaling.
    assert sizes(world) == {"web:1": 11, "web:2": 7}


def test_a_rollout_that_does_not_progress_passes_its_deadline(world: World):
    world.behaviour = lambda pod: "unready"
    world.create("deployments.apps", deployment(progressDeadlineSeconds=60))
    told = condition(world.get("deployments.apps", "web"), "Progressing")
    assert told["status"] == "True"

    world.wait(61)
    told = condition(world.get("deployments.apps", "web"), "Progressing")
    assert (told["status"], told["reason"]) == ("False", "ProgressDeadlineExceeded")
    available = condition(world.get("deployments.apps", "web"), "Available")
    assert available["message"] == "Deployment does not have minimum availability."


def test_pods_count_as_available_only_after_min_ready_seconds(world: World):
    world.create("deployments.apps", deployment(minReadySeconds=10))
    told = world.get("deployments.apps", "web")["status"]
    assert (told["readyReplicas"], told.get("availableReplicas"), told["unavailableReplicas"]) == (3, None, 3)

    world.wait(10)
    assert world.get("deployments.apps", "web")["status"]["availableReplicas"] == 3


def test_scaling_to_zero_and_back(world: World):
    world.create("deployments.apps", deployment())
    world.change("deployments.apps", "web", replicas=0)
    assert world.objects("pods") == []
    assert "replicas" not in world.get("deployments.apps", "web")["status"]

    world.change("deployments.apps", "web", replicas=2)
    assert world.get("deployments.apps", "web")["status"]["availableReplicas"] == 2


def test_a_name_that_is_taken_makes_another_hash(world: World):
    elsewhere = World()
    elsewhere.create("deployments.apps", deployment())
    (taken,) = elsewhere.names("replicasets.apps")
    selector = {"matchLabels": {"app": "other"}}
    spec = {"replicas": 0, "selector": selector, "template": template({"app": "other"})}
    world.create("replicasets.apps", {"metadata": {"name": taken}, "spec": spec})

    world.create("deployments.apps", deployment())

    assert len(world.names("replicasets.apps")) == 2
    assert world.get("deployments.apps", "web")["status"]["collisionCount"] == 1
    assert world.get("deployments.apps", "web")["status"]["availableReplicas"] == 3
