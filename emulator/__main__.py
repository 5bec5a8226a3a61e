"""The emulator's process: `python -m emulator`. People use `pinwheel`, which starts it for them.

It reports once on stdout, in one JSON line: `{"port": ..., "pid": ...}` when it is ready, or
`{"error": ..., "message": ..., "remedy": ...}`. It ends when its stdin does, after what stands behind it has ended.
"""

import argparse
import errno
import gc
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from emulator import model_files
from emulator.backing import Backing, present, use
from emulator.process import BackingError, EmulatorError, PortInUseError, require_loopback

LISTEN_BACKLOG = 256


def main() -> int:
    """Serve until stdin ends. Exit status 1 when the server cannot start."""
    parser = argparse.ArgumentParser(prog="python -m emulator", description=__doc__)
    parser.add_argument("--account", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--backed", type=Path, help="directory of real processes behind the services")
    parser.add_argument("--keep", action="store_true", help="go on with the data that is there")
    parser.add_argument("--images", type=Path, help="directory of the project's own images")
    arguments = parser.parse_args()

    threading.Thread(target=exit_with_parent, daemon=True).start()
    signal.signal(signal.SIGTERM, lambda *_: leave())
    try:
        require_loopback(arguments.host)
        # Bound before the slow imports: a port in use is reported in a moment.
        listener = listen(arguments.host, arguments.port)
    except EmulatorError as error:
        report(error=type(error).__name__, message=error.message, remedy=error.remedy)
        return 1

    gc.disable()  # until everything is loaded: there is nothing to collect, and looking takes half of the time
    model_files.use_everywhere()
    configure_moto(arguments.account, arguments.region, listener.getsockname()[1])
    from emulator.server import serve  # noqa: PLC0415 - imports moto, which reads the environment set above

    if arguments.backed:
        host, port = listener.getsockname()[:2]
        backing = Backing(
            arguments.backed,
            f"http://{host}:{port}",
            arguments.account,
            arguments.region,
            keep=arguments.keep,
            images=arguments.images,
        )
        try:
            put_in_place(backing)
        except BackingError as error:
            backing.stop()
            report(error=type(error).__name__, message=error.message, remedy=error.remedy)
            return 1
    serve(listener, on_ready=lambda: report(port=listener.getsockname()[1], pid=os.getpid()))
    return 0


def put_in_place(backing: Backing) -> None:
    """Let real processes stand behind the services that can have them. Raises `BackingError`."""
    from emulator import accounts, keeping  # noqa: PLC0415 - these import moto
    from emulator.eks import api_server  # noqa: PLC0415
    from emulator.kafka import server as kafka_server  # noqa: PLC0415
    from emulator.kafka.broker.interface import BrokerError  # noqa: PLC0415
    from emulator.rds import server as rds_server  # noqa: PLC0415

    if not backing.keep:
        shutil.rmtree(backing.directory / "data", ignore_errors=True)
    # What a killed world left in the registry has been ended by whoever claimed its place.
    for left in backing.registry.glob("*.json"):
        left.unlink(missing_ok=True)
    use(backing)
    try:
        # The database takes longest to start.
        for part in (rds_server, kafka_server, api_server, keeping, accounts):
            part.install(backing)
    except BrokerError as error:
        remedy = "correct the variable, or unset it: the broker that Pinwheel brings needs none"
        raise BackingError(str(error), remedy) from error


_leaving = threading.Lock()


def leave() -> None:
    """End what stands behind the services, if anything does, and this process. All else is in memory."""
    if _leaving.acquire(blocking=False):
        backing = present()
        try:
            if backing:
                backing.stop()
                if not backing.keep:
                    shutil.rmtree(backing.directory / "data", ignore_errors=True)
        finally:
            os._exit(0)


def exit_with_parent() -> None:
    """Wait for the end of stdin, whose other end the parent holds, and leave."""
    # Not sys.stdin, whose lock this thread would hold when the interpreter ends.
    while os.read(0, 4096):
        pass
    leave()


def listen(host: str, port: int) -> socket.socket:
    """Bind and listen. Raises `PortInUseError`, also for a port that needs privileges."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        reason = "is in use" if error.errno == errno.EADDRINUSE else "needs privileges"
        raise PortInUseError(
            f"port {port} on {host} {reason}",
            f"stop the program that listens there (`lsof -i :{port}` shows it) or choose another with --port",
        ) from error
    return listener


def configure_moto(account: str, region: str, port: int) -> None:
    """Set the variables that moto reads when it is imported."""
    os.environ.update(
        {
            "MOTO_ACCOUNT_ID": account,
            "MOTO_PORT": str(port),
            "AWS_DEFAULT_REGION": region,
            # Roles attach AWS managed policies (AmazonEKSClusterPolicy, ...): they must exist.
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
            # No browser has business here; without it every response is cheaper, too.
            "MOTO_DISABLE_GLOBAL_CORS": "true",
        }
    )


def report(**fields: Any) -> None:
    """Write the one line that the parent waits for."""
    print(json.dumps(fields), flush=True)  # noqa: T201 - the protocol with the parent


if __name__ == "__main__":
    sys.exit(main())
