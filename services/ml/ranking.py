"""Orders what search found by what one person did before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

MAX_CANDIDATES: Final = 1_000
MAX_HISTORY: Final = 200


@dataclass(frozen=True, slots=True)
class Found:
    """A candidate: a pin with the score that retrieval gave it, and its vector if it has one."""

    pin_id: int
    score: float
    vector: NDArray[np.float32] | None


class Ranker(Protocol):
    """A rule or a model that orders candidates."""

    def rank(self, history: Sequence[NDArray[np.float32]], candidates: Sequence[Found]) -> list[int]:
        """Pin ids of all candidates, best first; equals stay in the order given.

        Args:
            history: vectors of the pins that the person acted on last, newest first.
            candidates: finite scores, higher is better; vectors as long as those of the history.
        """
        ...


@dataclass(frozen=True)
class InterestRanker:
    """Likeness to the person's recent interest, beside the score of retrieval.

        interest = unit(sum of decay^i * history[i])
        rank by (1 - weight) * scaled(score) + weight * cosine(vector, interest)

    where `scaled` takes the candidates' scores to 0..1: those of text search have no bound of their own. A pin
    without a vector counts as neither like nor unlike. Without a history the order is that of the scores.
    Decayed means of what one acted on: PinnerSage (https://arxiv.org/abs/2007.03634), which keeps several
    clusters of interest where this keeps one.
    """

    decay: float = 0.9
    """Of each step back: half the weight is that of the 7 newest."""
    weight: float = 0.5

    def rank(self, history: Sequence[NDArray[np.float32]], candidates: Sequence[Found]) -> list[int]:
        """See `Ranker`."""
        if not candidates:
            return []
        totals = _scaled(np.array([candidate.score for candidate in candidates], dtype=np.float64))
        interest = self._interest(history)
        if interest is not None:
            totals = (1 - self.weight) * totals + self.weight * _likeness(candidates, interest)
        return [candidates[at].pin_id for at in np.argsort(-totals, kind="stable")]

    def _interest(self, history: Sequence[NDArray[np.float32]]) -> NDArray[np.float64] | None:
        if not history:
            return None
        weights = self.decay ** np.arange(len(history), dtype=np.float64)
        total = weights @ np.stack(history).astype(np.float64)
        length = float(np.linalg.norm(total))
        return total / length if length > 1e-12 else None  # noqa: PLR2004 - opposite interests cancel out


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    lowest = scores.min()
    spread = scores.max() - lowest
    return (scores - lowest) / spread if spread > 0 else np.zeros_like(scores)


def _likeness(candidates: Sequence[Found], interest: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([0.0 if each.vector is None else float(each.vector @ interest) for each in candidates])
