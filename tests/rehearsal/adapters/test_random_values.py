"""Random values repeat themselves and keep to what was asked for."""

from hypothesis import given
from hypothesis import strategies as st

from rehearsal import adapters
from rehearsal.adapters import Order
from rehearsal.cloud import Cloud, Created
from tests.rehearsal.conftest import Play

PASSWORD = "random:index/randomPassword:RandomPassword"


def made(token: str, urn: str, **inputs: object) -> Created:
    adapters.load()
    adapter = adapters.find(token)
    assert adapter is not None
    return adapter(Order(Cloud("http://127.0.0.1:1", "0" * 12, "x"), token, "p", urn, inputs, {}))


@given(length=st.integers(8, 128), least=st.integers(0, 2), urn=st.text(min_size=1))
def test_a_password_keeps_to_its_length_and_minimums(length: int, least: int, urn: str):
    result = made(
        PASSWORD, urn, length=length, minUpper=least, minNumeric=least, overrideSpecial="-_"
    ).outputs["result"]

    assert len(result) == length
    assert sum(letter.isupper() for letter in result) >= least
    assert sum(letter.isdigit() for letter in result) >= least
    assert all(letter.isalnum() or letter in "-_" for letter in result)


def test_the_same_resource_draws_the_same_and_another_draws_another():
    first = made(PASSWORD, "urn:a", length=32)

    assert first == made(PASSWORD, "urn:a", length=32)
    assert first != made(PASSWORD, "urn:b", length=32)


def test_classes_can_be_left_out():
    result = made(PASSWORD, "urn:a", length=64, special=False, upper=False).outputs["result"]

    assert result.isalnum()
    assert result == result.lower()


def test_an_identifier_in_four_spellings():
    outputs = made("random:index/randomId:RandomId", "urn:a", byteLength=4).outputs

    assert len(outputs["hex"]) == 8
    assert int(outputs["hex"], 16) == int(outputs["dec"])


def test_impossible_lengths_are_refused(play: Play):
    (short,) = play.refused(PASSWORD, length=3, minUpper=2, minNumeric=2)
    (none,) = play.refused(PASSWORD, length=0)
    (nothing,) = play.refused(PASSWORD, length=8, upper=False, lower=False, numeric=False, special=False)

    assert (short.property, none.property, nothing.property) == ("length", "length", "length")
