"""The emulated AWS endpoint: moto's dispatcher with this package's backends, made fast and hard to upset.

Three things differ from moto's own server. Requests of services whose every URL goes to one handler (all
but S3 and a few) skip Flask's routing. One lock lets one operation run at a time: moto's backends are not
written for threads, and with one interpreter lock nothing is lost; what takes long is answered after it is
released: see `emulator.later`. And whatever goes wrong becomes an AWS error that says what was wrong: see
`emulator.errors`.
"""

import gc
import importlib
import os
import re
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from moto import backends
from moto.core.base_backend import BackendDict
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model
from moto.moto_server.werkzeug_app import SIGNING_ALIASES, DomainDispatcherApplication, create_backend_app
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import WSGITask
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from emulator import corrections, refusals
from emulator.identifiers import Seeding
from emulator.later import AnswerLater, AskAgain
from emulator.services import PRELOADED, own_handler

LOCK_TIMEOUT_SECONDS: Final = 30.0
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Larger requests are answered 413. An S3 client splits uploads into parts far smaller than this."""
THREADS: Final = 32
"""Connections served at once; operations still run one at a time. Half of them can wait for functions that run,
whose own requests the others answer: see `emulator.functions`."""
CONNECTIONS: Final = 1000
"""Open at once, most of them idle: of `up`, of each pod's SDK, of who uploads. Above it nobody new gets in."""
SWITCH_INTERVAL_SECONDS: Final = 0.0005
"""How long a thread keeps the interpreter while another waits. Python's 5 ms would add that much to every
request that comes while backends are still being imported in the background."""

_ROUTED_BY_MORE_THAN_SERVICE: Final = {
    *("s3", "dynamodb", "sagemaker", "timestream", "ses", "bedrock", "bedrock-agentcore"),
    *("execute-api", "mediastore", "budgets", "cloudfront", "aidevops", "dsql", "s3vectors", "memorydb"),
}
"""Signing names that moto's dispatcher tells apart by path or header as well: they keep its way."""

_METADATA_HEADER: Final = re.compile(rb"^X-Amz-Meta-[^:]+", re.MULTILINE)

Handler = Callable[[Request, str, dict[str, str]], Any]


class ServiceRequest(Request):
    """A request that came over HTTP (moto then leaves the Date header to the server)."""

    from_wsgi_server = True


class Application(DomainDispatcherApplication):
    """The WSGI application behind the endpoint."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)  # pyright: ignore[reportArgumentType]
        self._handlers: dict[str, Handler | None] = {}
        self.one_at_a_time = threading.Lock()
        self._seeding = Seeding()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request; never raises."""
        environ.setdefault("RAW_URI", environ.get("REQUEST_URI", ""))  # where moto looks for undecoded paths
        return self._response(environ)(environ, start_response)

    def _response(self, environ: dict[str, Any]) -> Response:
        while True:
            try:
                return self._under_lock(environ)
            except AnswerLater as later:
                return _whatever_happens(environ, partial(_finished, environ, later))
            except AskAgain as again:
                again.wait()
                environ["wsgi.input"].seek(0)

    def _under_lock(self, environ: dict[str, Any]) -> Response:
        if not self.one_at_a_time.acquire(timeout=LOCK_TIMEOUT_SECONDS):
            return refusals.busy(environ, LOCK_TIMEOUT_SECONDS)
        try:
            return _whatever_happens(environ, partial(self._answer, environ))
        finally:
            self.one_at_a_time.release()

    def _answer(self, environ: dict[str, Any]) -> Response:
        service = refusals.signing_name(environ)
        self._seeding.before(environ)
        if service is None:
            return self._answer_by_flask(environ, "s3")
        if service not in self._handlers:
            self._handlers[service] = self._single_handler(service)
        handler = self._handlers[service]
        if handler is None:
            return self._answer_by_flask(environ, service)
        request = ServiceRequest(environ)
        status, headers, body = handler(request, request.raw_url, dict(request.headers))
        return refusals.checked(environ, Response(body, status, headers))

    def _answer_by_flask(self, environ: dict[str, Any], service: str) -> Response:
        host = self.infer_service_region_host(environ, environ["PATH_INFO"])
        if host is not None and self.get_backend_for_host(host) is None:
            return refusals.unanswered(environ)
        if service == "s3" and refusals.asks_for_missing_s3(environ):
            return refusals.unanswered(environ)
        return refusals.checked(environ, Response.from_app(self.get_application(environ), environ))

    def _single_handler(self, service: str) -> Handler | None:
        """The handler that all URLs of a service share; None when Flask has to choose between several."""
        own = own_handler(service)
        if own is not None:
            return own
        if service in _ROUTED_BY_MORE_THAN_SERVICE:
            return None
        name = self.get_backend_for_host(f"{SIGNING_ALIASES.get(service, service)}.us-east-1.amazonaws.com")
        if name is None:
            return None
        handlers = set(_backend(name).flask_paths.values())
        classes = {getattr(handler, "__self__", None) for handler in handlers}
        dispatches = {getattr(handler, "__func__", None) for handler in handlers}
        if len(classes) == 1 and dispatches == {BaseResponse.dispatch.__func__}:  # pyright: ignore[reportFunctionMemberAccess]
            return handlers.pop()
        return None


def _whatever_happens(environ: dict[str, Any], answer: Callable[[], Response]) -> Response:
    """The answer, or the AWS error that what goes wrong with it becomes."""
    try:
        return answer()
    except (AnswerLater, AskAgain):
        raise
    except HTTPException as error:
        return refusals.from_http_exception(environ, error)
    except Exception as error:
        response = refusals.from_exception(environ, error)
        if response.status_code != 501:  # noqa: PLR2004
            traceback.print_exc(file=sys.stderr)
        return response


def _finished(environ: dict[str, Any], later: AnswerLater) -> Response:
    status, headers, body = later.answer()
    return refusals.checked(environ, Response(body, status, dict(headers)))


class Task(WSGITask):
    """A response whose `x-amz-meta-` headers keep their case: SDKs show it to people, and S3 has it low."""

    def build_response_header(self) -> bytes:
        """The status line and the headers."""
        built: bytes = super().build_response_header()
        return _METADATA_HEADER.sub(lambda found: found[0].lower(), built)


def _backend(name: Any) -> Any:
    """moto's backend of the emulated account and region, where the requests will look for it."""
    of_account: BackendDict[Any] = backends.get_backend(name)
    regions = of_account[os.environ["MOTO_ACCOUNT_ID"]]
    region = os.environ["AWS_DEFAULT_REGION"]
    return regions[region if region in regions else "aws"]


def preload(application: Application) -> None:
    """Load what a rehearsal uses, in the order it needs it: a first request should not wait for imports."""
    for name in PRELOADED:
        if own_handler(name) is None:
            importlib.import_module(f"moto.{backends.ALT_SERVICE_NAMES.get(name, name)}.models")
            # Making a backend draws identifiers, which must not happen in the middle of a seeded request.
            with application.one_at_a_time:
                _backend(name)
        if str(get_service_model(name).protocol).startswith("rest"):
            get_service_router(name)
    importlib.import_module("emulator.glue.iceberg")
    gc.freeze()  # what is loaded stays; the collector need not look at it again
    gc.enable()


def serve(listener: socket.socket, on_ready: Callable[[], None]) -> None:
    """Serve on a listening socket until the process ends; `on_ready` is called when requests are answered."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    corrections.apply()
    application = Application()
    HTTPChannel.task_class = Task
    server = create_server(
        application,
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        max_request_body_size=MAX_BODY_BYTES,
        ident="pinwheel-emulator",
        asyncore_use_poll=True,
    )
    threading.Thread(target=preload, args=[application], daemon=True).start()
    on_ready()
    server.run()
