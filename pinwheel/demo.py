"""`pinwheel demo`: one pin's way through the system, each step with the seconds that it took."""

import asyncio
import io
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from PIL import Image
from rich.console import Console

from pinwheel.catalogue.pictures import picture
from pinwheel.client.gateway import Gateway, address
from pinwheel.client.people import People
from pinwheel.errors import ExitCode, Failure
from pinwheel.world import state_directory, up_world

_FOUND_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.01
_SIDE: Final = 180
"""Of what is cut out of the picture, in pixels, to search with."""


def demo() -> ExitCode:
    """Create a pin with an image, find it by its words and by a part of its picture, and see what is like it."""
    here = up_world()
    asyncio.run(_walk(People(here), address(here), Console()))
    return ExitCode.PASSED


async def _walk(people: People, url: str, out: Console) -> None:
    number = secrets.randbelow(1 << 30)
    word = f"demo{number:x}"
    image = picture(number % 12, number)
    part = state_directory() / "demo.jpg"
    part.write_bytes(_part(image))

    def tell(what: str, began: float, more: str = "") -> None:
        out.print(f"{time.perf_counter() - began:7.3f} s  {what}", highlight=False, soft_wrap=True)
        if more:
            out.print(f"           {more}", style="dim", highlight=False, soft_wrap=True)

    async with Gateway(url) as gateway:
        began = time.perf_counter()
        token = await asyncio.to_thread(people.token, word)
        tell(f"signed up {word} and got a token of the user pool", began)

        began = time.perf_counter()
        await gateway.post("/v1/users", {"username": word, "country": "DE"}, token=token)
        board = await gateway.post("/v1/boards", {"name": "Seen today"}, token=token)
        tell("made a profile and the board `Seen today`", began, f"{url}/v1/boards/{board['id']}")

        began = time.perf_counter()
        upload = await gateway.upload(image, token=token)
        tell(f"put a picture of {len(image):,} bytes into S3, by a presigned request", began)

        began = time.perf_counter()
        made = {"board_id": board["id"], "title": f"Turquoise staircase {word}", "upload_id": upload}
        pin = await gateway.post("/v1/pins", made, token=token)
        tell(f"created pin {pin['id']} (MySQL, with its event in the outbox)", began)

        created = time.perf_counter()
        by_words = f"/v1/search/pins?q=staircase+{word}"
        found = asyncio.create_task(_until(lambda: gateway.get(by_words), pin["id"], "by its words"))
        seen = asyncio.create_task(
            _until(
                lambda: gateway.send("/v1/search/visual", part.read_bytes(), "image/jpeg"),
                *(pin["id"], "by a part of its picture"),
            )
        )
        await found
        tell("found it by its words (outbox, Kafka, index)", created, f"{url}{by_words}")
        place = await seen
        tell(
            f"found it by a part of its picture, at place {place} (S3, embedding, Kafka, index)",
            created,
            f"curl --data-binary @{part} -H 'content-type: image/jpeg' {url}/v1/search/visual",
        )

        began = time.perf_counter()
        alike = await gateway.get(f"/v1/search/pins/{pin['id']}/similar", limit=3)
        titles = ", ".join(hit["title"] for hit in alike["items"]) or "none yet: `pinwheel seed` brings some"
        tell("asked for pins that look like it", began, titles)


async def _until(ask: Callable[[], Awaitable[Any]], identifier: str, how: str) -> int:
    """The place, from 1, at which the pin is found. Raises Failure when it is not for long."""
    deadline = time.perf_counter() + _FOUND_SECONDS
    while time.perf_counter() < deadline:
        answer = await ask()
        for place, hit in enumerate(answer["items"], 1):
            if hit["pin_id"] == identifier:
                return place
        await asyncio.sleep(_POLL_SECONDS)
    raise Failure(
        f"the pin is not found {how} after {_FOUND_SECONDS:.0f} s",
        "see `pinwheel status`, and the logs of pin-relay, ml-stream and search-leaf-0 in the namespace pinwheel",
        ExitCode.REFUSED,
    )


def _part(image: bytes) -> bytes:
    """The middle of a JPEG, as somebody would cut it out."""
    whole = Image.open(io.BytesIO(image))
    left, top = (whole.width - _SIDE) // 2, (whole.height - _SIDE) // 2
    encoded = io.BytesIO()
    whole.crop((left, top, left + _SIDE, top + _SIDE)).save(encoded, "JPEG", quality=70)
    return encoded.getvalue()
