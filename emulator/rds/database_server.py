"""One Aurora cluster's private MariaDB server: started, kept running, and ended."""

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import pymysql
import trustme

from emulator.backing import Backing
from emulator.ports import RememberedPorts, free_port
from emulator.processes import Process, Supervised
from emulator.rds import mariadb
from emulator.rds.accounts import change_password, start_script
from emulator.rds.mariadb import MariaDb, MariaDbError
from emulator.rds.real import Credential

HOST: Final = "127.0.0.1"
PART: Final = "mysql"
"""The folder of all servers in the world's data."""
STOP_SECONDS: Final = 10.0
"""For a clean shutdown; what is left then is killed, and InnoDB recovers at the next start."""
START_SECONDS: Final = 60.0
_ATTEMPTS: Final = 3
_POLL_SECONDS: Final = 0.02
_ANSWER_SECONDS: Final = 5
"""Whatever took the port in the moment before may never answer."""
_ACCESS_DENIED: Final = 1045


def certificate_authority(backing: Backing) -> Path:
    """PEM, of who signs the certificates of all servers; the file is there once the first server starts."""
    return backing.data(PART) / "tls" / "ca.pem"


class DatabaseServer:
    """One Aurora cluster's server, kept running from `start` until `stop`."""

    def __init__(
        self,
        backing: Backing,
        program: MariaDb,
        identifier: str,
        master: Credential,
        database: str | None,
    ) -> None:
        self.identifier = identifier
        self._ports = RememberedPorts(backing.data(PART) / "ports.json")
        self.port = free_port(self._ports.of(identifier))
        self.certificate_authority = certificate_authority(backing)
        self._backing = backing
        self._program = program
        self._master = master
        self._database = database
        self._data = backing.data(PART) / identifier
        self._log = backing.log(f"mysql-{identifier}")
        self._keeper: Supervised | None = None
        self._starting: threading.Thread | None = None
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._serves = False
        self._failure = ""

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; the port changes if another program takes it while the server is down."""
        return HOST, self.port

    def start(self) -> None:
        """Have it started, and return at once: `wait` tells when it serves."""
        self._starting = threading.Thread(target=self._start, name=f"start {self.identifier}", daemon=True)
        self._starting.start()

    def wait(self, seconds: float = START_SECONDS) -> None:
        """Return when it serves. Raises MariaDbError when it does not within `seconds`."""
        with self._changed:
            self._changed.wait_for(lambda: self._serves or self._failure, seconds)
        if not self._serves:
            reason = self._failure or f"did not start within {seconds:g} seconds"
            raise MariaDbError(f"the server of DB cluster {self.identifier} {reason}; its log is {self._log}")

    def connect(self, user: Credential, database: str | None = None, **options: Any) -> Any:
        """A connection with TLS. Raises pymysql's errors."""
        return pymysql.connect(
            host=HOST,
            port=self.port,
            user=user.username,
            password=user.password,
            database=database,
            charset="utf8mb4",
            ssl_ca=str(self.certificate_authority),
            connect_timeout=int(START_SECONDS),
            **options,
        )

    def set_master(self, master: Credential) -> None:
        """Give the master user another password, as soon as the server serves, and at every later start."""
        former, self._master = self._master, master
        threading.Thread(target=self._set_master, args=[former, master], daemon=True).start()

    def stop(self, *, remove: bool) -> None:
        """End it in good order; `remove` its data."""
        self._stopping.set()
        if self._starting:
            self._starting.join(START_SECONDS)
        if self._keeper:
            self._keeper.stop(STOP_SECONDS)
        self._tell(serves=False, failure="is stopped")
        if remove:
            self._program.remove(self._data)

    def _start(self) -> None:
        try:
            _make_certificates(self.certificate_authority.parent)
            self._program.initialise(self._data)
            self._keep_running()
        except (MariaDbError, OSError) as error:
            if not self._stopping.is_set():
                remedy = "; without --keep it begins anew" if self._backing.keep else ""
                self._tell(serves=False, failure=f"does not start: {error}{remedy}")
                self._backing.report(f"MySQL of {self.identifier} does not start: {error}{remedy}")

    def _keep_running(self) -> None:
        for attempt in range(_ATTEMPTS):
            self._keeper = Supervised(f"mysql/{self.identifier}", self._launch, self._backing.report)
            try:
                self._keeper.start()
                break
            except MariaDbError:
                if attempt == _ATTEMPTS - 1 or self._stopping.is_set():
                    raise

    def _launch(self, restarts: int, on_exit: Callable[[int], None]) -> Process:
        port = free_port(self.port)
        if port != self.port:
            self._backing.report(f"port {self.port} is taken: MySQL of {self.identifier} moves to {port}")
            self.port = port
        logged = self._log.stat().st_size if self._log.exists() else 0
        script = self._data / "start.sql"
        script.touch(mode=0o600)
        script.write_text(start_script(self._master, self._database), encoding="utf-8")
        process = Process(
            f"mysql/{self.identifier}",
            self._program.serve(self._data, self.port, script, self.certificate_authority.parent),
            self._log,
            self._backing.registry,
            details={
                "address": f"{HOST}:{self.port}",
                "version": self._program.version,
                "restarts": restarts,
                "certificate_authority": str(self.certificate_authority),
            },
            on_exit=partial(self._ended, on_exit),
        )
        try:
            self._wait_until_it_answers(process, logged)
        except BaseException:
            process.stop(0)  # early in its start it is deaf to SIGTERM, and it has written nothing of worth
            raise
        finally:
            script.unlink(missing_ok=True)  # it holds the password
        with _shared:
            self._ports.remember(self.identifier, self.port)
        self._tell(serves=True)
        return process

    def _ended(self, on_exit: Callable[[int], None], status: int) -> None:
        self._tell(serves=False)
        on_exit(status)

    def _tell(self, *, serves: bool, failure: str = "") -> None:
        with self._changed:
            self._serves, self._failure = serves, failure
            self._changed.notify_all()

    def _wait_until_it_answers(self, process: Process, logged: int) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and not self._stopping.is_set():
            if not process.alive:
                written = self._log.read_bytes()[logged:].decode(errors="replace")
                raise MariaDbError(mariadb.errors_in(written))
            with contextlib.suppress(OSError, pymysql.OperationalError):
                self.connect(self._master, read_timeout=_ANSWER_SECONDS).close()
                return
            time.sleep(_POLL_SECONDS)
        raise MariaDbError(f"it did not answer on port {self.port}")

    def _set_master(self, former: Credential, master: Credential) -> None:
        with contextlib.suppress(MariaDbError):
            self.wait()
            try:
                with self.connect(former, autocommit=True) as connection, connection.cursor() as cursor:
                    cursor.execute(change_password(master))
            except pymysql.MySQLError as error:
                if error.args[0] != _ACCESS_DENIED:  # else it started with the new one
                    self._backing.report(f"the master password of {self.identifier} stays: {error}")


_shared = threading.Lock()
"""For the files that all servers of a world use."""


def _make_certificates(directory: Path) -> None:
    with _shared:
        if (directory / "ca.pem").is_file():
            return
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = trustme.CA()
        server = authority.issue_cert(HOST, "localhost")
        server.private_key_pem.write_to_path(str(directory / "server-key.pem"))
        server.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
        authority.cert_pem.write_to_path(str(directory / "ca.pem"))  # last: it tells that all are there
