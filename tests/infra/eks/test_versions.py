"""The table of what goes with a Kubernetes version."""

import pytest

from infra import environment_file
from infra.eks import versions
from infra.eks.addons import BEFORE_COMPUTE, after_compute


@pytest.mark.parametrize("name", environment_file.names())
def test_every_environment_runs_a_version_with_all_its_addons(name: str):
    builds = versions.of_kubernetes(environment_file.load(name).cluster.kubernetes_version).addons
    addons = [*BEFORE_COMPUTE, *after_compute("arn:aws:kms:us-east-1:111122223333:key/volumes")]
    assert len(addons) == 7
    for addon in addons:
        assert "-eksbuild." in builds.of(addon.name)


def test_kube_proxy_follows_kubernetes():
    for version in ("1.35", "1.36"):
        pinned = versions.of_kubernetes(version)
        assert pinned.addons.kube_proxy.startswith(f"v{version}.")
        assert pinned.node_release.startswith(f"{version}.")


def test_karpenter_starts_the_same_ami_release_as_node_groups():
    pinned = versions.of_kubernetes("1.36")
    assert pinned.ami_alias == "al2023@v" + pinned.node_release.split("-")[1]


def test_an_unpinned_version_is_refused_with_the_remedy():
    with pytest.raises(
        ValueError, match=r"kubernetes_version = 1\.21: .*use one of 1\.35, 1\.36 or add its row"
    ):
        versions.of_kubernetes("1.21")
