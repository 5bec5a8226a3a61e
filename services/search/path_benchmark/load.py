"""Load for benchmarks: wrk where it is installed, else a plain asyncio client, which costs more of the same cores."""

import asyncio
import itertools
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_LUA: Final = """
local paths = {}
for line in io.lines(%(paths)r) do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
%(delay)s
done = function(summary, latency, requests)
  io.write(string.format("RESULT %%d %%d %%d %%d %%d %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
"""


@dataclass(frozen=True)
class Load:
    """What came of it."""

    generator: str
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    failures: int


def run(url: str, paths: list[str], *, connections: int, seconds: float, delay_ms: int = 0) -> Load:
    """Ask for the paths in turn on so many connections, each waiting `delay_ms` between an answer and a request."""
    if shutil.which("wrk") is not None:
        return _wrk(url, paths, connections=connections, seconds=seconds, delay_ms=delay_ms)
    return asyncio.run(_asyncio(url, paths, connections=connections, seconds=seconds, delay_ms=delay_ms))


def _wrk(url: str, paths: list[str], *, connections: int, seconds: float, delay_ms: int) -> Load:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "paths").write_text("\n".join(paths), encoding="utf-8")
        delay = f"delay = function() return {delay_ms} end" if delay_ms else ""
        script = directory / "script.lua"
        script.write_text(_LUA % {"paths": str(directory / "paths"), "delay": delay}, encoding="utf-8")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own words
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)", done.stdout)
    if found is None:
        raise RuntimeError(f"wrk printed no result: {done.stdout}{done.stderr}")
    requests, microseconds, p50, p99, wrong, broken = (int(number) for number in found.groups())
    return Load("wrk", requests / microseconds * 1e6, p50 / 1e3, p99 / 1e3, wrong + broken)


async def _asyncio(url: str, paths: list[str], *, connections: int, seconds: float, delay_ms: int) -> Load:
    address = urlsplit(url)
    turns = itertools.cycle(paths)
    end = time.perf_counter() + seconds
    took: list[float] = []
    failures = 0

    async def one() -> None:
        nonlocal failures
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        while time.perf_counter() < end:
            began = time.perf_counter()
            writer.write(f"GET {next(turns)} HTTP/1.1\r\nhost: {address.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            took.append(time.perf_counter() - began)
            failures += not head.startswith(b"HTTP/1.1 200")
            if delay_ms:
                await asyncio.sleep(delay_ms / 1_000)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    elapsed = time.perf_counter() - began
    took.sort()
    count = len(took)
    return Load("asyncio", count / elapsed, took[count // 2] * 1e3, took[int(count * 0.99)] * 1e3, failures)
