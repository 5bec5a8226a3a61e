"""What the ml service's roles read from their environment."""

import os
import tempfile
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from services.common.settings import Addresses, CommonSettings, KafkaSettings
from services.ml.embedder import Device
from services.ml.manifest import VERSION

_CGROUP_CPU = Path("/sys/fs/cgroup/cpu.max")


def cpu_limit() -> int:
    """CPUs that this container may use, rounded up: its cgroup's quota (v2), else those it is bound to."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = _CGROUP_CPU.read_text().split()
        return max(1, min(available, -(-int(quota) // int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max"
        return available


class ServeSettings(CommonSettings):
    """Of the role `serve`."""

    models_bucket: str | None = None
    """The registry. Unset, with MODEL_NAME: the default embedder, which needs no download."""
    model_name: str | None = Field(default=None, pattern=rf"^{VERSION.pattern}$")
    """Which of the registry's models; `<MODEL_NAME>/current` there names the version."""
    model_poll_seconds: float = Field(default=10.0, ge=0.05, le=3600)
    """Between looks at `current`."""
    model_cache: Path = Path(tempfile.gettempdir()) / "pinwheel-models"
    """Where a model's files are while it is loaded: needs room for one of them."""
    inference_device: Device = "auto"
    inference_threads: int = Field(default_factory=cpu_limit, ge=1, le=256)
    """That a batch may use, and that decode pictures beside it. By default the CPU limit, rounded up."""
    batch_size: int = Field(default=16, ge=1, le=512)
    """Inputs that go through the model together, at most."""
    batch_wait_ms: float = Field(default=4.0, ge=0, le=1000)
    """For how long an input waits for others, at most."""
    max_waiting: int = Field(default=256, ge=1, le=100_000)
    """Images, and texts, that may be inside at once; what is more gets RESOURCE_EXHAUSTED."""

    @model_validator(mode="after")
    def _registry(self) -> Self:
        if self.model_name is not None and self.models_bucket is None:
            raise ValueError(
                "MODEL_NAME is set, but not MODELS_BUCKET: set both, or neither for the default model"
            )
        return self


class StreamSettings(KafkaSettings):
    """Of the role `stream`."""

    images_bucket: str = Field(min_length=3)
    ml_address: Addresses
    """`host:port` of the role `serve`."""
    stream_concurrency: int = Field(default=16, ge=1, le=256)
    """Images that are fetched and embedded at once; each is in memory meanwhile."""
    stream_timeout_seconds: float = Field(default=20.0, gt=0, le=300)
    """For one image's embedding."""
