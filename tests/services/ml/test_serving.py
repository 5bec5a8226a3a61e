"""The role `serve` as a process, asked over gRPC."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image

from emulator.process import Emulator, client_environment
from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.ml.embedder import OnnxEmbedder
from services.ml.registry import ModelRegistry
from tests.services.ml.conftest import REGION
from tests.services.ml.drawing import encoded, picture
from tests.services.ml.running import Role, embedding_stub, running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("ml-aws")
SECONDS = 30.0


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Role]:
    """With the default model, and as few threads as a small pod has."""
    log = tmp_path_factory.mktemp("serve") / "log"
    with running("serve", log, INFERENCE_THREADS="1", MAX_WAITING="100") as role:
        yield role.ready()


@pytest.fixture(scope="module")
def channel(serve: Role) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(serve.address) as made:
        yield made


@pytest.fixture(scope="module")
def embedding(channel: grpc.Channel) -> Any:
    return ml_pb2_grpc.EmbeddingServiceStub(channel)


@pytest.fixture(scope="module")
def ranking(channel: grpc.Channel) -> Any:
    return ml_pb2_grpc.RankingServiceStub(channel)


def images(*files: bytes) -> ml_pb2.EmbedImagesRequest:
    return ml_pb2.EmbedImagesRequest(images=files)


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code(), error.value.details()


def test_images_and_texts_become_unit_vectors(embedding: Any, embedder: OnnxEmbedder) -> None:
    files = [encoded(picture(seed)) for seed in range(3)]
    answer = embedding.EmbedImages(images(*files), timeout=SECONDS)
    assert answer.model_version == "default:1"
    assert not answer.joint
    vectors = np.stack([np.frombuffer(vector, "<f4") for vector in answer.vectors])
    expected = embedder.embed_images([embedder.prepare_image(file) for file in files])
    assert vectors == pytest.approx(expected, abs=1e-5)
    texts = embedding.EmbedTexts(ml_pb2.EmbedTextsRequest(texts=["lemon cake"]), timeout=SECONDS)
    assert np.linalg.norm(np.frombuffer(texts.vectors[0], "<f4")) == pytest.approx(1, abs=1e-5)
    assert not texts.joint


def test_many_callers_get_their_own_vectors_and_share_batches(
    serve: Role, embedding: Any, embedder: OnnxEmbedder
) -> None:
    files = [encoded(picture(seed), "JPEG") for seed in range(40)]
    expected = embedder.embed_images([embedder.prepare_image(file) for file in files])
    batches = serve.counted("ml_batch_size_count")
    with ThreadPoolExecutor(20) as callers:
        answers = list(
            callers.map(lambda file: embedding.EmbedImages(images(file), timeout=SECONDS).vectors[0], files)
        )
    assert np.stack([np.frombuffer(vector, "<f4") for vector in answers]) == pytest.approx(expected, abs=1e-5)
    assert serve.counted("ml_batch_size_count") - batches < len(files)


def test_a_bad_image_is_told_by_its_place_and_spoils_nobody_else_s(embedding: Any) -> None:
    good = encoded(picture(1))
    with ThreadPoolExecutor(8) as callers:
        bad = callers.submit(
            refused, lambda: embedding.EmbedImages(images(good, b"no image"), timeout=SECONDS)
        )
        others = [callers.submit(embedding.EmbedImages, images(good), timeout=SECONDS) for _ in range(6)]
        assert bad.result() == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "images[1]: the bytes are not a JPEG, PNG, WebP or GIF image",
        )
        assert all(len(other.result().vectors) == 1 for other in others)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (ml_pb2.EmbedTextsRequest(), "texts: 0 are given; 1 to 64 are taken"),
        (ml_pb2.EmbedTextsRequest(texts=["a"] * 65), "texts: 65 are given; 1 to 64 are taken"),
        (ml_pb2.EmbedTextsRequest(texts=["a", " "]), "texts[1]: the text is empty"),
        (
            ml_pb2.EmbedTextsRequest(texts=["a" * 2_001]),
            "texts[0]: the text has 2001 characters, more than the 2000 that are taken",
        ),
    ],
)
def test_texts_that_are_refused(embedding: Any, request_: ml_pb2.EmbedTextsRequest, told: str) -> None:
    code, details = refused(lambda: embedding.EmbedTexts(request_, timeout=SECONDS))
    assert (code, details) == (grpc.StatusCode.INVALID_ARGUMENT, told)


def test_more_than_it_can_do_in_time_is_refused_at_once(serve: Role, embedding: Any) -> None:
    """Plain pictures are small to send and long to decode; what waits is bounded, and what is refused says so."""
    large = encoded(Image.new("RGB", (2_000, 2_000), "teal"), "PNG")
    request, count = images(*[large] * 20), 10
    with ThreadPoolExecutor(count) as callers:
        calls = [callers.submit(embedding.EmbedImages, request, timeout=SECONDS) for _ in range(count)]
        errors = [error for call in calls if (error := call.exception()) is not None]
    codes = {error.code() for error in errors if isinstance(error, grpc.RpcError)}
    assert codes == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(errors) < count, "those that were admitted are answered"
    assert serve.counted("ml_refused_total") >= 20
    assert embedding.EmbedImages(images(encoded(picture(1))), timeout=SECONDS).vectors


def test_work_whose_deadline_passed_is_not_done(serve: Role, embedding: Any) -> None:
    code, _ = refused(lambda: embedding.EmbedImages(images(encoded(picture(3))), timeout=0.0))
    assert code == grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: serve.counted("ml_waiting") == 0)


def vector(*numbers: float) -> bytes:
    return np.array(numbers, "<f4").tobytes()


def test_candidates_are_ranked_by_the_history(ranking: Any) -> None:
    request = ml_pb2.RerankRequest(
        history=[vector(1, 0)],
        candidates=[
            ml_pb2.Candidate(pin_id=1, score=1.0, vector=vector(0, 1)),
            ml_pb2.Candidate(pin_id=2, score=1.0, vector=vector(1, 0)),
            ml_pb2.Candidate(pin_id=3, score=1.0),
        ],
    )
    assert list(ranking.Rerank(request, timeout=SECONDS).pin_ids) == [2, 1, 3]
    assert list(ranking.Rerank(ml_pb2.RerankRequest(), timeout=SECONDS).pin_ids) == []


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (ml_pb2.RerankRequest(history=[b"abc"]), "history[0] has 3 bytes"),
        (ml_pb2.RerankRequest(history=[vector(1, 0), vector(1, 0, 0)]), "different lengths"),
        (ml_pb2.RerankRequest(history=[vector(float("nan"), 0)]), "no finite number"),
        (
            ml_pb2.RerankRequest(candidates=[ml_pb2.Candidate(pin_id=1, score=float("inf"))]),
            "candidates[0].score is inf",
        ),
        (ml_pb2.RerankRequest(history=[vector(1)] * 201), "at most 200"),
        (ml_pb2.RerankRequest(candidates=[ml_pb2.Candidate(pin_id=1)] * 1_001), "at most 1000"),
    ],
)
def test_rankings_that_are_refused(ranking: Any, request_: ml_pb2.RerankRequest, told: str) -> None:
    code, details = refused(lambda: ranking.Rerank(request_, timeout=SECONDS))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert told in details


def test_a_new_model_takes_over_without_a_call_that_fails(
    aws: Emulator, s3: Any, bucket: Callable[[], str], default_directory: Path, tmp_path: Path
) -> None:
    registry = ModelRegistry(s3, bucket(), "looks")
    environment = {
        **client_environment(aws.endpoint, REGION),
        "MODELS_BUCKET": registry.bucket,
        "MODEL_NAME": "looks",
        "MODEL_POLL_SECONDS": "0.1",
        "MODEL_CACHE": str(tmp_path / "cache"),
    }
    with running("serve", tmp_path / "log", **environment) as serve:
        address = serve.address
        until(lambda: "looks/current does not exist" in serve.operations("/readyz")[1])
        with embedding_stub(address) as stub:
            code, details = refused(
                lambda: stub.EmbedTexts(ml_pb2.EmbedTextsRequest(texts=["a"]), timeout=SECONDS)
            )
            assert code == grpc.StatusCode.UNAVAILABLE
            assert "publish a model" in details
            registry.publish(default_directory, "v1")
            serve.ready()
            seen: list[str] = []
            stopping = threading.Event()

            def ask() -> None:
                file = encoded(picture(1))
                while not stopping.is_set():
                    seen.append(stub.EmbedImages(images(file), timeout=SECONDS).model_version)

            with ThreadPoolExecutor(2) as callers:
                asking = [callers.submit(ask) for _ in range(2)]
                until(lambda: "looks:v1" in seen)
                registry.publish(default_directory, "v2")
                until(lambda: "looks:v2" in seen)
                # A third version that is broken is refused, and the second goes on.
                s3.copy_object(
                    Bucket=registry.bucket,
                    Key="looks/v3/manifest.json",
                    CopySource={"Bucket": registry.bucket, "Key": "looks/v2/manifest.json"},
                )
                s3.put_object(Bucket=registry.bucket, Key="looks/current", Body=b"v3\n")
                serve.said("a model was refused", version="v3", serving="looks:v2")
                asked = len(seen)
                until(lambda: len(seen) > asked)
                stopping.set()
                for each in asking:
                    each.result(SECONDS)
        assert set(seen) == {"looks:v1", "looks:v2"}
        assert 'ml_model_loads_total{outcome="refused"}' in serve.operations("/metrics")[1]
        assert serve.terminate() == 0


def test_it_answers_what_it_has_begun_before_it_ends(tmp_path: Path) -> None:
    with running("serve", tmp_path / "log", INFERENCE_THREADS="1") as serve:
        serve.ready()
        large = encoded(Image.effect_noise((1_400, 1_400), 80).convert("RGB"), "PNG")
        with embedding_stub(serve.address) as stub, ThreadPoolExecutor(1) as caller:
            call = caller.submit(stub.EmbedImages, images(*[large] * 4), timeout=SECONDS)
            until(lambda: serve.counted("ml_waiting") == 4)
            assert serve.terminate() == 0
            assert len(call.result().vectors) == 4


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"MODEL_NAME": "looks"}, "MODEL_NAME is set, but not MODELS_BUCKET"),
        ({"BATCH_SIZE": "0"}, "BATCH_SIZE"),
        ({"INFERENCE_DEVICE": "tpu"}, "INFERENCE_DEVICE"),
    ],
)
def test_a_wrong_environment_is_told(tmp_path: Path, variables: dict[str, str], told: str) -> None:
    with running("serve", tmp_path / "log", **variables) as serve:
        assert serve.process.wait(30) == 2
        assert told in serve.text


def test_a_gpu_that_is_not_there_is_told(tmp_path: Path) -> None:
    with running("serve", tmp_path / "log", INFERENCE_DEVICE="cuda") as serve:
        until(lambda: "onnxruntime-gpu" in serve.operations("/readyz")[1])
