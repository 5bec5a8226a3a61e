"""Texts from people become hashed features, for models that have no vocabulary of their own.

Words and their character n-grams, each counted in the slot that its hash names (the "hashing trick",
https://arxiv.org/abs/0902.2206; n-grams as in fastText, https://arxiv.org/abs/1607.04606): words that share
a stem or differ by a typing error share slots.
"""

import math
import re
import unicodedata
import zlib
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

MAX_CHARACTERS: Final = 2_000
"""A pin's title and description are shorter; what is longer is a mistake or an attack."""
_NGRAMS: Final = (2, 3, 4)
_WORD_WEIGHT: Final = 1.0
"""Of a whole word, beside 1 for the length of the vector of all its n-grams."""
_WORDS: Final = re.compile(r"\w+")


class TextError(ValueError):
    """The text cannot be embedded; the message says why."""


def checked(text: str) -> str:
    """The text, normalised (NFKC, case folded). Raises TextError when it is empty or too long."""
    if len(text) > MAX_CHARACTERS:
        raise TextError(f"the text has {len(text)} characters, more than the {MAX_CHARACTERS} that are taken")
    normal = unicodedata.normalize("NFKC", text).casefold().strip()
    if not normal:
        raise TextError("the text is empty")
    return normal


def hashed_features(text: str, count: int) -> NDArray[np.float32]:
    """An array [count]: the damped counts of the features of a `checked` text, summed by slot and sign."""
    features = np.zeros(count, dtype=np.float32)
    for feature, weight in _weights(text).items():
        hashed = zlib.crc32(feature.encode())
        sign = 1.0 if hashed & 1 else -1.0  # what collides by chance cancels out on average
        features[(hashed >> 1) % count] += sign * weight
    return features


def _weights(text: str) -> dict[str, float]:
    """Feature -> weight. Each word counts the same, however many n-grams it has; repeats count less."""
    weights: dict[str, float] = {}
    # A text of punctuation and emoji only has no words, but is not nothing.
    for word, times in Counter(_WORDS.findall(text) or text.split()).items():
        damped = 1.0 + math.log(times)
        bounded = f"<{word}>"
        ngrams = {bounded[at : at + n] for n in _NGRAMS for at in range(len(bounded) - n + 1)} - {bounded}
        weights[bounded] = _WORD_WEIGHT * damped
        for ngram in ngrams:
            weights[ngram] = weights.get(ngram, 0.0) + damped / math.sqrt(len(ngrams))
    return weights
