"""Versions AWS does not support, on a day, are refused."""

from datetime import date

import pytest

from rehearsal.checks import versions
from rehearsal.checks.versions import check_version


@pytest.mark.parametrize(
    ("product", "version"),
    [
        ("eks", "1.35"),
        ("eks", "1.36"),
        ("msk", "3.9.x"),
        ("msk", "3.9.x.kraft"),
        ("msk-connect", "2.7.1"),
        ("aurora-mysql", "8.0.mysql_aurora.3.10.0"),
        ("aurora-mysql", "8.0.mysql_aurora.3.10"),
        ("eks-addon", "v1.20.4-eksbuild.2"),
    ],
)
def test_supported_versions_pass(product, version):
    assert check_version(product, version, "version") == []


@pytest.mark.parametrize(
    ("product", "version", "reason", "remedy"),
    [
        ("eks", "1.3", "is not a version of EKS", "1.35"),
        ("eks", "1.33", "out of standard support of EKS since 2026-07-29", "1.35"),
        ("msk", "3.9.0", "is not a version of Amazon MSK", "did you mean 3.9.x?"),
        ("msk", "3.5.1", "since 2025-10-23", "3.9.x"),
        ("aurora-mysql", "8.0.mysql_aurora.3.100", "is not a version", "8.0.mysql_aurora.3.10"),
        ("aurora-mysql", "5.7.mysql_aurora.2.11.3", "since 2024-10-31", "8.0.mysql_aurora"),
        ("eks-addon", "latest", "is not a version of EKS add-ons", "v1.20.4-eksbuild.2"),
    ],
)
def test_refusals_name_a_version_that_is_supported(product, version, reason, remedy):
    (problem,) = check_version(product, version, "kubernetesVersion")
    assert (problem.property, problem.value) == ("kubernetesVersion", version)
    assert reason in problem.reason
    assert remedy in problem.remedy


def test_the_day_decides():
    last = date(2027, 3, 27)
    assert check_version("eks", "1.35", "version", last) == []
    assert check_version("eks", "1.35", "version", date(2027, 3, 28))
    assert check_version("eks", "1.35", "version", date(2027, 3, 28), extended=True) == []
    assert check_version("eks", "1.35", "version", date(2028, 3, 28), extended=True)


def test_an_unknown_product_is_a_mistake_of_the_caller():
    with pytest.raises(KeyError, match="did you mean eks"):
        check_version("ekz", "1.35", "version")


def test_every_product_has_a_source_and_something_supported():
    table = versions._table()
    for product in table["products"].values():
        assert product["source"].startswith("https://")
        ends = product.get("versions", {"": {}}).values()
        assert any(end.get("standard", date.max) >= table["as_of"] for end in ends)
