"""Answers that are made after the emulator's one lock is released."""

from collections.abc import Callable, Mapping

Answer = tuple[int, Mapping[str, str], str | bytes]
"""HTTP status, headers and body."""


class AnswerLater(Exception):  # noqa: N818 - no error: it ends the part of an operation that needs the lock
    """Raised by an operation whose answer takes long, or needs other operations to run meanwhile.

    `answer` is called without the lock: it must not touch moto's backends. What it needs of them the operation
    reads before.
    """

    def __init__(self, answer: Callable[[], Answer]) -> None:
        super().__init__()
        self.answer = answer


class AskAgain(Exception):  # noqa: N818 - no error: it puts an operation off
    """Raised by an operation that waits for what other operations do. `wait` is called without the lock; the
    operation then runs again, from its beginning, and has done nothing before.
    """

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self.wait = wait
