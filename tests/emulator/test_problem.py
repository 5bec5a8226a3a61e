"""How a refusal is told."""

from hypothesis import given
from hypothesis import strategies as st

from emulator.problem import Problem, closest, join, one_of


def test_paths_are_joined_as_one_would_write_them():
    assert join("spec", "containers") == "spec.containers"
    assert join("spec.containers", "[0].image") == "spec.containers[0].image"
    assert join("", "spec") == join("spec", "") == "spec"


def test_a_problem_reads_as_a_sentence():
    problem = Problem("minSize", -1, "is negative", "0 or more").at("scalingConfig")
    assert str(problem) == "scalingConfig.minSize = -1 is negative: 0 or more"
    assert str(Problem("", "x", "is odd", "even")) == "'x' is odd: even"


def test_words_of_another_vocabulary_are_recognised():
    assert closest("NoSchedule", ["NO_EXECUTE", "NO_SCHEDULE"]) == "NO_SCHEDULE"
    assert closest("nonsense", ["NO_EXECUTE"]) is None


def test_few_choices_are_listed_and_many_are_cut():
    assert one_of(["a"]) == "only a"
    assert one_of([]) == "nothing is accepted here"
    assert one_of(["red", "green"], "gren") == "one of red, green; did you mean green?"
    many = one_of([f"choice-{n}" for n in range(100)], "choice-57x")
    assert many.startswith("one of choice-57, ")
    assert many.endswith(" and 92 more; did you mean choice-57?")


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_a_choice_is_closest_to_itself_but_for_its_spelling(choices, data):
    choice = data.draw(st.sampled_from(choices))
    meant = closest(choice, choices)
    assert meant is not None
    assert [c for c in meant.lower() if c.isalnum()] == [c for c in choice.lower() if c.isalnum()]
