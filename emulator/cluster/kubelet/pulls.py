"""Waiting for an image as a kubelet does: error and back-off by turns, until the image is there."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from emulator.cluster.kubelet.attendance import Record
from emulator.cluster.kubelet.backoff import BackOff
from emulator.cluster.kubelet.images import Image, ImageError, load_image, project_name

_SHOWN_SECONDS: Final = 1.0
"""For which an error is shown, before its back-off is."""


async def pull(
    images: Path | None,
    reference: str,
    back_off: BackOff,
    record: Record,
    wait_because: Callable[[str, str], None],
) -> Image:
    """The image of a reference, as soon as it can be had from the folder of images.

    `wait_because` hears the reason and message of the container's waiting state.
    """
    back_off.after(0)  # a pull is not tried again at once
    while True:
        try:
            return load_image(images, project_name(reference) or "", reference)
        except ImageError as error:
            record("Warning", "Failed", f'Failed to pull image "{reference}": {error}')
            record("Warning", "Failed", "Error: ErrImagePull")
            wait_because("ErrImagePull", str(error))
            delay = back_off.after(0)
            await asyncio.sleep(min(_SHOWN_SECONDS, delay))
            told = f'Back-off pulling image "{reference}"'
            record("Normal", "BackOff", told)
            wait_because("ImagePullBackOff", f"{told}: ErrImagePull: {error}")
            await asyncio.sleep(delay)
