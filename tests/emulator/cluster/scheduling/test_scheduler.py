"""Where pods go, and what they are told when they go nowhere."""

import pytest

ZONE = "topology.kubernetes.io/zone"
HOSTNAME = "kubernetes.io/hostname"
NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"


def required(*expressions, fields=()):
    term = {"matchExpressions": list(expressions), "matchFields": list(fields)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}


def to_pods(kind, *terms, weight=None):
    if weight is None:
        return {kind: {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}}
    preferred = [{"weight": weight, "podAffinityTerm": term} for term in terms]
    return {kind: {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def near(key, namespaces=None, **labels):
    term = {"topologyKey": key, "labelSelector": {"matchLabels": labels}}
    return term | ({"namespaceSelector": namespaces} if namespaces is not None else {})


def spread(key, *, skew=1, hard=True, labels=None, **others):
    return {
        "topologyKey": key,
        "maxSkew": skew,
        "whenUnsatisfiable": "DoNotSchedule" if hard else "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels or {}},
        **others,
    }


def test_a_pod_is_bound_to_a_node_that_takes_it(world):
    world.node("n1")
    world.pod("web")
    assert world.where("web") == "n1"
    assert world.get("web")["status"]["conditions"] == [
        {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-09-03T12:00:00Z"}
    ]
    assert world.events("web", "Scheduled") == ["Successfully assigned default/web to n1"]


def test_without_nodes_a_pod_waits_for_the_first(world):
    world.pod("web")
    assert world.why("web") == "no nodes available to schedule pods"
    world.node("n1")
    assert world.where("web") == "n1"


def test_the_message_counts_the_reasons_in_their_order(world):
    world.node("n1", cpu="1")
    world.node("n2", cpu="1", memory="1Gi")
    world.node("n3", taints=["dedicated=gpu:NoSchedule"])
    world.node("n4", taints=["a=b:NoExecute"])
    world.change("nodes", "n1", spec={"unschedulable": True})
    world.pod("web", requests={"cpu": "2", "memory": "2Gi"})
    message = (
        "0/4 nodes are available: 1 Insufficient cpu, 1 Insufficient memory, 1 node(s) were unschedulable, "
        "2 node(s) had untolerated taint(s). no new claims to deallocate, preemption: 0/4 nodes are available: "
        f"4 {NOT_HELPFUL}."
    )
    assert world.why("web") == message
    assert world.events("web", "FailedScheduling") == [message]
    (event,) = world.store.list(world.resources["events"], "default")
    assert event["source"] == {"component": "default-scheduler"}


def test_a_node_that_is_full_offers_no_victims(world):
    world.node("n1", cpu="2")
    world.pod("first", requests={"cpu": "1500m"})
    world.pod("second", requests={"cpu": "1"})
    assert world.where("first") == "n1"
    assert world.why("second") == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
        f"0/1 nodes are available: 1 {NO_VICTIMS}."
    )


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        ({"memory": "17Gi"}, "Insufficient memory"),
        ({"ephemeral-storage": "51Gi"}, "Insufficient ephemeral-storage"),
        ({"nvidia.com/gpu": "1"}, "Insufficient nvidia.com/gpu"),
    ],
)
def test_what_a_node_does_not_have(world, requests, reason):
    world.node("n1")
    world.pod("web", requests=requests)
    assert world.why("web").startswith(f"0/1 nodes are available: 1 {reason}.")


def test_the_number_of_pods_is_limited(world):
    world.node("n1", pods="1")
    world.pod("first")
    world.pod("second")
    assert world.where("first") == "n1"
    assert "1 Too many pods." in world.why("second")


def test_a_pod_that_ends_makes_room(world):
    world.node("n1", cpu="2")
    world.pod("job", requests={"cpu": "2"})
    world.pod("web", requests={"cpu": "2"})
    assert "Insufficient cpu" in world.why("web")
    world.change("pods", "job", "default", status={"phase": "Succeeded"})
    assert world.where("web") == "n1"


def test_a_pod_that_is_deleted_makes_room(world):
    world.node("n1", cpu="2")
    world.pod("old", requests={"cpu": "2"})
    world.pod("new", requests={"cpu": "2"})
    assert world.where("new") is None
    world.delete("pods", "old", "default")
    assert world.where("new") == "n1"


def test_pods_on_a_node_that_comes_back_still_count(world):
    world.node("n1", cpu="2")
    world.pod("old", requests={"cpu": "2"})
    assert world.where("old") == "n1"
    world.delete("nodes", "n1")
    world.manager.settle()
    world.node("n1", cpu="2")
    world.pod("new", requests={"cpu": "1"})
    assert "Insufficient cpu" in world.why("new")


def test_a_node_selector_chooses(world):
    world.node("n1", labels={"role": "system"})
    world.node("n2", labels={"role": "general"})
    world.pod("web", nodeSelector={"role": "general"})
    world.pod("none", nodeSelector={"role": "gpu"})
    assert world.where("web") == "n2"
    assert "2 node(s) didn't match Pod's node affinity/selector." in world.why("none")


def test_a_label_that_a_node_gets_lets_a_pod_in(world):
    world.node("n1")
    world.pod("web", nodeSelector={"role": "general"})
    assert world.where("web") is None
    world.change("nodes", "n1", metadata={"labels": {"role": "general"}})
    assert world.where("web") == "n1"


@pytest.mark.parametrize(
    ("expression", "node"),
    [
        ({"key": "cores", "operator": "In", "values": ["8", "16"]}, "n2"),
        ({"key": "cores", "operator": "NotIn", "values": ["4"]}, "n2"),
        ({"key": "spot", "operator": "Exists"}, "n1"),
        ({"key": "spot", "operator": "DoesNotExist"}, "n2"),
        ({"key": "cores", "operator": "Gt", "values": ["4"]}, "n2"),
        ({"key": "cores", "operator": "Lt", "values": ["8"]}, "n1"),
    ],
)
def test_required_node_affinity(world, expression, node):
    world.node("n1", labels={"cores": "4", "spot": ""})
    world.node("n2", labels={"cores": "8"})
    world.pod("web", affinity=required(expression))
    assert world.where("web") == node


def test_a_daemon_pod_goes_to_the_node_that_it_names_or_nowhere(world):
    world.node("n1")
    world.node("n2", cpu="1")
    name = {"key": "metadata.name", "operator": "In", "values": ["n2"]}
    world.pod("small", requests={"cpu": "1"}, affinity=required(fields=[name]))
    world.pod("large", requests={"cpu": "2"}, affinity=required(fields=[name]))
    assert world.where("small") == "n2"
    assert world.why("large").startswith(
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )


def test_preferred_node_affinity_decides_between_nodes_that_are_alike(world):
    for name, disk in (("n1", "hdd"), ("n2", "ssd"), ("n3", "hdd")):
        world.node(name, labels={"disk": disk})
    preference = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
    preferred = [{"weight": 1, "preference": preference}]
    world.pod(
        "web",
        affinity={"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}},
    )
    assert world.where("web") == "n2"


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "value": "cpu"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
    ],
)
def test_taints_need_a_toleration(world, toleration, fits):
    world.node("n1", taints=["dedicated=gpu:NoSchedule"])
    world.pod("web", tolerations=[toleration])
    assert (world.where("web") == "n1") is fits


def test_a_taint_that_only_prefers_is_avoided(world):
    world.node("n1", taints=["spot:PreferNoSchedule"])
    world.node("n2", cpu="2")
    world.pod("first", requests={"cpu": "1500m"})
    world.pod("second", requests={"cpu": "1500m"})
    assert (world.where("first"), world.where("second")) == ("n2", "n1")


def test_ports_of_the_host_are_taken_once(world):
    world.node("n1")

    def asks(address=None):
        port = {"containerPort": 80, "hostPort": 8080} | ({"hostIP": address} if address else {})
        return [{"name": "app", "image": "app", "ports": [port]}]

    world.pod("first", containers=asks("127.0.0.1"))
    world.pod("other-address", containers=asks("127.0.0.2"))
    world.pod("all-addresses", containers=asks())
    assert (world.where("first"), world.where("other-address")) == ("n1", "n1")
    assert "1 node(s) didn't have free ports for the requested pod ports." in world.why("all-addresses")


def test_pod_affinity_wants_the_same_domain(world):
    world.node("n1", labels={ZONE: "a"})
    world.node("n2", labels={ZONE: "b"})
    world.pod("cache", labels={"app": "cache"}, nodeSelector={ZONE: "b"})
    world.pod("web", affinity=to_pods("podAffinity", near(ZONE, app="cache")))
    world.pod("lost", affinity=to_pods("podAffinity", near(ZONE, app="nothing")))
    assert world.where("web") == "n2"
    assert "2 node(s) didn't match pod affinity rules." in world.why("lost")
    world.pod("nothing", labels={"app": "nothing"})
    assert world.where("lost") == world.where("nothing")


def test_the_first_of_pods_that_want_to_be_together_goes_anywhere(world):
    world.node("n1", labels={ZONE: "a"})
    world.node("n2", labels={ZONE: "b"})
    for number in range(4):
        world.pod(
            f"web-{number}",
            labels={"app": "web"},
            affinity=to_pods("podAffinity", near(ZONE, app="web")),
        )
    assert len({world.where(f"web-{number}") for number in range(4)}) == 1


def test_anti_affinity_holds_in_both_directions(world):
    world.node("n1")
    world.node("n2")
    alone = to_pods("podAntiAffinity", near(HOSTNAME, app="web"))
    for number in range(3):
        world.pod(f"web-{number}", labels={"app": "web"}, affinity=alone)
    assert {world.where("web-0"), world.where("web-1")} == {"n1", "n2"}
    assert "2 node(s) didn't match pod anti-affinity rules." in world.why("web-2")
    world.pod("friendly", labels={"app": "web"})
    assert "2 node(s) didn't satisfy existing pods anti-affinity rules." in world.why("friendly")


def test_affinity_looks_at_its_own_namespace_unless_told(world):
    world.create("namespaces", {"metadata": {"name": "other", "labels": {"team": "search"}}})
    world.node("n1", labels={ZONE: "a"})
    world.pod("cache", namespace="other", labels={"app": "cache"})
    world.pod("web", affinity=to_pods("podAffinity", near(ZONE, app="cache")))
    world.pod("all", affinity=to_pods("podAffinity", near(ZONE, {}, app="cache")))
    team = {"matchLabels": {"team": "search"}}
    world.pod("team", affinity=to_pods("podAffinity", near(ZONE, team, app="cache")))
    assert world.where("web") is None
    assert (world.where("all"), world.where("team")) == ("n1", "n1")


def test_preferred_affinity_and_anti_affinity_draw_and_repel(world):
    for name in ("n1", "n2", "n3"):
        world.node(name)
    world.pod("cache", labels={"app": "cache"}, nodeSelector={HOSTNAME: "n2"})
    world.manager.settle()
    world.pod("web", affinity=to_pods("podAffinity", near(HOSTNAME, app="cache"), weight=100))
    world.pod("batch", affinity=to_pods("podAntiAffinity", near(HOSTNAME, app="cache"), weight=100))
    assert world.where("web") == "n2"
    assert world.where("batch") != "n2"


def test_a_hard_spread_keeps_the_skew(world):
    for name, zone in (("n1", "a"), ("n2", "b")):
        world.node(name, labels={ZONE: zone}, pods="3" if zone == "b" else "110")
    world.node("nowhere")
    for number in range(7):
        world.pod(
            f"web-{number}",
            labels={"app": "web"},
            topologySpreadConstraints=[spread(ZONE, labels={"app": "web"})],
        )
        world.manager.settle()
    nodes = [world.where(f"web-{number}") for number in range(7)]
    assert (nodes.count("n1"), nodes.count("n2")) == (4, 3)
    world.pod(
        "web-7",
        labels={"app": "web"},
        topologySpreadConstraints=[spread(ZONE, labels={"app": "web"})],
    )
    message = world.why("web-7")
    assert "1 Too many pods" in message
    assert "1 node(s) didn't match pod topology spread constraints" in message
    assert "1 node(s) didn't match pod topology spread constraints (missing required label)" in message


def test_a_spread_counts_domains_that_are_missing_as_empty(world):
    world.node("n1", labels={ZONE: "a"})
    constraint = spread(ZONE, labels={"app": "web"}, minDomains=2)
    for number in range(2):
        world.pod(f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=[constraint])
    assert world.where("web-0") == "n1"
    assert "didn't match pod topology spread constraints" in world.why("web-1")


@pytest.mark.parametrize(("policy", "fits"), [("Ignore", False), ("Honor", True)])
def test_a_spread_may_leave_out_nodes_with_taints(world, policy, fits):
    world.node("n1", labels={ZONE: "a"})
    world.node("n2", labels={ZONE: "b"}, taints=["dedicated=gpu:NoSchedule"])
    constraint = spread(ZONE, labels={"app": "web"}, nodeTaintsPolicy=policy)
    for number in range(2):
        world.pod(f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=[constraint])
    assert world.where("web-0") == "n1"
    assert (world.where("web-1") == "n1") is fits


def test_match_label_keys_tell_revisions_apart(world):
    world.node("n1", labels={ZONE: "a"})
    world.node("n2", labels={ZONE: "b"}, cpu="1")
    constraint = spread(ZONE, labels={"app": "web"}, matchLabelKeys=["revision"])
    for name, revision in (("old", "1"), ("new", "2")):
        world.pod(
            name,
            labels={"app": "web", "revision": revision},
            requests={"cpu": "2"},
            topologySpreadConstraints=[constraint],
        )
    assert (world.where("old"), world.where("new")) == ("n1", "n1")


def test_a_soft_spread_only_prefers(world):
    world.node("n1", labels={ZONE: "a"})
    world.node("n2", labels={ZONE: "b"})
    constraint = spread(ZONE, hard=False, labels={"app": "web"})
    for number in range(4):
        world.pod(f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=[constraint])
    nodes = [world.where(f"web-{number}") for number in range(4)]
    assert (nodes.count("n1"), nodes.count("n2")) == (2, 2)
    world.change("nodes", "n2", spec={"unschedulable": True})
    for number in range(4, 7):
        world.pod(f"web-{number}", labels={"app": "web"}, topologySpreadConstraints=[constraint])
        assert world.where(f"web-{number}") == "n1"


def test_replicas_spread_without_being_told(world):
    for name, zone in (("n1", "a"), ("n2", "a"), ("n3", "b"), ("n4", "b")):
        world.node(name, labels={ZONE: zone})
    for number in range(4):
        world.pod(f"web-{number}", owner="web", requests={"cpu": "100m"})
    assert {world.where(f"web-{number}") for number in range(4)} == {"n1", "n2", "n3", "n4"}


def test_the_least_used_node_is_best(world):
    world.node("n1")
    world.node("n2")
    world.pod("large", requests={"cpu": "2"})
    world.pod("small", requests={"cpu": "1"})
    assert (world.where("large"), world.where("small")) == ("n1", "n2")


def test_gates_hold_a_pod_back(world):
    world.node("n1")
    world.pod("web", schedulingGates=[{"name": "pinwheel.io/quota"}])
    assert world.why("web") == "Scheduling is blocked due to non-empty scheduling gates"
    world.change("pods", "web", "default", spec={"schedulingGates": []})
    assert world.where("web") == "n1"


def test_pods_of_another_scheduler_are_left_alone(world):
    world.node("n1")
    world.pod("web", schedulerName="volcano")
    assert world.where("web") is None
    assert "conditions" not in world.get("web")["status"]


def test_what_makes_no_sense_is_said_and_holds_nobody_up(world):
    world.node("n1")
    world.pod("broken", requests={"cpu": "much"})
    world.pod("web")
    assert "'much' is not a quantity" in world.why("broken")
    assert world.where("web") == "n1"


def test_nothing_is_written_when_nothing_changed(world):
    world.node("n1", cpu="1")
    world.pod("web", requests={"cpu": "2"})
    world.manager.settle()
    version = world.store.version
    world.pass_(61)
    assert world.store.version == version
