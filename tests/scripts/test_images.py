"""`make images`: each image's PEX runs by itself, holds only what is its own, and comes out the same each time."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "images.py"
IMAGES = ("pin", "search", "ml", "gateway")
BASE = "python:3.11-slim-bookworm@sha256:b18992999dbe963a45a8a4da40ac2b1975be1a776d939d098c647482bcad5cba"
AS_IMAGES_RUN = sys.platform == "linux" and os.uname().machine == "x86_64" and sys.version_info[:2] == (3, 11)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as far as images are concerned, so that `dist` is nobody else's."""
    root = tmp_path_factory.mktemp("repository")
    for name in ("pyproject.toml", ".venv"):
        (root / name).symlink_to(ROOT / name)
    shutil.copytree(ROOT / "services", root / "services", ignore=shutil.ignore_patterns("__pycache__"))
    (root / "scripts").mkdir()
    (root / "scripts" / "images.py").write_text(SCRIPT.read_text())
    return root


def build(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, copy / "scripts" / "images.py", *arguments],
        env={**os.environ, "PEX_ROOT": str(copy / "pex")},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def pin(copy: Path) -> Path:
    """The pin service's PEX: the others are built alike, and would take another minute."""
    done = build(copy, "pin")
    assert done.returncode == 0, done.stderr
    return copy / "dist" / "pin.pex"


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def environment(copy: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return {**kept, "PEX_ROOT": str(copy / "pex"), **variables}


def run(command: list[str | Path], copy: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Somewhere else, where neither our sources nor our .venv are."""
    return subprocess.run(
        command,
        env=environment(copy, **variables),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.skipif(not AS_IMAGES_RUN, reason="images are built for CPython 3.11 on Linux x86_64")
@pytest.mark.xdist_group("images")
class TestPin:
    def test_it_runs_by_itself(self, copy: Path, pin: Path) -> None:
        done = run([pin, "migrate"], copy, DATABASE_URL=f"sqlite+aiosqlite:///{copy}/pin.db")
        assert done.returncode == 0, done.stdout + done.stderr
        assert (copy / "pin.db").exists()
        assert run([pin, "dance"], copy).returncode == 2

    def test_it_serves_unpacked_as_in_the_container(self, copy: Path, pin: Path) -> None:
        lines = (ROOT / "services" / "pin" / "Dockerfile").read_text().splitlines()
        (line,) = [each for each in lines if "PEX_TOOLS" in each]
        unpack = line.removeprefix("RUN ").replace("/tmp/pex", str(copy / "pex"))
        unpack = unpack.replace("python /pin.pex", f"{sys.executable} {pin}").replace(
            "/app", str(copy / "app")
        )
        subprocess.run(["sh", "-c", unpack], check=True, capture_output=True, timeout=240)
        command = [copy / "app" / "bin" / "python", "-m", "services.pin"]
        database = f"sqlite+aiosqlite:///{copy}/served.db"
        assert run([*command, "migrate"], copy, DATABASE_URL=database).returncode == 0
        ports = {"HTTP_PORT": "0", "OPERATIONS_PORT": "0", "SHUTDOWN_DRAIN_SECONDS": "0"}
        amazon = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
        serving = subprocess.Popen(
            [*command, "serve"],
            env=environment(copy, DATABASE_URL=database, IMAGES_BUCKET="images", **ports, **amazon),
            cwd="/",
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert serving.stdout is not None
            logs = (json.loads(each) for each in serving.stdout)
            address = next(each["address"] for each in logs if each["event"] == "http listens")
            assert httpx.get(f"http://{address}/openapi.json", timeout=30).status_code == 200
            serving.terminate()
            assert serving.wait(60) == 0
        finally:
            serving.kill()
            serving.communicate()

    def test_it_holds_the_locked_versions_and_no_other_service(self, pin: Path) -> None:
        with zipfile.ZipFile(pin) as opened:
            ours = {
                name.split("/")[1]
                for name in opened.namelist()
                if name.startswith("services/") and name != "services/"
            }
            held = json.loads(opened.read("PEX-INFO"))["distributions"]
        assert ours == {"__init__.py", "api", "common", "pin"}
        locked = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
        wheels = [re.match(r"([^-]+)-([^-]+)-", wheel) for wheel in held]
        found = {(canonical(wheel[1]), wheel[2]) for wheel in wheels if wheel}
        assert len(found) == len(held) > 20
        assert found <= {(canonical(name), version) for name, version in locked}

    def test_the_same_sources_give_the_same_bytes(self, copy: Path, pin: Path) -> None:
        before = hashlib.sha256(pin.read_bytes()).hexdigest()
        done = build(copy, "pin")
        assert f"sha256:{before}" in done.stdout


def test_an_image_that_is_not_there(copy: Path) -> None:
    done = build(copy, "web")
    assert (done.returncode, done.stderr) == (
        2,
        "error: there is no image web\n  fix: name one of pin, search, ml, gateway\n",
    )


@pytest.mark.parametrize("name", IMAGES)
def test_a_dockerfile_is_clean_and_runs_as_nobody(name: str) -> None:
    file = ROOT / "services" / name / "Dockerfile"
    done = subprocess.run(
        [ROOT / ".venv" / "bin" / "hadolint", file], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
    lines = file.read_text().splitlines()
    assert f"FROM {BASE} AS base" in lines
    assert "USER 10001:10001" in lines
    assert f'ENTRYPOINT ["/app/bin/python", "-m", "services.{name}"]' in lines


@pytest.mark.parametrize("name", IMAGES)
def test_the_emulated_cluster_runs_what_the_container_runs(name: str) -> None:
    described = json.loads((ROOT / "services" / name / "image.json").read_text())
    assert described["Entrypoint"] == ["python", "-m", f"services.{name}"]
    (exposed,) = [
        line
        for line in (ROOT / "services" / name / "Dockerfile").read_text().splitlines()
        if line.startswith("EXPOSE")
    ]
    assert {f"{port}/tcp" for port in exposed.split()[1:]} == set(described["ExposedPorts"])
