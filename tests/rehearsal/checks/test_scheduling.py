"""A pod that no node of any pool takes is refused, with the reason of each pool."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.quantities import canonical_quantity, parse_quantity
from emulator.cluster.scheduling.fit import NodeShape, Taint, pod_requests
from rehearsal.checks.scheduling import check_pod

GPU_TAINT = Taint("nvidia.com/gpu", "true", "NoSchedule")
SYSTEM = NodeShape("system", {"pool": "system", "disk": "100"}, (), 4000, 16384, 0, 110)
GPU = NodeShape("gpu-a10g", {"pool": "gpu", "disk": "450"}, (GPU_TAINT,), 8000, 32768, 4, 110)
SHAPES = [SYSTEM, GPU]


def pod(requests=None, **spec):
    return {"containers": [{"name": "a", "resources": {"requests": requests or {}}}], **spec}


def wants(key: str, operator: str, *values: str) -> dict[str, Any]:
    """Return the required node affinity of one expression."""
    expression = {"key": key, "operator": operator, "values": list(values)}
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def refusal(spec, shapes=SHAPES, **options):
    (problem,) = check_pod(spec, shapes, "spec.template.spec", "Deployment search", **options)
    assert problem.value == "Deployment search"
    return problem


def test_a_pod_that_fits_a_node_passes():
    assert check_pod(pod({"cpu": "1", "memory": "1Gi"}), SHAPES, "spec", "a") == []


def test_an_untolerated_taint_is_named():
    problem = refusal(pod({"nvidia.com/gpu": 1}))
    assert "gpu-a10g: untolerated taint nvidia.com/gpu=true:NoSchedule" in problem.remedy
    assert "system: needs 1 GPUs, has 0 GPUs" in problem.remedy
    assert problem.property == "spec.template.spec.containers"


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "nvidia.com/gpu", "operator": "Exists"},
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
        {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"},
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "true"},
        {"operator": "Exists"},
    ],
)
def test_a_toleration_that_matches_lets_the_pod_in(toleration):
    assert check_pod(pod({"nvidia.com/gpu": 1}, tolerations=[toleration]), SHAPES, "spec", "a") == []


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"},
        {"key": "nvidia.com/gpu", "value": "false"},
        {"key": "gpu", "operator": "Exists"},
        {"key": "nvidia.com/gpu"},
        {},
    ],
)
def test_a_toleration_that_does_not_match_lets_nobody_in(toleration):
    problem = refusal(pod(tolerations=[toleration]), [GPU])
    assert problem.property == "spec.template.spec.tolerations"
    assert "untolerated taint" in problem.remedy


def test_a_preference_keeps_nobody_out():
    shape = NodeShape("spot", {}, (Taint("spot", "", "PreferNoSchedule"),), 2000, 4096, 0, 20)
    assert check_pod(pod(), [shape], "spec", "a") == []


def test_a_selector_no_node_has_is_named():
    problem = refusal(pod(nodeSelector={"pool": "cpu", "zone": "a"}))
    assert problem.property == "spec.template.spec.nodeSelector"
    assert "system: has pool=system, the pod wants pool=cpu" in problem.remedy
    assert "no label zone" in refusal(pod(nodeSelector={"zone": "a"})).remedy


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        (("pool", "In", "system", "gpu"), True),
        (("pool", "In", "cpu"), False),
        (("pool", "NotIn", "cpu"), True),
        (("pool", "NotIn", "system"), False),
        (("pool", "Exists"), True),
        (("zone", "Exists"), False),
        (("zone", "DoesNotExist"), True),
        (("pool", "DoesNotExist"), False),
        (("disk", "Gt", "99"), True),
        (("disk", "Gt", "100"), False),
        (("disk", "Lt", "101"), True),
        (("disk", "Lt", "100"), False),
        (("pool", "Gt", "1"), False),
        (("disk", "Gt", "one"), False),
        (("disk", "Gt"), False),
        (("disk", "Lt", "9" * 5000), False),
        (("zone", "NotIn", "a"), True),
    ],
)
def test_required_affinity_is_evaluated(expression, fits):
    problems = check_pod(pod(affinity=wants(*expression)), [SYSTEM], "spec", "a")
    assert [p.property for p in problems] == ([] if fits else ["spec.affinity"])
    assert all("affinity wants" in p.remedy for p in problems)


def test_one_term_of_affinity_is_enough():
    affinity = wants("pool", "In", "cpu")
    terms = affinity["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    terms.append({"matchExpressions": [{"key": "pool", "operator": "In", "values": ["system"]}]})
    assert check_pod(pod(affinity=affinity), [SYSTEM], "spec", "a") == []


def test_what_eks_reserves_is_not_for_pods():
    # 4 cores less 6% of the first, 1% of the second, 0.5% of the third and fourth.
    assert SYSTEM.allocatable["cpu"] == Decimal("3.92")
    # 16 GiB less 255 MiB, 11 MiB for each of 110 pods, and 100 MiB before pods are evicted.
    assert SYSTEM.allocatable["memory"] == (16384 - 255 - 1210 - 100) * 1024**2
    assert GPU.allocatable["cpu"] == Decimal("7.91")
    assert check_pod(pod({"cpu": "3920m"}), [SYSTEM], "spec", "a") == []
    assert "needs 4 CPUs, has 3.92 CPUs" in refusal(pod({"cpu": "4"}), [SYSTEM]).remedy
    assert "needs 16384 MiB of memory, has 14819 MiB" in refusal(pod({"memory": "16Gi"}), [SYSTEM]).remedy


def test_a_device_no_node_has_is_named():
    assert "system: needs 1 vpc.amazonaws.com/efa, has 0" in refusal(pod({"vpc.amazonaws.com/efa": 1})).remedy


def test_each_pool_tells_the_shape_that_came_furthest():
    other = NodeShape("system", {}, (), 64000, 2**20, 0, 110)
    problem = refusal(pod({"cpu": 5}, nodeSelector={"pool": "system"}), [other, SYSTEM])
    assert problem.remedy.endswith("larger nodes (system: needs 5 CPUs, has 3.92 CPUs)")


def test_without_nodes_nothing_runs():
    problem = refusal(pod(), [])
    assert (problem.reason, problem.remedy) == (
        "has no nodes to run on",
        "declare a node group or a NodePool first",
    )


def test_a_daemon_tolerates_the_conditions_of_nodes():
    shape = NodeShape("new", {}, (Taint("node.kubernetes.io/not-ready", "", "NoExecute"),), 2000, 4096, 0, 20)
    assert check_pod(pod(), [shape], "spec", "DaemonSet a", daemon=True) == []
    assert "node.kubernetes.io/not-ready:NoExecute" in refusal(pod(), [shape]).remedy
    assert refusal(pod(nodeSelector={"pool": "gpus"}), daemon=True).property.endswith("nodeSelector")


def test_a_quantity_that_is_none_is_refused():
    assert "250m" in refusal(pod({"cpu": "a lot"})).remedy


def container(cpu, **rest):
    return {"name": "a", "resources": {"requests": {"cpu": cpu}}, **rest}


def test_init_containers_run_before_and_sidecars_beside():
    spec: dict[str, Any] = {
        "initContainers": [container("3"), container("1", restartPolicy="Always"), container("4")],
        "containers": [container("2"), container("1")],
        "overhead": {"cpu": "250m"},
    }
    # The second init container runs beside the sidecar: 1 + 4. The containers and the sidecar: 1 + 2 + 1.
    assert pod_requests(spec)["cpu"] == Decimal("5.25")
    spec["containers"].append(container("3"))
    assert pod_requests(spec)["cpu"] == Decimal("7.25")


def test_a_limit_alone_is_the_request():
    limits = {"containers": [{"name": "a", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}
    assert pod_requests(limits)["nvidia.com/gpu"] == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("250m", "0.25"),
        ("1.5", "1.5"),
        (".5", "0.5"),
        ("2.", "2"),
        ("1e3", "1000"),
        ("1E3", "1000"),
        ("1E", "1000000000000000000"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("16Gi", str(16 * 2**30)),
        ("100n", "0.0000001"),
        ("-1", "-1"),
        (2, "2"),
        (0.5, "0.5"),
    ],
)
def test_quantities_are_read_as_kubernetes_reads_them(text, value):
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize(
    "text", ["", "1 Gi", "1gi", "Gi", "1KI", "--1", "1,5", None, True, [], "0x1", "1e", "٣"]
)
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ValueError, match="is not a quantity"):
        parse_quantity(text)


@given(st.decimals(-(10**18), 10**18, places=9))
def test_quantities_round_trip(value):
    assert parse_quantity(canonical_quantity(f"{value:f}")) == value


LABELS = st.dictionaries(st.sampled_from(["pool", "zone"]), st.sampled_from(["a", "b"]))
TAINTS = st.lists(st.builds(Taint, st.just("t"), st.sampled_from(["", "x"]), st.just("NoSchedule"))).map(
    tuple
)
NODES = st.builds(
    NodeShape,
    st.sampled_from(["p", "q"]),
    LABELS,
    TAINTS,
    st.integers(500, 8000),
    st.integers(2000, 32000),
    st.integers(0, 4),
    st.integers(1, 110),
)
PODS = st.builds(
    lambda cpu, gpus, selector, tolerations: pod(
        {"cpu": cpu, "nvidia.com/gpu": gpus}, nodeSelector=selector, tolerations=tolerations
    ),
    st.integers(0, 9),
    st.integers(0, 2),
    LABELS,
    st.lists(st.sampled_from([{"operator": "Exists"}, {"key": "t", "value": "x"}]), max_size=1),
)


@given(PODS, st.lists(NODES, max_size=4), NODES)
def test_more_nodes_never_keep_a_pod_out(spec, shapes, another):
    if not check_pod(spec, shapes, "spec", "a"):
        assert not check_pod(spec, [*shapes, another], "spec", "a")


@given(PODS, st.lists(NODES, max_size=4))
def test_a_refusal_has_a_reason_for_every_pool(spec, shapes):
    for problem in check_pod(spec, shapes, "spec", "a"):
        assert all(f"{shape.pool}: " in problem.remedy for shape in shapes)
