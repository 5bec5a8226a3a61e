"""The real MySQL-protocol servers behind the emulated Aurora clusters: one private `mariadbd` a cluster.

What MariaDB is not, against Aurora MySQL 8:

- Writer, reader and instance endpoints lead to the same server: there is one copy of the data, no lag and no
  failover; snapshots and restored clusters hold no data.
- The parameters of parameter groups are kept but not applied; a client without TLS is let in unless its user
  was made with REQUIRE SSL. There is no authentication by IAM token.
- SQL that only MySQL 8 has is refused: the collation utf8mb4_0900_ai_ci (utf8mb4_general_ci is used),
  multi-valued indexes, LATERAL, `caching_sha2_password`; JSON is text. `SELECT VERSION()` says MariaDB.
- GTIDs are MariaDB's (`0-1-42`): Debezium needs its MariaDB connector, or no GTIDs.
- Aurora's procedures are there as far as they change anything: `mysql.rds_set_configuration`,
  `rds_show_configuration`, `rds_kill` and `rds_kill_query`. The `sys` and `performance_schema` views are empty.
"""

import json
import shutil
import threading
from pathlib import Path

from emulator.backing import Backing
from emulator.rds import mariadb
from emulator.rds.database_server import PART, DatabaseServer
from emulator.rds.mariadb import MariaDb, MariaDbError
from emulator.rds.real import Credential, use


class Servers:
    """All clusters' servers, by the part of the endpoint that is the cluster's own."""

    def __init__(self, backing: Backing, program: MariaDb) -> None:
        self._backing = backing
        self._program = program
        self._servers: dict[str, DatabaseServer] = {}

    def create(self, unique: str, identifier: str, master: Credential, database: str | None) -> None:
        """Start a cluster's server, in the background."""
        server = DatabaseServer(self._backing, self._program, identifier, master, database)
        self._servers[unique] = server
        server.start()

    def of(self, unique: str) -> DatabaseServer | None:
        """A cluster's server."""
        return self._servers.get(unique)

    def delete(self, unique: str) -> None:
        """End a cluster's server, in the background, and remove its data."""
        server = self._servers.pop(unique, None)
        if server:
            threading.Thread(target=server.stop, kwargs={"remove": True}, daemon=True).start()

    def stop(self) -> None:
        """End all servers, at the same time."""
        stops = [
            threading.Thread(target=server.stop, kwargs={"remove": not self._backing.keep})
            for server in self._servers.values()
        ]
        for each in stops:
            each.start()
        for each in stops:
            each.join()


def install(backing: Backing) -> None:
    """Let a real server stand behind every Aurora MySQL cluster, or say in one line why none does."""
    if not backing.keep:
        shutil.rmtree(backing.data(PART), ignore_errors=True)
    use(None)
    try:
        program = mariadb.find()
    except MariaDbError as error:
        _note(backing.directory).write_text(json.dumps({"missing": str(error)}), encoding="utf-8")
        backing.report(_without(str(error)))
        return
    _note(backing.directory).write_text(json.dumps({"version": program.version}), encoding="utf-8")
    found = Servers(backing, program)
    use(found)
    backing.at_stop(found.stop)


def describe(directory: Path) -> str | None:
    """What people must know of the databases of the world in `directory`: the line when it has no server."""
    try:
        missing = json.loads(_note(directory).read_text(encoding="utf-8")).get("missing")
    except (OSError, ValueError):
        return None
    return _without(missing) if missing else None


def _note(directory: Path) -> Path:
    (directory / "data").mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory / "data" / "mysql.json"


def _without(reason: str) -> str:
    return (
        f"MySQL: {reason}, so services fall back to SQLite; to have a real server: "
        "`sudo apt-get install mariadb-server-core` (Debian, Ubuntu) or `brew install mariadb` (macOS)"
    )
