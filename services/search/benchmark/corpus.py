"""A catalogue that looks like one: Zipfian words, boards of very different sizes, embeddings in clusters.

The same seed gives the same catalogue, chunk by chunk, so that a million pins need not be held twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_VOCABULARY: Final = 50_000
_WORD_SKEW: Final = 1.0
_WORD_OFFSET: Final = 20
"""Of Zipf and Mandelbrot: how much rarer the commonest word is than by Zipf's law alone, whose head are stop words.
With 20, SQLite FTS5 takes for a million pins about what the reference measured (p50 8.7 ms), and the commonest
word is in 4 % of the titles; without it, in 45 %. Groups' names are of the same words: predicates select fewer
than a hundred groups of a million pins' (docs/benchmarks.md)."""
_GROUP_SKEW: Final = 0.69
"""At a million pins the largest of 100,000 boards has about 9,000."""
_PINS_A_GROUP: Final = 10
_TERMS: Final = (5, 8)
_CLUSTER: Final = 500
"""Pins, on average."""
_SPREAD: Final = 1.3
"""Of a cluster, against the distance of clusters."""
_CHUNK: Final = 20_000
_COUNTRIES: Final = ("US", "BR", "MX", "DE", "FR", "GB", "IN", "ID", "JP", "IT", "ES", "CA", "AR", "TR", "PL")
_SYLLABLES: Final = [
    first + second for first in "bdfgklmnprstvz" for second in ("a", "e", "i", "o", "u", "an", "or")
]

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some pins."""

    ids: NDArray[np.int64]
    groups: NDArray[np.int64]
    titles: list[str]
    vectors: Matrix


@dataclass(frozen=True, slots=True)
class Group:
    """A board."""

    group_id: int
    name: str
    country: str


class Corpus:
    """So many pins; a tenth as many boards."""

    def __init__(self, pins: int, dimension: int = 128, seed: int = 7) -> None:
        self.pins: Final = pins
        self.groups: Final = max(pins // _PINS_A_GROUP, 1)
        self.dimension: Final = dimension
        self._seed: Final = seed
        generator = np.random.default_rng(seed)
        self._words: Final = _words()
        self._word_shares: Final = _cumulated(_VOCABULARY, _WORD_SKEW, _WORD_OFFSET)
        self._group_shares: Final = _cumulated(self.groups, _GROUP_SKEW)
        self._group_order: Final = generator.permutation(self.groups)
        clusters = max(pins // _CLUSTER, 1)
        self._centres: Final = generator.standard_normal((clusters, dimension), np.float32)

    def all_groups(self) -> list[Group]:
        """Every board."""
        generator = np.random.default_rng([self._seed, 1])
        words = self._draw(generator, self.groups * 2).reshape(-1, 2).tolist()
        countries = generator.choice(len(_COUNTRIES), self.groups).tolist()
        return [
            Group(number + 1, f"{self._words[first]} {self._words[second]}", _COUNTRIES[country])
            for number, ((first, second), country) in enumerate(zip(words, countries, strict=True))
        ]

    def chunks(self) -> Iterator[Chunk]:
        """Every pin, in the order of their identifiers."""
        for first in range(0, self.pins, _CHUNK):
            yield self._chunk(first, min(_CHUNK, self.pins - first))

    def text_queries(self, count: int, seed: int = 1) -> list[str]:
        """One to three terms of some title."""
        generator = np.random.default_rng([self._seed, 2, seed])
        titles = self._some_titles(generator, count)
        return [
            " ".join(generator.choice(title.split(), generator.integers(1, 4), replace=False).tolist())
            for title in titles
        ]

    def group_queries(self, count: int) -> list[tuple[str, str, str]]:
        """Terms of some title, with a country and a word of some board there."""
        generator = np.random.default_rng([self._seed, 3])
        groups = self.all_groups()
        chosen = [groups[number] for number in generator.integers(0, len(groups), count).tolist()]
        texts = self.text_queries(count, 2)
        return [
            (text, group.country, group.name.split()[0]) for text, group in zip(texts, chosen, strict=True)
        ]

    def vector_queries(self, count: int) -> Matrix:
        """Vectors near some of the pins'."""
        generator = np.random.default_rng([self._seed, 4])
        return self._vectors(generator, count)

    def _some_titles(self, generator: np.random.Generator, count: int) -> list[str]:
        chunks = [self._chunk(first, _CHUNK).titles for first in range(0, min(self.pins, 5 * _CHUNK), _CHUNK)]
        titles = [title for chunk in chunks for title in chunk][: self.pins]
        return [titles[place] for place in generator.integers(0, len(titles), count).tolist()]

    def _chunk(self, first: int, count: int) -> Chunk:
        generator = np.random.default_rng([self._seed, 0, first])
        lengths = generator.integers(_TERMS[0], _TERMS[1] + 1, count)
        words = [self._words[word] for word in self._draw(generator, int(lengths.sum())).tolist()]
        ends = np.cumsum(lengths).tolist()
        titles = [
            " ".join(words[end - length : end]) for end, length in zip(ends, lengths.tolist(), strict=True)
        ]
        places = np.searchsorted(self._group_shares, generator.random(count))
        groups = self._group_order[np.minimum(places, self.groups - 1)] + 1
        ids = np.arange(first + 1, first + count + 1, dtype=np.int64)
        return Chunk(ids, groups.astype(np.int64), titles, self._vectors(generator, count))

    def _draw(self, generator: np.random.Generator, count: int) -> NDArray[np.int64]:
        places = np.searchsorted(self._word_shares, generator.random(count))
        return np.minimum(places, _VOCABULARY - 1)

    def _vectors(self, generator: np.random.Generator, count: int) -> Matrix:
        centres = self._centres[generator.integers(0, len(self._centres), count)]
        noise = generator.standard_normal((count, self.dimension), np.float32)
        vectors = centres + np.float32(_SPREAD) * noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _cumulated(count: int, skew: float, offset: float = 0) -> NDArray[np.float64]:
    shares = (np.arange(1, count + 1, dtype=np.float64) + offset) ** -skew
    return np.cumsum(shares / shares.sum())


def _words() -> list[str]:
    """Words that differ and that no stemmer changes much: three or four syllables."""
    count = len(_SYLLABLES)
    return [
        _SYLLABLES[number % count]
        + _SYLLABLES[number // count % count]
        + _SYLLABLES[number // count**2 % count]
        + "k"
        for number in range(_VOCABULARY)
    ]
