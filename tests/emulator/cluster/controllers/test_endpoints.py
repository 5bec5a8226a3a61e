"""A Service leads to the pods that are ready, from the moment they are to the moment they go."""

from typing import Any

from emulator.cluster.store import Object, copy_of
from tests.emulator.cluster.controllers.conftest import World, deployment, template

SLICES = "endpointslices.discovery.k8s.io"


def service(world: World, name: str = "web", **spec: Any) -> None:
    told = {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}], **spec}
    world.create("services", {"metadata": {"name": name, "labels": {"team": "search"}}, "spec": told})


def endpoints(world: World, name: str = "web") -> dict[str, Object]:
    """All endpoints of a Service by the pod's name."""
    return {
        endpoint["targetRef"]["name"]: endpoint
        for each in world.objects(SLICES)
        if each["metadata"]["labels"]["kubernetes.io/service-name"] == name
        for endpoint in each["endpoints"]
    }


def test_ready_pods_are_behind_the_service(world: World):
    service(world)
    assert [each["endpoints"] for each in world.objects(SLICES)] == [[]]
    world.create("deployments.apps", deployment(replicas=2))

    (found,) = world.objects(SLICES)
    assert found["addressType"] == "IPv4"
    assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert found["metadata"]["labels"]["team"] == "search"
    pod = world.objects("pods")[0]
    assert endpoints(world)[pod["metadata"]["name"]] == {
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "targetRef": {
            "kind": "Pod",
            "namespace": "default",
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        },
        "nodeName": "node-1",
        "zone": "a",
    }
    (subset,) = world.get("endpoints", "web")["subsets"]
    assert len(subset["addresses"]) == 2
    assert "notReadyAddresses" not in subset


def test_a_pod_that_is_not_ready_is_listed_as_such(world: World):
    service(world)
    service(world, "all", publishNotReadyAddresses=True)
    world.create("deployments.apps", deployment(replicas=1))
    (name,) = world.names("pods")
    world.set_ready(name, ready=False)

    assert endpoints(world)[name]["conditions"] == {"ready": False, "serving": False, "terminating": False}
    assert endpoints(world, "all")[name]["conditions"]["ready"] is True
    (subset,) = world.get("endpoints", "web")["subsets"]
    assert len(subset["notReadyAddresses"]) == 1
    assert "addresses" not in subset


def test_a_pod_that_is_being_deleted_is_no_longer_ready_but_may_serve(world: World):
    service(world)
    world.create("deployments.apps", deployment(replicas=1))
    (name,) = world.names("pods")
    world.behaviour = lambda pod: "hangs"
    world.delete("pods", name)

    assert endpoints(world)[name]["conditions"] == {"ready": False, "serving": True, "terminating": True}
    addresses = world.get("endpoints", "web")["subsets"][0]["addresses"]
    assert name not in [each["targetRef"]["name"] for each in addresses]

    world.store.delete(world.resource("pods"), "default", name, 0)
    world.settle()
    assert name not in endpoints(world)


def test_a_named_port_is_looked_up_in_each_pod(world: World):
    service(world, ports=[{"port": 80, "targetPort": "http"}])
    for number in (8001, 8002):
        told = deployment(f"web-{number}", replicas=1)
        labels = {"app": "web", "number": str(number)}
        told["spec"] |= {"selector": {"matchLabels": labels}, "template": template(labels)}
        ports = [{"name": "http", "containerPort": number}]
        told["spec"]["template"]["spec"]["containers"][0]["ports"] = ports
        world.create("deployments.apps", told)

    assert sorted(each["ports"][0]["port"] for each in world.objects(SLICES)) == [8001, 8002]
    assert all(len(each["endpoints"]) == 1 for each in world.objects(SLICES))
    assert len(world.get("endpoints", "web")["subsets"]) == 2


def test_a_headless_service_names_the_pods_of_its_stateful_set(world: World):
    service(world, clusterIP="None")
    spec = {
        "replicas": 2,
        "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}},
        "template": template({"app": "web"}),
    }
    world.create("statefulsets.apps", {"metadata": {"name": "web"}, "spec": spec})

    assert [each["hostname"] for each in endpoints(world).values()] == ["web-0", "web-1"]
    assert "service.kubernetes.io/headless" in world.objects(SLICES)[0]["metadata"]["labels"]


def test_more_than_a_hundred_endpoints_are_in_several_slices(world: World):
    service(world)
    world.create("deployments.apps", deployment(replicas=230))
    assert sorted(len(each["endpoints"]) for each in world.objects(SLICES)) == [30, 100, 100]

    world.change("deployments.apps", "web", replicas=1)
    assert [len(each["endpoints"]) for each in world.objects(SLICES)] == [1]


def test_what_is_written_over_or_deleted_comes_back(world: World):
    service(world)
    world.create("deployments.apps", deployment(replicas=1))
    (name,) = world.names(SLICES)
    world.delete(SLICES, name)
    world.delete("endpoints", "web")
    assert len(endpoints(world)) == 1
    assert world.get("endpoints", "web")["subsets"]

    changed = copy_of(world.get(SLICES, name))
    changed["endpoints"] = []
    world.store.update(world.resource(SLICES), changed)
    world.settle()
    assert len(endpoints(world)) == 1


def test_nothing_is_left_of_a_service_that_is_deleted(world: World):
    service(world)
    world.create("deployments.apps", deployment())
    world.delete("services", "web")
    assert world.names(SLICES) + world.names("endpoints") == []


def test_a_service_without_selector_is_left_to_whoever_made_it(world: World):
    own = {"metadata": {"name": "web"}, "subsets": [{"addresses": [{"ip": "127.0.0.9"}]}]}
    world.create("endpoints", own)
    service(world, selector=None)
    assert world.names(SLICES) == []
    assert world.get("endpoints", "web")["subsets"] == own["subsets"]
    world.delete("services", "web")
    assert world.names("endpoints") == ["web"]
