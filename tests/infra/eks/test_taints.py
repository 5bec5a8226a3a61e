"""A taint speaks EKS's dialect and Kubernetes'."""

import pytest

from infra.eks.taints import SYSTEM_ONLY, Taint, TaintEffect


@pytest.mark.parametrize(
    ("effect", "in_eks", "in_kubernetes"),
    [
        (TaintEffect.NO_SCHEDULE, "NO_SCHEDULE", "NoSchedule"),
        (TaintEffect.PREFER_NO_SCHEDULE, "PREFER_NO_SCHEDULE", "PreferNoSchedule"),
        (TaintEffect.NO_EXECUTE, "NO_EXECUTE", "NoExecute"),
    ],
)
def test_the_effect_is_translated(effect: TaintEffect, in_eks: str, in_kubernetes: str):
    taint = Taint("dedicated", "search", effect)
    assert taint.for_node_group().effect == in_eks
    assert taint.for_node_pool()["effect"] == in_kubernetes
    assert taint.toleration()["effect"] == in_kubernetes


def test_the_typed_toleration_is_the_plain_one():
    typed = SYSTEM_ONLY.toleration_args()
    plain = {"key": typed.key, "operator": typed.operator, "value": typed.value, "effect": typed.effect}
    assert plain == SYSTEM_ONLY.toleration()
