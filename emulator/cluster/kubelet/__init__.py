"""Pods as processes; see docs/decisions/0011-pods-are-processes.md."""

from emulator.cluster.kubelet.kubelet import Kubelet

__all__ = ["Kubelet"]
