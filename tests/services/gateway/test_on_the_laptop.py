"""The generated file in a ConfigMap of the emulated cluster: a pod of the gateway leads to pods behind it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.workloads.gateway.bootstrap import FILE_NAME, configuration
from infra.workloads.gateway.inputs import Upstream
from infra.workloads.service import Route
from tests.emulator.cluster.kubelet.machine import Machine, asynchronous, ready
from tests.services.gateway.world import IDENTITY, Pool

pytestmark = pytest.mark.xdist_group("gateway")

SERVICES = Path(__file__).resolve().parents[3] / "services"
POD_IP = {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def probe(port: int) -> dict[str, Any]:
    return {"httpGet": {"path": "/readyz", "port": port}, "periodSeconds": 1}


@asynchronous
async def test_the_file_of_eks_serves_the_laptop_too(tmp_path: Path, pool: Pool) -> None:
    machine = Machine(tmp_path)
    for name in ("gateway", "echo"):
        (machine.directory / "images" / name).symlink_to(SERVICES / name)
    upstream = Upstream("pin", "pin-headless.default.svc.cluster.local", 8080, (Route(("/v1/pins",)),))
    text = json.dumps(configuration([upstream], IDENTITY))
    variables = {"GATEWAY_CONFIGURATION": f"/etc/envoy/{FILE_NAME}", "AWS_ENDPOINT_URL": pool.url}
    async with machine.running(services=True):
        machine.create("configmaps", "gateway-files", data={FILE_NAME: text})
        gateway = {
            "name": "gateway",
            "image": "pinwheel/gateway:1",
            "args": ["serve"],
            "env": [POD_IP, *({"name": name, "value": value} for name, value in variables.items())],
            "readinessProbe": probe(9090),
            "volumeMounts": [{"name": "files", "mountPath": "/etc/envoy"}],
        }
        machine.pod("gateway", gateway, volumes=[{"name": "files", "configMap": {"name": "gateway-files"}}])
        machine.create(
            "services",
            "pin-headless",
            spec={
                "clusterIP": "None",
                "selector": {"app": "pin"},
                "ports": [{"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"}],
            },
        )
        machine.pod(
            "pin",
            {"name": "echo", "image": "pinwheel/echo:1", "env": [POD_IP], "readinessProbe": probe(8080)},
        )
        await machine.until("pin", ready)
        address = (await machine.until("gateway", ready))["status"]["podIP"]

        async with httpx.AsyncClient(base_url=f"http://{address}:8080", headers=pool.bearer()) as client:
            async with asyncio.timeout(30):
                while (answer := await client.get("/v1/pins/7")).status_code != 200:
                    await asyncio.sleep(0.05)
            assert answer.json()["path"] == "/v1/pins/7"
            assert (await client.get("/elsewhere")).status_code == 404

        machine.delete("gateway")
        await machine.gone("gateway")
