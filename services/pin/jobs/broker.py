"""dramatiq's SQS broker, fitted to queues that infrastructure makes and to losing no job.

What differs from `dramatiq_sqs.SQSBroker`, and why:

- It creates no queue: one that is missing is a mistake of the deployment, and the role may not create any.
- A retry that could not be sent leaves the original in its queue. dramatiq logs the failure and acknowledges all the
  same, which loses the job.
- A worker does not begin what it has held for so long that SQS may give it to another meanwhile.
- While the threads are busy with jobs of higher priority, no others are fetched, to grow old in memory.
- The dead-letter queue is one for all, and what lies there says with which error it ended.
"""

import time
from base64 import b64encode
from typing import Any, Final

import dramatiq
from botocore.config import Config
from dramatiq.errors import QueueNotFound
from dramatiq.middleware import Middleware, Retries, SkipMessage
from dramatiq_sqs import SQSBroker
from dramatiq_sqs.broker import SQSConsumer
from prometheus_client import Counter, Gauge, Histogram
from typing_extensions import override

from services.common.logs import logger
from services.pin.jobs.schedule import Priority
from services.pin.jobs.settings import QueueSettings

PRIORITIES: Final = tuple(Priority)
"""The highest first."""
DEAD_LETTER: Final = "dead-letter"
_LAST_RETRY_MILLISECONDS: Final = 600_000
"""Less than the 15 minutes that SQS can delay a message."""
_YIELD_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 10

JOBS = Counter(
    "jobs", "Tries of jobs, by how they ended: done, failed, late.", ["job", "priority", "outcome"]
)
JOB_SECONDS = Histogram("job_duration_seconds", "Of one try.", ["job"])
JOBS_IN_PROGRESS = Gauge("jobs_in_progress", "Jobs that are being done (saturation).")
DEAD_LETTERS = Counter("jobs_dead_lettered", "Jobs that were given up.", ["job"])

_log = logger(__name__)


class JobsBroker(SQSBroker):
    """Of one process. Region, credentials and endpoint are the environment's (AWS_*)."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.left_in_queue: set[str] = set()
        """Ids of messages whose acknowledgement must not delete them."""
        self.consumers: dict[str, JobsConsumer] = {}
        super().__init__(
            middleware=[
                _Measured(),
                _InTime(),
                _DurableRetries(
                    max_retries=settings.jobs_retries,
                    min_backoff=int(settings.jobs_retry_first_seconds * 1000),
                    max_backoff=_LAST_RETRY_MILLISECONDS,
                ),
            ],
            dead_letter=True,
            visibility_timeout=settings.jobs_visibility_seconds,
            config=Config(
                connect_timeout=2,
                read_timeout=settings.jobs_wait_seconds + _ANSWER_SECONDS,
                retries={"mode": "standard", "total_max_attempts": 3},
                max_pool_connections=32,
            ),
        )
        for priority in PRIORITIES:
            self.declare_queue(priority.value)

    def queue_called(self, name: str) -> Any:
        """A boto3 queue. Raises QueueNotFound when there is none, botocore's errors when SQS does not answer."""
        full = f"{self.settings.jobs_queue_prefix}-{name}"
        try:
            return self.sqs.get_queue_by_name(QueueName=full)
        except self.sqs.meta.client.exceptions.QueueDoesNotExist:
            raise QueueNotFound(
                f"there is no SQS queue {full}: infrastructure makes it, see README.md"
            ) from None

    def missing_queues(self) -> str | None:
        """Which queues have not been found yet; None when all have been. For readiness."""
        missing = [name for name in sorted(self.queue_names) if name not in self.queues]
        return f"no queue yet for {', '.join(missing)}" if missing else None

    @override
    def _ensure_queue(self, queue_name: str) -> None:
        if queue_name not in self.queue_names:
            raise QueueNotFound(f"{queue_name} is none of {', '.join(sorted(self.queue_names))}")
        if queue_name not in self.queues:
            dead_letter = self.queue_called(DEAD_LETTER)
            self.queues[queue_name] = self.queue_called(queue_name)
            self.dead_letter_queues[queue_name] = dead_letter

    @override
    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 0) -> "JobsConsumer":
        self._ensure_queue(queue_name)
        consumer = JobsConsumer(
            self.queues[queue_name],
            prefetch,
            self.settings.jobs_wait_seconds * 1000,
            dead_letter_queue=self.dead_letter_queues[queue_name],
            visibility_timeout=self.visibility_timeout,
        )
        consumer.broker, consumer.name = self, queue_name
        self.consumers[queue_name] = consumer
        return consumer


class JobsConsumer(SQSConsumer):
    """Of one queue."""

    broker: JobsBroker
    name: str

    @override
    def __next__(self) -> Any:
        if not self.messages and self._higher() >= self.broker.settings.jobs_threads:
            time.sleep(_YIELD_SECONDS)
            return None
        if self.message_refc < self.prefetch:
            self.misses = 0  # SQS' long poll is pause enough: no growing sleep after an empty answer
        asked_at = time.monotonic()
        message: Any = super().__next__()
        if message is not None:
            settings = self.broker.settings
            message.begin_by = asked_at + settings.jobs_visibility_seconds - settings.jobs_time_limit_seconds
        return message

    def _higher(self) -> int:
        """Messages of higher priority that are in this process."""
        higher = PRIORITIES[: PRIORITIES.index(Priority(self.name))]
        return sum(
            self.broker.consumers[each].message_refc for each in higher if each in self.broker.consumers
        )

    @override
    def ack(self, message: Any) -> None:
        if message.message_id in self.broker.left_in_queue:
            self.broker.left_in_queue.discard(message.message_id)
            self.message_refc -= 1
            return
        try:
            message._sqs_message.delete()
        finally:
            self.message_refc -= 1

    @override
    def nack(self, message: Any) -> None:
        """Park it, with what has become of it; only then is it gone from its queue."""
        try:
            self.dead_letter_queue.send_message(MessageBody=encoded(message))
            message._sqs_message.delete()
        finally:
            self.message_refc -= 1


def encoded(message: Any) -> str:
    """As dramatiq_sqs writes a message's body."""
    return b64encode(message.encode()).decode()


class _Measured(Middleware):
    """What is counted."""

    def __init__(self) -> None:
        self._began: dict[str, float] = {}

    @override
    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self._began[message.message_id] = time.monotonic()
        JOBS_IN_PROGRESS.inc()

    @override
    def after_process_message(
        self,
        broker: dramatiq.Broker,
        message: Any,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        self._ended(message, "done" if exception is None else "failed")

    @override
    def after_skip_message(self, broker: dramatiq.Broker, message: Any) -> None:
        self._ended(message, "late")

    @override
    def after_nack(self, broker: dramatiq.Broker, message: Any) -> None:
        job, _, _ = message.actor_name.partition(".")
        DEAD_LETTERS.labels(job).inc()
        _log.error(
            "job given up", job=job, job_id=message.message_id, remedy="python -m services.pin dead-letters"
        )

    def _ended(self, message: Any, outcome: str) -> None:
        job, _, priority = message.actor_name.partition(".")
        JOBS_IN_PROGRESS.dec()
        JOBS.labels(job, priority, outcome).inc()
        JOB_SECONDS.labels(job).observe(time.monotonic() - self._began.pop(message.message_id))


class _InTime(Middleware):
    """A job is begun only while it can end before SQS gives it to another worker."""

    @override
    def before_process_message(self, broker: dramatiq.Broker, message: Any) -> None:
        if time.monotonic() > message.begin_by and isinstance(broker, JobsBroker):
            broker.left_in_queue.add(message.message_id)
            raise SkipMessage("held for too long: SQS gives it out again")


class _DurableRetries(Retries):
    """A retry is a new, delayed message: the present one goes only when that is sent."""

    @override
    def after_process_message(
        self, broker: Any, message: Any, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        try:
            super().after_process_message(broker, message, result=result, exception=exception)
        except Exception:
            _log.warning("a retry could not be sent", job_id=message.message_id, exc_info=True)
            broker.left_in_queue.add(message.message_id)
