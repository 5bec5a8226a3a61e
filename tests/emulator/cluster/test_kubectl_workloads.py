"""kubectl on what runs: rollouts, scaling, logs, jobs, deletion, and a process that is killed."""

import http.client
import json
import os
import signal
import threading
import urllib.request
from collections.abc import Iterator

import psutil
import pytest

from tests.emulator.cluster.harness import IMAGE, ROOT, Kubectl, RunningCluster, deployment, pod
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cluster")

TIMEOUT = "--timeout=30s"


def names(kubectl: Kubectl, resource: str, *arguments: str) -> list[str]:
    return kubectl("get", resource, *arguments, "-o", "jsonpath={.items[*].metadata.name}").out.split()


MANIFEST = str(ROOT / "services" / "echo" / "kubernetes.yaml")


@pytest.fixture(scope="module")
def echo(cluster: RunningCluster) -> Iterator[Kubectl]:
    """The echo service as it is written, rolled out."""
    kubectl = cluster.kubectl("echo")
    kubectl("apply", "--server-side", "-f", MANIFEST)
    kubectl("rollout", "status", "deployment/echo", TIMEOUT)
    yield kubectl
    kubectl("delete", "--ignore-not-found", "-f", MANIFEST, TIMEOUT)
    assert "not found" in cluster.kubectl()("get", "namespace", "echo", check=False).err


def address_of(kubectl: Kubectl, service: str) -> str:
    return kubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}").out


class Visitor:
    """Asks a service again and again, each time over a new connection, until the context ends."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.pods: list[str] = []
        """That answered, in order."""
        self.failures: list[str] = []
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._visit)

    def ask(self) -> str:
        with urllib.request.urlopen(f"http://{self.address}/", timeout=10) as answer:
            return json.load(answer)["pod"]

    def _visit(self) -> None:
        while not self._leaving.wait(0.01):
            try:
                self.pods.append(self.ask())
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))

    def __enter__(self) -> "Visitor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._thread.join()


def test_the_echo_service_as_it_is_written(echo: Kubectl) -> None:
    header, *rows = echo("get", "pods", "-o", "wide").lines
    assert header.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert len(rows) == 2
    assert all("1/1" in row and "Running" in row for row in rows)
    visitor = Visitor(address_of(echo, "echo"))
    assert {visitor.ask() for _ in range(20)} == {row.split()[0] for row in rows}
    described = echo("describe", "deployment", "echo").out
    for part in ("StrategyType:", "RollingUpdate", "NewReplicaSet:", "ScalingReplicaSet"):
        assert part in described
    described = echo("describe", "pods").out
    for part in ("Container ID:", "Ready:", "Started", "Readiness:"):
        assert part in described
    again = echo("apply", "--server-side", "-f", MANIFEST).out
    assert "deployment.apps/echo serverside-applied" in again


def test_a_rolling_update_drops_no_request(echo: Kubectl) -> None:
    before = set(names(echo, "pods"))
    with Visitor(address_of(echo, "echo")) as visitor:
        until(lambda: visitor.pods)
        echo("rollout", "restart", "deployment/echo")
        echo("rollout", "status", "deployment/echo", TIMEOUT)
        until(lambda: not before & set(names(echo, "pods")))
    assert visitor.failures == []
    assert visitor.pods[0] in before
    assert visitor.pods[-1] not in before


def test_a_pod_that_is_not_ready_gets_no_requests(echo: Kubectl) -> None:
    echo("set", "env", "deployment/echo", "ECHO_DRILLS=1")
    echo("rollout", "status", "deployment/echo", TIMEOUT)
    until(lambda: len(names(echo, "pods")) == 2)
    pod = echo("get", "pods", "-o", "json").json["items"][0]
    name, address = pod["metadata"]["name"], pod["status"]["podIP"]
    urllib.request.urlopen(f"http://{address}:8080/unready", timeout=10).close()
    echo("wait", "--for=condition=Ready=false", f"pod/{name}", TIMEOUT)
    assert "0/1" in echo("get", "pod", name).out
    endpoints = (
        "get",
        "endpointslices",
        "-o",
        "jsonpath={.items[*].endpoints[?(@.conditions.ready==true)].addresses}",
    )
    until(lambda: address not in echo(*endpoints).out)
    visitor = Visitor(address_of(echo, "echo"))
    until(lambda: name not in {visitor.ask() for _ in range(10)})
    urllib.request.urlopen(f"http://{address}:8080/ready", timeout=10).close()
    echo("wait", "--for=condition=Ready", f"pod/{name}", TIMEOUT)
    until(lambda: name in {visitor.ask() for _ in range(10)})


def test_scale_up_and_down(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web"))
    kubectl("scale", "deployment/web", "--replicas=3")
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    assert len(names(kubectl, "pods")) == 3
    row = kubectl("get", "deployment", "web").lines[1].split()
    assert row[:4] == ["web", "3/3", "3", "3"]
    refused = kubectl("scale", "deployment/web", "--current-replicas=9", "--replicas=1", check=False)
    assert "Expected replicas to be 9, was 3" in refused.err
    kubectl("scale", "deployment/web", "--replicas=1")
    until(lambda: len(names(kubectl, "pods")) == 1)


def test_rollouts_have_a_history_and_a_way_back(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web"))
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    kubectl("set", "image", "deployment/web", f"main={IMAGE}:2")
    kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=version two")
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    history = kubectl("rollout", "history", "deployment/web").out
    assert [line.split(maxsplit=1) for line in history.splitlines()[2:] if line] == [
        ["1", "<none>"],
        ["2", "version two"],
    ]
    assert f"{IMAGE}:2" in kubectl("rollout", "history", "deployment/web", "--revision=2").out
    kubectl("rollout", "undo", "deployment/web")
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    image = "jsonpath={.spec.template.spec.containers[0].image}"
    assert kubectl("get", "deployment", "web", "-o", image).out == f"{IMAGE}:1"
    before = set(names(kubectl, "replicasets"))
    kubectl("rollout", "restart", "deployment/web")
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    after = set(names(kubectl, "replicasets"))
    assert len(after - before) == 1
    until(lambda: len(names(kubectl, "pods")) == 1)
    refused = kubectl("rollout", "undo", "deployment/web", "--to-revision=99", check=False)
    assert "unable to find specified revision 99 in history" in refused.err


def test_a_paused_rollout_waits(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web"))
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    kubectl("rollout", "pause", "deployment/web")
    kubectl("set", "env", "deployment/web", "GREETING=hello")
    assert len(names(kubectl, "replicasets")) == 1
    kubectl("rollout", "resume", "deployment/web")
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    assert len(names(kubectl, "replicasets")) == 2


def test_logs(kubectl: Kubectl) -> None:
    script = "echo one; echo two; echo $GREETING; exec sleep 600"
    kubectl("create", "-f", "-", manifest=pod("talker", "sh", "-c", script))
    kubectl("wait", "--for=condition=Ready", "pod/talker", TIMEOUT)
    until(lambda: len(kubectl("logs", "talker").lines) == 3)
    assert kubectl("logs", "talker").lines == ["one", "two", ""]
    assert kubectl("logs", "talker", "--tail=2").lines == ["two", ""]
    refused = kubectl("logs", "talker", "--previous", check=False)
    assert 'previous terminated container "main" in pod "talker" not found' in refused.err
    refused = kubectl("logs", "talker", "-c", "other", check=False)
    assert "container other is not valid for pod talker" in refused.err


def test_logs_are_followed_to_the_end(kubectl: Kubectl) -> None:
    script = "for i in 1 2 3; do echo line $i; sleep 0.2; done"
    kubectl("create", "-f", "-", manifest=pod("counter", "sh", "-c", script, restartPolicy="Never"))
    kubectl("wait", "--for=jsonpath={.status.containerStatuses[0].containerID}", "pod/counter", TIMEOUT)
    assert kubectl("logs", "-f", "counter", timeout=30).lines == ["line 1", "line 2", "line 3"]
    kubectl("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/counter", TIMEOUT)
    assert kubectl("get", "pod", "counter").lines[1].split()[1:3] == ["0/1", "Completed"]


def test_a_container_that_crashes_is_backed_off_and_its_last_words_are_kept(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=pod("crasher", "sh", "-c", "echo last words; exit 3"))
    until(lambda: "CrashLoopBackOff" in kubectl("get", "pod", "crasher").out)
    until(lambda: kubectl("logs", "crasher", "--previous", check=False).lines == ["last words"])
    state = kubectl("get", "pod", "crasher", "-o", "json").json["status"]["containerStatuses"][0]
    assert state["restartCount"] >= 1
    assert state["lastState"]["terminated"]["exitCode"] == 3
    assert "Back-off restarting failed container" in kubectl("describe", "pod", "crasher").out


def test_a_killed_process_is_back(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=deployment("web", "sh", "-c", "echo $$$$; exec sleep 600"))
    kubectl("rollout", "status", "deployment/web", TIMEOUT)
    (name,) = names(kubectl, "pods")
    first = int(until(lambda: kubectl("logs", name).out))
    assert psutil.pid_exists(first)
    os.kill(first, signal.SIGKILL)
    second = int(until(lambda: kubectl("logs", name, check=False).out.replace(str(first), "").strip()))
    assert psutil.pid_exists(second)
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", TIMEOUT)
    status = kubectl("get", "pod", name, "-o", "json").json["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["lastState"]["terminated"]["exitCode"] == 137


def test_a_pod_that_is_not_the_projects_is_said_to_be_a_placeholder(kubectl: Kubectl) -> None:
    stranger = pod("stranger")
    stranger["spec"]["containers"][0]["image"] = "nginx:1.29"
    kubectl("create", "-f", "-", manifest=stranger)
    kubectl("wait", "--for=condition=Ready", "pod/stranger", TIMEOUT)
    metadata = kubectl("get", "pod", "stranger", "-o", "json").json["metadata"]
    assert metadata["annotations"]["pinwheel.io/placeholder"] == "true"
    until(lambda: "laceholder" in kubectl("events", "--for=pod/stranger").out)


CRON = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "nightly"},
    "spec": {
        "schedule": "0 3 * * *",
        "jobTemplate": {
            "spec": {"template": {"spec": pod("x", "sh", "-c", "echo done", restartPolicy="Never")["spec"]}}
        },
    },
}


def test_a_job_from_a_cron_job(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=CRON)
    kubectl("create", "job", "now", "--from=cronjob/nightly")
    kubectl("wait", "--for=condition=Complete", "job/now", TIMEOUT)
    assert kubectl("logs", "job/now").lines == ["done"]
    row = kubectl("get", "job", "now").lines[1].split()
    assert row[:3] == ["now", "Complete", "1/1"]
    assert kubectl("get", "cronjob", "nightly").lines[1].split()[:2] == ["nightly", "0"]


def test_deleting_takes_dependents_along_or_leaves_them(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=[deployment("kept"), deployment("gone")])
    for name in ("kept", "gone"):
        kubectl("rollout", "status", f"deployment/{name}", TIMEOUT)
    kubectl("delete", "deployment", "kept", "--cascade=orphan", TIMEOUT)
    kubectl("delete", "deployment", "gone", "--cascade=foreground", TIMEOUT)
    assert names(kubectl, "replicasets", "-l", "app=gone") == []
    assert names(kubectl, "pods", "-l", "app=gone") == []
    (orphan,) = kubectl("get", "replicasets", "-l", "app=kept", "-o", "json").json["items"]
    assert "ownerReferences" not in orphan["metadata"]
    assert len(names(kubectl, "pods", "-l", "app=kept")) == 1
    kubectl("delete", "replicaset", orphan["metadata"]["name"], TIMEOUT)
    until(lambda: names(kubectl, "pods", "-l", "app=kept") == [])


def test_deleting_a_pod_ends_its_process(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", manifest=pod("brief", "sh", "-c", "echo $$$$; exec sleep 600"))
    kubectl("wait", "--for=condition=Ready", "pod/brief", TIMEOUT)
    number = int(until(lambda: kubectl("logs", "brief").out))
    kubectl("delete", "pod", "brief", TIMEOUT)
    assert not psutil.pid_exists(number)
    refused = kubectl("delete", "pod", "brief", check=False)
    assert 'pods "brief" not found' in refused.err
    assert kubectl("delete", "pod", "brief", "--ignore-not-found").out == ""


def test_a_stateful_set_and_a_daemon_set(cluster: RunningCluster, kubectl: Kubectl) -> None:
    stateful = deployment("db", replicas=2)
    stateful |= {"kind": "StatefulSet", "spec": {**stateful["spec"], "serviceName": "db"}}
    daemon = deployment("agent")
    daemon |= {"kind": "DaemonSet", "spec": {k: v for k, v in daemon["spec"].items() if k != "replicas"}}
    kubectl("create", "-f", "-", manifest=[stateful, daemon])
    kubectl("rollout", "status", "statefulset/db", TIMEOUT)
    kubectl("rollout", "status", "daemonset/agent", TIMEOUT)
    assert names(kubectl, "pods", "-l", "app=db") == ["db-0", "db-1"]
    assert len(names(kubectl, "pods", "-l", "app=agent")) == len(cluster.nodes)
    kubectl("rollout", "restart", "statefulset/db", "daemonset/agent")
    kubectl("rollout", "status", "statefulset/db", TIMEOUT)
    kubectl("rollout", "status", "daemonset/agent", TIMEOUT)
    assert "2" in kubectl("rollout", "history", "statefulset/db").out.split()
