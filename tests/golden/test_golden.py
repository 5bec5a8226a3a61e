"""What the environments declare is what was reviewed: any change shows here, and in the diff of a golden file."""

import json
from collections.abc import Callable

import pytest

from rehearsal.rehearse import Rehearsal
from tests.golden.renew import ENVIRONMENTS, GOLDEN, reduced, written

pytestmark = pytest.mark.xdist_group("rehearsed")


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_environment_declares_what_was_reviewed(rehearsed: Callable[[str], Rehearsal], name: str):
    golden = (GOLDEN / f"{name}.json").read_text(encoding="utf-8")
    graph = rehearsed(name).as_json()

    reviewed, declared = json.loads(golden), json.loads(json.dumps(reduced(graph)))
    changed = [
        f"{layer} {each['resource']}"
        for layer in reviewed.keys() | declared.keys()
        for each in [*reviewed.get(layer, []), *declared.get(layer, [])]
        if (each in reviewed.get(layer, [])) != (each in declared.get(layer, []))
    ]
    assert sorted(set(changed)) == [], "review the change, then `make golden` and commit its diff"
    assert written(graph) == golden


def test_a_golden_file_is_small_enough_to_review():
    for name in ENVIRONMENTS:
        assert (GOLDEN / f"{name}.json").stat().st_size < 640 * 1024


def test_texts_are_reduced():
    resource = {
        "urn": "urn:a::b::c::d",
        "type": "t",
        "name": "d",
        "parent": "urn:a::b::c::parent",
        "inputs": {"code": "x" * 1000, "policy": '{"Version": "1"}', "brace": "{not json"},
    }

    (found,) = reduced({"layers": [{"name": "data", "resources": [resource]}]})["data"]

    assert found["resource"] == "t d"
    assert found["parent"] == "parent"
    assert found["inputs"]["code"].endswith(" of 1000 characters")
    assert found["inputs"]["policy"] == {"json": {"Version": "1"}}
    assert found["inputs"]["brace"] == "{not json"
