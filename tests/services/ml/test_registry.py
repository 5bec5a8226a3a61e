"""Models in S3: published, downloaded with a checksum, refused when something is wrong with them."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from PIL import Image

from emulator.process import Emulator, client_environment
from services.ml import default_model, self_test
from services.ml.__main__ import main
from services.ml.embedder import EmbedderError, OnnxEmbedder, Prepared, unit
from services.ml.graph import Graph
from services.ml.keeper import Loading, ModelKeeper
from services.ml.manifest import ManifestError
from services.ml.pictures import pixels
from services.ml.registry import ModelRegistry, RegistryError
from tests.services.ml.conftest import REGION
from tests.services.ml.drawing import encoded, picture

pytestmark = pytest.mark.xdist_group("ml-aws")


@pytest.fixture
def registry(s3: Any, bucket: Callable[[], str]) -> ModelRegistry:
    return ModelRegistry(s3, bucket(), "looks")


@pytest.fixture
def keeper(registry: ModelRegistry, tmp_path: Path) -> ModelKeeper:
    return keeper_of(registry, tmp_path)


def keeper_of(registry: ModelRegistry | None, tmp_path: Path) -> ModelKeeper:
    loading = Loading(
        build=partial(OnnxEmbedder, threads=1, device="cpu"),
        largest_batch=4,
        batch_wait_seconds=0,
        scratch=tmp_path / "scratch",
    )
    return ModelKeeper(registry, loading, poll_seconds=3600)


@pytest.fixture
def directory(default_directory: Path, tmp_path: Path) -> Path:
    """A model of one's own to change."""
    return Path(shutil.copytree(default_directory, tmp_path / "model"))


def averaging_graph() -> onnx.ModelProto:
    """Another model: the mean colour, and nothing else."""
    graph = Graph("pixels", onnx.TensorProto.UINT8, (3, 64, 64))
    colours = graph.node("GlobalAveragePool", graph.node("Cast", graph.input, to=onnx.TensorProto.FLOAT))
    return graph.model(graph.node("Flatten", colours, axis=1), 3)


def constant_graph() -> onnx.ModelProto:
    """A broken model: every picture is the same vector."""
    graph = Graph("pixels", onnx.TensorProto.UINT8, (3, 64, 64))
    means = graph.node("GlobalAveragePool", graph.node("Cast", graph.input, to=onnx.TensorProto.FLOAT))
    nothing = graph.scaled(graph.node("Flatten", means, axis=1), 0.0)
    return graph.model(graph.node("Add", nothing, graph.constant(np.ones(3))), 3)


def write_image_only(directory: Path, graph: onnx.ModelProto) -> Path:
    directory.mkdir()
    (directory / "image.onnx").write_bytes(graph.SerializeToString())
    manifest = {
        "name": "any",
        "version": "any",
        "dimensions": 3,
        "joint": False,
        "image": {"file": "image.onnx", "size": 64},
        "files": {"image.onnx": {"sha256": "0" * 64, "size": 1}},
    }
    (directory / "manifest.json").write_text(json.dumps(manifest))
    return directory


def test_a_published_model_is_put_in_place(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path
) -> None:
    registry.publish(directory, "v1")
    keeper.look()
    assert keeper.unready() is None
    assert keeper.serving.embedder.version == "looks:v1"


def test_a_newer_version_replaces_it_and_calls_that_have_begun_keep_the_old_one(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path, tmp_path: Path
) -> None:
    registry.publish(directory, "v1")
    keeper.look()
    old = keeper.serving
    registry.publish(write_image_only(tmp_path / "other", averaging_graph()), "v2")
    keeper.look()
    assert keeper.serving.embedder.version == "looks:v2"
    assert keeper.serving.embedder.dimensions == 3
    assert not keeper.serving.embedder.takes_texts
    prepared = old.embedder.prepare_image(encoded(picture(1)))
    (result,) = old.images.submit([prepared], float("inf"))
    assert result.result(30).shape == (128,)


def test_a_rollback_is_moving_current_back(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path
) -> None:
    registry.publish(directory, "v1")
    registry.publish(directory, "v2")
    registry.use("v1")
    keeper.look()
    assert keeper.serving.embedder.version == "looks:v1"


def test_a_bad_checksum_is_refused_and_the_old_model_goes_on(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path, s3: Any, tmp_path: Path
) -> None:
    registry.publish(directory, "v1")
    keeper.look()
    registry.publish(directory, "v2")
    whole = (directory / "image.onnx").read_bytes()
    s3.put_object(Bucket=registry.bucket, Key="looks/v2/image.onnx", Body=whole[:-1] + b"x")
    keeper.look()
    assert keeper.serving.embedder.version == "looks:v1"
    with pytest.raises(RegistryError, match=r"looks/v2/image\.onnx .*sha256"):
        registry.fetch("v2", tmp_path / "fetched")
    assert list((tmp_path / "fetched").iterdir()) == [], "what was refused does not stay on disk"


def test_a_refused_version_is_tried_again_when_it_is_published_again(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path, s3: Any
) -> None:
    registry.publish(directory, "v1")
    s3.delete_object(Bucket=registry.bucket, Key="looks/v1/text.onnx")
    keeper.look()
    assert "looks/v1/text.onnx does not exist" in (keeper.unready() or "")
    s3.upload_file(str(directory / "text.onnx"), registry.bucket, "looks/v1/text.onnx")
    s3.put_object(Bucket=registry.bucket, Key="looks/current", Body=b"v1")  # another writing of the same
    keeper.look()
    assert keeper.unready() is None


@pytest.mark.parametrize(
    ("graph", "dimensions", "told"),
    [
        (averaging_graph(), 5, "its manifest says"),
        (constant_graph(), 3, "the same vector"),
    ],
)
def test_a_model_that_fails_its_self_test_is_refused(  # noqa: PLR0917 - fixtures
    registry: ModelRegistry,
    keeper: ModelKeeper,
    directory: Path,
    tmp_path: Path,
    graph: onnx.ModelProto,
    dimensions: int,
    told: str,
) -> None:
    registry.publish(directory, "v1")
    keeper.look()
    broken = write_image_only(tmp_path / "broken", graph)
    manifest = json.loads((broken / "manifest.json").read_text())
    (broken / "manifest.json").write_text(json.dumps({**manifest, "dimensions": dimensions}))
    registry.publish(broken, "v2")
    keeper.look()
    assert keeper.serving.embedder.version == "looks:v1"
    fresh = keeper_of(registry, tmp_path)
    fresh.look()
    assert told in (fresh.unready() or "")
    with pytest.raises(EmbedderError):
        _ = fresh.serving


def test_what_is_no_graph_is_refused(registry: ModelRegistry, keeper: ModelKeeper, tmp_path: Path) -> None:
    directory = write_image_only(tmp_path / "noise", averaging_graph())
    (directory / "image.onnx").write_bytes(b"this is no graph")
    registry.publish(directory, "v1")
    keeper.look()
    assert "ONNX Runtime cannot load image.onnx" in (keeper.unready() or "")


def test_without_a_current_version_it_says_what_to_do(keeper: ModelKeeper) -> None:
    keeper.look()
    assert "python -m services.ml publish" in (keeper.unready() or "")


def test_a_registry_that_is_away_leaves_the_model_in_place(
    registry: ModelRegistry, keeper: ModelKeeper, directory: Path
) -> None:
    registry.publish(directory, "v1")
    keeper.look()

    class Away:
        def get_object(self, **_: Any) -> Any:
            raise ConnectionError("no route")

    keeper._registry = ModelRegistry(Away(), registry.bucket, "looks")  # pyright: ignore[reportPrivateUsage]
    keeper.look()
    assert keeper.serving.embedder.version == "looks:v1"
    assert keeper.unready() is None


def test_without_a_registry_the_default_model_answers(tmp_path: Path) -> None:
    keeper = keeper_of(None, tmp_path)
    keeper.look()
    assert keeper.serving.embedder.version == "default:1"
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_version_never_changes(registry: ModelRegistry, directory: Path, tmp_path: Path) -> None:
    registry.publish(directory, "v1")
    registry.publish(directory, "v1")
    with pytest.raises(RegistryError, match="versions never change"):
        registry.publish(write_image_only(tmp_path / "other", averaging_graph()), "v1")
    assert registry.current().version == "v1"


@pytest.mark.parametrize("version", ["", "V1", "../v1", "a/b", "x" * 64])
def test_versions_that_are_none_are_refused(registry: ModelRegistry, directory: Path, version: str) -> None:
    with pytest.raises(ManifestError):
        registry.publish(directory, version)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dimensions": 1}, "dimensions"),
        ({"joint": "yes"}, "joint"),
        ({"surprise": 1}, "surprise"),
        ({"text": None, "joint": True}, "joint says"),
        ({"files": {}}, "image.onnx is used but not listed"),
        ({"files": {"../image.onnx": {"sha256": "0" * 64, "size": 1}}}, "files"),
        ({"text": {"file": "text.onnx", "type": "hashed-features"}}, "features"),
    ],
)
def test_a_wrong_manifest_says_where(
    registry: ModelRegistry, directory: Path, change: dict[str, Any], told: str
) -> None:
    manifest = json.loads((directory / "manifest.json").read_text())
    (directory / "manifest.json").write_text(json.dumps({**manifest, **change}))
    with pytest.raises(ManifestError, match=told):
        registry.publish(directory, "v1")


def test_the_command_writes_publishes_and_rolls_back(  # noqa: PLR0917 - fixtures
    aws: Emulator,
    s3: Any,
    bucket: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for variable, value in client_environment(aws.endpoint, REGION).items():
        monkeypatch.setenv(variable, value)
    name = bucket()
    place = ["--bucket", name, "--name", "looks", "--version"]
    main(["default-model", str(tmp_path / "made")])
    for version in ("1", "2"):
        main(["publish", str(tmp_path / "made"), *place, version])
    main(["use", *place, "1"])
    assert s3.get_object(Bucket=name, Key="looks/current")["Body"].read() == b"1\n"
    assert capsys.readouterr().out.splitlines()[-1] == f"s3://{name}/looks/current is 1"
    for arguments, told in [
        (["use", *place, "3"], f"error: s3://{name}/looks/3/ holds no model\n"),
        (["publish", str(tmp_path / "nothing"), *place, "3"], "No such file"),
        (["use", "--bucket", "no-such-bucket", "--name", "looks", "--version", "1"], "NoSuchBucket"),
    ]:
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert told in capsys.readouterr().err


def test_a_role_that_is_none_is_told() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "services.ml", "dance"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2
    assert "'serve', 'stream', 'default-model', 'publish', 'use'" in told.stderr


def joint_colours(directory: Path) -> Path:
    """Names of colours and pictures in one space, as CLIP has much more of; its texts go into the graph as they are."""
    write_image_only(directory, averaging_graph())
    text = onnx.parser.parse_model(
        """<ir_version: 9, opset_import: ["" : 19]>
        names (string[N] text) => (float[N, 3] vectors)
        <string[1] red = {"red"}, string[1] green = {"lime"}, string[1] blue = {"blue"}, int64[1] last = {1}>
        {
            r = Equal(text, red)
            g = Equal(text, green)
            b = Equal(text, blue)
            rf = Cast<to = 1>(r)
            gf = Cast<to = 1>(g)
            bf = Cast<to = 1>(b)
            r2 = Unsqueeze(rf, last)
            g2 = Unsqueeze(gf, last)
            b2 = Unsqueeze(bf, last)
            vectors = Concat<axis = 1>(r2, g2, b2)
        }"""
    )
    (directory / "text.onnx").write_bytes(text.SerializeToString())
    manifest = json.loads((directory / "manifest.json").read_text())
    manifest["files"]["text.onnx"] = {"sha256": "0" * 64, "size": 1}
    changes = {"joint": True, "text": {"file": "text.onnx", "type": "string"}}
    (directory / "manifest.json").write_text(json.dumps({**manifest, **changes}))
    return directory


def test_a_joint_model_finds_pictures_by_words(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(self_test, "_TEXTS", ("red", "lime", "blue"))
    registry.publish(joint_colours(tmp_path / "joint"), "v1")
    keeper = keeper_of(registry, tmp_path)
    keeper.look()
    embedder = keeper.serving.embedder
    assert embedder.joint
    names = ["red", "lime", "blue"]
    plain = [encoded(Image.new("RGB", (32, 32), name)) for name in names]
    images = embedder.embed_images([embedder.prepare_image(file) for file in plain])
    texts = embedder.embed_texts([embedder.prepare_text(name) for name in names])
    assert texts @ images.T == pytest.approx(np.eye(3), abs=1e-3)


def test_a_model_that_is_no_onnx_graph_drops_in(tmp_path: Path) -> None:
    """Whatever has the methods of `Embedder` is served: here, NumPy."""

    class Means:
        version, dimensions, joint, takes_texts = "means:1", 3, False, False

        def prepare_image(self, encoded: bytes) -> Prepared:
            return pixels(encoded, 32)

        def prepare_text(self, text: str) -> Prepared:
            raise EmbedderError("it takes no texts")

        def embed_images(self, batch: Sequence[Prepared]) -> Any:
            return unit(np.stack(batch).mean(axis=(2, 3)))

        def embed_texts(self, batch: Sequence[Prepared]) -> Any:
            raise EmbedderError("it takes no texts")

    loading = Loading(
        build=lambda directory, manifest: Means(), largest_batch=4, batch_wait_seconds=0, scratch=tmp_path
    )
    keeper = ModelKeeper(None, loading, poll_seconds=3600)
    keeper.look()
    assert keeper.serving.embedder.version == "means:1"


def test_the_default_model_is_a_model_like_any_other(
    registry: ModelRegistry, keeper: ModelKeeper, tmp_path: Path
) -> None:
    default_model.write(tmp_path / "default")
    registry.publish(tmp_path / "default", "copy")
    keeper.look()
    published = keeper.serving.embedder
    own = keeper_of(None, tmp_path)
    own.look()
    file = encoded(picture(7))
    assert np.array_equal(
        published.embed_images([published.prepare_image(file)]),
        own.serving.embedder.embed_images([published.prepare_image(file)]),
    )
