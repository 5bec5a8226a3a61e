"""Who has which boards, what is on them, and how often it was saved; all follows from a seed and a number.

Popularity is Zipfian: the pin of rank r is saved in proportion to 1 / r^1.1, as catalogues of this kind are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from pinwheel.catalogue.pictures import picture
from pinwheel.catalogue.vocabulary import ADJECTIVES, COUNTRIES, THEMES

ZIPF_EXPONENT: Final = 1.1
SAVES_PER_PIN: Final = 1.0
"""In the mean."""
_PINS_PER_PERSON: Final = 100
_BOARDS_PER_PERSON: Final = 3
_SEED: Final = 20_100


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    username: str
    country: str


@dataclass(frozen=True)
class Board:
    """A board; `owner` is a number of a person, `theme` of a theme."""

    name: str
    owner: int
    theme: int


@dataclass(frozen=True)
class Pin:
    """A pin; `board` is the number of a board."""

    number: int
    board: int
    theme: int
    title: str
    description: str
    link: str

    def picture(self) -> bytes:
        """Its JPEG."""
        return picture(self.theme, self.number)


@dataclass(frozen=True)
class Save:
    """A pin that a person put on one of their boards, all by number."""

    pin: int
    person: int
    board: int


@dataclass(frozen=True)
class Catalogue:
    """`pins` pins, and people and boards in proportion."""

    pins: int

    def people(self) -> list[Person]:
        """About one for a hundred pins, two at least: a save is of another person's pin."""
        return [
            Person(
                f"{THEMES[at % len(THEMES)].name.replace(' ', '_')}_fan_{at}", COUNTRIES[at % len(COUNTRIES)]
            )
            for at in range(_people(self.pins))
        ]

    def boards(self) -> list[Board]:
        """Three for each person, of two of their interests."""
        found: list[Board] = []
        for owner in range(len(self.people())):
            for place in range(_BOARDS_PER_PERSON):
                theme = (owner + place // 2) % len(THEMES)
                found.append(Board(THEMES[theme].boards[place], owner, theme))
        return found

    def each_pin(self) -> Iterator[Pin]:
        """The pins in order.

        Each is on a board that a catalogue of the pins up to it has too: the first pins of a larger catalogue are
        those of a smaller one, so that a seed can be followed by a larger one.
        """
        boards = self.boards()
        random = np.random.default_rng(_SEED)
        for number in range(self.pins):
            board = int(random.integers(_boards(_people(number + 1))))
            theme = THEMES[boards[board].theme]
            words = [
                ADJECTIVES[int(random.integers(len(ADJECTIVES)))],
                theme.things[int(random.integers(len(theme.things)))],
                theme.details[int(random.integers(len(theme.details)))],
            ]
            text = " ".join(words)
            title = text[0].upper() + text[1:]
            yield Pin(
                number=number,
                board=board,
                theme=boards[board].theme,
                title=title,
                description=f"{title}, for everyone who likes {theme.name}.",
                link=f"https://{theme.name.replace(' ', '-')}.example/{number}",
            )

    def saves(self) -> list[Save]:
        """Who saved what; each at most once to a board, and not to the one that it is on."""
        boards, people = self.boards(), len(self.people())
        home = [pin.board for pin in self.each_pin()]
        of_person: dict[int, list[int]] = {}
        for at, board in enumerate(boards):
            of_person.setdefault(board.owner, []).append(at)
        random = np.random.default_rng(_SEED + 1)
        weights = 1.0 / np.arange(1, self.pins + 1) ** ZIPF_EXPONENT
        ranked = random.permutation(self.pins)
        chosen = random.choice(ranked, int(self.pins * SAVES_PER_PIN), p=weights / weights.sum())
        found: dict[tuple[int, int], Save] = {}
        for pin in chosen:
            person = int(random.integers(people))
            board = of_person[person][int(random.integers(len(of_person[person])))]
            if board != home[pin]:
                found.setdefault((int(pin), board), Save(int(pin), person, board))
        return list(found.values())


def _people(pins: int) -> int:
    return max(2, math.ceil(pins / _PINS_PER_PERSON))


def _boards(people: int) -> int:
    return people * _BOARDS_PER_PERSON
