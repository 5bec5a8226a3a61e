"""Echo: answers each request with what it saw. The smallest service, to see whether a cluster works.

It is configured by its environment:

- `POD_IP` and `PORT`: where it listens (127.0.0.1 and 8080);
- `POD_NAME`, `VERSION`: told in each answer;
- `DELAY_MS`: how long it takes over an answer, in milliseconds (0);
- `DRAIN_SECONDS`: how long it goes on accepting after SIGTERM, while clients hear that it is leaving (0.5);
- `ECHO_DRILLS=1`: `/exit?status=N` ends it at once with that status, `/unready` and `/ready` set its readiness,
  `/hang` makes it fail its liveness probe.

After SIGTERM it is not ready, finishes what it has begun, and ends with 0.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

SHUTDOWN_SECONDS = 20.0
"""For requests in flight."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Health:
    """What the probes are told."""

    alive: bool = True
    ready: bool = True
    leaving: bool = False


def application(environment: Mapping[str, str], health: Health) -> web.Application:
    """The service."""
    delay_seconds = float(environment.get("DELAY_MS", "0")) / 1000
    about = {"pod": environment.get("POD_NAME", ""), "version": environment.get("VERSION", "")}

    @web.middleware
    async def send_clients_away(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if health.leaving:
            response.force_close()
        return response

    async def echo(request: web.Request) -> web.Response:
        await asyncio.sleep(delay_seconds)
        return web.json_response({**about, "method": request.method, "path": request.path_qs})

    async def livez(_: web.Request) -> web.Response:
        return web.Response(text="ok" if health.alive else "hanging", status=200 if health.alive else 500)

    async def readyz(_: web.Request) -> web.Response:
        ready = health.ready and not health.leaving
        return web.Response(text="ok" if ready else "not ready", status=200 if ready else 503)

    async def leave_at_once(request: web.Request) -> web.Response:
        os._exit(int(request.query.get("status", "1")))

    def setting(name: str, *, value: bool) -> Handler:
        async def handler(_: web.Request) -> web.Response:
            setattr(health, name, value)
            return web.Response(text="ok")

        return handler

    app = web.Application(middlewares=[send_clients_away])
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    if environment.get("ECHO_DRILLS") == "1":
        app.router.add_get("/exit", leave_at_once)
        app.router.add_get("/hang", setting("alive", value=False))
        app.router.add_get("/unready", setting("ready", value=False))
        app.router.add_get("/ready", setting("ready", value=True))
    app.router.add_route("*", "/{path:.*}", echo)
    return app


async def serve(environment: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT."""
    health, told = Health(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    runner = web.AppRunner(application(environment, health), shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    host, port = environment.get("POD_IP") or "127.0.0.1", int(environment.get("PORT") or "8080")
    await web.TCPSite(runner, host, port).start()
    print(f"echo {environment.get('VERSION', '')} listens on http://{host}:{port}", flush=True)  # noqa: T201 - the log
    await told.wait()
    print("leaving", flush=True)  # noqa: T201
    health.leaving = True
    await asyncio.sleep(float(environment.get("DRAIN_SECONDS", "0.5")))
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(os.environ))
