"""The cells of every kind's table, as kubectl would show them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.cluster.api.tables import table
from emulator.cluster.api.tables.columns import human_duration, selector
from emulator.cluster.api.tables.custom import find
from emulator.cluster.resources import BUILT_IN, Resources

RESOURCES = Resources()
NOW = datetime(2026, 5, 1, 12, 0, 0, tzinfo=UTC)


def ago(**duration: float) -> str:
    return (NOW - timedelta(**duration)).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(resource: str, **obj: Any) -> dict[str, object]:
    """The row of one object, by the names of its columns; it was made five minutes ago."""
    metadata = {"name": "it", "creationTimestamp": ago(minutes=5), **obj.pop("metadata", {})}
    made = table(RESOURCES[resource], [{**obj, "metadata": metadata}], "None", None, NOW)
    (row,) = made["rows"]
    return dict(zip((each["name"] for each in made["columnDefinitions"]), row["cells"], strict=True))


def pod(status: dict[str, Any], spec: dict[str, Any] | None = None, **metadata: Any) -> dict[str, object]:
    return shown(
        "pods", spec={"containers": [{"name": "main"}], **(spec or {})}, status=status, metadata=metadata
    )


def container(
    state: dict[str, Any], *, name: str = "main", ready: bool = False, **more: Any
) -> dict[str, Any]:
    return {"name": name, "state": state, "ready": ready, "restartCount": 0, **more}


RUNNING = {"running": {"startedAt": ago(minutes=4)}}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (185, "3m5s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (4 * 3600 + 120, "4h2m"),
        (8 * 3600 + 120, "8h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (700 * 86400, "700d"),
        (2 * 365 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations_have_at_most_two_units(seconds: int, text: str) -> None:
    assert human_duration(timedelta(seconds=seconds)) == text


def test_a_running_pod() -> None:
    row = pod(
        {"phase": "Running", "podIP": "127.5.0.3", "containerStatuses": [container(RUNNING, ready=True)]},
        {"nodeName": "node-1"},
    )
    assert row == {
        "Name": "it",
        "Ready": "1/1",
        "Status": "Running",
        "Restarts": "0",
        "Age": "5m",
        "IP": "127.5.0.3",
        "Node": "node-1",
        "Nominated Node": "<none>",
        "Readiness Gates": "<none>",
    }


def test_a_pod_that_crashes_says_how_often_and_when() -> None:
    waiting = container(
        {"waiting": {"reason": "CrashLoopBackOff"}},
        restartCount=2,
        lastState={"terminated": {"exitCode": 1, "finishedAt": ago(seconds=5)}},
    )
    row = pod({"phase": "Running", "containerStatuses": [waiting]})
    assert (row["Ready"], row["Status"], row["Restarts"]) == ("0/1", "CrashLoopBackOff", "2 (5s ago)")


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({}, "Unknown"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {
                "phase": "Pending",
                "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}],
            },
            "SchedulingGated",
        ),
        (
            {
                "phase": "Pending",
                "containerStatuses": [container({"waiting": {"reason": "ContainerCreating"}})],
            },
            "ContainerCreating",
        ),
        (
            {
                "phase": "Succeeded",
                "containerStatuses": [container({"terminated": {"exitCode": 0, "reason": "Completed"}})],
            },
            "Completed",
        ),
        (
            {
                "phase": "Failed",
                "containerStatuses": [container({"terminated": {"exitCode": 3, "reason": "Error"}})],
            },
            "Error",
        ),
        (
            {"phase": "Failed", "containerStatuses": [container({"terminated": {"exitCode": 3}})]},
            "ExitCode:3",
        ),
        ({"phase": "Failed", "containerStatuses": [container({"terminated": {"signal": 9}})]}, "Signal:9"),
    ],
)
def test_the_status_of_a_pod(status: dict[str, Any], told: str) -> None:
    assert pod(status)["Status"] == told


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RUNNING, "Init:1/2"),
        ({"waiting": {"reason": "PodInitializing"}}, "Init:1/2"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, "Init:CrashLoopBackOff"),
        ({"terminated": {"exitCode": 1, "reason": "Error"}}, "Init:Error"),
        ({"terminated": {"exitCode": 7}}, "Init:ExitCode:7"),
        ({"terminated": {"exitCode": 137, "signal": 9}}, "Init:Signal:9"),
    ],
)
def test_a_pod_whose_second_init_container_is_at_work(state: dict[str, Any], told: str) -> None:
    first = container({"terminated": {"exitCode": 0, "reason": "Completed"}}, name="first", restartCount=1)
    status = {
        "phase": "Pending",
        "initContainerStatuses": [first, container(state, name="second", restartCount=1)],
    }
    row = pod(status, {"initContainers": [{"name": "first"}, {"name": "second"}]})
    assert (row["Status"], row["Restarts"]) == (told, "2")


def test_a_sidecar_counts_among_the_containers() -> None:
    sidecar = container(RUNNING, name="proxy", ready=True, started=True, restartCount=1)
    status = {
        "phase": "Running",
        "initContainerStatuses": [sidecar],
        "containerStatuses": [container(RUNNING, ready=True)],
    }
    row = pod(status, {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}]})
    assert (row["Ready"], row["Status"], row["Restarts"]) == ("2/2", "Running", "1")


def test_a_pod_that_is_being_deleted() -> None:
    assert pod({"phase": "Running"}, deletionTimestamp=ago(seconds=1))["Status"] == "Terminating"
    assert pod({"phase": "Succeeded"}, deletionTimestamp=ago(seconds=1))["Status"] == "Succeeded"
    lost = pod({"phase": "Running", "reason": "NodeLost"}, deletionTimestamp=ago(seconds=1))
    assert lost["Status"] == "Unknown"


def test_a_pod_one_of_whose_containers_goes_on() -> None:
    completed = container({"terminated": {"exitCode": 0, "reason": "Completed"}}, name="done")
    statuses = [completed, container(RUNNING, ready=True)]
    assert pod({"phase": "Running", "containerStatuses": statuses})["Status"] == "NotReady"
    ready = [{"type": "Ready", "status": "True"}]
    row = pod({"phase": "Running", "containerStatuses": statuses, "conditions": ready})
    assert row["Status"] == "Running"


def test_readiness_gates() -> None:
    gates = {"readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}]}
    row = pod({"phase": "Running", "conditions": [{"type": "b", "status": "True"}]}, gates)
    assert row["Readiness Gates"] == "1/2"


def test_a_node() -> None:
    row = shown(
        "nodes",
        metadata={"labels": {"node-role.kubernetes.io/gpu": "", "kubernetes.io/role": "worker"}},
        spec={"unschedulable": True},
        status={
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "10.0.1.5"}],
            "nodeInfo": {"kubeletVersion": "v1.35.0-eks", "osImage": "Amazon Linux 2023"},
        },
    )
    assert row["Status"] == "Ready,SchedulingDisabled"
    assert row["Roles"] == "gpu,worker"
    assert (row["Internal-IP"], row["External-IP"]) == ("10.0.1.5", "<none>")
    assert (row["OS-Image"], row["Kernel-Version"]) == ("Amazon Linux 2023", "<unknown>")
    assert shown("nodes")["Status"] == "Unknown"
    assert (
        shown("nodes", status={"conditions": [{"type": "Ready", "status": "False"}]})["Status"] == "NotReady"
    )


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}}


def test_a_deployment() -> None:
    row = shown(
        "deployments.apps",
        spec={"replicas": 3, "template": TEMPLATE, "selector": {"matchLabels": {"app": "web"}}},
        status={"readyReplicas": 2, "updatedReplicas": 1},
    )
    assert row == {
        "Name": "it",
        "Ready": "2/3",
        "Up-to-date": 1,
        "Available": 0,
        "Age": "5m",
        "Containers": "a,b",
        "Images": "x:1,y:2",
        "Selector": "app=web",
    }


def test_a_selector_with_expressions() -> None:
    expressions = [
        {"key": "tier", "operator": "In", "values": ["web", "api"]},
        {"key": "old", "operator": "DoesNotExist"},
        {"key": "zone", "operator": "NotIn", "values": ["a"]},
        {"key": "app", "operator": "Exists"},
    ]
    assert selector({"matchExpressions": expressions}) == "app,!old,tier in (api,web),zone notin (a)"
    assert selector({}) == selector(None) == "<none>"


def test_a_daemon_set_and_a_stateful_set() -> None:
    daemon_set = shown(
        "daemonsets.apps",
        spec={"template": {"spec": {**TEMPLATE["spec"], "nodeSelector": {"gpu": "yes"}}}, "selector": {}},
        status={"desiredNumberScheduled": 2, "currentNumberScheduled": 1, "numberReady": 1},
    )
    assert (daemon_set["Desired"], daemon_set["Current"], daemon_set["Node Selector"]) == (2, 1, "gpu=yes")
    stateful_set = shown(
        "statefulsets.apps", spec={"replicas": 2, "template": TEMPLATE}, status={"readyReplicas": 1}
    )
    assert (stateful_set["Ready"], stateful_set["Images"]) == ("1/2", "x:1,y:2")


@pytest.mark.parametrize(
    ("spec", "status", "told"),
    [
        ({"completions": 3}, {"succeeded": 1, "startTime": ago(seconds=30)}, ("Running", "1/3", "30s")),
        ({"parallelism": 4}, {}, ("Running", "0/1 of 4", "")),
        (
            {"completions": 1},
            {
                "succeeded": 1,
                "startTime": ago(seconds=60),
                "completionTime": ago(seconds=50),
                "conditions": [{"type": "Complete", "status": "True"}],
            },
            ("Complete", "1/1", "10s"),
        ),
        ({}, {"conditions": [{"type": "Failed", "status": "True"}]}, ("Failed", "0/1", "")),
        (
            {"suspend": True},
            {"conditions": [{"type": "Suspended", "status": "True"}]},
            ("Suspended", "0/1", ""),
        ),
    ],
)
def test_a_job(spec: dict[str, Any], status: dict[str, Any], told: tuple[str, str, str]) -> None:
    row = shown("jobs.batch", spec={"template": TEMPLATE, **spec}, status=status)
    assert (row["Status"], row["Completions"], row["Duration"]) == told


def test_a_cron_job() -> None:
    row = shown(
        "cronjobs.batch",
        spec={"schedule": "*/5 * * * *", "suspend": False, "jobTemplate": {"spec": {"template": TEMPLATE}}},
        status={"active": [{}], "lastScheduleTime": ago(seconds=40)},
    )
    assert (row["Schedule"], row["Timezone"], row["Suspend"]) == ("*/5 * * * *", "<none>", "False")
    assert (row["Active"], row["Last Schedule"], row["Selector"]) == (1, "40s", "<none>")


@pytest.mark.parametrize(
    ("spec", "status", "external", "ports"),
    [
        ({"type": "ClusterIP", "ports": [{"port": 80, "protocol": "TCP"}]}, {}, "<none>", "80/TCP"),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080, "protocol": "UDP"}]},
            {},
            "<none>",
            "80:30080/UDP",
        ),
        ({"type": "LoadBalancer"}, {}, "<pending>", "<none>"),
        (
            {"type": "LoadBalancer"},
            {"loadBalancer": {"ingress": [{"hostname": "lb.example"}]}},
            "lb.example",
            "<none>",
        ),
        ({"type": "ExternalName", "externalName": "db.example"}, {}, "db.example", "<none>"),
    ],
)
def test_a_service(spec: dict[str, Any], status: dict[str, Any], external: str, ports: str) -> None:
    row = shown(
        "services", spec={"clusterIP": "127.5.1.1", "selector": {"app": "web"}, **spec}, status=status
    )
    assert (row["External-IP"], row["Port(s)"], row["Selector"]) == (external, ports, "app=web")


def test_endpoints_and_their_slices() -> None:
    addresses = [{"ip": f"127.5.0.{number}"} for number in range(1, 6)]
    row = shown("endpoints", subsets=[{"addresses": addresses, "ports": [{"port": 80}]}])
    assert row["Endpoints"] == "127.5.0.1:80,127.5.0.2:80,127.5.0.3:80 + 2 more..."
    assert shown("endpoints")["Endpoints"] == "<none>"
    row = shown(
        "endpointslices.discovery.k8s.io",
        addressType="IPv4",
        ports=[{"name": "http", "port": 80}],
        endpoints=[{"addresses": [each["ip"]]} for each in addresses],
    )
    assert (row["Ports"], row["Endpoints"]) == ("80", "127.5.0.1,127.5.0.2,127.5.0.3 + 2 more...")
    empty = shown("endpointslices.discovery.k8s.io", addressType="IPv4", ports=None, endpoints=None)
    assert (empty["Ports"], empty["Endpoints"]) == ("<unset>", "<unset>")


def test_an_event() -> None:
    row = shown(
        "events",
        involvedObject={"kind": "Pod", "name": "web-1", "fieldPath": "spec.containers{web}"},
        type="Warning",
        reason="BackOff",
        message="Back-off restarting failed container\n",
        source={"component": "kubelet", "host": "node-1"},
        firstTimestamp=ago(minutes=4),
        lastTimestamp=ago(seconds=5),
        count=7,
    )
    assert row == {
        "Last Seen": "5s",
        "Type": "Warning",
        "Reason": "BackOff",
        "Object": "pod/web-1",
        "Subobject": "spec.containers{web}",
        "Source": "kubelet, node-1",
        "Message": "Back-off restarting failed container",
        "First Seen": "4m",
        "Count": 7,
        "Name": "it",
    }
    new = shown("events", regarding={"kind": "Node"}, eventTime="2026-05-01T11:59:00.000000Z", note="hello")
    assert (new["Last Seen"], new["Object"], new["Message"], new["Count"]) == ("60s", "node", "hello", 1)


def test_a_disruption_budget() -> None:
    row = shown("poddisruptionbudgets.policy", spec={"minAvailable": "50%"}, status={"disruptionsAllowed": 1})
    assert (row["Min Available"], row["Max Unavailable"], row["Allowed Disruptions"]) == ("50%", "N/A", 1)
    row = shown("poddisruptionbudgets.policy", spec={"maxUnavailable": 0})
    assert (row["Min Available"], row["Max Unavailable"], row["Allowed Disruptions"]) == ("N/A", "0", 0)


def test_an_autoscaler() -> None:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    memory = {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}
    queue = {"metric": {"name": "lag"}, "target": {"type": "AverageValue", "averageValue": "30"}}
    specs = [
        {"type": "Resource", "resource": cpu},
        {"type": "Resource", "resource": memory},
        {"type": "External", "external": queue},
    ]
    current = [{"type": "Resource", "resource": {"name": "cpu", "current": {"averageUtilization": 41}}}]
    spec = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 9, "metrics": specs}
    row = shown("horizontalpodautoscalers.autoscaling", spec=spec, status={"currentMetrics": current})
    assert (row["Reference"], row["MinPods"], row["MaxPods"]) == ("Deployment/web", "<unset>", 9)
    assert row["Targets"] == "cpu: 41%/80%, memory: <unknown>/1Gi + 1 more..."
    spec["metrics"] = specs[2:]
    row = shown("horizontalpodautoscalers.autoscaling", spec=spec)
    assert row["Targets"] == "<unknown>/30 (avg)"


def test_volumes() -> None:
    claim = shown(
        "persistentvolumeclaims",
        spec={"volumeName": "pv-1", "storageClassName": "gp3", "volumeMode": "Filesystem"},
        status={
            "phase": "Bound",
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
        },
    )
    assert (claim["Status"], claim["Capacity"], claim["Access Modes"]) == ("Bound", "10Gi", "RWO,RWX")
    assert (claim["StorageClass"], claim["VolumeAttributesClass"]) == ("gp3", "<unset>")
    volume = shown(
        "persistentvolumes",
        spec={"capacity": {"storage": "10Gi"}, "claimRef": {"namespace": "db", "name": "data"}},
        metadata={"deletionTimestamp": ago(seconds=1)},
    )
    assert (volume["Claim"], volume["Status"]) == ("db/data", "Terminating")
    default = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
    storage_class = shown("storageclasses.storage.k8s.io", provisioner="ebs.csi.aws.com", metadata=default)
    assert (storage_class["Name"], storage_class["AllowVolumeExpansion"]) == ("it (default)", False)


def test_a_role_binding() -> None:
    subjects = [
        {"kind": "ServiceAccount", "namespace": "web", "name": "app"},
        {"kind": "Group", "name": "ops"},
        {"kind": "Group", "name": "sre"},
    ]
    row = shown(
        "rolebindings.rbac.authorization.k8s.io",
        roleRef={"kind": "Role", "name": "reader"},
        subjects=subjects,
    )
    assert (row["Role"], row["Groups"], row["Users"]) == ("Role/reader", "ops, sre", "")
    assert row["ServiceAccounts"] == "web/app"


def test_what_pods_are_given() -> None:
    assert shown("configmaps", data={"a": "1"}, binaryData={"b": "", "c": ""})["Data"] == 3
    secret = shown("secrets", type="Opaque", data={"password": "eA=="})
    assert (secret["Type"], secret["Data"]) == ("Opaque", 1)
    quota = shown("resourcequotas", status={"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1"}})
    assert (quota["Request"], quota["Limit"]) == ("pods: 1/4", "limits.cpu: 0/2")


def test_a_controller_revision_names_its_controller() -> None:
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "controller": True}
    row = shown("controllerrevisions.apps", revision=3, metadata={"ownerReferences": [owner]})
    assert (row["Controller"], row["Revision"]) == ("statefulset.apps/db", 3)


def test_kinds_without_columns_of_their_own_show_when_they_were_created() -> None:
    assert shown("limitranges") == {"Name": "it", "Created At": "2026-05-01T11:55:00Z"}


MINIMAL = {
    "pods": {"spec": {"containers": []}},
    "services": {"spec": {}},
    "ingresses.networking.k8s.io": {"spec": {}},
    "horizontalpodautoscalers.autoscaling": {"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "x"}}},
    "rolebindings.rbac.authorization.k8s.io": {"roleRef": {"kind": "Role", "name": "x"}},
    "clusterrolebindings.rbac.authorization.k8s.io": {"roleRef": {"kind": "ClusterRole", "name": "x"}},
}


@pytest.mark.parametrize("resource", BUILT_IN, ids=lambda resource: resource.qualified)
def test_every_kind_has_a_table_for_an_object_with_little_in_it(resource: Any) -> None:
    row = shown(resource.qualified, **MINIMAL.get(resource.qualified, {}))
    assert row["Name"] == "it"


def test_what_a_row_carries_of_its_object() -> None:
    obj = {"metadata": {"name": "it"}, "data": {}}
    carried = {
        include: table(RESOURCES["configmaps"], [obj], include, None, NOW)["rows"][0]["object"]
        for include in ("None", "Metadata", "Object")
    }
    metadata = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "it"}}
    assert carried == {
        "None": None,
        "Metadata": metadata,
        "Object": {"kind": "ConfigMap", "apiVersion": "v1", **obj},
    }


COLUMNS = [
    {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
    {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
    {"name": "Since", "type": "date", "jsonPath": ".status.since"},
    {"name": "Owner", "type": "string", "jsonPath": r".metadata.labels.example\.com/owner", "priority": 1},
]


def definition(columns: list[dict[str, Any]] | None) -> dict[str, Any]:
    version = {"name": "v1", "served": True, "storage": True, "additionalPrinterColumns": columns}
    return {
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [version],
        },
    }


def test_the_columns_that_a_custom_resource_declares() -> None:
    (widgets,) = Resources().define(definition(COLUMNS))
    full = {
        "metadata": {"name": "full", "labels": {"example.com/owner": "search"}},
        "spec": {"size": 3},
        "status": {
            "since": ago(minutes=3),
            "conditions": [{"type": "Other", "status": "False"}, {"type": "Ready", "status": "True"}],
        },
    }
    odd = {"metadata": {"name": "odd"}, "spec": {"size": "large"}, "status": {"since": "yesterday"}}
    made = table(widgets, [full, odd], "None", definition(COLUMNS), NOW)
    assert [(each["name"], each["priority"]) for each in made["columnDefinitions"]] == [
        *(("Name", 0), ("Size", 0), ("Ready", 0), ("Since", 0), ("Owner", 1))
    ]
    assert [row["cells"] for row in made["rows"]] == [
        ["full", 3, "True", "3m", "search"],
        ["odd", None, None, "<invalid>", None],
    ]


def test_a_custom_resource_without_columns_shows_its_age() -> None:
    (widgets,) = Resources().define(definition(None))
    obj = {"metadata": {"name": "it", "creationTimestamp": ago(hours=30)}}
    made = table(widgets, [obj], "None", definition(None), NOW)
    assert made["rows"][0]["cells"] == ["it", "30h"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (".spec.list[0]", 1),
        (".spec.list[*]", 1),
        (".spec.list", [1, 2]),
        (".spec.map['a.b/c']", "dotted"),
        (r".spec.map.a\.b/c", "dotted"),
        (".spec.with-dash", "dash"),
    ],
)
def test_the_paths_of_columns(path: str, value: object) -> None:
    obj = {"spec": {"list": [1, 2], "map": {"a.b/c": "dotted"}, "with-dash": "dash"}}
    assert find(path, obj) == value


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), ([1, "a"], '[1,"a"]'), ({"a": 1}, '{"a":1}'), (1.5, "1.5")]
)
def test_what_is_no_text_in_a_column_of_text(value: object, text: str) -> None:
    columns = [{"name": "Value", "type": "string", "jsonPath": ".value"}]
    (widgets,) = Resources().define(definition(columns))
    made = table(widgets, [{"metadata": {"name": "it"}, "value": value}], "None", definition(columns), NOW)
    assert made["rows"][0]["cells"] == ["it", text]
