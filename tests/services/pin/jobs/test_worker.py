"""Jobs are done once they are committed, by real workers on the emulator's SQS, whatever happens to these."""

import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.jobs.schedule import Priority, schedule
from tests.services.pin.jobs.conftest import Queues, Store, Workers
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("jobs")


def test_a_job_is_done_once_and_leaves_nothing(store: Store, queues: Queues, workers: Workers) -> None:
    store.schedule("note", text="hello")
    workers.start_test_jobs()
    until(workers.entries)
    until(lambda: queues.count("default") == 0)
    assert store.scheduled() == []
    assert workers.entries() == ["hello"]


def test_a_job_of_a_transaction_that_rolls_back_is_not_done(store: Store) -> None:
    async def work(connection: AsyncConnection) -> None:
        await schedule(connection, "note", {"text": "never"})
        raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError, match="changed my mind"):
        store.write(work)
    assert store.scheduled() == []


def test_a_job_that_fails_is_tried_again(store: Store, queues: Queues, workers: Workers) -> None:
    store.schedule("fail_twice", text="third time")
    workers.start_test_jobs()
    until(lambda: len(workers.entries()) == 3)
    until(lambda: queues.count("default") == 0)
    assert queues.count("dead-letter") == 0


def test_a_job_that_always_fails_is_parked_listed_and_sent_back(
    store: Store, queues: Queues, workers: Workers
) -> None:
    job_id = store.schedule("fail", Priority.LOW, text="hopeless")
    workers.start_test_jobs(JOBS_RETRIES="2")
    until(lambda: queues.count("dead-letter") == 1)
    assert workers.entries() == ["hopeless"] * 3
    until(lambda: queues.count("low") == 0)
    listed = workers.run("dead-letters")
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout) == {
        "job_id": job_id,
        "job": "fail",
        "priority": "low",
        "arguments": {"text": "hopeless"},
        "tries": 3,
        "error": "RuntimeError: it never works",
    }
    assert queues.count("dead-letter") == 1
    assert json.loads(workers.run("dead-letters", "--redrive").stdout)["redriven"]
    until(lambda: len(workers.entries()) == 6)
    until(lambda: queues.count("dead-letter") == 1)


def test_what_is_no_job_is_shown_and_stays(queues: Queues, workers: Workers) -> None:
    queues.sqs.send_message(QueueUrl=queues.urls["dead-letter"], MessageBody="{not a job}")
    listed = workers.run("dead-letters", "--redrive")
    assert listed.returncode == 1
    assert json.loads(listed.stdout) == {"body": "{not a job}", "problem": "this is no job: it stays"}
    assert queues.count("dead-letter") == 1


def test_a_job_whose_worker_is_killed_runs_again(store: Store, queues: Queues, workers: Workers) -> None:
    store.schedule("hang_once", text="it")
    short = {"JOBS_VISIBILITY_SECONDS": "8", "JOBS_TIME_LIMIT_SECONDS": "2"}
    first = workers.start_test_jobs(**short)
    until(workers.entries)
    first.kill()
    workers.start_test_jobs(**short)
    until(lambda: "done it" in workers.entries(), seconds=90)
    until(lambda: queues.count("default") == 0)
    assert workers.entries() == ["began it", "began it", "done it"]


def test_a_job_that_takes_too_long_is_given_up_and_tried_again(
    store: Store, queues: Queues, workers: Workers
) -> None:
    store.schedule("hang_once", text="it")
    workers.start_test_jobs(JOBS_TIME_LIMIT_SECONDS="0.2")
    until(lambda: "done it" in workers.entries())
    until(lambda: queues.count("default") == 0)
    assert workers.entries() == ["began it", "began it", "done it"]


def test_higher_priorities_go_first(store: Store, queues: Queues, workers: Workers) -> None:
    for number in range(20):
        store.schedule("note", Priority.LOW, text=f"low {number}")
    for number in range(10):
        store.schedule("note", Priority.HIGH, text=f"high {number}")
    store.send_due(workers.variables)
    assert (queues.count("low"), queues.count("high")) == (20, 10)
    workers.start_test_jobs(JOBS_THREADS="1")
    until(lambda: len(workers.entries()) == 30)
    places = {entry: place for place, entry in enumerate(workers.entries())}
    high = [place for entry, place in places.items() if entry.startswith("high")]
    low = [place for entry, place in places.items() if entry.startswith("low")]
    assert sum(high) / len(high) < sum(low) / len(low)
    until(lambda: queues.count("low") == 0)


def test_a_job_for_later_waits_in_the_table(store: Store, queues: Queues, workers: Workers) -> None:
    later = store.schedule("note", at=datetime.now(UTC) + timedelta(days=30), text="in a month")
    store.schedule("note", at=datetime.now(UTC) + timedelta(seconds=1), text="soon")
    workers.start_test_jobs()
    until(lambda: workers.entries() == ["soon"])
    until(lambda: store.scheduled() == [later])


def test_jobs_wait_in_the_table_while_there_are_no_queues(
    store: Store, absent_queues: Queues, workers: Workers
) -> None:
    store.schedule("note", text="patient")
    workers.start_test_jobs()
    until(lambda: "stays in the table" in workers.log())
    assert len(store.scheduled()) == 1
    absent_queues.create()
    until(lambda: workers.entries() == ["patient"])


def test_two_workers_share_the_jobs(store: Store, queues: Queues, workers: Workers) -> None:
    for number in range(60):
        store.schedule("note", text=str(number))
    workers.start_test_jobs()
    workers.start_test_jobs()
    until(lambda: len(set(workers.entries())) == 60)
    until(lambda: queues.count("default") == 0)
    assert store.scheduled() == []


def test_sigterm_lets_a_job_end(store: Store, queues: Queues, workers: Workers) -> None:
    for number in range(30):
        store.schedule("note", text=str(number))
    worker = workers.start_test_jobs()
    until(workers.entries)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(30) == 0, workers.log()
    left = len(store.scheduled()) + queues.count("default")
    assert len(workers.entries()) + left == 30
    workers.start_test_jobs()
    until(lambda: sorted(workers.entries(), key=int) == [str(number) for number in range(30)])
