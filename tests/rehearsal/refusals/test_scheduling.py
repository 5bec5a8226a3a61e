"""Pods that fit no node of any pool: judged when the whole is known, and each for its own reason."""

from collections.abc import Callable
from typing import Any

import pulumi_kubernetes as kubernetes
import pytest

from infra.environment import Environment
from rehearsal.cloud import Cloud
from rehearsal.rehearse import play
from rehearsal.stage import Stage
from tests.rehearsal.refusals.conftest import Mistakes, Outcome, declare_node_group, lay_base
from tests.rehearsal.refusals.test_kubernetes import POD, deployment, node_pool

Schedule = Callable[..., Outcome]
GPU_TAINT = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def pools() -> None:
    """Ordinary nodes, and tainted nodes with one GPU each."""
    node_pool(
        "general",
        requirements=[
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["m7i.xlarge"]},
            {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
        ],
    )
    node_pool("gpu", taints=[GPU_TAINT])


@pytest.fixture
def schedule(mistakes_alone: Mistakes) -> Schedule:
    """`schedule(**pod)`: a Deployment with this pod, beside the pools."""

    def run(**pod: Any) -> Outcome:
        def program() -> None:
            pools()
            deployment(**pod)

        return mistakes_alone(program)

    return run


def requests(**resources: str) -> list[dict[str, Any]]:
    return [{"name": "web", "image": "web:1", "resources": {"requests": resources}}]


def gpus(count: int) -> list[dict[str, Any]]:
    return [{"name": "web", "image": "web:1", "resources": {"limits": {"nvidia.com/gpu": str(count)}}}]


def test_pods_that_fit(schedule: Schedule):
    assert schedule().told() == "nothing refused"


def test_a_gpu_pod_that_fits(schedule: Schedule):
    assert schedule(containers=gpus(1), tolerations=[TOLERATION]).told() == "nothing refused"


def test_labels_that_no_node_has(schedule: Schedule):
    outcome = schedule(nodeSelector={"kubernetes.io/arch": "arm64"})

    outcome.assert_only_refused(
        "web",
        f"{POD}.nodeSelector",
        "Deployment web",
        "fits no node of any pool",
        "general: has kubernetes.io/arch=amd64, the pod wants kubernetes.io/arch=arm64",
        "gpu: has kubernetes.io/arch=amd64",
    )


def test_required_affinity_that_no_node_meets(schedule: Schedule):
    term = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["nvme"]}]}
    affinity = {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]},
        }
    }

    outcome = schedule(affinity=affinity)

    outcome.assert_only_refused(
        "web", f"{POD}.affinity", "Deployment web", "general: has disk=None, affinity wants disk In nvme"
    )


def test_taints_that_the_pod_does_not_tolerate(schedule: Schedule):
    outcome = schedule(nodeSelector={"node.kubernetes.io/instance-type": "g5.xlarge"})

    outcome.assert_only_refused(
        "web",
        f"{POD}.tolerations",
        "Deployment web",
        "gpu: untolerated taint nvidia.com/gpu=true:NoSchedule",
        "general: has node.kubernetes.io/instance-type=m7i.xlarge",
    )


def test_more_cpu_than_a_node_has(schedule: Schedule):
    outcome = schedule(containers=requests(cpu="5", memory="1Gi"))

    outcome.assert_only_refused(
        "web", f"{POD}.containers", "Deployment web", "general: needs 5 CPUs, has 3.92"
    )


def test_more_memory_than_a_node_has(schedule: Schedule):
    outcome = schedule(containers=requests(cpu="1", memory="20Gi"))

    outcome.assert_only_refused(
        "web", f"{POD}.containers", "Deployment web", "general: needs 20480 MiB of memory"
    )


def test_more_gpus_than_a_node_has(schedule: Schedule):
    outcome = schedule(containers=gpus(2), tolerations=[TOLERATION])

    outcome.assert_only_refused(
        "web",
        f"{POD}.containers",
        "Deployment web",
        "gpu: needs 2 GPUs, has 1",
        "general: needs 2 GPUs, has 0",
    )


def test_a_job_and_a_daemon_set_are_judged_too(mistakes_alone: Mistakes):
    pod = {"containers": requests(cpu="64"), "restartPolicy": "Never"}

    def program() -> None:
        pools()
        kubernetes.batch.v1.Job("job", metadata={"name": "job"}, spec={"template": {"spec": pod}})
        kubernetes.batch.v1.CronJob(
            "cron",
            metadata={"name": "cron"},
            spec={"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": pod}}}},
        )
        kubernetes.apps.v1.DaemonSet(
            "agent",
            metadata={"name": "agent"},
            spec={
                "selector": {"matchLabels": {"app": "agent"}},
                "template": {
                    "metadata": {"labels": {"app": "agent"}},
                    "spec": {"containers": requests(cpu="64")},
                },
            },
        )

    outcome = mistakes_alone(program)

    assert {each.problem.value for each in outcome.refusals} == {
        "Job job",
        "CronJob cron",
        "DaemonSet agent",
    }
    outcome.assert_refused(
        "cron", "spec.jobTemplate.spec.template.spec.containers", "CronJob cron", "64 CPUs"
    )


def test_the_nodes_of_a_node_group_count(environment: Environment, cloud: Cloud):
    """The taint is EKS's NO_SCHEDULE and the toleration Kubernetes' NoSchedule: they are one."""
    base = lay_base(Stage(environment, cloud), "warm")

    def program() -> None:
        declare_node_group(
            base,
            "warm",
            instance_types=["g5.12xlarge"],
            labels={"pool": "warm"},
            taints=[{"key": "warm-gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        )
        selector = {"pool": "warm"}
        deployment("untolerating", nodeSelector=selector)
        toleration = {"key": "warm-gpu", "operator": "Exists", "effect": "NoSchedule"}
        deployment("tolerating", nodeSelector=selector, tolerations=[toleration], containers=gpus(4))
        deployment("greedy", nodeSelector=selector, tolerations=[toleration], containers=gpus(5))

    (layer,) = play(base.stage, [("warm-nodes", lambda _: program())]).layers

    outcome = Outcome(layer)
    outcome.assert_refused("untolerating", f"{POD}.tolerations", "Deployment untolerating", "warm-gpu=true")
    outcome.assert_refused("greedy", f"{POD}.containers", "Deployment greedy", "needs 5 GPUs, has 4")
    assert len(outcome.refusals) == 2, outcome.told()


def test_while_a_pool_is_refused_nobody_knows_whether_its_pods_fit(mistakes_alone: Mistakes):
    def program() -> None:
        node_pool("general")
        node_pool("gpu", requirements="all")
        deployment(nodeSelector={"karpenter.sh/nodepool": "gpu"})

    outcome = mistakes_alone(program)

    assert {each.resource for each in outcome.refusals} == {"kubernetes:karpenter.sh/v1:NodePool gpu"}


def test_a_pool_that_is_refused_for_something_else_counts(mistakes_alone: Mistakes):
    def program() -> None:
        node_pool("gpu", taints=[{**GPU_TAINT, "effect": "NO_SCHEDULE"}])
        deployment("fits", tolerations=[TOLERATION])
        deployment("fits-too", tolerations=[{**TOLERATION, "effect": "NO_SCHEDULE"}])
        deployment("greedy", tolerations=[TOLERATION], containers=gpus(2))

    outcome = mistakes_alone(program)

    outcome.assert_refused("greedy", f"{POD}.containers", "Deployment greedy", "needs 2 GPUs, has 1")
    assert {each.resource for each in outcome.refusals} == {
        "kubernetes:karpenter.sh/v1:NodePool gpu",
        "kubernetes:apps/v1:Deployment fits-too",
        "kubernetes:apps/v1:Deployment greedy",
    }
    assert len(outcome.refusals) == 3, outcome.told()
