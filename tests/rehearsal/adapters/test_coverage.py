"""Every type that the programs use has an adapter, and no adapter leaves out a property that they set."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import infra
from rehearsal import adapters, placeholders
from rehearsal.record import Record
from rehearsal.rehearse import Rehearsal

PROGRAMS = Path(infra.__file__).parent
_CONSTRUCTOR = re.compile(r"\b(aws|random|pulumi_random)\.((?:[a-z_]+[a-z0-9_]*\.)*)([A-Z]\w*)\(")
_NOT_A_RESOURCE = re.compile(r"Args$|^Provider")


def used_types() -> Iterator[str]:
    """The tokens of all AWS and random resources that the source of `infra` constructs."""
    for file in sorted(PROGRAMS.rglob("*.py")):
        for package, module, name in _CONSTRUCTOR.findall(file.read_text()):
            if not _NOT_A_RESOURCE.search(name):
                yield token(package.removeprefix("pulumi_"), module.rstrip("."), name)


def token(package: str, module: str, name: str) -> str:
    place = f"pulumi_{package}.{module}".rstrip(".")
    found = getattr(importlib.import_module(place), name)
    source = inspect.getsource(found._internal_init)
    return str(re.search(r"'([a-z]+:[\w/.]+:\w+)'", source)[1])  # pyright: ignore[reportOptionalSubscript]


def records(rehearsal: Rehearsal) -> list[Record]:
    return [record for layer in rehearsal.layers for record in layer.records]


def test_every_type_in_the_programs_has_an_adapter():
    adapters.load()
    used = set(used_types())

    assert len(used) > 50
    assert sorted(each for each in used if adapters.find(each) is None) == []


@pytest.mark.xdist_group("rehearsed")
@pytest.mark.parametrize("environment", ["prod", "dev"])
def test_nothing_that_the_programs_set_goes_unchecked(
    environment: str, rehearsed: Callable[[str], Rehearsal]
):
    unchecked = {
        (record.type, name) for record in records(rehearsed(environment)) for name in record.unchecked
    }

    assert unchecked == set()


@pytest.mark.xdist_group("rehearsed")
@pytest.mark.parametrize("environment", ["prod", "dev"])
def test_outputs_have_the_names_that_the_sdk_declares(
    environment: str, rehearsed: Callable[[str], Rehearsal]
):
    """An output of another name would never be read: the program would get None."""
    unknown = {
        (record.type, name)
        for record in records(rehearsed(environment))
        if record.type.startswith(("aws:", "random:"))
        for name in record.outputs.keys() - placeholders.outputs(record.type, record.name, {}).keys()
    }

    assert unknown == set()


def test_every_adapter_is_of_a_type_that_the_sdk_has():
    adapters.load()

    unknown = [
        each
        for each in adapters.tokens()
        if not each.startswith("kubernetes:") and not placeholders.outputs(each, "x", {})
    ]
    assert unknown == []


def test_charts_are_recorded_only():
    adapters.load()

    assert adapters.find("kubernetes:helm.sh/v3:Release") is None
    assert adapters.find("kubernetes:apps/v1:Deployment") is not None
    assert adapters.find("gcp:storage/bucket:Bucket") is None


def test_modules_are_all_loaded():
    names = {module.name for module in pkgutil.iter_modules(adapters.__path__)}

    assert {"eks", "kafka", "glue", "network"} <= names
