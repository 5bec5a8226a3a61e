"""Jobs run pods until enough have succeeded, or too many have failed."""

from typing import Any

import pytest

from emulator.cluster.controllers import job_pods
from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import BEGINNING, World, template

JOBS, PODS = "jobs.batch", "pods"


def job(restart: str = "Never", **spec: Any) -> Object:
    return {"metadata": {"name": "index"}, "spec": {"template": template({}, restartPolicy=restart), **spec}}


def conditions(world: World) -> dict[str, Object]:
    status = world.get(JOBS, "index")["status"]
    return {each["type"]: each for each in status.get("conditions", ())}


def phases(world: World) -> list[str]:
    return sorted(pod["status"]["phase"] for pod in world.objects(PODS))


def test_a_job_is_complete_when_its_pod_has_succeeded(world: World):
    world.create(JOBS, job())
    status = world.get(JOBS, "index")["status"]
    assert (status["active"], status["ready"]) == (1, 1)
    (pod,) = world.objects(PODS)
    assert pod["metadata"]["finalizers"] == [job_pods.TRACKING]
    assert pod["metadata"]["labels"][job_pods.JOB_NAME] == "index"

    world.set_status(PODS, pod["metadata"]["name"], phase="Succeeded")
    status = world.get(JOBS, "index")["status"]
    assert status["succeeded"] == 1
    assert status["completionTime"]
    assert "active" not in status
    assert conditions(world)["Complete"]["status"] == "True"
    assert not world.objects(PODS)[0]["metadata"].get("finalizers")
    assert "Completed" in world.reasons("index")


def test_as_many_run_at_once_as_asked_for(world: World):
    world.create(JOBS, job(completions=5, parallelism=2))
    assert len(world.names(PODS)) == 2
    world.behaviour = lambda pod: "succeeds"
    for name in world.names(PODS):
        world.set_status(PODS, name, phase="Succeeded")
    assert world.get(JOBS, "index")["status"]["succeeded"] == 5
    assert "Complete" in conditions(world)


def test_a_failed_pod_is_tried_again_after_a_while_and_not_too_often(world: World):
    world.behaviour = lambda pod: "fails"
    world.create(JOBS, job(backoffLimit=2))
    assert world.get(JOBS, "index")["status"]["failed"] == 1
    world.wait(9)
    assert len(world.names(PODS)) == 1
    world.wait(1)
    assert len(world.names(PODS)) == 2
    world.wait(19)
    assert len(world.names(PODS)) == 2
    world.wait(1)

    assert phases(world) == ["Failed"] * 3
    told = conditions(world)["Failed"]
    assert (told["reason"], told["message"]) == (
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    )
    world.wait(3600)
    assert len(world.names(PODS)) == 3


def test_restarts_in_place_count_towards_the_limit(world: World):
    world.create(JOBS, job("OnFailure", backoffLimit=3))
    (name,) = world.names(PODS)
    world.set_status(PODS, name, containerStatuses=[{"name": "app", "restartCount": 2}])
    assert "Failed" not in conditions(world)
    world.set_status(PODS, name, containerStatuses=[{"name": "app", "restartCount": 3}])
    assert conditions(world)["Failed"]["reason"] == "BackoffLimitExceeded"
    assert world.names(PODS) == []


def test_a_job_that_takes_too_long_is_ended(world: World):
    world.create(JOBS, job(activeDeadlineSeconds=60))
    world.wait(59)
    assert len(world.names(PODS)) == 1
    world.wait(1)
    assert conditions(world)["Failed"]["reason"] == "DeadlineExceeded"
    assert world.names(PODS) == []


def test_a_finished_job_goes_with_its_pods_when_its_time_has_come(world: World):
    world.behaviour = lambda pod: "succeeds"
    world.create(JOBS, job(ttlSecondsAfterFinished=30))
    world.wait(29)
    assert world.names(JOBS) == ["index"]
    world.wait(1)
    assert world.names(JOBS) + world.names(PODS) == []


def test_a_pod_that_is_deleted_counts_as_failed_and_is_replaced(world: World):
    world.create(JOBS, job())
    (name,) = world.names(PODS)
    world.delete(PODS, name)
    assert world.get(JOBS, "index")["status"]["failed"] == 1
    assert len(world.names(PODS)) == 1
    assert name not in world.names(PODS)


def test_a_suspended_job_has_no_pods(world: World):
    world.create(JOBS, job(suspend=True))
    assert world.names(PODS) == []
    assert conditions(world)["Suspended"]["reason"] == "JobSuspended"
    assert "startTime" not in world.get(JOBS, "index")["status"]

    world.change(JOBS, "index", suspend=False)
    assert len(world.names(PODS)) == 1
    assert conditions(world)["Suspended"]["status"] == "False"

    world.change(JOBS, "index", suspend=True)
    assert world.names(PODS) == []
    assert "failed" not in world.get(JOBS, "index")["status"]


def test_an_indexed_job_runs_each_index_once(world: World):
    world.create(JOBS, job(completions=3, parallelism=3, completionMode="Indexed"))
    pods = {job_pods.index_of(pod): pod for pod in world.objects(PODS)}
    assert sorted(pods) == [0, 1, 2]
    container = pods[1]["spec"]["containers"][0]
    assert {"name": "JOB_COMPLETION_INDEX", "value": "1"} in container["env"]
    assert pods[1]["metadata"]["name"].startswith("index-1-")

    world.set_status(PODS, pods[2]["metadata"]["name"], phase="Succeeded")
    world.set_status(PODS, pods[0]["metadata"]["name"], phase="Succeeded")
    assert world.get(JOBS, "index")["status"]["completedIndexes"] == "0,2"
    world.set_status(PODS, pods[1]["metadata"]["name"], phase="Succeeded")
    assert world.get(JOBS, "index")["status"]["completedIndexes"] == "0-2"
    assert "Complete" in conditions(world)


def test_a_deleted_job_takes_its_pods_along(world: World):
    world.create(JOBS, job())
    world.delete(JOBS, "index")
    assert world.names(PODS) == []


def test_deleted_in_the_foreground_too(world: World):
    world.create(JOBS, job())
    world.delete(JOBS, "index", "foregroundDeletion")
    assert world.names(PODS) + world.names(JOBS) == []


@pytest.mark.parametrize(
    ("text", "indexes"), [("", set()), ("0", {0}), ("1,2", {1, 2}), ("0-2,5,7-9", {0, 1, 2, 5, 7, 8, 9})]
)
def test_indexes_are_read_and_written_as_kubernetes_does(text: str, indexes: set[int]):
    assert job_pods.indexes_of(text) == indexes
    assert job_pods.written(indexes) == text


def cron_job(world: World, **spec: Any) -> None:
    told = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": job()["spec"]}, **spec}
    world.create("cronjobs.batch", {"metadata": {"name": "nightly"}, "spec": told})


def started(world: World, name: str) -> Object:
    """What `kubectl create job --from` creates."""
    owner = world.get("cronjobs.batch", "nightly")["metadata"]
    told = job()
    reference = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "nightly", "uid": owner["uid"]}
    told["metadata"] = {"name": name, "ownerReferences": [{**reference, "controller": True}]}
    return world.create(JOBS, told)


def test_a_cron_job_starts_a_job_at_each_time_of_its_schedule(world: World):
    cron_job(world)
    world.wait(299)
    assert world.names(JOBS) == []
    world.wait(1)
    minutes = int(BEGINNING.timestamp()) // 60
    assert world.names(JOBS) == [f"nightly-{minutes + 5}"]
    status = world.get("cronjobs.batch", "nightly")["status"]
    assert status["lastScheduleTime"] == "2026-01-01T00:05:00Z"
    assert [each["name"] for each in status["active"]] == world.names(JOBS)
    assert world.messages("nightly") == [f"Created job nightly-{minutes + 5}"]
    world.wait(300)
    assert len(world.names(JOBS)) == 2


def test_of_several_times_that_were_missed_the_last_is_made_up_for(world: World):
    cron_job(world)
    world.wait(3600)
    assert world.names(JOBS) == [f"nightly-{int(BEGINNING.timestamp()) // 60 + 60}"]


def test_a_time_that_is_missed_by_too_much_is_let_go(world: World):
    cron_job(world, startingDeadlineSeconds=10)
    world.wait(360)
    assert world.names(JOBS) == []
    assert "Missed scheduled time" in world.messages("nightly")[0]


@pytest.mark.parametrize(("policy", "running"), [("Allow", 2), ("Forbid", 1), ("Replace", 1)])
def test_what_still_runs_when_the_next_is_due(world: World, policy: str, running: int):
    cron_job(world, concurrencyPolicy=policy)
    world.wait(300)
    first = world.names(JOBS)
    world.wait(300)
    assert len(world.names(JOBS)) == running
    assert (world.names(JOBS) == first) == (policy == "Forbid")


def test_a_suspended_cron_job_starts_nothing(world: World):
    cron_job(world, suspend=True)
    world.wait(3600)
    assert world.names(JOBS) == []


def test_its_times_are_those_of_its_zone(world: World):
    cron_job(world, schedule="30 9 * * *", timeZone="Asia/Kolkata")
    world.wait(4 * 3600 - 1)
    assert world.names(JOBS) == []
    world.wait(1)  # 04:00 UTC
    assert len(world.names(JOBS)) == 1


def test_a_schedule_that_is_none_is_said_to_be(world: World):
    cron_job(world, schedule="every now and then")
    world.wait(3600)
    assert world.names(JOBS) == []
    assert world.messages("nightly")[0].startswith("unparseable schedule: ")


def test_a_job_started_by_hand_is_listed_and_old_ones_are_deleted(world: World):
    cron_job(world, successfulJobsHistoryLimit=1)
    started(world, "first")
    assert [each["name"] for each in world.get("cronjobs.batch", "nightly")["status"]["active"]] == ["first"]
    world.behaviour = lambda pod: "succeeds"
    world.set_status(PODS, world.names(PODS)[0], phase="Succeeded")
    assert "active" not in world.get("cronjobs.batch", "nightly")["status"]
    world.seconds += 5
    started(world, "second")
    assert world.names(JOBS) == ["second"]
    assert world.get("cronjobs.batch", "nightly")["status"]["lastSuccessfulTime"] == "2026-01-01T00:00:05Z"
