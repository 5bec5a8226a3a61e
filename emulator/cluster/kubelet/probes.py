"""Probes: whether a container has started, lives, and is ready; and the hooks that use the same actions.

Defaults, thresholds and texts are the kubelet's (`pkg/kubelet/prober`, `pkg/probe`).
"""

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from emulator.cluster.kubelet.launch import StartError

_HASTY_SECONDS: Final = 0.2
"""Between the tries of a container that is not up yet. They do not count as failures; a kubelet, too, tries
oftener than the period then."""
_SUCCESS: Final = range(200, 400)

Execute = Callable[[tuple[str, ...], float], Awaitable[tuple[int, str]]]


@dataclass(frozen=True)
class Target:
    """A running container."""

    address: str
    ports: Mapping[str, int]
    """By name."""
    session: aiohttp.ClientSession
    execute: Execute
    """Runs a command in the container's surroundings; see `launch.execute`."""


async def problem(action: Mapping[str, Any], target: Target, timeout_seconds: float) -> str | None:
    """Do what a probe or hook says; returns what went wrong, or None."""
    if "exec" in action:
        return await _exec(tuple(action["exec"].get("command") or ()), target, timeout_seconds)
    if "httpGet" in action:
        return await _get(action["httpGet"], target, timeout_seconds)
    if "sleep" in action:
        await asyncio.sleep(action["sleep"]["seconds"])
        return None
    if "tcpSocket" in action or "grpc" in action:
        return await _connect(action.get("tcpSocket") or action["grpc"], target, timeout_seconds)
    return None


async def follow(
    probe: Mapping[str, Any],
    target: Target,
    failed: Callable[[str], None],
    turned: Callable[[bool], None],
    *,
    hasty: bool,
) -> None:
    """Probe for ever.

    `failed` hears of each failure that counts, `turned` whenever enough successes or failures in a row change
    the result. `hasty` ones are tried oftener until they succeed.
    """
    period, timeout = _number(probe, "periodSeconds", 10), _number(probe, "timeoutSeconds", 1)
    needed = {True: _number(probe, "successThreshold", 1), False: _number(probe, "failureThreshold", 3)}
    hasty = hasty and needed[True] == 1 and "exec" not in probe  # whose every try is a process
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(probe.get("initialDelaySeconds") or 0)
    result: bool | None = None
    last, in_a_row, due = None, 0, clock()
    while True:
        wrong = await problem(probe, target, timeout)
        good, now = wrong is None, clock()
        if good or now >= due:
            due = now + period
            in_a_row = in_a_row + 1 if good is last else 1
            last = good
            if wrong is not None:
                failed(wrong)
            if in_a_row >= needed[good] and good is not result:
                result = good
                turned(good)
        await asyncio.sleep(min(_HASTY_SECONDS, due - now) if hasty and not result else due - now)


def _number(probe: Mapping[str, Any], name: str, default: int) -> int:
    return probe.get(name) or default


def _port(given: int | str, target: Target) -> int | None:
    return (
        given
        if isinstance(given, int)
        else target.ports.get(given) or (int(given) if given.isdecimal() else None)
    )


async def _exec(command: tuple[str, ...], target: Target, timeout_seconds: float) -> str | None:
    try:
        status, output = await target.execute(command, timeout_seconds)
    except TimeoutError:
        return f'command timed out: "{" ".join(command)}" timed out after {timeout_seconds}s'
    except StartError as error:
        return str(error)
    return None if status == 0 else output or f"command terminated with exit code {status}"


async def _get(action: Mapping[str, Any], target: Target, timeout_seconds: float) -> str | None:
    port = _port(action["port"], target)
    if port is None:
        return f"couldn't find port: {action['port']}"
    host = action.get("host") or target.address
    path = "/" + (action.get("path") or "").lstrip("/")
    url = f"{(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path}"
    headers = {each["name"]: each["value"] for each in action.get("httpHeaders") or ()}
    try:
        async with target.session.get(
            url,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=timeout_seconds),
        ) as response:
            if response.status in _SUCCESS:
                return None
            return f"HTTP probe failed with statuscode: {response.status}"
    except TimeoutError:
        return f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    except (OSError, aiohttp.ClientError, ValueError) as error:
        return f'Get "{url}": {_told(error, host, port)}'


async def _connect(action: Mapping[str, Any], target: Target, timeout_seconds: float) -> str | None:
    port, host = _port(action["port"], target), action.get("host") or target.address
    if port is None:
        return f"couldn't find port: {action['port']}"
    try:
        async with asyncio.timeout(timeout_seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"dial tcp {host}:{port}: i/o timeout"
    except OSError as error:
        return _told(error, host, port)
    writer.close()
    return None


def _told(error: Exception, host: str, port: int) -> str:
    """An error as Go tells it."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return f"dial tcp {host}:{port}: connect: connection refused"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if number:
        return f"dial tcp {host}:{port}: {os.strerror(number).lower()}"
    return str(error) or type(error).__name__
