"""`python -m services.pin dead-letters [--redrive]`: the jobs that were given up, and sending them back."""

import argparse
import contextlib
import json
import sys
from base64 import b64decode
from collections.abc import Generator, Sequence
from typing import Any, Final

from botocore.exceptions import ClientError
from dramatiq import Message
from dramatiq.errors import DecodeError

from services.common.settings import load
from services.pin.jobs.broker import DEAD_LETTER, JobsBroker, encoded
from services.pin.jobs.schedule import Priority
from services.pin.jobs.settings import QueueSettings

_HELD_SECONDS: Final = 120
"""Long enough to see each message once; then they can be seen again."""
_OF_THIS_TRY: Final = ("retries", "traceback", "requeue_timestamp")


def main(arguments: Sequence[str]) -> None:
    """List, one JSON object a line, or send back. Exit status 1 when something was left that is no job."""
    parser = argparse.ArgumentParser(prog="python -m services.pin dead-letters", description=__doc__)
    parser.add_argument(
        "--redrive", action="store_true", help="send each back to its queue, to be tried anew"
    )
    redrive = parser.parse_args(arguments).redrive
    broker = JobsBroker(load(QueueSettings))
    strange = 0
    with parked(broker) as messages:
        for message in messages:
            job = decoded(message.body)
            if job is None:
                strange += 1
                line: dict[str, Any] = {"body": message.body[:80], "problem": "this is no job: it stays"}
            else:
                line = described(job)
                if redrive:
                    send_back(broker, message, job)
                    line["redriven"] = True
            sys.stdout.write(json.dumps(line) + "\n")
    sys.exit(1 if strange else 0)


@contextlib.contextmanager
def parked(broker: JobsBroker) -> Generator[list[Any]]:
    """What lies in the dead-letter queue, as boto3's messages; what is left of them can be seen again afterwards.

    All are taken before anything is done: a job that is sent back and fails at once comes here again.
    """
    queue = broker.queue_called(DEAD_LETTER)
    held: list[Any] = []
    try:
        while received := queue.receive_messages(
            MaxNumberOfMessages=10, VisibilityTimeout=_HELD_SECONDS, WaitTimeSeconds=1
        ):
            held += received
        yield held
    finally:
        for message in held:
            with contextlib.suppress(ClientError):  # it was deleted, or it shows itself later
                message.change_visibility(VisibilityTimeout=0)


def decoded(body: str) -> Message[Any] | None:
    """The job in a message's body."""
    try:
        return Message.decode(b64decode(body, validate=True))
    except (ValueError, DecodeError):
        return None


def described(job: Message[Any]) -> dict[str, Any]:
    """What a person wants to know of a job that was given up."""
    error = str(job.options.get("traceback", "")).strip().rpartition("\n")[2]
    return {
        "job_id": job.message_id,
        "job": job.actor_name.partition(".")[0],
        "priority": job.queue_name,
        "arguments": job.kwargs,
        "tries": job.options.get("retries", 0),
        "error": error or "its worker died each time",
    }


def send_back(broker: JobsBroker, message: Any, job: Message[Any]) -> None:
    """To the queue it came from, as if it were new; then it is no longer parked."""
    options = {name: value for name, value in job.options.items() if name not in _OF_THIS_TRY}
    anew = Message(job.queue_name, job.actor_name, job.args, job.kwargs, options, job.message_id)
    broker.queue_called(Priority(job.queue_name).value).send_message(MessageBody=encoded(anew))
    message.delete()
