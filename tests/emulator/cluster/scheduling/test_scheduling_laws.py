"""Whatever comes in whatever order: no node is overcommitted, and no required rule is broken."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.cluster.quantities import parse_quantity
from emulator.cluster.scheduling.nodes import NodeLifecycle
from emulator.cluster.scheduling.scheduler import Scheduler

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
APPS = ["web", "cache"]

nodes = st.fixed_dictionaries(
    {
        "zone": st.sampled_from(["a", "b", None]),
        "cpu": st.sampled_from(["1", "2", "4"]),
        "pods": st.sampled_from(["2", "5"]),
        "tainted": st.booleans(),
    }
)
pods = st.fixed_dictionaries(
    {
        "app": st.sampled_from(APPS),
        "cpu": st.sampled_from(["0", "250m", "700m", "1", "3"]),
        "priority": st.sampled_from([0, 0, 1000]),
        "tolerates": st.booleans(),
        "zone": st.sampled_from([None, None, "a", "b"]),
        "avoids": st.sampled_from([None, None, (HOSTNAME, "web"), (ZONE, "cache")]),
        "near": st.sampled_from([None, None, (ZONE, "web"), (HOSTNAME, "cache")]),
        "spread": st.booleans(),
        "port": st.sampled_from([None, None, 8080]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("node"), nodes),
        st.tuples(st.just("pod"), pods),
        st.tuples(st.just("end"), st.none()),
    ),
    min_size=3,
    max_size=25,
)


def term(key: str, app: str) -> dict[str, Any]:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": app}}}


def required(*terms: Any) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}


def spec_of(wish: dict[str, Any]) -> dict[str, Any]:
    affinity = {}
    if wish["avoids"]:
        affinity["podAntiAffinity"] = required(term(*wish["avoids"]))
    if wish["near"]:
        affinity["podAffinity"] = required(term(*wish["near"]))
    port = {"ports": [{"containerPort": 80, "hostPort": wish["port"]}]} if wish["port"] else {}
    resources = {"requests": {"cpu": wish["cpu"]}}
    constraint = {
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": wish["app"]}},
    }
    return {
        "containers": [{"name": "app", "image": "app", "resources": resources, **port}],
        "priority": wish["priority"],
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"key": "dedicated", "operator": "Exists"}] if wish["tolerates"] else [],
        "nodeSelector": {ZONE: wish["zone"]} if wish["zone"] else {},
        "affinity": affinity,
        "topologySpreadConstraints": [constraint] if wish["spread"] else [],
    }


@settings(max_examples=300, deadline=None)
@given(steps)
def test_required_rules_hold(new_world, story):
    world = new_world(lambda store, resources: [Scheduler(store, resources), NodeLifecycle(store, resources)])
    wishes: dict[str, dict[str, Any]] = {}
    for number, (what, details) in enumerate(story):
        name = f"{what}-{number}"
        before = placed(world)
        if what == "node":
            labels = {ZONE: details["zone"]} if details["zone"] else {}
            taints = ["dedicated=gpu:NoSchedule"] if details["tainted"] else []
            world.node(name, labels=labels, taints=taints, cpu=details["cpu"], pods=details["pods"])
        elif what == "pod":
            wishes[name] = details
            world.pod(name, labels={"app": details["app"]}, **spec_of(details))
        elif before:
            world.delete("pods", min(before), "default")
        world.manager.settle()
        check_each_node(world, wishes)
        arrived = placed(world).keys() - before.keys()
        if len(arrived) == 1 and what != "end" and before.keys() <= placed(world).keys():
            check_neighbours(world, wishes, arrived.pop())


def placed(world) -> dict[str, Any]:
    """The nodes of the pods that have one."""
    found = {}
    for pod in world.store.list(world.resources["pods"]):
        if pod["spec"].get("nodeName"):
            found[pod["metadata"]["name"]] = world.get_node(pod["spec"]["nodeName"])
    return found


def check_each_node(world, wishes):
    by_node: dict[str, list[dict[str, Any]]] = {}
    for pod, node in placed(world).items():
        wish = wishes[pod]
        by_node.setdefault(node["metadata"]["name"], []).append(wish)
        assert wish["zone"] in {None, node["metadata"]["labels"].get(ZONE)}
        assert wish["tolerates"] or not node["spec"].get("taints")
    for name, there in by_node.items():
        has = world.get_node(name)["status"]["allocatable"]
        assert sum(parse_quantity(wish["cpu"]) for wish in there) <= parse_quantity(has["cpu"])
        assert len(there) <= int(has["pods"])
        assert Counter(wish["port"] for wish in there if wish["port"]).total() <= 1


def check_neighbours(world, wishes, name):
    """What the pod that came last asks of others, and they of it."""
    where = placed(world)
    own, wish = where.pop(name), wishes[name]

    def together(node, key):
        domain = own["metadata"]["labels"].get(key)
        return domain is not None and node["metadata"]["labels"].get(key) == domain

    for other, node in where.items():
        for asks, meant in ((wish, wishes[other]), (wishes[other], wish)):
            if asks["avoids"] and meant["app"] == asks["avoids"][1]:
                assert not together(node, asks["avoids"][0])
    if wish["near"]:
        key, app = wish["near"]
        # The real scheduler counts matching pods by domain: one on a node without the key is in none.
        friends = [
            node
            for other, node in where.items()
            if wishes[other]["app"] == app and key in node["metadata"]["labels"]
        ]
        assert any(together(node, key) for node in friends) or (not friends and wish["app"] == app)
        assert key in own["metadata"]["labels"]
    if wish["spread"]:
        zones = Counter(
            {
                node["metadata"]["labels"][ZONE]: 0
                for node in world.nodes
                if ZONE in node["metadata"]["labels"]
                if wish["zone"] in {None, node["metadata"]["labels"][ZONE]}
            }
        )
        for other, node in {**where, name: own}.items():
            zone = node["metadata"]["labels"].get(ZONE)
            if wishes[other]["app"] == wish["app"] and zone in zones:
                zones[zone] += 1
        assert zones[own["metadata"]["labels"][ZONE]] - min(zones.values()) <= 1
