"""kubectl on nodes: looking, cordoning, tainting, and draining past a PodDisruptionBudget."""

import pytest

from tests.emulator.cluster.harness import Kubectl, RunningCluster, deployment, disruption_budget, pod
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cluster")


def test_get_and_describe_nodes(cluster: RunningCluster, kubectl: Kubectl) -> None:
    wide = kubectl("get", "nodes", "-o", "wide")
    header = wide.lines[0]
    for column in ("STATUS", "ROLES", "AGE", "VERSION", "INTERNAL-IP", "OS-IMAGE", "CONTAINER-RUNTIME"):
        assert column in header
    first = next(line for line in wide.lines if line.startswith(cluster.nodes[0]))
    assert first.split()[1] == "Ready"
    assert "10.0.0.10" in first
    described = kubectl("describe", "node", cluster.nodes[0]).out
    for part in (
        "eks.amazonaws.com/nodegroup=system",
        "Allocatable:",
        "Non-terminated Pods:",
        "KubeletReady",
        "RenewTime:",
    ):
        assert part in described
    assert "Failed to get lease" not in described
    assert "0001" not in described  # as a time that nobody has set is printed
    selected = kubectl("get", "nodes", "-l", "topology.kubernetes.io/zone=eu-west-1a", "-o", "name")
    assert selected.lines == [f"node/{cluster.nodes[0]}"]


def test_a_cordoned_node_gets_no_pods(cluster: RunningCluster, kubectl: Kubectl) -> None:
    first, second = cluster.nodes[:2]
    assert kubectl("cordon", first).out == f"node/{first} cordoned\n"
    try:
        status = next(line for line in kubectl("get", "nodes").lines if line.startswith(first))
        assert "Ready,SchedulingDisabled" in status
        kubectl("create", "-f", "-", manifest=deployment("web", replicas=3))
        kubectl("rollout", "status", "deployment/web", "--timeout=30s")
        nodes = kubectl("get", "pods", "-o", "jsonpath={.items[*].spec.nodeName}").out.split()
        assert nodes == [second] * 3
    finally:
        assert kubectl("uncordon", first).out == f"node/{first} uncordoned\n"


def test_a_taint_keeps_pods_away_and_a_toleration_lets_them_in(
    cluster: RunningCluster, kubectl: Kubectl
) -> None:
    for node in cluster.nodes:
        kubectl("taint", "node", node, "dedicated=search:NoSchedule")
    try:
        refused = kubectl("taint", "node", cluster.nodes[0], "dedicated=other:NoSchedule", check=False)
        assert "already has dedicated taint(s)" in refused.err
        tolerating = {"tolerations": [{"key": "dedicated", "operator": "Exists"}]}
        kubectl("create", "-f", "-", manifest=[pod("outside"), pod("inside", **tolerating)])
        kubectl("wait", "--for=condition=Ready", "pod/inside", "--timeout=30s")
        until(lambda: "untolerated taint" in kubectl("events", "--for=pod/outside").out)
        assert kubectl("get", "pod", "outside", "-o", "jsonpath={.status.phase}").out == "Pending"
    finally:
        for node in cluster.nodes:
            kubectl("taint", "node", node, "dedicated-")
    kubectl("wait", "--for=condition=Ready", "pod/outside", "--timeout=30s")
    kubectl(
        "delete", "pod", "inside", "outside"
    )  # a namespace is emptied later: they would be in a drain's way


def test_a_drain_waits_for_the_disruption_budget(cluster: RunningCluster, kubectl: Kubectl) -> None:
    node = cluster.nodes[0]
    pinned = {"nodeSelector": {"kubernetes.io/hostname": node}}
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=2))
    kubectl("create", "-f", "-", manifest=[pod("bare", **pinned), disruption_budget("web", minAvailable=2)])
    kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    kubectl("wait", "--for=condition=Ready", "pod/bare", "--timeout=30s")
    try:
        refused = kubectl("drain", node, "--timeout=5s", check=False)
        assert "cannot delete" in refused.err
        assert "declare no controller" in refused.err
        kubectl("delete", "pod", "bare")
        on_node = ("get", "pods", "-l", "app=web", "--field-selector", f"spec.nodeName={node}", "-o", "name")
        assert kubectl(*on_node).lines

        budget = kubectl("get", "pdb", "web").lines[1].split()
        assert budget[:4] == ["web", "2", "N/A", "0"]
        drain = kubectl.start("drain", node, "--ignore-daemonsets", "--timeout=60s")
        assert drain.stdout is not None
        told = ""
        for line in drain.stdout:
            told += line
            if "Cannot evict pod as it would violate the pod's disruption budget" in line:
                break
        assert "error when evicting pods" in told
        kubectl("patch", "pdb", "web", "--type=merge", "-p", '{"spec":{"minAvailable":1}}')
        rest, _ = drain.communicate(timeout=60)
        assert drain.returncode == 0, told + rest
        assert f"node/{node} drained" in rest
        assert kubectl(*on_node).lines == []
        kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    finally:
        kubectl("uncordon", node)
