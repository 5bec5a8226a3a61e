"""`python -m services.gateway serve`: Envoy in front of all services, until it is told to end.

SIGTERM drains: readiness fails at once, requests are taken on until nobody sends any more, those that are being
answered are finished, and then Envoy ends. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle
"""

import signal
import sys
import threading
import time
from typing import Final

from services.common import logs
from services.common.logs import logger
from services.common.settings import EXIT_CONFIGURATION, load
from services.gateway.envoy import AdministrationError, Envoy
from services.gateway.rendering import ConfigurationError, read, rendered
from services.gateway.settings import GatewaySettings

_POLL_SECONDS: Final = 0.05
_STOP_SECONDS: Final = 2.0
_START_SECONDS: Final = 60.0
_log = logger("gateway")


def main() -> int:
    """The exit status."""
    if sys.argv[1:] not in (["serve"], []):
        print("usage: python -m services.gateway serve", file=sys.stderr)  # noqa: T201 - of a command line
        return EXIT_CONFIGURATION
    settings = load(GatewaySettings)
    logs.configure(settings)
    try:
        configuration = rendered(read(settings.gateway_configuration), settings)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - as `load` does
        return EXIT_CONFIGURATION
    return _serve(configuration, settings)


def _serve(configuration: dict[str, object], settings: GatewaySettings) -> int:
    told_to_end = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: told_to_end.set())
    envoy = Envoy(configuration, settings)
    try:
        threading.Thread(target=_tell_when_ready, args=(envoy, told_to_end), daemon=True).start()
        while not told_to_end.wait(_POLL_SECONDS):
            status = envoy.wait(0)
            if status is not None:
                _log.error("Envoy ended", status=status)
                return status or 1
        _drain(envoy, settings)
    finally:
        envoy.stop(_STOP_SECONDS)
    return 0


def _tell_when_ready(envoy: Envoy, told_to_end: threading.Event) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not told_to_end.wait(_POLL_SECONDS) and time.monotonic() < deadline:
        if envoy.is_ready():
            _log.info("listening", **envoy.addresses())
            return
    if not told_to_end.is_set():
        _log.error("not ready: most likely the user pool's keys cannot be fetched", seconds=_START_SECONDS)


def _drain(envoy: Envoy, settings: GatewaySettings) -> None:
    """Return when nobody is waiting for an answer, or when the grace is over."""
    begun = time.monotonic()
    end = begun + settings.shutdown_grace_seconds - _STOP_SECONDS
    _log.info("draining", seconds=settings.shutdown_drain_seconds)
    try:
        envoy.fail_readiness()
        while time.monotonic() < end:
            drained = time.monotonic() >= begun + settings.shutdown_drain_seconds
            active = envoy.active_requests()
            if drained and not active:
                break
            time.sleep(_POLL_SECONDS)
        else:
            _log.warning(
                "the grace is over before all requests were answered", active=envoy.active_requests()
            )
    except AdministrationError as error:
        _log.warning("could not drain", reason=str(error))


if __name__ == "__main__":
    sys.exit(main())
