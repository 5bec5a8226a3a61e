"""Engines that are servers: started in the benchmark's directory on a free port, stopped at the end."""

import contextlib
import importlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Final

from services.search.benchmark.measures import Row, Task, Timer, titles
from services.search.benchmark.others import ask

_START_SECONDS: Final = 30
_USER: Final = "nobody"
"""Who runs the database when root runs the benchmark: it refuses root."""
_SPHINX: Final = """
index pins {{
    type = rt
    path = {directory}/pins
    rt_mem_limit = 512M
    rt_field = title
    rt_attr_uint = unused
    morphology = stem_en
    dict = keywords
}}
searchd {{
    listen = 127.0.0.1:{port}:mysql41
    pid_file = {directory}/searchd.pid
    log = {directory}/searchd.log
    binlog_path = {directory}
}}
"""


def postgres(task: Task) -> list[Row]:
    """Postgres: GIN over a tsvector, ranked by ts_rank."""
    driver: Any = importlib.import_module("psycopg")
    row = Row("Postgres FTS", "text", note="memory is the server's")
    with (
        _postgres() as address,
        _connected(lambda: driver.connect(address, autocommit=True), driver.OperationalError) as connection,
    ):
        connection.execute("CREATE TABLE pins (id bigint PRIMARY KEY, title text, words tsvector)")
        with Timer(row):
            with connection.cursor().copy("COPY pins (id, title) FROM STDIN") as copy:
                for rows in titles(task.corpus):
                    for one in rows:
                        copy.write_row(one)
            connection.execute("UPDATE pins SET words = to_tsvector('english', title)")
            connection.execute("CREATE INDEX ON pins USING gin (words)")
            connection.execute("VACUUM ANALYZE pins")

        def search(text: str) -> list[int]:
            words = " | ".join(text.split())
            found = connection.execute(
                "SELECT id FROM pins, to_tsquery('english', %s) query WHERE words @@ query "
                "ORDER BY ts_rank(words, query) DESC LIMIT 10",
                (words,),
            )
            return [pin_id for (pin_id,) in found]

        def add(pin_id: int, word: str) -> None:
            connection.execute(
                "INSERT INTO pins VALUES (%s, %s, to_tsvector('english', %s))", (pin_id, word, word)
            )

        ask(row, task, search, add)
    row.memory_mb = None
    return [row]


def sphinx(task: Task) -> list[Row]:
    """Sphinx: a real time index, ranked by BM25."""
    driver: Any = importlib.import_module("pymysql")
    program = shutil.which("searchd")
    if program is None:
        raise ImportError("searchd (apt-get install sphinxsearch)")
    row = Row("Sphinx RT", "text", note="memory is the server's")
    with _sphinx(program, task.directory / "sphinx") as port:
        connection = _connected(
            lambda: driver.connect(host="127.0.0.1", port=port, charset="utf8", autocommit=True),
            driver.OperationalError,
        )
        cursor = connection.cursor()
        insert = "INSERT INTO pins (id, title) VALUES"  # of words that the corpus made
        with Timer(row):
            for rows in titles(task.corpus):
                for first in range(0, len(rows), 1000):
                    values = ",".join(
                        f"({pin_id}, '{title}')" for pin_id, title in rows[first : first + 1000]
                    )
                    cursor.execute(f"{insert} {values}")

        def search(text: str) -> list[int]:
            words = " | ".join(text.split())
            cursor.execute(f"SELECT id FROM pins WHERE MATCH('{words}') LIMIT 10 OPTION ranker=bm25")  # noqa: S608
            return [int(pin_id) for (pin_id, *_) in cursor.fetchall()]

        def add(pin_id: int, word: str) -> None:
            cursor.execute(f"{insert} ({pin_id}, '{word}')")

        ask(row, task, search, add)
        connection.close()
    row.memory_mb = None
    return [row]


@contextlib.contextmanager
def _postgres() -> Generator[str]:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise ImportError("postgres (apt-get install postgresql)")
    binaries = found[-1].parent
    with tempfile.TemporaryDirectory() as name:  # where the other user may go
        directory = Path(name)
        run: Any = {"cwd": directory, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        if os.geteuid() == 0:
            run["user"] = _USER
            shutil.chown(directory, _USER)
        data, port = directory / "data", _free_port()
        subprocess.run([binaries / "initdb", "-D", data, "-U", "pins", "-A", "trust"], check=True, **run)  # noqa: S603
        options = [
            "-k",
            directory,
            "-p",
            str(port),
            "-h",
            "",
            "-c",
            "shared_buffers=512MB",
            "-c",
            "work_mem=64MB",
        ]
        server = subprocess.Popen([binaries / "postgres", "-D", data, *options], **run)  # noqa: S603
        try:
            yield f"host={directory} port={port} user=pins dbname=postgres"
        finally:
            server.terminate()
            server.wait()


@contextlib.contextmanager
def _sphinx(program: str, directory: Path) -> Generator[int]:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    port = _free_port()
    configuration = directory / "sphinx.conf"
    configuration.write_text(_SPHINX.format(directory=directory, port=port), encoding="utf-8")
    server = subprocess.Popen(  # noqa: S603
        [program, "--nodetach", "--config", configuration],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield port
    finally:
        server.terminate()
        server.wait()


def _connected(connect: Callable[[], Any], refused: type[Exception]) -> Any:
    """A connection to a server that may still be starting."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            return connect()
        except refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
