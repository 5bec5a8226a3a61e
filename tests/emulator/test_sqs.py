"""Long polls of SQS wait for messages, and keep nobody else waiting."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import SQSBackend

from emulator.sqs import EmulatedSqsResponse


@pytest.fixture
def queue(client: Any) -> str:
    name = f"jobs-{time.monotonic_ns()}"
    return client("sqs").create_queue(QueueName=name)["QueueUrl"]


def received(sqs: Any, queue: str, seconds: int) -> list[str]:
    answer = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=seconds)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_others_are_answered_while_many_receivers_wait(client, queue):
    sqs = client("sqs")
    waiting = threading.Barrier(5)

    def receive() -> list[str]:
        waiting.wait()
        return received(client("sqs"), queue, 20)

    with ThreadPoolExecutor(4) as pool:
        receivers = [pool.submit(receive) for _ in range(4)]
        waiting.wait()
        for _ in range(3):
            assert client("sts").get_caller_identity()["Account"]
        assert not any(each.done() for each in receivers)
        for number in range(4):
            sqs.send_message(QueueUrl=queue, MessageBody=str(number))
        bodies = [body for each in receivers for body in each.result(timeout=20)]
    assert sorted(bodies) == ["0", "1", "2", "3"]


def test_an_empty_queue_is_told_when_the_time_is_over(client, queue):
    assert received(client("sqs"), queue, 1) == []
    assert received(client("sqs"), queue, 0) == []


def test_a_delayed_message_and_one_given_back_end_a_wait(client, queue):
    sqs = client("sqs")
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    with ThreadPoolExecutor(1) as pool:
        again = pool.submit(received, client("sqs"), queue, 20)
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
        assert again.result(timeout=20) == ["late"]


def test_a_wait_longer_than_allowed_is_refused(client, queue):
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        received(client("sqs"), queue, 21)


def test_messages_that_are_too_old_are_not_received():
    backend = SQSBackend("us-east-1", "123456789012")
    queue = backend.create_queue("jobs")
    for body in ("old", "fresh"):
        backend.send_message("jobs", body)
    queue._messages[0].sent_timestamp = 0
    assert EmulatedSqsResponse  # which brings the way to judge a message's age
    assert backend.receive_message("jobs", 1, 0, 30) == []
    queue._messages.pop(0)
    assert [message.body for message in backend.receive_message("jobs", 1, 0, 30)] == ["fresh"]
