"""What workers read from their environment; README.md has the table."""

from typing import Self

from pydantic import Field, model_validator

from services.pin.settings import PinDatabaseSettings


class QueueSettings(PinDatabaseSettings):
    """Of whoever sends to the queues or reads them."""

    jobs_queue_prefix: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")
    """Queues are `<prefix>-high`, `-default`, `-low` and `-dead-letter`."""
    jobs_threads: int = Field(default=2, ge=1, le=64)
    """Jobs at once."""
    jobs_visibility_seconds: int = Field(default=120, ge=1, le=43_200)
    """SQS gives a job to another worker when this one has not finished by then: it died."""
    jobs_time_limit_seconds: float = Field(default=50.0, gt=0, le=21_600)
    """A job that takes longer is given up and tried again."""
    jobs_retries: int = Field(default=8, ge=0, le=100)
    """After the first try; then a job goes to the dead-letter queue."""
    jobs_retry_first_seconds: float = Field(default=5.0, gt=0, le=600)
    """Before the first retry; doubles with each, with jitter, up to ten minutes."""
    jobs_wait_seconds: int = Field(default=2, ge=1, le=20)
    """Of SQS' long poll."""

    @model_validator(mode="after")
    def _time_for_a_job(self) -> Self:
        if self.jobs_time_limit_seconds > self.jobs_visibility_seconds / 2:
            raise ValueError(
                f"JOBS_TIME_LIMIT_SECONDS ({self.jobs_time_limit_seconds:g}) must be at most half of "
                f"JOBS_VISIBILITY_SECONDS ({self.jobs_visibility_seconds}): else a job runs twice at once"
            )
        # How long a message was held is counted from when it was asked for: the wait is part of it.
        left = self.jobs_visibility_seconds - self.jobs_time_limit_seconds - self.jobs_wait_seconds
        if left <= 0:
            raise ValueError(
                f"JOBS_VISIBILITY_SECONDS ({self.jobs_visibility_seconds}) must be above JOBS_WAIT_SECONDS "
                f"({self.jobs_wait_seconds}) and JOBS_TIME_LIMIT_SECONDS ({self.jobs_time_limit_seconds:g}) "
                "together: else what was waited for is too old to be begun"
            )
        return self


class WorkerSettings(QueueSettings):
    """Of the role `work`."""

    images_bucket: str = Field(min_length=3, max_length=63)
    jobs_poll_seconds: float = Field(default=0.2, ge=0.01, le=60)
    """Between two looks at `scheduled_jobs` while nothing is due."""
    jobs_lease_seconds: float = Field(default=30.0, ge=1, le=3600)
    """A job that was taken from the table and not sent by then is sent by another worker."""
