"""The MariaDB server as a program: where it is, how its data directory is made, how it is started.

The machine's own server is never touched: no configuration file is read, and data, port and process are
private to one cluster. There is no Unix socket and no login for `root`.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAMS: Final = ("mariadbd", "mysqld")
"""The second is MariaDB's own former name on many systems, and Oracle's server on others."""
ALSO_IN: Final = ("/usr/sbin", "/usr/local/sbin", "/usr/libexec", "/opt/homebrew/opt/mariadb/bin")
"""Looked at after PATH, which of an ordinary user does not have Debian's /usr/sbin."""

_FIXED: Final = (
    # As small as InnoDB takes them: a world is made in moments.
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "--innodb-autoextend-increment=8",  # MB
    "--innodb-log-file-size=16M",
    "--innodb-buffer-pool-size=64M",
)
_INITIALISE_TIMEOUT_SECONDS: Final = 60.0
_LINES: Final = 3


class MariaDbError(Exception):
    """There is no usable server, or it does not start; the message says why."""


@dataclass(frozen=True)
class MariaDb:
    """An installed server."""

    program: Path
    version: str
    """Such as `10.11.18-MariaDB`."""
    scripts: Path
    """The folder with the SQL that makes the system tables, and the error messages."""

    def initialise(self, data: Path) -> None:
        """Make a data directory with the system tables and no user at all, unless it is there.

        As `mariadb-install-db` does, which on Debian needs the client package. Raises MariaDbError.
        """
        if data.is_dir():
            return
        unfinished = data.with_name(f"{data.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        # Nothing is worth being kept if the machine dies meanwhile: no doublewrite, no flush at a commit.
        command = (
            *(*self._command(unfinished), "--bootstrap", "--skip-networking", "--skip-log-bin"),
            *("--innodb-flush-log-at-trx-commit=0", "--skip-innodb-doublewrite", "--log-warnings=0"),
        )
        done = subprocess.run(  # noqa: S603 - the program that was found
            command,
            input="".join(f"{statement}\n" for statement in self._system_tables()),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_INITIALISE_TIMEOUT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise MariaDbError(f"{self.program} could not make {data}: {errors_in(done.stderr)}")
        unfinished.rename(data)
        shutil.rmtree(_temporary(unfinished))

    def remove(self, data: Path) -> None:
        """Remove a data directory, and what a server had beside it."""
        for each in (data, _temporary(data)):
            shutil.rmtree(each, ignore_errors=True)

    def serve(self, data: Path, port: int, start_script: Path, tls: Path) -> list[str]:
        """The command line of the server.

        Args:
            data: directory made by `initialise`.
            port: TCP port on 127.0.0.1.
            start_script: SQL, a statement a line, run with all rights before the first client is let in.
            tls: directory with `ca.pem`, `server.pem` and `server-key.pem`.
        """
        return [
            *self._command(data),
            # Whoever is on this machine may knock; only the right password opens. No other machine may.
            *("--bind-address=127.0.0.1", f"--port={port}", "--socket=", "--skip-name-resolve"),
            *(f"--pid-file={data / 'server.pid'}", f"--init-file={start_script}"),
            *(f"--ssl-ca={tls / 'ca.pem'}", f"--ssl-cert={tls / 'server.pem'}"),
            *(f"--ssl-key={tls / 'server-key.pem'}", "--tls-version=TLSv1.2,TLSv1.3"),
            # What change data capture needs: whole rows, and GTIDs (which MariaDB always writes).
            *("--log-bin=binlog", "--server-id=1", "--binlog-format=ROW", "--binlog-row-image=FULL"),
            "--gtid-strict-mode=ON",
            *("--character-set-server=utf8mb4", "--default-time-zone=+00:00", "--local-infile=OFF"),
            *(
                "--max-connections=300",
                "--thread-cache-size=16",
                "--table-open-cache=1000",
                "--performance-schema=OFF",
            ),
            # A commit reaches the operating system: it outlives this process, if not the machine.
            *("--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0"),
            *("--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF"),
            "--skip-slave-start",
        ]

    def _command(self, data: Path) -> list[str]:
        temporary = _temporary(data)
        temporary.mkdir(exist_ok=True, mode=0o700)
        return [
            *(str(self.program), "--no-defaults"),  # must come first
            *(["--user=root"] if os.geteuid() == 0 else []),
            *(f"--datadir={data}", f"--lc-messages-dir={self.scripts}"),
            # Not the system's: at its start a server removes what others have of temporary tables there.
            f"--tmpdir={temporary}",
            *_FIXED,
        ]

    def _system_tables(self) -> Iterator[str]:
        yield from ("CREATE DATABASE mysql;", "USE mysql;")
        for name in ("system_tables", "performance_tables", "system_tables_data"):
            yield _script(self.scripts, name).read_text(encoding="utf-8")
        # The password-less superusers that every installation begins with.
        yield from ("DELETE FROM global_priv WHERE User='root';", "DELETE FROM proxies_priv;")


def find() -> MariaDb:
    """The server on this machine. Raises MariaDbError with what is missing."""
    searched = os.pathsep.join(filter(None, [os.environ.get("PATH", ""), *ALSO_IN]))
    others: list[str] = []
    for name in PROGRAMS:
        program = shutil.which(name, path=searched)
        if program is None:
            continue
        version = _version(program)
        if "MariaDB" in version:
            return MariaDb(Path(program), version, _scripts_of(Path(program)))
        others.append(f"{program} is {version}, and not MariaDB")
    raise MariaDbError("; ".join(others) if others else "there is no mariadbd on this machine")


def _version(program: str) -> str:
    command = [program, "--no-defaults", "--version"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except OSError:
        return ""
    found = re.search(r"Ver ([\w.-]*?\d+\.\d+\.\d+(?:-MariaDB)?)", told.stdout)
    return found[1] if found else told.stdout.strip()


def _scripts_of(program: Path) -> Path:
    places = (program.parent.parent, program.resolve().parent.parent)
    for prefix in places:
        for name in ("mariadb", "mysql"):
            if _script(prefix / "share" / name, "system_tables").is_file():
                return prefix / "share" / name
    raise MariaDbError(
        f"{program} lacks its SQL scripts: no mysql_system_tables.sql in {places[0]}/share/mysql"
    )


def _temporary(data: Path) -> Path:
    return data.with_name(f"{data.name}.tmp")


def _script(folder: Path, name: str) -> Path:
    """`mysql_<name>.sql`, or as MariaDB 11 and later call it."""
    newer = folder / f"mariadb_{name}.sql"
    return newer if newer.is_file() else folder / f"mysql_{name}.sql"


def errors_in(log: str) -> str:
    """The first lines of a server's log that tell of errors: the later ones follow from them."""
    lines = log.splitlines()
    errors = [line.partition("[ERROR] ")[2] or line for line in lines if "ERROR" in line]
    return " / ".join(errors[:_LINES] or lines[-_LINES:])
