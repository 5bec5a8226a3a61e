"""kubectl on objects as such: applying, looking, changing, and what is refused and how."""

import json

import pytest

from tests.emulator.cluster.harness import Kubectl, RunningCluster, config_map, deployment, pod
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cluster")


def test_apply_creates_then_changes_then_leaves_alone(kubectl: Kubectl) -> None:
    web = deployment("web", replicas=0)
    assert kubectl("apply", "-f", "-", manifest=web).out == "deployment.apps/web created\n"
    assert kubectl("apply", "-f", "-", manifest=web).out == "deployment.apps/web unchanged\n"
    assert kubectl("diff", "-f", "-", manifest=web).out == ""
    web["spec"]["revisionHistoryLimit"] = 3
    difference = kubectl("diff", "-f", "-", manifest=web, check=False)
    assert difference.code == 1
    assert "+  revisionHistoryLimit: 3" in difference.out
    assert kubectl("apply", "-f", "-", manifest=web).out == "deployment.apps/web configured\n"
    del web["spec"]["revisionHistoryLimit"]  # what was applied once and is no longer said goes
    kubectl("apply", "-f", "-", manifest=web)
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.revisionHistoryLimit}").out == "10"


def test_server_side_apply_knows_who_owns_a_field(kubectl: Kubectl) -> None:
    side = ("apply", "--server-side", "-f", "-")
    told = kubectl(*side, "--field-manager=one", manifest=config_map("shared", a="1", b="1"))
    assert told.out == "configmap/shared serverside-applied\n"
    refused = kubectl(*side, "--field-manager=two", manifest=config_map("shared", a="2"), check=False)
    assert refused.code == 1
    assert 'Apply failed with 1 conflict: conflict with "one": .data.a' in refused.err
    kubectl(*side, "--field-manager=two", "--force-conflicts", manifest=config_map("shared", a="2"))
    kubectl(*side, "--field-manager=one", manifest=config_map("shared"))  # gives b up, and has lost a
    assert kubectl("get", "configmap", "shared", "-o", "json").json["data"] == {"a": "2"}


def test_a_dry_run_on_the_server_stores_nothing(kubectl: Kubectl) -> None:
    told = kubectl("apply", "--dry-run=server", "-f", "-", manifest=config_map("ghost"))
    assert told.out == "configmap/ghost created (server dry run)\n"
    assert 'configmaps "ghost" not found' in kubectl("get", "configmap", "ghost", check=False).err


def test_get_shows_columns_selects_and_writes_yaml(kubectl: Kubectl) -> None:
    objects = [config_map("a", x="1"), config_map("b"), config_map("c")]
    for each, tier in zip(objects, ("web", "web", "db"), strict=True):
        each["metadata"]["labels"] = {"tier": tier, "name": each["metadata"]["name"]}
    kubectl("create", "-f", "-", manifest=objects)
    table = kubectl("get", "configmaps", "-l", "tier=web,name notin (b)", "--show-labels")
    assert [line.split()[:2] for line in table.lines] == [["NAME", "DATA"], ["a", "1"]]
    assert "name=a,tier=web" in table.out
    names = ("-o", "jsonpath={.items[*].metadata.name}")
    assert kubectl("get", "cm", "--selector", "tier in (db)", *names).out == "c"
    assert kubectl("get", "cm", "--field-selector", "metadata.name=b", *names).out == "b"
    assert kubectl("get", "cm/a", "-o", "yaml").lines[:4] == [
        "apiVersion: v1",
        "data:",
        '  x: "1"',
        "kind: ConfigMap",
    ]
    ordered = kubectl("get", "cm", "-l", "tier", "--sort-by=.metadata.labels.tier", "-o", "name")
    assert ordered.lines[0] == "configmap/c"
    counted = kubectl("get", "cm", "-l", "tier", "-o", "custom-columns=N:.metadata.name", "--no-headers")
    assert counted.lines == ["a", "b", "c"]
    assert "No resources found" in kubectl("get", "cm", "-l", "tier=none").err


def test_get_watches(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=config_map("watched"))
    watch = kubectl.start("get", "configmap", "watched", "--watch", "-o", "jsonpath={.data}{'\\n'}")
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "\n"
        for value in ("1", "2"):
            kubectl("patch", "configmap", "watched", "-p", json.dumps({"data": {"x": value}}))
            assert json.loads(watch.stdout.readline()) == {"x": value}
    finally:
        watch.kill()
        watch.wait()


def test_label_annotate_and_the_three_patches(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", replicas=0))
    kubectl("label", "deployment", "web", "tier=web", "team=search")
    refused = kubectl("label", "deployment", "web", "tier=db", check=False)
    assert "already has a value (web), and --overwrite is false" in refused.err
    kubectl("label", "deployment", "web", "tier=db", "team-", "--overwrite")
    kubectl("annotate", "deployment", "web", "note=hello world")
    metadata = kubectl("get", "deployment", "web", "-o", "json").json["metadata"]
    assert metadata["labels"] == {"app": "web", "tier": "db"}
    assert metadata["annotations"]["note"] == "hello world"

    sidecar = {"name": "side", "image": "busybox:1"}
    strategic = {"spec": {"template": {"spec": {"containers": [sidecar]}}}}
    kubectl("patch", "deployment", "web", "-p", json.dumps(strategic))  # merges lists by name
    operation = [{"op": "replace", "path": "/spec/paused", "value": True}]
    refused = kubectl("patch", "deployment", "web", "--type=json", "-p", json.dumps(operation), check=False)
    assert refused.code == 1  # a replacement of what is not there
    operation[0]["op"] = "add"
    kubectl("patch", "deployment", "web", "--type=json", "-p", json.dumps(operation))
    merge = {"metadata": {"annotations": {"note": None}}}
    kubectl("patch", "deployment", "web", "--type=merge", "-p", json.dumps(merge))
    patched = kubectl("get", "deployment", "web", "-o", "json").json
    names = {each["name"] for each in patched["spec"]["template"]["spec"]["containers"]}
    assert names == {"main", "side"}
    assert patched["spec"]["paused"] is True
    assert "note" not in patched["metadata"]["annotations"]


def test_replace_with_an_old_version_is_a_conflict(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=config_map("contended", x="1"))
    old = kubectl("get", "configmap", "contended", "-o", "json").json
    kubectl("patch", "configmap", "contended", "-p", '{"data":{"x":"2"}}')
    refused = kubectl("replace", "-f", "-", manifest=old, check=False)
    assert refused.code == 1
    assert "Error from server (Conflict)" in refused.err
    assert (
        'Operation cannot be fulfilled on configmaps "contended": the object has been modified; '
        "please apply your changes to the latest version and try again"
    ) in refused.err
    refused = kubectl("create", "-f", "-", manifest=config_map("contended"), check=False)
    assert "Error from server (AlreadyExists)" in refused.err
    assert 'configmaps "contended" already exists' in refused.err


def test_a_broken_manifest_is_refused_with_every_field(kubectl: Kubectl) -> None:
    broken = deployment("Bad_Name", replicas=-1)
    broken["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    broken["spec"]["template"]["spec"]["containers"][0].pop("image")
    refused = kubectl("create", "-f", "-", manifest=broken, check=False)
    assert refused.code == 1
    assert 'The Deployment "Bad_Name" is invalid:' in refused.err
    for line in (
        '* metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of',
        "* spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        "* spec.template.metadata.labels: Invalid value: ",
        "* spec.template.spec.containers[0].image: Required value",
    ):
        assert line in refused.err


def test_unknown_fields_and_wrong_types_are_refused(kubectl: Kubectl) -> None:
    misspelt = deployment("web")
    misspelt["spec"]["replica"] = 2
    refused = kubectl("create", "-f", "-", manifest=misspelt, check=False)
    assert 'unknown field "spec.replica"' in refused.err
    ignored = kubectl("create", "--validate=warn", "-f", "-", manifest=deployment("web") | {"specs": {}})
    assert 'Warning: unknown field "specs"' in ignored.err
    wrong = deployment("other")
    wrong["spec"]["replicas"] = "two"
    refused = kubectl("create", "--validate=false", "-f", "-", manifest=wrong, check=False)
    assert refused.code == 1
    assert "BadRequest" in refused.err
    assert "replicas" in refused.err


def test_immutable_fields(kubectl: Kubectl) -> None:
    web = deployment("web", replicas=0)
    kubectl("create", "-f", "-", manifest=web)
    web["spec"]["selector"]["matchLabels"] = {"app": "new"}
    web["spec"]["template"]["metadata"]["labels"] = {"app": "new"}
    refused = kubectl("apply", "-f", "-", manifest=web, check=False)
    assert 'The Deployment "web" is invalid: spec.selector: Invalid value' in refused.err
    assert "field is immutable" in refused.err


def test_kinds_selectors_and_namespaces_that_are_not_there(cluster: RunningCluster, kubectl: Kubectl) -> None:
    unknown = {"apiVersion": "example.com/v1", "kind": "Gadget", "metadata": {"name": "x"}}
    refused = kubectl("apply", "-f", "-", manifest=unknown, check=False)
    assert 'no matches for kind "Gadget" in version "example.com/v1"' in refused.err
    assert 'the server doesn\'t have a resource type "gadgets"' in kubectl("get", "gadgets", check=False).err
    refused = kubectl("get", "pods", "--field-selector", "spec.color=red", check=False)
    assert "BadRequest" in refused.err
    assert "field label not supported: spec.color" in refused.err
    refused = kubectl("get", "--raw", "/api/v1/pods?labelSelector=a%3D%3D%3Db", check=False)
    assert "unable to parse requirement" in refused.err
    refused = cluster.kubectl("nowhere")("create", "-f", "-", manifest=config_map("x"), check=False)
    assert (
        'Error from server (NotFound): error when creating "STDIN": namespaces "nowhere" not found'
        in refused.err
    )


def test_an_oversized_body_is_refused(kubectl: Kubectl) -> None:
    refused = kubectl("create", "-f", "-", manifest=config_map("huge", x="x" * (4 << 20)), check=False)
    assert refused.code == 1
    assert "Request entity too large: limit is 3145728" in refused.err
    refused = kubectl("create", "-f", "-", manifest=config_map("large", x="x" * (1100 << 10)), check=False)
    assert "Too long: may not be more than 1048576 bytes" in refused.err


def test_explain_and_what_there_is(kubectl: Kubectl) -> None:
    assert "FIELD: replicas <integer>" in kubectl("explain", "deployment.spec.replicas").out
    assert "imagePullPolicy" in kubectl("explain", "pod.spec.containers").out
    resources = kubectl("api-resources").out
    for line in ("deployments", "poddisruptionbudgets", "customresourcedefinitions"):
        assert line in resources
    namespaced = kubectl("api-resources", "--namespaced=false", "-o", "name").lines
    assert "nodes" in namespaced
    assert "pods" not in namespaced
    assert "apps/v1" in kubectl("api-versions").lines
    version = kubectl("version", "-o", "json").json["serverVersion"]
    assert (version["major"], version["minor"]) == ("1", "35")


def test_who_am_i_and_what_may_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "whoami").lines[0].split() == ["ATTRIBUTE", "VALUE"]
    assert kubectl("auth", "can-i", "delete", "nodes").out.startswith("yes")
    assert "*.*" in kubectl("auth", "can-i", "--list").out


def test_what_kubectl_makes_itself(kubectl: Kubectl) -> None:
    """It sends these in protobuf."""
    commands = {
        "create configmap settings --from-literal=a=1": "configmap/settings created",
        "create secret generic password --from-literal=p=x": "secret/password created",
        "create serviceaccount robot": "serviceaccount/robot created",
        "create role reader --verb=get,list --resource=pods": "role.rbac.authorization.k8s.io/reader created",
        "create rolebinding reads --role=reader --user=ann": "rolebinding.rbac.authorization.k8s.io/reads created",
        "create deployment web --image=example.com/web:1 --replicas=0": "deployment.apps/web created",
        "expose deployment web --port=80 --target-port=8080": "service/web exposed",
        "autoscale deployment web --min=1 --max=3 --cpu=80%": "horizontalpodautoscaler.autoscaling/web autoscaled",
        "create pdb web --selector=app=web --min-available=1": "poddisruptionbudget.policy/web created",
        "create cronjob nightly --image=example.com/web:1 --schedule=@daily": "cronjob.batch/nightly created",
        "create ingress web --rule=web.example/=web:80": "ingress.networking.k8s.io/web created",
        "create quota few --hard=pods=9": "resourcequota/few created",
        "run lone --image=example.com/web:1": "pod/lone created",
    }
    for command, told in commands.items():
        assert kubectl(*command.split()).out == f"{told}\n"
    wide = kubectl("get", "deployment", "web", "-o", "wide").lines[1].split()
    assert wide[-3:] == ["web", "example.com/web:1", "app=web"]
    assert kubectl("get", "secret", "password", "-o", "jsonpath={.data.p}").out == "eA=="
    assert "cpu: <unknown>/80%" in kubectl("get", "hpa", "web").out
    assert kubectl("get", "rolebinding", "reads", "-o", "wide").lines[1].split()[1:4:2] == [
        "Role/reader",
        "ann",
    ]
    assert kubectl("get", "service", "web", "-o", "wide").lines[1].split()[4] == "80/TCP"
    token = kubectl("create", "token", "robot").out
    assert (
        f"system:serviceaccount:{kubectl.namespace}:robot" in kubectl("auth", "whoami", "--token", token).out
    )
    everything = kubectl("get", "all").out
    for name in ("pod/lone", "service/web", "deployment.apps/web", "cronjob.batch/nightly"):
        assert name in everything


def test_metrics_are_not_there_and_said_so(kubectl: Kubectl) -> None:
    refused = kubectl("top", "nodes", check=False)
    assert refused.code == 1
    assert "Metrics API not available" in refused.err


WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "scope": "Namespaced",
        "names": {
            "kind": "Widget",
            "listKind": "WidgetList",
            "plural": "widgets",
            "singular": "widget",
            "shortNames": ["wd"],
        },
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
                    {
                        "name": "Ready",
                        "type": "string",
                        "jsonPath": '.status.conditions[?(@.type=="Ready")].status',
                    },
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["size"],
                                "properties": {"size": {"type": "integer", "minimum": 1}},
                            },
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


def widget(name: str, size: object) -> dict[str, object]:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": size},
    }


def test_custom_resources_have_columns_schemas_and_status(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", "-", manifest=WIDGETS)
    kubectl("wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=30s")
    kubectl("apply", "-f", "-", manifest=widget("small", 1))
    refused = kubectl("apply", "-f", "-", manifest=widget("none", 0), check=False)
    assert 'The Widget "none" is invalid: spec.size: Invalid value' in refused.err
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    kubectl("patch", "wd", "small", "--subresource=status", "--type=merge", "-p", json.dumps(status))
    kubectl("wait", "--for=condition=Ready", "widget/small", "--timeout=30s")
    assert [line.split() for line in kubectl("get", "wd").lines] == [
        ["NAME", "SIZE", "READY"],
        ["small", "1", "True"],
    ]
    assert "size" in kubectl("explain", "widget.spec").out
    assert kubectl("get", "crd", "widgets.example.com").lines[0].split() == ["NAME", "CREATED", "AT"]
    kubectl("delete", "crd", "widgets.example.com", "--timeout=30s")
    gone = kubectl("get", "widgets.example.com", check=False).err
    assert (
        "the server doesn't have a resource type" in gone or "could not find the requested resource" in gone
    )


def test_a_finalizer_holds_an_object(kubectl: Kubectl) -> None:
    held = config_map("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    kubectl("create", "-f", "-", manifest=held)
    kubectl("delete", "configmap", "held", "--wait=false")
    assert kubectl("get", "configmap", "held", "-o", "jsonpath={.metadata.deletionTimestamp}").out
    kubectl("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "not found" in kubectl("get", "configmap", "held", check=False).err


def test_a_namespace_takes_its_objects_along(cluster: RunningCluster) -> None:
    kubectl = cluster.kubectl()
    kubectl("create", "namespace", "short-lived")
    kubectl("create", "configmap", "inside", "-n", "short-lived", "--from-literal=a=b")
    kubectl("create", "-n", "short-lived", "-f", "-", manifest=pod("inside"))
    kubectl("delete", "namespace", "short-lived", "--timeout=30s")
    assert "not found" in kubectl("get", "namespace", "short-lived", check=False).err
    assert kubectl("get", "pods,configmaps", "-n", "short-lived", "-o", "name").out == ""
    refused = kubectl("delete", "namespace", "default", check=False)
    assert 'namespaces "default" is forbidden: this namespace may not be deleted' in refused.err


def test_what_pods_refer_to_shows_in_describe_and_events(kubectl: Kubectl) -> None:
    demanding = pod("demanding", nodeSelector={"no-such": "node"})
    kubectl("create", "-f", "-", manifest=demanding)
    until(lambda: "FailedScheduling" in kubectl("events", "--for", "pod/demanding").out)
    described = kubectl("describe", "pod", "demanding").out
    assert "Node-Selectors:" in described
    assert "0/2 nodes are available" in described
    listed = kubectl("get", "events", "--field-selector", "involvedObject.name=demanding")
    assert "pod/demanding" in listed.out
    assert "Warning" in listed.out
