"""Namespaces are born with an account and a certificate, and take everything with them."""

from emulator.cluster.controllers.all import all_controllers
from emulator.cluster.controllers.bootstrap import bootstrap
from emulator.cluster.controllers.manager import Manager
from emulator.cluster.resources import Resources
from emulator.cluster.store import Store, copy_of
from tests.emulator.cluster.controllers.conftest import World, deployment


def create(world: World, name: str) -> None:
    world.create("namespaces", {"metadata": {"name": name, "finalizers": ["kubernetes"]}})


def test_a_namespace_has_an_account_and_the_certificate(world: World):
    create(world, "team")
    assert world.get("namespaces", "team")["status"] == {"phase": "Active"}
    assert world.names("serviceaccounts", "team") == ["default"]
    assert world.names("configmaps", "team") == ["kube-root-ca.crt"]

    world.delete("configmaps", "kube-root-ca.crt", namespace="team")
    assert world.names("configmaps", "team") == ["kube-root-ca.crt"]


def test_the_certificate_is_the_api_server_s():
    store, resources = Store(), Resources()
    controllers = all_controllers(store, resources, certificate_authority="PEM")
    manager = Manager(store, controllers, lambda: 0.0)
    bootstrap(store, resources, cluster_ip="127.0.9.1", address="127.0.0.1", port=6443)
    manager.settle()
    for namespace in ("default", "kube-system"):
        found = store.get(resources["configmaps"], namespace, "kube-root-ca.crt")
        assert found["data"] == {"ca.crt": "PEM"}


def test_a_namespace_goes_when_nothing_is_left_in_it(world: World):
    create(world, "team")
    told = deployment()
    told["metadata"]["namespace"] = "team"
    world.create("deployments.apps", told)
    world.behaviour = lambda pod: "hangs"
    world.delete("namespaces", "team")
    world.wait(2)

    found = world.get("namespaces", "team")
    assert found["status"]["phase"] == "Terminating"
    content = next(
        each for each in found["status"]["conditions"] if each["type"] == "NamespaceContentRemaining"
    )
    assert content["message"] == "Some resources are remaining: pods. has 3 resource instances"
    assert world.names("deployments.apps", "team") == []

    for name in world.names("pods", "team"):
        world.store.delete(world.resource("pods"), "team", name, 0)
    world.settle()
    assert "team" not in world.names("namespaces")
    for plural in ("events", "configmaps", "serviceaccounts", "replicasets.apps"):
        assert world.names(plural, "team") == []


def test_finalizers_of_the_content_hold_the_namespace(world: World):
    create(world, "team")
    held = {"metadata": {"name": "held", "namespace": "team", "finalizers": ["example.com/slow"]}}
    world.create("configmaps", held)
    world.delete("namespaces", "team")
    world.wait(2)

    conditions = {each["type"]: each for each in world.get("namespaces", "team")["status"]["conditions"]}
    assert conditions["NamespaceFinalizersRemaining"]["message"] == (
        "Some content in the namespace has finalizers remaining: example.com/slow in 1 resource instances"
    )
    freed = copy_of(world.get("configmaps", "held", "team"))
    freed["metadata"]["finalizers"] = []
    world.store.update(world.resource("configmaps"), freed)
    world.settle()
    assert "team" not in world.names("namespaces")


def test_a_cluster_begins_with_the_built_in_objects(world: World):
    bootstrap(world.store, world.resources, cluster_ip="127.0.9.1", address="127.0.0.1", port=6443)
    bootstrap(world.store, world.resources, cluster_ip="127.0.9.2", address="127.0.0.1", port=6444)  # again
    world.settle()

    assert world.names("namespaces") == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert world.get("services", "kubernetes")["spec"]["clusterIP"] == "127.0.9.1"
    endpoints = world.get("endpointslices.discovery.k8s.io", "kubernetes")["endpoints"]
    assert endpoints[0]["addresses"] == ["127.0.0.1"]
    ports = world.get("endpointslices.discovery.k8s.io", "kubernetes")["ports"]
    assert [each["port"] for each in ports] == [6444]  # where it listens now
    priority = world.get("priorityclasses.scheduling.k8s.io", "system-node-critical")
    assert priority["value"] == 2000001000
    assert world.get("clusterrolebindings.rbac.authorization.k8s.io", "cluster-admin")["subjects"]
