"""Kubernetes objects as an API server would admit them: known kinds, valid schemas, existing namespaces, no doubles."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.problem import Problem, closest
from rehearsal.cluster import charted_definitions
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_CRD = "CustomResourceDefinition"
_BUILT_IN_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
_CLUSTER_SCOPED = frozenset(
    {
        "APIService", "ClusterRole", "ClusterRoleBinding", "CSIDriver", "CSINode", _CRD, "IngressClass",
        "MutatingWebhookConfiguration", "Namespace", "Node", "PersistentVolume", "PriorityClass", "RuntimeClass",
        "StorageClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding",
        "ValidatingWebhookConfiguration", "VolumeAttributesClass",
    }
)  # fmt: skip


def manifest_of(record: Record) -> dict[str, Any] | None:
    """The object that a resource declares, with its name; None if it is not a Kubernetes object."""
    if not record.type.startswith("kubernetes:") or "kind" not in record.inputs:
        return None
    metadata = record.inputs.get("metadata") or {}
    return {**record.inputs, "metadata": {"name": record.name, **metadata}}


class KubernetesObjects(Rule):
    """Admits objects against the API schemas of the cluster's version and of the CRDs that came before."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._namespaces = set(_BUILT_IN_NAMESPACES)
        self._cluster_scoped_kinds = set(_CLUSTER_SCOPED)
        self._objects: dict[tuple[str, str, str], str] = {}

    @cached_property
    def _schemas(self) -> KubernetesSchemas:
        schemas = KubernetesSchemas(self._version)
        for definition in charted_definitions():
            self._learn(definition, schemas)
        return schemas

    def _learn(self, definition: Mapping[str, Any], schemas: KubernetesSchemas) -> None:
        schemas.add_custom_resource_definition(definition)
        if definition["spec"]["scope"] == "Cluster":
            self._cluster_scoped_kinds.add(definition["spec"]["names"]["kind"])

    def check(self, record: Record) -> Iterable[Problem]:
        """One object."""
        manifest = manifest_of(record)
        return self._problems(manifest, record) if manifest else ()

    def _problems(self, manifest: dict[str, Any], record: Record) -> Iterator[Problem]:
        yield from self._schemas.check(manifest)
        kind, namespace, name = key = self._key(manifest)
        if namespace and namespace not in self._namespaces:
            meant = closest(namespace, self._namespaces)
            yield Problem(
                "metadata.namespace",
                namespace,
                "is not a namespace of the cluster",
                f"declare it first and depend on it; did you mean {meant}?"
                if meant
                else "declare it first and depend on it",
            )
        other = self._objects.setdefault(key, record.urn)
        if other != record.urn:
            yield Problem(
                "metadata.name",
                name,
                f"is already the name of a {kind}{f' in {namespace}' if namespace else ''}",
                f"another name; {other.rsplit('::', 1)[-1]} has this one",
            )

    def _key(self, manifest: Mapping[str, Any]) -> tuple[str, str, str]:
        kind, metadata = str(manifest["kind"]), manifest["metadata"]
        namespace = "" if kind in self._cluster_scoped_kinds else str(metadata.get("namespace") or "default")
        return kind, namespace, str(metadata["name"])

    def remember(self, record: Record) -> None:
        """Namespaces, and the kinds that CRDs bring."""
        manifest = manifest_of(record)
        if manifest is None:
            return
        if manifest["kind"] == "Namespace":
            self._namespaces.add(manifest["metadata"]["name"])
        elif manifest["kind"] == _CRD:
            self._learn(manifest, self._schemas)
