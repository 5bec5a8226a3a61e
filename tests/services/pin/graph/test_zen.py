"""Related pins and pins for a board, on graphs small enough to see, and the laws that hold on all."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.pin.graph.adjacency import Adjacency
from services.pin.graph.numbering import Numbering
from services.pin.graph.walk import Walking
from services.pin.graph.zen import BoardChange, BoardPinGraph, Edges, PinChange, SaveChange

Change = BoardChange | PinChange | SaveChange


def graph_of(*changes: Change, walking: Walking | None = None) -> BoardPinGraph:
    graph = BoardPinGraph(walking)
    graph.apply(changes)
    return graph


def boards(*numbers: int, hidden: bool = False) -> list[BoardChange]:
    return [BoardChange(number, hidden=hidden) for number in numbers]


def saved(board: int, *pins: int) -> list[SaveChange]:
    return [SaveChange(pin, board, deleted=False) for pin in pins]


BICYCLES, CATS, MINE = 1, 2, 3
GARAGE = [
    *boards(BICYCLES, CATS, MINE),
    *(PinChange(pin, BICYCLES) for pin in (10, 11, 12, 13)),
    *(PinChange(pin, CATS) for pin in (20, 21, 22)),
]


def test_pins_of_the_same_board_are_related_and_others_are_not() -> None:
    assert sorted(graph_of(*GARAGE).related(10, 10)) == [11, 12, 13]


def test_a_pin_that_many_boards_have_beside_it_comes_first() -> None:
    graph = graph_of(*GARAGE, *boards(4, 5, 6), *saved(4, 10, 20), *saved(5, 10, 20), *saved(6, 10, 20))
    assert graph.related(10, 10)[0] == 20


def test_more_like_a_board_are_pins_beside_its_own_but_not_those() -> None:
    graph = graph_of(*GARAGE, *saved(MINE, 10, 11))
    assert sorted(graph.more_like_board(MINE, 10)) == [12, 13]


def test_pins_that_several_of_the_boards_pins_lead_to_come_first() -> None:
    elsewhere = [*boards(4, 5, 6), *(PinChange(pin, 6) for pin in (30, 31, 32))]
    graph = graph_of(*GARAGE, *elsewhere, *saved(MINE, 10, 20), *saved(4, 10, 30), *saved(5, 20, 30))
    assert graph.more_like_board(MINE, 10)[0] == 30


@pytest.mark.parametrize("question", ["related", "more_like_board"])
def test_what_is_unknown_has_no_answers(question: str) -> None:
    for graph in (graph_of(), graph_of(*GARAGE)):
        assert getattr(graph, question)(999, 10) == []


def test_a_pin_that_is_not_known_yet_is_related_to_its_board() -> None:
    assert graph_of(*GARAGE).related(999, 2, board_id=BICYCLES) == [13, 12]


def test_a_pin_alone_on_its_board_is_related_to_nothing() -> None:
    assert graph_of(*boards(1), PinChange(10, 1)).related(10, 10) == []


def test_at_most_as_many_as_asked_for() -> None:
    graph = graph_of(*GARAGE)
    assert len(graph.related(10, 2)) == 2
    assert graph.related(10, 0) == []
    assert len(graph.more_like_board(MINE, 1)) == 0


def test_pins_of_a_secret_board_are_never_answers_even_when_saved_elsewhere() -> None:
    graph = graph_of(*GARAGE, *boards(4, hidden=True), PinChange(40, 4), *saved(BICYCLES, 40))
    assert 40 not in graph.related(10, 10)
    assert 40 not in graph.more_like_board(BICYCLES, 10)
    assert sorted(graph.related(40, 10)) == [10, 11, 12, 13]


def test_what_is_together_on_a_secret_board_is_not_related() -> None:
    graph = graph_of(*GARAGE, *boards(4, hidden=True), *saved(4, 10, 20))
    assert 20 not in graph.related(10, 10)
    graph.apply(boards(4))
    assert 20 in graph.related(10, 10)
    graph.apply(boards(4, hidden=True))
    assert 20 not in graph.related(10, 10)


def test_a_board_that_nothing_was_said_of_is_secret() -> None:
    graph = graph_of(*GARAGE, *saved(7, 10, 20))
    assert 20 not in graph.related(10, 10)


def test_a_save_that_was_taken_off_is_not_walked() -> None:
    graph = graph_of(*GARAGE, *saved(BICYCLES, 20))
    assert 20 in graph.related(10, 10)
    graph.apply([SaveChange(20, BICYCLES, deleted=True)])
    assert 20 not in graph.related(10, 10)


def test_taking_off_a_save_leaves_a_pin_on_its_own_board() -> None:
    graph = graph_of(*GARAGE, *saved(BICYCLES, 11), SaveChange(11, BICYCLES, deleted=True))
    assert 11 in graph.related(10, 10)


def test_a_deleted_pin_is_gone_from_everywhere() -> None:
    graph = graph_of(*GARAGE, *saved(CATS, 10), PinChange(10, None))
    assert 10 not in graph.related(11, 10)
    assert 10 not in graph.related(20, 10)
    assert graph.related(10, 10) == []
    graph.apply(saved(CATS, 10))
    assert 10 not in graph.related(20, 10)


def test_a_pin_that_moves_is_related_where_it_is() -> None:
    graph = graph_of(*GARAGE, PinChange(10, CATS))
    assert sorted(graph.related(10, 10)) == [20, 21, 22]


def test_of_two_boards_the_viewers_country_is_preferred() -> None:
    home, far = range(100, 200), range(200, 300)
    changes = [
        *(BoardChange(1, hidden=False, country="DE"), BoardChange(2, hidden=False, country="FR")),
        *(PinChange(pin, 1) for pin in home),
        *(PinChange(pin, 2) for pin in far),
        *saved(1, 200),
    ]
    graph = graph_of(*changes)

    def share(country: str) -> float:
        found = graph.related(200, 60, country=country)
        return sum(pin in far for pin in found) / len(found)

    assert share("FR") > share("") > share("DE")
    assert share("nowhere") == share("")


def test_the_same_question_has_the_same_answer() -> None:
    pins = [PinChange(pin, 1) for pin in range(100, 600)]
    answers = [graph_of(*boards(1), *pins).related(100, 20) for _ in range(2)]
    assert answers[0] == answers[1]
    graph = graph_of(*boards(1), *pins)
    assert graph.related(100, 20) == graph.related(100, 20) == answers[0]


def test_it_ends_early_once_enough_was_seen() -> None:
    short = Walking(steps=1_000_000, walkers=100, enough_pins=3, enough_visits=2)
    assert len(graph_of(*GARAGE, walking=short).related(10, 3)) == 3


def test_building_at_once_is_like_applying_one_by_one() -> None:
    built = BoardPinGraph.build(
        Edges(
            boards=np.array([1, 2, 9]),
            hidden=np.array([False, False, True]),
            countries=["DE", "", "FR"],
            pins=np.array([10, 11, 20, 90]),
            homes=np.array([1, 1, 2, 9]),
            saved_pins=np.array([20, 999, 90, 10]),
            saved_boards=np.array([1, 1, 2, 777]),
        )
    )
    applied = graph_of(
        *boards(1, 2),
        *boards(9, hidden=True),
        *(PinChange(10, 1), PinChange(11, 1), PinChange(20, 2), PinChange(90, 9)),
        *saved(1, 20),
        *saved(2, 90),
    )
    assert built.edges == applied.edges == 6
    for pin in (10, 11, 20, 90):
        assert sorted(built.related(pin, 10)) == sorted(applied.related(pin, 10))


def test_it_is_asked_and_changed_at_once() -> None:
    graph = graph_of(*GARAGE)
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(50):
                assert set(graph.related(10, 5)) <= set(range(1000))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for pin in range(100, 400):
        graph.apply([PinChange(pin, BICYCLES), *saved(CATS, pin)])
    for thread in threads:
        thread.join()
    assert failures == []


CHANGES = st.lists(
    st.one_of(
        st.builds(BoardChange, st.integers(1, 4), st.booleans()),
        st.builds(PinChange, st.integers(10, 16), st.one_of(st.none(), st.integers(1, 4))),
        st.builds(SaveChange, st.integers(10, 16), st.integers(1, 4), st.booleans()),
    ),
    max_size=60,
)


class Model:
    """What the graph should know, in sets."""

    def __init__(self) -> None:
        self.hidden: dict[int, bool] = {}
        self.home: dict[int, int] = {}
        self.saves: set[tuple[int, int]] = set()

    def apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, BoardChange):
                self.hidden[change.board_id] = change.hidden
            elif isinstance(change, PinChange):
                self.home.pop(change.pin_id, None)
                if change.board_id is None:
                    self.saves = {each for each in self.saves if each[0] != change.pin_id}
                else:
                    self.home[change.pin_id] = change.board_id
            elif change.pin_id in self.home:
                edge = {(change.pin_id, change.board_id)}
                self.saves = self.saves - edge if change.deleted else self.saves | edge

    def open(self, board: int) -> bool:
        return not self.hidden.get(board, True)

    def reachable(self, pin: int) -> set[int]:
        """Pins that any walk from here can pass."""
        edges = {(each, board) for each, board in [*self.home.items(), *self.saves] if self.open(board)}
        seen, more = set[int](), {pin}
        while more:
            seen |= more
            near = {board for each, board in edges if each in more}
            more = {each for each, board in edges if board in near} - seen
        return seen

    def shown(self, pin: int) -> bool:
        return pin in self.home and self.open(self.home[pin])


@settings(max_examples=300, deadline=None)
@given(CHANGES)
def test_answers_are_pins_that_may_be_shown_and_that_a_walk_can_reach(changes: list[Change]) -> None:
    graph, model = graph_of(*changes, walking=Walking(steps=400, walkers=50)), Model()
    model.apply(changes)
    assert graph.edges == len(model.home) + len(model.saves)
    for pin in range(10, 17):
        related = graph.related(pin, 10)
        allowed = {each for each in model.reachable(pin) if model.shown(each)} - {pin}
        assert set(related) <= allowed
        assert len(set(related)) == len(related)
        if pin in model.home and model.open(model.home[pin]):
            beside = {each for each, board in [*model.home.items(), *model.saves] if board == model.home[pin]}
            assert {each for each in beside if model.shown(each)} - {pin} <= set(related)
    for board in range(1, 5):
        there = {pin for pin, on in [*model.home.items(), *model.saves] if on == board}
        near = set[int]().union(*(model.reachable(pin) for pin in there))
        assert set(graph.more_like_board(board, 10)) <= {each for each in near if model.shown(each)} - there


@settings(max_examples=200, deadline=None)
@given(CHANGES)
def test_the_same_changes_again_change_nothing(changes: list[Change]) -> None:
    graph = graph_of(*changes)
    before = graph.edges, [sorted(graph.related(pin, 10)) for pin in range(10, 17)]
    boards_now = {each.board_id: each for each in changes if isinstance(each, BoardChange)}
    pins_now = {each.pin_id: each for each in changes if isinstance(each, PinChange)}
    graph.apply([*boards_now.values(), *pins_now.values()])
    assert (graph.edges, [sorted(graph.related(pin, 10)) for pin in range(10, 17)]) == before


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 8), st.integers(0, 5)), max_size=200))
def test_an_adjacency_is_a_multiset_of_edges(steps: list[tuple[bool, int, int]]) -> None:
    adjacency, model = Adjacency(), dict[int, list[int]]()
    for adds, node, neighbour in steps:
        there = model.setdefault(node, [])
        if adds:
            adjacency.add(node, neighbour)
            there.append(neighbour)
        else:
            assert adjacency.remove(node, neighbour) == (neighbour in there)
            if neighbour in there:
                there.remove(neighbour)
    for node, neighbours in model.items():
        assert sorted(adjacency.of_node(node).tolist()) == sorted(neighbours)


def test_room_that_blocks_leave_behind_is_used_again() -> None:
    adjacency = Adjacency()
    for neighbour in range(200):
        for node in range(50):
            adjacency.add(node, neighbour)
    assert len(adjacency.neighbours) < 4 * 50 * 200
    assert all(sorted(adjacency.of_node(node).tolist()) == list(range(200)) for node in range(50))


@given(st.lists(st.integers(1, 2**63 - 1), max_size=300), st.integers(0, 100))
def test_numbers_are_given_once_and_found_again(identifiers: list[int], at_once: int) -> None:
    first = list(dict.fromkeys(identifiers))[:at_once]
    numbering = Numbering(np.array(first, np.int64))
    numbers = {each: numbering.number(each) for each in identifiers}
    assert sorted(numbers.values()) == list(range(len(numbers)))
    assert all(numbering.find(each) == number for each, number in numbers.items())
    wanted = np.array([*numbers, 2**63 - 1], np.int64)
    assert numbering.find_all(wanted).tolist()[:-1] == list(numbers.values())
    assert numbering.identifiers(np.array(list(numbers.values()), np.int32)).tolist() == list(numbers)
