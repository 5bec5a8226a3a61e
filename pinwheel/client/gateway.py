"""Requests to the gateway, as somebody or as nobody; what is asked too fast is asked again when it said to."""

import asyncio
import uuid
from typing import Any, Final

import httpx

from pinwheel.errors import ExitCode, Failure
from pinwheel.overview import gather
from pinwheel.world import World

GATEWAY: Final = "gateway"
"""The Service's name."""
_CONNECTIONS: Final = 32
_TIMEOUT_SECONDS: Final = 30.0
_ATTEMPTS: Final = 30
_AGAIN: Final = frozenset({429, 503})


def address(here: World) -> str:
    """The gateway's URL. Raises Failure when the world has none."""
    for name, url in gather(here).services:
        if name.partition("/")[2] == GATEWAY:
            return url
    raise Failure(
        f"{here.environment} has no gateway that answers",
        "see `pinwheel status`; after `make up` says that it is up, it has one",
        ExitCode.REFUSED,
    )


class Gateway:
    """A connection pool to the gateway; an asynchronous context manager."""

    def __init__(self, url: str) -> None:
        limits = httpx.Limits(max_connections=_CONNECTIONS)
        self._api = httpx.AsyncClient(base_url=url, limits=limits, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._bucket = httpx.AsyncClient(limits=limits, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self.url = url

    async def __aenter__(self) -> "Gateway":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._api.aclose()
        await self._bucket.aclose()

    async def get(self, path: str, *, token: str = "", **query: Any) -> Any:
        """The JSON of an answer. Raises Failure for any but 2xx."""
        return await self._json("GET", path, token, params=query or None)

    async def post(self, path: str, body: object, *, token: str) -> Any:
        """The JSON of an answer to `body` as JSON. Asked once in effect, however often it is sent. Raises Failure."""
        headers = {"idempotency-key": str(uuid.uuid4())}
        return await self._json("POST", path, token, json=body, headers=headers)

    async def send(self, path: str, body: bytes, content_type: str, *, token: str = "", **query: Any) -> Any:
        """The JSON of an answer to `body` as it is. Raises Failure."""
        headers = {"content-type": content_type}
        return await self._json("POST", path, token, content=body, headers=headers, params=query or None)

    async def upload(self, picture: bytes, *, token: str) -> str:
        """Put a JPEG into the bucket of images as an app does; returns the upload's identifier."""
        asked = {"content_type": "image/jpeg", "content_length": len(picture)}
        told = await self.post("/v1/uploads", asked, token=token)
        files = {"file": ("picture.jpg", picture, "image/jpeg")}
        answer = await self._bucket.post(told["url"], data=told["fields"], files=files)
        if not answer.is_success:
            raise Failure(
                f"S3 refused a picture with {answer.status_code}: {answer.text[:300]}",
                "see .pinwheel/emulator.log",
                ExitCode.INFRASTRUCTURE,
            )
        return told["id"]

    async def _json(self, method: str, path: str, token: str, **arguments: Any) -> Any:
        headers = {**arguments.pop("headers", {})}
        if token:
            headers["authorization"] = f"Bearer {token}"
        for _ in range(_ATTEMPTS):
            answer = await self._asked(method, path, headers, arguments)
            if answer.is_success:
                return answer.json() if answer.content else None
            if answer.status_code not in _AGAIN:
                raise RefusedError(method, path, answer)
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        raise RefusedError(method, path, await self._asked(method, path, headers, arguments))

    async def _asked(
        self, method: str, path: str, headers: dict[str, str], arguments: dict[str, Any]
    ) -> httpx.Response:
        try:
            return await self._api.request(method, path, headers=headers, **arguments)
        except httpx.TransportError as error:
            raise Failure(
                f"{method} {path}: {error or type(error).__name__}",
                "see `pinwheel status`",
                ExitCode.INFRASTRUCTURE,
            ) from error


class RefusedError(Failure):
    """An answer that is not 2xx."""

    def __init__(self, method: str, path: str, answer: httpx.Response) -> None:
        super().__init__(
            f"{method} {path} was answered {answer.status_code}: {_detail(answer)}",
            "see `pinwheel status`, and the pod's log: kubectl logs -n pinwheel deployment/pin",
            ExitCode.REFUSED,
        )
        self.status = answer.status_code


def _detail(answer: httpx.Response) -> str:
    """What a problem (RFC 9457) says, and where the service's log tells more; else the beginning of the body."""
    try:
        problem = answer.json()
        return f"{problem['detail']} (request {problem['request_id']})"
    except (ValueError, KeyError, TypeError):
        return answer.text[:300]
