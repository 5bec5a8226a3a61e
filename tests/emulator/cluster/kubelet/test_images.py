"""Which images are the project's, and what their descriptions say."""

import json
from pathlib import Path
from typing import Any

import pytest

from emulator.cluster.kubelet.images import ImageError, load_image, project_name

REFERENCE = "registry.example/pinwheel/echo:1"


def describe(images: Path, config: Any) -> Path:
    (images / "echo").mkdir()
    (images / "echo/image.json").write_text(config if isinstance(config, str) else json.dumps(config))
    return images


@pytest.mark.parametrize(
    "reference",
    [
        "pinwheel/echo",
        "pinwheel/echo:1.2",
        "registry.example:5000/pinwheel/echo:1",
        "210987654321.dkr.ecr.eu-west-1.amazonaws.com/pinwheel/echo@sha256:0123abcd",
        "registry.example/team/pinwheel/echo:1@sha256:0123abcd",
    ],
)
def test_the_projects_images(reference: str) -> None:
    assert project_name(reference) == "echo"


@pytest.mark.parametrize(
    "reference", ["echo", "nginx:1", "pinwheel:1", "pinwheels/echo", "pinwheel/echo/more:1", ""]
)
def test_other_images(reference: str) -> None:
    assert project_name(reference) is None


def test_an_image_is_what_its_description_says(tmp_path: Path) -> None:
    config = {
        "Entrypoint": ["python", "x.py"],
        "Cmd": ["--help"],
        "Env": ["A=1", "B=x=y"],
        "WorkingDir": "src",
    }
    describe(tmp_path, config)
    (tmp_path / "echo/src").mkdir()
    image = load_image(tmp_path, "echo", REFERENCE)
    assert image.entrypoint == ("python", "x.py")
    assert image.command == ("--help",)
    assert image.environment == {"A": "1", "B": "x=y"}
    assert image.directory == tmp_path / "echo/src"
    assert image.identity.startswith("sha256:")


def test_an_image_that_nobody_has_built(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"registry\.example/pinwheel/echo:1: not found .*echo/image\.json"):
        load_image(tmp_path, "echo", REFERENCE)
    with pytest.raises(ImageError, match="not found"):
        load_image(None, "echo", REFERENCE)
    with pytest.raises(ImageError, match="not found"):
        load_image(tmp_path, "..", REFERENCE)


@pytest.mark.parametrize(
    ("config", "wrong"),
    [
        ("{", "Expecting property name"),
        ([], "expected an object"),
        ({"Entrypoint": "python x.py"}, "Entrypoint: expected a list of strings"),
        ({"Env": ["A"]}, "'A' is not NAME=value"),
        ({"Command": []}, "unknown field Command; known are Cmd"),
        ({"WorkingDir": "nowhere"}, "nowhere is not a directory"),
    ],
)
def test_a_broken_description_is_told(tmp_path: Path, config: Any, wrong: str) -> None:
    with pytest.raises(ImageError, match=wrong):
        load_image(describe(tmp_path, config), "echo", REFERENCE)
