"""What EKS does inside its clusters, one thing after the other, behind the backs of its operations.

An operation answers at once, as AWS does, and must not wait for the cluster's API server, which may just be
starting: it only leaves an errand here. Clusters that merely describe have no API server and get no errands.
"""

import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from emulator import backing
from emulator.cluster.client import ClusterClient
from emulator.cluster.status import ApiError
from emulator.eks import api_server
from emulator.process import EmulatorError

Action = Callable[[ClusterClient], None]

_RETRY_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_GIVE_UP_SECONDS: Final = 120.0
_CONFLICT, _TOO_MANY, _SERVER = 409, 429, 500


@dataclass(frozen=True)
class _Errand:
    cluster: str
    what: str
    """For people: what was to be done."""
    action: Action


class Errands:
    """A queue with one thread, which starts with the first errand."""

    def __init__(self, client_of: Callable[[str], ClusterClient | None]) -> None:
        self._client_of = client_of
        self._queue: queue.Queue[_Errand] = queue.Queue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def wanted(self, cluster: str) -> bool:
        """Whether the cluster has an API server, so that errands can be run there."""
        return self._client_of(cluster) is not None

    def leave(self, cluster: str, what: str, action: Action) -> None:
        """Have `action` done in a cluster, after all that was left before.

        It is tried again when the API server does not answer or somebody was faster, so it must bear that.
        """
        if not self.wanted(cluster):
            return
        self._queue.put(_Errand(cluster, what, action))
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="EKS errands", daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Until all that was left is done."""
        self._queue.join()

    def _work(self) -> None:
        while True:
            errand = self._queue.get()
            try:
                self._run(errand)
            except Exception as error:
                _report(f"EKS cluster {errand.cluster}: {errand.what}: {error!r}")
            finally:
                self._queue.task_done()

    def _run(self, errand: _Errand) -> None:
        deadline = time.monotonic() + _GIVE_UP_SECONDS
        for attempt in itertools.count():
            client = self._client_of(errand.cluster)
            if client is None:
                return  # the cluster is gone, and with it all that was to be done there
            try:
                errand.action(client)
            except (ApiError, EmulatorError) as error:
                if not _may_pass(error) or time.monotonic() > deadline:
                    _report(f"EKS cluster {errand.cluster}: {errand.what}: {error}")
                    return
            else:
                return
            time.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])


def _may_pass(error: ApiError | EmulatorError) -> bool:
    return not isinstance(error, ApiError) or error.code in {_CONFLICT, _TOO_MANY} or error.code >= _SERVER


def _report(text: str) -> None:
    present = backing.present()
    if present:
        present.report(text)


errands: Final = Errands(api_server.client_of)
"""Those of the EKS of this process."""
