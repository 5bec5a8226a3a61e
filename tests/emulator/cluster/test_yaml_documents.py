"""YAML of requests, and what of it is refused."""

import pytest

from emulator.cluster.yaml_documents import LONGEST, YamlDocumentError, read_yaml


def test_it_is_read_as_yaml_1_1_and_becomes_json() -> None:
    assert read_yaml(b"a: on\nb: 2020-01-01\n1: 0o7\nc: &c [x]\nd: *c") == {
        "a": True,
        "b": "2020-01-01",
        "1": "0o7",
        "c": ["x"],
        "d": ["x"],
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"a: [", "while parsing a flow node"),
        (b"a: \xff", "invalid start byte"),
        (b"a: !!python/object:os.system x", "could not determine a constructor"),
        (b"a: 1\n---\nb: 2", "expected a single document"),
        (b"a: &a [*a]", "Recursion limit reached"),
        (b"? [1]\n: 2", "Dict key must"),
        (b"[" * 3000 + b"]" * 3000, "exceeded max depth"),
        (b"a: " + b"x" * LONGEST, f"more than {LONGEST} bytes; send it as JSON"),
    ],
    ids=["broken", "not utf-8", "tag", "two documents", "in itself", "key", "deep", "long"],
)
def test_what_is_refused(text: bytes, told: str) -> None:
    with pytest.raises(YamlDocumentError, match=told) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("leaf", [b"[x,x,x,x,x,x,x,x,x,x]", b"x" * 1000], ids=["values", "text"])
def test_a_few_lines_may_not_stand_for_terabytes(leaf: bytes) -> None:
    lines = [b"a0: &a0 " + leaf]
    lines += [b"a%d: &a%d [%b]" % (n, n, b",".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 13)]
    with pytest.raises(YamlDocumentError, match="excessive aliasing"):
        read_yaml(b"\n".join(lines))
