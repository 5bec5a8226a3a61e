"""SQS: moto's, whose long polls would keep every other operation waiting.

A receiver that finds nothing waits without the lock until somebody sends, a message becomes visible, or its
time is over.
"""

import threading
import time
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.utils import unix_time
from moto.sqs.models import Message, SQSBackend
from moto.sqs.responses import SQSResponse

from emulator.later import AskAgain

_BEGAN: Final = "pinwheel.receiving_since"
_LOOK_SECONDS: Final = 0.5
"""Delays and visibility timeouts end without anybody telling."""

_sent = threading.Condition()


class EmulatedSqsResponse(SQSResponse):
    """SQS whose receivers wait aside."""

    def setup_class(self, request: Any, *arguments: Any, **options: Any) -> None:
        """Remember the request: when it first came stands there."""
        super().setup_class(request, *arguments, **options)
        self._environ: dict[str, Any] = request.environ
        self._poll = False

    def receive_message(self) -> ActionResult:
        """What is visible; without anything, again when there may be."""
        deadline = self._environ.setdefault(_BEGAN, time.monotonic()) + self._wait_seconds()
        self._poll = True
        found = super().receive_message()
        remaining = deadline - time.monotonic()
        if found.result or remaining <= 0:
            return found
        raise AskAgain(lambda: _wait(min(remaining, _LOOK_SECONDS)))

    def send_message(self) -> ActionResult:
        """Send, and wake who waits."""
        return _told(super().send_message())

    def send_message_batch(self) -> ActionResult:
        """Send, and wake who waits."""
        return _told(super().send_message_batch())

    def change_message_visibility(self) -> Any:
        """A message that is given back is received at once."""
        return _told(super().change_message_visibility())

    def _get_param(self, param_name: str, if_none: Any = None) -> Any:
        """moto's own polling is asked not to wait."""
        if self._poll and param_name == "WaitTimeSeconds":
            return 0
        return super()._get_param(param_name, if_none)

    def _wait_seconds(self) -> float:
        """As asked for, else the queue's own. What is wrong with it is for moto to say, which then does not wait."""
        asked = self._get_param("WaitTimeSeconds")
        if asked is None:
            queue: Any = self.sqs_backend.get_queue(self._get_queue_name())
            asked = queue.receive_message_wait_time_seconds
        seconds = float(asked)
        if not 0 <= seconds <= 20:  # noqa: PLR2004 - the API's bounds
            super().receive_message()
        return seconds


def _retained(self: SQSBackend, queue_name: str, message: Message) -> bool:
    """Whether a message is not too old. moto counts all messages of the queue to know it, for each received one."""
    queue: Any = self.get_queue(queue_name)
    retained_until: float = queue.message_retention_period + message.sent_timestamp / 1000  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]
    return retained_until > unix_time()


SQSBackend.is_message_valid_based_on_retention_period = _retained


def _wait(seconds: float) -> None:
    with _sent:
        _sent.wait(seconds)


def _told(result: Any) -> Any:
    with _sent:
        _sent.notify_all()
    return result
