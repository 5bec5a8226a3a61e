"""What tests of the ml service share: the default model, and an emulated S3."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from emulator.process import CREDENTIALS, Emulator
from services.ml import default_model
from services.ml.embedder import OnnxEmbedder

REGION = "eu-west-1"


@pytest.fixture(scope="session")
def default_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default model's files."""
    directory = tmp_path_factory.mktemp("default-model")
    default_model.write(directory)
    return directory


@pytest.fixture(scope="session")
def embedder(default_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> OnnxEmbedder:
    manifest = default_model.write(tmp_path_factory.mktemp("again"))
    return OnnxEmbedder(default_directory, manifest, threads=1, device="cpu")


@pytest.fixture(scope="session")
def aws() -> Iterator[Emulator]:
    with Emulator("210987654321", REGION) as running:
        yield running


@pytest.fixture(scope="session")
def s3(aws: Emulator) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=aws.endpoint,
        region_name=REGION,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        **CREDENTIALS,
    )


@pytest.fixture
def bucket(s3: Any) -> Callable[[], str]:
    """`bucket()` is the name of a new one."""

    def create() -> str:
        name = f"bucket-{uuid.uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    return create
