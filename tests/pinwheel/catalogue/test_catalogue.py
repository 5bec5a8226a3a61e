"""The catalogue is the same every time, its pictures differ, and few pins are popular."""

import io
from collections import Counter
from itertools import islice

import pytest
from PIL import Image

from pinwheel.catalogue.catalogue import Catalogue
from pinwheel.catalogue.pictures import HEIGHTS, WIDTH, picture


def test_the_same_number_is_the_same_catalogue():
    one, two = Catalogue(300), Catalogue(300)
    assert list(one.each_pin()) == list(two.each_pin())
    assert (one.boards(), one.people(), one.saves()) == (two.boards(), two.people(), two.saves())
    assert [pin.picture() for pin in islice(one.each_pin(), 3)] == [
        pin.picture() for pin in islice(two.each_pin(), 3)
    ]


def test_a_larger_catalogue_begins_with_the_smaller_one():
    smaller, larger = Catalogue(250), Catalogue(2000)
    assert list(smaller.each_pin()) == list(islice(larger.each_pin(), 250))
    assert smaller.boards() == larger.boards()[: len(smaller.boards())]
    assert smaller.people() == larger.people()[: len(smaller.people())]


def test_titles_of_a_large_catalogue_differ():
    titles = {pin.title for pin in Catalogue(2000).each_pin()}
    assert len(titles) > 1000


def test_every_picture_is_another_and_as_wide_as_its_column():
    pictures = [pin.picture() for pin in islice(Catalogue(500).each_pin(), 40)]
    assert len(set(pictures)) == 40
    sizes = {Image.open(io.BytesIO(each)).size for each in pictures}
    assert sizes <= {(WIDTH, height) for height in HEIGHTS}


def test_pictures_of_a_theme_have_its_colours():
    def mean(theme: int) -> list[float]:
        colours = [
            Image.open(io.BytesIO(picture(theme, number))).resize((1, 1)).getpixel((0, 0))
            for number in range(12)
        ]
        return [sum(channel) / len(channel) for channel in zip(*colours, strict=True)]

    garden, ocean = mean(1), mean(5)
    assert garden[1] > garden[2]  # green
    assert ocean[2] > ocean[0]  # blue


def test_popularity_is_zipfian():
    saves = Catalogue(1000).saves()
    counts = [count for _, count in Counter(save.pin for save in saves).most_common()]
    assert counts[0] >= 20  # for a thousand pins and about a thousand saves
    assert len(counts) < 500
    assert len({(save.pin, save.board) for save in saves}) == len(saves)
    home = [pin.board for pin in Catalogue(1000).each_pin()]
    assert not any(save.board == home[save.pin] for save in saves)


@pytest.mark.parametrize("pins", [1, 5])
def test_the_smallest_catalogues(pins: int):
    catalogue = Catalogue(pins)
    assert len(list(catalogue.each_pin())) == pins
    assert len(catalogue.people()) == 2
