"""What every check of the rehearsal returns: one refusal, told so that it can be acted upon.

A check never raises over bad input and never stops at the first mistake: it returns all the problems it
finds, and the engine reports those of all resources in one run.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

MASKED = "[secret]"
"""Stands for a value that must not be printed."""

_LISTED = 8


@dataclass(frozen=True)
class Problem:
    """One value that AWS or Kubernetes would refuse, or accept to somebody's later regret."""

    property: str
    """Path in Pulumi's camelCase, such as `scalingConfig.minSize`; empty for the resource as a whole."""
    value: object
    """The offending value, or `MASKED`."""
    reason: str
    """What is wrong, in one clause: "is not an AMI type of EKS"."""
    remedy: str
    """What would be right: "one of AL2023_x86_64_NVIDIA, ...; did you mean AL2023_x86_64_NVIDIA?"."""

    def at(self, parent: str) -> "Problem":
        """Return the same problem seen from the owner of the property `parent`."""
        return replace(self, property=join(parent, self.property))

    def __str__(self) -> str:
        where = f"{self.property} = " if self.property else ""
        return f"{where}{self.value!r} {self.reason}: {self.remedy}"


def join(parent: str, child: str) -> str:
    """Join two property paths: `spec` and `containers[0]`, or `containers` and `[0].image`."""
    if not parent or not child or child.startswith("["):
        return parent + child
    return f"{parent}.{child}"


def closest(value: object, choices: Iterable[str]) -> str | None:
    """Return the choice a person who wrote `value` most likely meant, or None.

    A word of another vocabulary counts as meant: `NoSchedule` is `NO_SCHEDULE`, `minsize` is `minSize`.
    """
    by_letters: dict[str, str] = {}
    for choice in choices:
        by_letters.setdefault(letters(choice), choice)
    wanted = letters(str(value))
    if wanted in by_letters:
        return by_letters[wanted]
    near = get_close_matches(wanted, list(by_letters), n=1, cutoff=0.6)
    return by_letters[near[0]] if near else None


def one_of(choices: Iterable[str], value: object = "") -> str:
    """Say what would be right where only `choices` are: those nearest to `value` and the one meant."""
    known = list(choices)
    if len(known) <= 1:
        return f"only {known[0]}" if known else "nothing is accepted here"
    meant = closest(value, known)
    if len(known) > _LISTED:
        likely = get_close_matches(str(value), known, n=_LISTED, cutoff=0.4)
        likely = [meant, *likely] if meant is not None else likely
        known = list(dict.fromkeys(likely + known))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"one of {', '.join(known[:_LISTED])}{more}" + (f"; did you mean {meant}?" if meant else "")


def letters(word: str) -> str:
    """Reduce a word to its letters and digits in lower case, to compare spellings across vocabularies."""
    return "".join(character for character in word.lower() if character.isalnum())
