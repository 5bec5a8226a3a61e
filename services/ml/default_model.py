"""The model that is used when the registry names none: it needs no download, no training and no GPU.

Its graphs are computed here, from formulas, and run through ONNX Runtime like those of any other model.
Pictures that share colours, their arrangement and the direction of edges are near each other, as in MPEG-7's
visual descriptors (ISO/IEC 15938-3: scalable colour, colour layout, edge histogram). Texts that share words
or parts of words are. Neither knows what anything means, so texts and images do not compare: `joint` is false.
"""

import hashlib
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from services.ml.graph import Graph
from services.ml.manifest import MANIFEST, ImageInput, Manifest, ModelFile, TextInput

DIMENSIONS: Final = 128
NAME: Final = "default"
VERSION: Final = "1"
"""Another version of these formulas gets another number: vectors of two versions do not compare."""

_SIZE: Final = 64
_FEATURES: Final = 4096
_SEED: Final = 20_080_101
_COLOUR_WEIGHT: Final = 1.0
_LAYOUT_WEIGHT: Final = 0.9
_EDGES_WEIGHT: Final = 0.9

_RGB_TO_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
"""IEC 61966-2-1, D65."""
_WHITE: Final = np.array([0.95047, 1.0, 1.08883])
_LAB_DELTA: Final = 6 / 29

_EDGE_ORIENTATIONS: Final = 8
_EDGE_KERNEL: Final = 7
_LAYOUT_CELLS: Final = 8
_LAYOUT_COEFFICIENTS: Final = (8, 8, 8)
"""Of L, a and b, the lowest frequencies; with 32 colours and 3 x 3 x 8 edges they make 128."""


def write(directory: Path) -> Manifest:
    """Write the model's files into a directory, which is made if need be; the same bytes every time."""
    directory.mkdir(parents=True, exist_ok=True)
    graphs = {"image.onnx": image_graph(), "text.onnx": text_graph()}
    files: dict[str, ModelFile] = {}
    for name, graph in graphs.items():
        encoded = graph.SerializeToString(deterministic=True)
        (directory / name).write_bytes(encoded)
        files[name] = ModelFile(hashlib.sha256(encoded).hexdigest(), len(encoded))
    manifest = Manifest(
        name=NAME,
        version=VERSION,
        dimensions=DIMENSIONS,
        joint=False,
        image=ImageInput("image.onnx", _SIZE),
        text=TextInput("text.onnx", "hashed-features", _FEATURES),
        files=files,
        description="Colours, their layout and edges of pictures; words and their parts of texts. Not joint.",
    )
    (directory / MANIFEST).write_bytes(manifest.encoded())
    return manifest


def image_graph() -> onnx.ModelProto:
    """Pixels, uint8 [N, 3, 64, 64], to vectors [N, 128]."""
    graph = Graph("pixels", onnx.TensorProto.UINT8, (3, _SIZE, _SIZE))
    lab = _lab(graph, graph.input)
    described = [
        graph.scaled(_colours(graph, lab), _COLOUR_WEIGHT),
        graph.scaled(_layout(graph, lab), _LAYOUT_WEIGHT),
        graph.scaled(_edges(graph, lab), _EDGES_WEIGHT),
    ]
    return graph.model(graph.unit(graph.node("Concat", *described, axis=1)), DIMENSIONS)


def text_graph() -> onnx.ModelProto:
    """Hashed features, float32 [N, 4096], to vectors [N, 128]: a random projection.

    Distances are kept, within about 1 / sqrt(128), by random signs
    (Achlioptas 2003, https://doi.org/10.1016/S0022-0000(03)00025-4).
    """
    graph = Graph("features", onnx.TensorProto.FLOAT, (_FEATURES,))
    # PCG64's raw bits are the same in every version of NumPy; its distributions need not be.
    bits = np.random.PCG64(_SEED).random_raw(_FEATURES * DIMENSIONS) & np.uint64(1)
    signs = bits.astype(np.float32).reshape(_FEATURES, DIMENSIONS) * 2 - 1
    return graph.model(graph.unit(graph.node("MatMul", graph.input, graph.constant(signs))), DIMENSIONS)


def _lab(graph: Graph, pixels: str) -> str:
    """CIE L*a*b* divided by 100, L* about 0: [N, 3, 64, 64]. Distances are about as people see them."""
    value = graph.node("Div", graph.node("Cast", pixels, to=onnx.TensorProto.FLOAT), graph.number(255))
    steep = graph.node("Div", graph.node("Add", value, graph.number(0.055)), graph.number(1.055))
    linear = graph.node(
        "Where",
        graph.node("Greater", value, graph.number(0.04045)),
        graph.node("Pow", steep, graph.number(2.4)),
        graph.node("Div", value, graph.number(12.92)),
    )
    xyz = graph.node("Conv", linear, graph.constant(_pointwise(_RGB_TO_XYZ / _WHITE[:, None])))
    flat = graph.node("Mul", xyz, graph.number(1 / (3 * _LAB_DELTA**2)))
    curved = graph.node(
        "Where",
        graph.node("Greater", xyz, graph.number(_LAB_DELTA**3)),
        graph.node("Pow", graph.node("Max", xyz, graph.number(0)), graph.number(1 / 3)),
        graph.node("Add", flat, graph.number(4 / 29)),
    )
    to_lab = np.array([[0, 1.16, 0], [5.0, -5.0, 0], [0, 2.0, -2.0]])
    return graph.node(
        "Conv", curved, graph.constant(_pointwise(to_lab)), graph.constant(np.array([-0.66, 0, 0]))
    )


def _colours(graph: Graph, lab: str) -> str:
    """A histogram [N, 32] over fixed colours. Each pixel counts for those near it, so that a small shift of
    colour shifts the histogram a little instead of emptying one bin into the next."""
    centres = _palette()
    sharpness = 1 / (2 * 0.11**2)
    # -|x - c|^2 without |x|^2, which softmax does not see.
    weights, bias = 2 * sharpness * centres, -sharpness * (centres**2).sum(axis=1)
    small = graph.node("AveragePool", lab, kernel_shape=[2, 2], strides=[2, 2])
    near = graph.node("Conv", small, graph.constant(_pointwise(weights)), graph.constant(bias))
    counts = graph.node("GlobalAveragePool", graph.node("Softmax", near, axis=1))
    return graph.centred_unit(graph.node("Sqrt", graph.node("Flatten", counts, axis=1)), floor=0.05)


def _layout(graph: Graph, lab: str) -> str:
    """The lowest frequencies [N, 24] of L, a and b over 8 x 8 cells: which colours are where."""
    pool = _SIZE // _LAYOUT_CELLS
    cells = graph.node("AveragePool", lab, kernel_shape=[pool, pool], strides=[pool, pool])
    waves = graph.constant(_cosines())
    return graph.unit(graph.node("MatMul", graph.node("Flatten", cells, axis=1), waves), floor=0.15)


def _edges(graph: Graph, lab: str) -> str:
    """Strength of edges [N, 72] in 8 directions in 3 x 3 cells, which overlap so that a crop moves little."""
    lightness = graph.node("Conv", lab, graph.constant(_pointwise(np.array([[1.0, 0, 0]]))))
    margin = _EDGE_KERNEL // 2
    response = graph.node("Conv", lightness, graph.constant(_gabors()), pads=[margin] * 4)
    energy = graph.node("Mul", response, response)
    cells = graph.node(
        "AveragePool", energy, kernel_shape=[_SIZE // 2, _SIZE // 2], strides=[_SIZE // 4, _SIZE // 4]
    )
    return graph.centred_unit(graph.node("Sqrt", graph.node("Flatten", cells, axis=1)), floor=0.3)


def _pointwise(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A convolution's weights that apply a matrix to every pixel."""
    return matrix[:, :, None, None]


def _palette() -> NDArray[np.float64]:
    """32 colours [32, 3] as `_lab` has them: 4 greys, and 7 hues in 2 lightnesses and 2 saturations."""
    greys = [(lightness, 0.0, 0.0) for lightness in (0.05, 0.35, 0.68, 0.98)]
    hues = 2 * np.pi * np.arange(7) / 7
    tints = [
        (lightness, chroma * np.cos(hue), chroma * np.sin(hue))
        for lightness in (0.38, 0.72)
        for chroma in (0.25, 0.65)
        for hue in hues
    ]
    return np.array(greys + tints) - (0.5, 0, 0)


def _cosines() -> NDArray[np.float64]:
    """A matrix [3 x 64, 24]: the DCT-II's waves of the lowest frequencies; faster ones weigh less."""
    places = (np.arange(_LAYOUT_CELLS) + 0.5) * np.pi / _LAYOUT_CELLS
    frequencies = sorted(
        ((u, v) for u in range(_LAYOUT_CELLS) for v in range(_LAYOUT_CELLS)), key=lambda at: (sum(at), at)
    )
    waves = np.zeros((3, _LAYOUT_CELLS**2, sum(_LAYOUT_COEFFICIENTS)))
    column = 0
    for channel, count in enumerate(_LAYOUT_COEFFICIENTS):
        for u, v in frequencies[:count]:
            wave = np.outer(np.cos(u * places), np.cos(v * places))
            norm = np.sqrt((wave**2).sum()) * _LAYOUT_CELLS * (1 + 0.25 * (u + v))
            waves[channel, :, column] = (wave / norm).ravel()
            column += 1
    return waves.reshape(3 * _LAYOUT_CELLS**2, -1)


def _gabors() -> NDArray[np.float64]:
    """Filters [8, 1, 7, 7] that answer to an edge in each of 8 directions, and not to a plain surface."""
    reach = _EDGE_KERNEL // 2
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(float)
    filters: list[NDArray[np.float64]] = []
    for direction in np.pi * np.arange(_EDGE_ORIENTATIONS) / _EDGE_ORIENTATIONS:
        across = x * np.cos(direction) + y * np.sin(direction)
        wave = np.exp(-(x**2 + y**2) / (2 * 2.2**2)) * np.sin(2 * np.pi * across / 7)
        wave -= wave.mean()
        filters.append(wave / np.abs(wave).sum() * 4)
    return np.stack(filters)[:, None]
