"""Pods are processes: started as their objects say, restarted when they end, ended when they are deleted."""

import asyncio
import base64
import json
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from emulator import undertaker
from emulator.cluster.kubelet import kubelet
from emulator.processes import registered
from tests.emulator.cluster.kubelet.machine import MARKER, Machine, asynchronous, container, ready, script

TELL = "import json, os, sys, time; print(json.dumps([dict(os.environ), sys.argv[2:], os.getcwd()])); time.sleep(600)"
CRASH = "import sys; sys.exit(3)"
WHILE_THERE_IS_NO = "import os, sys, time; os.path.exists('{path}') or sys.exit(3); time.sleep(600)"


def waiting(pod: dict[str, Any], name: str = "app") -> str:
    return container(pod, name)["state"]["waiting"]["reason"]


def pid(pod: dict[str, Any], name: str = "app") -> int:
    return int(container(pod, name)["containerID"].removeprefix("process://"))


async def told(machine: Machine, name: str, container_name: str | None = None) -> Any:
    """What a container that runs TELL has told."""
    await machine.until(name, ready)
    text = ""
    async for part in machine.kubelet.log("default", name, container_name, follow=True):
        text += part.decode()
        if text.endswith("\n"):
            return json.loads(text)
    raise AssertionError(text)


@asynchronous
async def test_pods_come_and_go_while_logs_are_rotated(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotating, go_on = threading.Event(), threading.Event()

    def rotate(_: Path) -> None:
        rotating.set()
        go_on.wait()

    monkeypatch.setattr(kubelet, "_ROTATION_SECONDS", 0)
    monkeypatch.setattr(kubelet.logs, "rotate", rotate)
    async with machine.running():
        for name in ("web", "gone"):
            machine.pod(name, script())
            await machine.until(name, ready)
        await asyncio.to_thread(rotating.wait)
        machine.delete("gone", 0)
        machine.pod("new", script())
        go_on.set()
        await machine.until("new", ready)
        await machine.gone("gone")


@asynchronous
async def test_a_pod_runs_and_its_status_says_so(machine: Machine) -> None:
    node_status = {"addresses": [{"type": "InternalIP", "address": "10.0.0.7"}]}
    node = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "node"}, "status": node_status}
    machine.store.create(machine.resources["nodes"], node)
    async with machine.running():
        machine.pod("web", script())
        pod = await machine.until("web", ready)
        status = pod["status"]
        assert status["phase"] == "Running"
        assert status["podIP"] in machine.addresses
        assert status["podIPs"] == [{"ip": status["podIP"]}]
        assert status["hostIP"] == "10.0.0.7"
        assert status["qosClass"] == "BestEffort"
        assert {each["type"]: each["status"] for each in status["conditions"]} == dict.fromkeys(
            ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"], "True"
        )
        assert container(pod)["imageID"].startswith("pinwheel/script@sha256:")
        assert [process.pid for process in machine.processes()] == [pid(pod)]
        assert [each.name for each in registered(machine.settings.registry)] == ["test/pod/default/web/app"]
        assert machine.events("Started") == ["Started container app"]


@asynchronous
async def test_the_address_is_known_before_the_start(machine: Machine) -> None:
    async with machine.running():
        env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
        machine.pod("web", script(TELL, env=env))
        environment, _, _ = await told(machine, "web")
        assert environment["POD_IP"] == machine.get("web")["status"]["podIP"]


@asynchronous
async def test_an_environment_holds_what_the_object_says_and_little_else(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "secret")
    machine.create("configmaps", "settings", data={"COLOUR": "green"})
    machine.create("secrets", "password", data={"PASSWORD": base64.b64encode(b"s3cret").decode()})
    async with machine.running():
        sources = [{"configMapRef": {"name": "settings"}}, {"secretRef": {"name": "password"}}]
        env = [{"name": "AWS_ENDPOINT_URL", "value": "http://127.0.0.1:1"}]
        machine.pod(
            "web",
            script(envFrom=sources, env=env, command=["python", "main.py"], args=[TELL, "$(COLOUR)", "x"]),
        )
        environment, arguments, directory = await told(machine, "web")
        assert environment["COLOUR"] == "green"
        assert environment["PASSWORD"] == "s3cret"
        assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
        assert arguments == ["green", "x"]
        assert Path(directory) == machine.directory / "images/script"
        known = {"COLOUR", "PASSWORD", "AWS_ENDPOINT_URL", MARKER}
        base = {"PATH", "HOME", "HOSTNAME", "LANG", "TMPDIR", "PYTHONUNBUFFERED", "LC_CTYPE", undertaker.MARK}
        assert set(environment) - known - base == set()


@asynchronous
async def test_volumes_are_folders_that_arguments_and_variables_name(machine: Machine) -> None:
    machine.create("configmaps", "settings", data={"a.yaml": "url: http://api.default.svc:8080/\n"})
    machine.create("secrets", "password", data={"password": base64.b64encode(b"s3cret").decode()})
    machine.create("services", "api", spec={"clusterIP": "127.9.128.1", "ports": [{"port": 8080}]})
    machine.create("persistentvolumeclaims", "data", spec={})
    volumes = [
        {"name": "config", "configMap": {"name": "settings"}},
        {
            "name": "secret",
            "secret": {"secretName": "password", "items": [{"key": "password", "path": "deep/pw"}]},
        },
        {"name": "scratch", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data"}},
        {
            "name": "about",
            "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]},
        },
        {
            "name": "all",
            "projected": {
                "sources": [{"configMap": {"name": "settings"}}, {"secret": {"name": "password"}}],
            },
        },
    ]
    paths = {
        "config": "/etc/app",
        "secret": "/run/secret",
        "scratch": "/tmp",
        "data": "/data",
        "about": "/about",
    }
    mounts = [{"name": name, "mountPath": path} for name, path in {**paths, "all": "/all"}.items()]
    args = [
        "import os, sys; [print(open(path).read().strip()) for path in sys.argv[2:]];"
        "print(oct(os.stat(sys.argv[3]).st_mode)); open(os.environ['DATA'] + '/kept', 'w').write('kept')",
        *("/etc/app/a.yaml", "/run/secret/deep/pw", "/about/name", "/all/password"),
    ]
    async with machine.running():
        app = script(args=args, env=[{"name": "DATA", "value": "/data"}], volumeMounts=mounts)
        machine.pod("web", app, volumes=volumes, restartPolicy="Never")
        await machine.until("web", lambda pod: pod["status"]["phase"] == "Succeeded")
        assert (await machine.log("web")).splitlines() == [
            "url: http://127.9.128.1:8080/",
            *("s3cret", "web", "s3cret", "0o100600"),
        ]
        machine.delete("web", 0)
        await machine.gone("web")
    assert (machine.settings.directory / "volumes/default_data/kept").read_text() == "kept"


@asynchronous
async def test_a_mounted_config_map_follows_its_object(machine: Machine) -> None:
    machine.create("configmaps", "settings", data={"a": "1", "b": "1"})
    code = (
        "import os, sys, time\n"
        "while open('/etc/app/a').read() != '2' or os.path.exists('/etc/app/b'): time.sleep(0.01)\n"
    )
    async with machine.running():
        machine.pod(
            "web",
            script(code, volumeMounts=[{"name": "config", "mountPath": "/etc/app"}]),
            volumes=[{"name": "config", "configMap": {"name": "settings"}}],
            restartPolicy="Never",
        )
        await machine.until("web", ready)
        machine.change("configmaps", "settings", data={"a": "2"})
        await machine.until("web", lambda pod: pod["status"]["phase"] == "Succeeded")


@pytest.mark.parametrize(
    ("volume", "wrong"),
    [
        ({"hostPath": {"path": "/"}}, "hostPath is refused, because pods here are processes"),
        ({"configMap": {"name": "none"}}, 'configmap "none" not found'),
        ({"secret": {"secretName": "none"}}, 'secret "none" not found'),
        ({"persistentVolumeClaim": {"claimName": "none"}}, 'persistentvolumeclaim "none" not found'),
        (
            {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}},
            "serviceAccountToken is not emulated",
        ),
    ],
)
@asynchronous
async def test_a_volume_that_cannot_be_had_is_told(
    machine: Machine, volume: dict[str, Any], wrong: str
) -> None:
    async with machine.running():
        machine.pod("web", script(), volumes=[{"name": "v", **volume}])
        pod = await machine.until("web", lambda _: machine.events("FailedMount"))
        assert machine.events("FailedMount")[0].startswith('MountVolume.SetUp failed for volume "v" : ')
        assert wrong in machine.events("FailedMount")[0]
        assert waiting(pod) == "ContainerCreating"
        assert pod["status"]["phase"] == "Pending"


@asynchronous
async def test_a_container_waits_for_what_its_environment_refers_to(machine: Machine) -> None:
    async with machine.running():
        env = [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "late", "key": "X"}}}]
        machine.pod("web", script(TELL, env=env))
        pod = await machine.until("web", lambda pod: waiting(pod) == "CreateContainerConfigError")
        assert container(pod)["state"]["waiting"]["message"] == 'configmap "late" not found'
        assert pod["status"]["phase"] == "Pending"
        with pytest.raises(
            Exception, match=r'"app" in pod "web" is waiting to start: CreateContainerConfigError'
        ):
            machine.kubelet.log("default", "web")
        machine.create("configmaps", "late", data={"X": "1"})
        environment, _, _ = await told(machine, "web")
        assert environment["X"] == "1"


@asynchronous
async def test_a_crash_is_restarted_with_back_off_until_it_recovers(machine: Machine, tmp_path: Path) -> None:
    async with machine.running():
        machine.pod("web", script(WHILE_THERE_IS_NO.format(path=tmp_path / "cure")))
        pod = await machine.until("web", lambda pod: container(pod)["restartCount"] == 1)
        assert machine.events("BackOff") == []  # the first restart is immediate
        pod = await machine.until("web", lambda pod: waiting(pod) == "CrashLoopBackOff")
        uid = pod["metadata"]["uid"]
        assert container(pod)["state"]["waiting"]["message"] == (
            f"back-off 0.05s restarting failed container=app pod=web_default({uid})"
        )
        assert container(pod)["lastState"]["terminated"]["exitCode"] == 3
        assert pod["status"]["phase"] == "Running"
        assert not ready(pod)
        (tmp_path / "cure").touch()
        pod = await machine.until("web", lambda pod: "running" in container(pod)["state"] and ready(pod))
        assert machine.events("BackOff") == [
            f"Back-off restarting failed container app in pod web_default({uid})"
        ]


@asynchronous
async def test_a_process_killed_with_9_is_noticed_and_started_again(machine: Machine) -> None:
    async with machine.running():
        machine.pod("web", script())
        killed = pid(await machine.until("web", ready))
        os.kill(killed, signal.SIGKILL)
        pod = await machine.until("web", lambda pod: container(pod)["restartCount"] == 1 and ready(pod))
        ended = container(pod)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["signal"], ended["reason"]) == (137, 9, "Error")
        assert pid(pod) != killed


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", "", "Succeeded"), ("Never", CRASH, "Failed"), ("OnFailure", "", "Succeeded")],
)
@asynchronous
async def test_a_finished_pod_is_not_restarted(machine: Machine, policy: str, code: str, phase: str) -> None:
    async with machine.running():
        machine.pod("job", script(code or "pass"), restartPolicy=policy)
        pod = await machine.until("job", lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"})
        assert pod["status"]["phase"] == phase
        assert container(pod)["restartCount"] == 0
        reasons = {each["type"]: each.get("reason") for each in pod["status"]["conditions"]}
        assert reasons["Ready"] == ("PodCompleted" if phase == "Succeeded" else "PodFailed")
        machine.delete("job", 0)
        await machine.gone("job")


@asynchronous
async def test_on_failure_restarts_failures_only(machine: Machine, tmp_path: Path) -> None:
    code = f"import os, sys; os.path.exists('{tmp_path}/x') or (open('{tmp_path}/x', 'w'), sys.exit(1))"
    async with machine.running():
        machine.pod("job", script(code), restartPolicy="OnFailure")
        pod = await machine.until("job", lambda pod: pod["status"]["phase"] == "Succeeded")
        assert container(pod)["restartCount"] == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"command": ["no-such-program"]}, 'exec: "no-such-program": executable file not found in $PATH'),
        ({"command": ["/no/such/program"]}, 'exec: "/no/such/program": no such file or directory'),
        ({"workingDir": "/no/such/folder"}, "workingDir /no/such/folder is not a directory"),
    ],
)
@asynchronous
async def test_a_command_that_cannot_be_run(machine: Machine, fields: dict[str, Any], wrong: str) -> None:
    async with machine.running():
        machine.pod("web", script(**fields))
        pod = await machine.until("web", lambda pod: waiting(pod) == "CrashLoopBackOff")
        ended = container(pod)["lastState"]["terminated"]
        assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
        assert wrong in ended["message"]


@asynchronous
async def test_an_image_of_the_project_that_is_not_there(machine: Machine) -> None:
    async with machine.running():
        machine.pod("web", script() | {"image": "registry.example/pinwheel/unknown:1"})
        pod = await machine.until("web", lambda pod: waiting(pod) == "ErrImagePull")
        assert (
            "registry.example/pinwheel/unknown:1: not found" in container(pod)["state"]["waiting"]["message"]
        )
        pod = await machine.until("web", lambda pod: waiting(pod) == "ImagePullBackOff")
        assert 'Back-off pulling image "registry.example/pinwheel/unknown:1"' in machine.events("BackOff")
        assert pod["status"]["phase"] == "Pending"


@asynchronous
async def test_other_images_are_placeholders_and_said_to_be(machine: Machine) -> None:
    async with machine.running():
        machine.pod(
            "web", {"name": "app", "image": "nginx:1"}, volumes=[{"name": "v", "hostPath": {"path": "/"}}]
        )
        pod = await machine.until("web", ready)
        assert pod["metadata"]["annotations"]["pinwheel.io/placeholder"] == "true"
        assert container(pod)["imageID"] == ""
        assert machine.events("Placeholder") == [
            "nginx:1 is not one of the project's images; shown as running"
        ]
        assert machine.processes() == []
        with pytest.raises(Exception, match="is a placeholder, which writes nothing"):
            machine.kubelet.log("default", "web")
        machine.delete("web")
        await machine.gone("web")


@asynchronous
async def test_init_containers_come_first_and_sidecars_last_longest(machine: Machine, tmp_path: Path) -> None:
    def note(word: str) -> str:
        return f"open('{tmp_path}/order', 'a').write('{word} ')"

    sidecar = f"import signal, sys; signal.signal(15, lambda *_: ({note('sidecar-end')}, sys.exit(0))); signal.pause()"
    before = [
        script(note("first"), name="first"),
        script(sidecar, name="sidecar", restartPolicy="Always"),
        script(note("second"), name="second"),
        {"name": "foreign", "image": "busybox"},
    ]
    async with machine.running():
        machine.pod("job", script(note("main")), initContainers=before, restartPolicy="Never")
        pod = await machine.until("job", lambda pod: pod["status"]["phase"] == "Succeeded")
        await machine.until("job", lambda pod: "terminated" in container(pod, "sidecar")["state"])
        assert (tmp_path / "order").read_text().split() == ["first", "second", "main", "sidecar-end"]
        assert container(pod, "foreign")["state"]["terminated"]["exitCode"] == 0
        assert container(pod, "first")["ready"]


@asynchronous
async def test_an_init_container_that_fails(machine: Machine) -> None:
    async with machine.running():
        machine.pod("never", script(), initContainers=[script(CRASH, name="init")], restartPolicy="Never")
        pod = await machine.until("never", lambda pod: pod["status"]["phase"] == "Failed")
        assert waiting(pod) == "PodInitializing"
        machine.pod("always", script(), initContainers=[script(CRASH, name="init")])
        pod = await machine.until("always", lambda pod: container(pod, "init")["restartCount"] == 2)
        assert pod["status"]["phase"] == "Pending"


@asynchronous
async def test_a_deleted_pod_ends_in_good_order(machine: Machine, tmp_path: Path) -> None:
    code = (
        "import signal, sys\n"
        f"signal.signal(15, lambda *_: (print(open('{tmp_path}/hook').read()), sys.exit(0)))\n"
        "print('up')\nsignal.pause()"
    )
    hook = {
        "preStop": {"exec": {"command": ["python", "-c", f"open('{tmp_path}/hook', 'w').write('hooked')"]}}
    }
    async with machine.running():
        machine.pod("web", script(code, lifecycle=hook))
        await machine.until("web", ready)
        log = machine.kubelet.log("default", "web", follow=True)
        assert await anext(log) == b"up\n"
        machine.delete("web")
        assert b"".join([part async for part in log]) == b"hooked\n"
        await machine.gone("web")
        assert machine.events("Killing") == ["Stopping container app"]
        assert machine.processes() == []
    assert list((machine.settings.directory / "pods").iterdir()) == []


@asynchronous
async def test_a_pod_that_does_not_heed_sigterm_is_killed_with_its_children(machine: Machine) -> None:
    code = (
        "import signal, subprocess, sys\n"
        "signal.signal(15, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('up')\nsignal.pause()"
    )
    async with machine.running():
        machine.pod("web", script(code))
        await machine.until("web", ready)
        assert await anext(machine.kubelet.log("default", "web", follow=True)) == b"up\n"
        assert len(machine.processes()) == 2
        machine.delete("web", 1)
        await machine.gone("web")
        assert machine.processes() == []


@asynchronous
async def test_a_mount_stays_in_its_volume(machine: Machine) -> None:
    async with machine.running():
        mount = {"name": "v", "mountPath": "/v", "subPath": "../../../outside"}
        machine.pod("web", script(volumeMounts=[mount]), volumes=[{"name": "v", "emptyDir": {}}])
        pod = await machine.until("web", lambda pod: waiting(pod) == "CreateContainerConfigError")
        assert "leaves the volume v" in container(pod)["state"]["waiting"]["message"]
    assert not [*machine.directory.rglob("outside")]


@asynchronous
async def test_a_forced_deletion_leaves_no_process(machine: Machine) -> None:
    async with machine.running():
        machine.pod("web", script())
        await machine.until("web", ready)
        machine.delete("web", 0)
        await machine.no_processes()


@asynchronous
async def test_after_a_restart_of_the_cluster_its_pods_are_started_again(machine: Machine) -> None:
    async with machine.running():
        machine.pod("web", script())
        machine.pod("done", script("pass"), restartPolicy="Never")
        await machine.until("web", ready)
        await machine.until("done", lambda pod: pod["status"]["phase"] == "Succeeded")
    again = Machine(machine.directory, store=machine.store)
    async with again.running():
        pod = await again.until("web", lambda pod: container(pod)["restartCount"] == 1 and ready(pod))
        assert container(pod)["lastState"]["terminated"]["exitCode"] == 137
        assert again.get("done")["status"]["phase"] == "Succeeded"
        again.delete("done", 5)
        await again.gone("done")


@asynchronous
async def test_one_pod_has_its_containers_at_one_address(machine: Machine) -> None:
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    async with machine.running():
        machine.pod("web", script(TELL, env=env), script(TELL, name="other", env=env))
        await machine.until("web", ready)
        first, _, _ = await told(machine, "web", "app")
        second, _, _ = await told(machine, "web", "other")
        assert first["POD_IP"] == second["POD_IP"]


@asynchronous
async def test_a_container_that_other_machines_could_reach_is_ended(machine: Machine) -> None:
    listen = "import socket, time; server = socket.create_server(('0.0.0.0', 0)); time.sleep(600)"
    async with machine.running():
        machine.pod("web", script(listen))
        pod = await machine.until("web", lambda pod: container(pod)["restartCount"] == 1)
        ended = container(pod)["lastState"]["terminated"]
        assert "it listened on 0.0.0.0:" in ended["message"]
        assert "fieldRef status.podIP" in machine.events("ListensOutside")[0]
