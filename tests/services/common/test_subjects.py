"""A subject has one key, which says nothing of it."""

from hypothesis import given
from hypothesis import strategies as st

from services.common.subjects import subject_key


@given(st.text(min_size=1))
def test_a_key_fits_a_signed_integer_of_64_bits_and_is_never_nobody_s(subject: str) -> None:
    assert 0 < subject_key(subject) < 2**63


def test_the_same_subject_has_the_same_key_for_ever() -> None:
    assert subject_key("5f0d1c5e-a43f-4c79-9d02-4e6b6b1c7a11") == 1_815_410_157_446_586_295
    assert subject_key("ada") != subject_key("Ada")
