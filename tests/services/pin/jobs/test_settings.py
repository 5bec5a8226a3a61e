"""Times that do not go together are refused when a worker starts."""

import pytest
from pydantic import ValidationError

from services.pin.jobs.settings import QueueSettings


def settings(**seconds: float) -> QueueSettings:
    times = {f"jobs_{name}_seconds": value for name, value in seconds.items()}
    return QueueSettings(database_url="sqlite+aiosqlite:////tmp/pin.db", jobs_queue_prefix="test", **times)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        ({"visibility": 60, "time_limit": 31}, r"JOBS_TIME_LIMIT_SECONDS \(31\) must be at most half of"),
        ({"visibility": 2, "time_limit": 1, "wait": 1}, "what was waited for is too old to be begun"),
        ({"visibility": 25, "time_limit": 10, "wait": 20}, r"must be above JOBS_WAIT_SECONDS \(20\)"),
    ],
)
def test_times_that_leave_none_for_a_job_are_refused(seconds: dict[str, float], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        settings(**seconds)


def test_times_that_leave_some() -> None:
    assert settings(visibility=4, time_limit=2, wait=1).jobs_visibility_seconds == 4
