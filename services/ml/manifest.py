"""What a model says of itself: `manifest.json` beside its ONNX files, in the registry and on disk."""

import re
from typing import Annotated, Final, Literal, Self

import msgspec

MANIFEST: Final = "manifest.json"
VERSION: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""What versions and names look like: they stand in S3 keys, file names and every embedding event."""

FileName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,100}$")]
"""Within the model's own folder: no path leads out of it."""
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]


class ManifestError(ValueError):
    """The manifest is no manifest; the message says where and what would be right."""


class ModelFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the model. `sha256` is checked before anything reads it."""

    sha256: Sha256
    size: Annotated[int, msgspec.Meta(gt=0, le=20 * 1024**3)]
    """Bytes."""


class ImageInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How pictures go into a graph: a batch [N, 3, size, size], sRGB."""

    file: FileName
    size: Annotated[int, msgspec.Meta(ge=8, le=1024)]
    """Pixels of a side; pictures are squeezed into the square."""
    type: Literal["uint8", "float32"] = "uint8"
    """uint8: 0..255 as decoded, the graph does the rest; float32: (value / 255 - mean) / deviation."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    deviation: tuple[float, float, float] = (1.0, 1.0, 1.0)


class TextInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How texts go into a graph: hashed features [N, features], float32; or strings [N]."""

    file: FileName
    type: Literal["hashed-features", "string"]
    features: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    """With `hashed-features` only; see `texts.hashed_features`."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model: one graph for images and, if it takes texts, one for them.

    Each graph has one input and one output [N, dimensions], float32; vectors need not be of unit length.
    """

    name: str
    version: str
    dimensions: Annotated[int, msgspec.Meta(ge=2, le=4096)]
    joint: bool
    """Whether the vectors of texts and of images compare, as CLIP's do."""
    image: ImageInput
    files: dict[FileName, ModelFile]
    text: TextInput | None = None
    description: str = ""

    @classmethod
    def parse(cls, encoded: bytes) -> Self:
        """Read JSON. Raises ManifestError."""
        try:
            manifest = msgspec.json.decode(encoded, type=cls)
        except msgspec.DecodeError as error:
            raise ManifestError(f"{MANIFEST}: {error}") from None
        for label, value in (("name", manifest.name), ("version", manifest.version)):
            if not VERSION.fullmatch(value):
                raise ManifestError(
                    f"{MANIFEST}: {label} is {value!r}; it must be 1-63 lower-case letters, digits, dots, "
                    "dashes or underscores"
                )
        wanted = [manifest.image.file, *([manifest.text.file] if manifest.text else [])]
        missing = [name for name in wanted if name not in manifest.files]
        if missing:
            raise ManifestError(f"{MANIFEST}: {missing[0]} is used but not listed under files")
        if manifest.text and (manifest.text.type == "hashed-features") != (manifest.text.features > 0):
            raise ManifestError(f"{MANIFEST}: text.features goes with type hashed-features, and is above 0")
        if manifest.joint and manifest.text is None:
            raise ManifestError(
                f"{MANIFEST}: joint says that texts compare with images; it needs a text graph"
            )
        return manifest

    @property
    def label(self) -> str:
        """Name and version: what answers and embedding events carry as `model_version`."""
        return f"{self.name}:{self.version}"

    def encoded(self) -> bytes:
        """As JSON for people, with a line end."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"
