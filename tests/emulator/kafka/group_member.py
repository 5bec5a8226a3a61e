"""A member of a consumer group in a process of its own: `group_member.py ADDRESS GROUP TOPIC`.

Writes a JSON line for each assignment and each message, which it commits at once; ends when stdin does.
"""

import json
import sys
import threading
from typing import Any

from confluent_kafka import Consumer, TopicPartition


def tell(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def assigned(_: Consumer, partitions: list[TopicPartition]) -> None:
    tell(assigned=[partition.partition for partition in partitions])


def main() -> None:
    address, group, topic = sys.argv[1:]
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic], on_assign=assigned)
    while not ending.is_set():
        message = consumer.poll(0.1)
        if message is not None and message.error() is None:
            consumer.commit(message=message, asynchronous=False)
            tell(partition=message.partition(), value=(message.value() or b"").decode())
    consumer.close()


if __name__ == "__main__":
    main()
