"""Which resources the API has: the built-in ones, and those that CustomResourceDefinitions bring."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

CRD: Final = "CustomResourceDefinition"
NAMESPACED: Final = "Namespaced"
CLUSTER: Final = "Cluster"


@dataclass(frozen=True)
class Resource:
    """One resource at one version, such as `deployments` of `apps/v1`."""

    group: str
    """Empty for the core group."""
    version: str
    kind: str
    plural: str
    scope: str = NAMESPACED
    """NAMESPACED or CLUSTER."""
    short_names: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    """`status`, `scale`, ..."""
    categories: tuple[str, ...] = ()

    @property
    def namespaced(self) -> bool:
        """Whether its objects are in namespaces."""
        return self.scope == NAMESPACED

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` of the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def singular(self) -> str:
        """The kind in lower case, as kubectl takes it."""
        return self.kind.lower()

    @property
    def qualified(self) -> str:
        """`deployments.apps`, or `pods` of the core group: how messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def key(self) -> tuple[str, str]:
        """What objects are stored by: group and plural, whatever the version they were written at."""
        return self.group, self.plural

    @property
    def base(self) -> str:
        """The path under which it is served."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """The URL path of the collection or of one object."""
        within = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{self.base}{within}/{self.plural}" + (f"/{name}" if name else "")


_STATUS: Final = ("status",)
_SCALED: Final = ("status", "scale")
_ALL: Final = ("all",)
_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"
_STORAGE: Final = "storage.k8s.io"

BUILT_IN: Final = (
    Resource("", "v1", "Namespace", "namespaces", CLUSTER, ("ns",), _STATUS),
    Resource("", "v1", "Node", "nodes", CLUSTER, ("no",), _STATUS),
    Resource(
        *("", "v1", "Pod", "pods", NAMESPACED, ("po",)),
        subresources=("status", "log", "eviction", "binding"),
        categories=_ALL,
    ),
    Resource("", "v1", "Service", "services", NAMESPACED, ("svc",), _STATUS, _ALL),
    Resource("", "v1", "Endpoints", "endpoints", NAMESPACED, ("ep",)),
    Resource("", "v1", "ConfigMap", "configmaps", NAMESPACED, ("cm",)),
    Resource("", "v1", "Secret", "secrets"),
    Resource("", "v1", "ServiceAccount", "serviceaccounts", NAMESPACED, ("sa",)),
    Resource("", "v1", "Event", "events", NAMESPACED, ("ev",)),
    Resource("", "v1", "PersistentVolume", "persistentvolumes", CLUSTER, ("pv",), _STATUS),
    Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", NAMESPACED, ("pvc",), _STATUS),
    Resource("", "v1", "ReplicationController", "replicationcontrollers", NAMESPACED, ("rc",), _SCALED, _ALL),
    Resource("", "v1", "ResourceQuota", "resourcequotas", NAMESPACED, ("quota",), _STATUS),
    Resource("", "v1", "LimitRange", "limitranges", NAMESPACED, ("limits",)),
    Resource("", "v1", "PodTemplate", "podtemplates"),
    Resource("apps", "v1", "Deployment", "deployments", NAMESPACED, ("deploy",), _SCALED, _ALL),
    Resource("apps", "v1", "ReplicaSet", "replicasets", NAMESPACED, ("rs",), _SCALED, _ALL),
    Resource("apps", "v1", "StatefulSet", "statefulsets", NAMESPACED, ("sts",), _SCALED, _ALL),
    Resource("apps", "v1", "DaemonSet", "daemonsets", NAMESPACED, ("ds",), _STATUS, _ALL),
    Resource("apps", "v1", "ControllerRevision", "controllerrevisions"),
    Resource("batch", "v1", "Job", "jobs", NAMESPACED, (), _STATUS, _ALL),
    Resource("batch", "v1", "CronJob", "cronjobs", NAMESPACED, ("cj",), _STATUS, _ALL),
    Resource(
        *("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", NAMESPACED, ("hpa",)),
        subresources=_STATUS,
        categories=_ALL,
    ),
    Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", NAMESPACED, ("pdb",), _STATUS),
    Resource("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
    Resource("events.k8s.io", "v1", "Event", "events", NAMESPACED, ("ev",)),
    Resource("coordination.k8s.io", "v1", "Lease", "leases"),
    Resource("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", NAMESPACED, ("netpol",)),
    Resource("networking.k8s.io", "v1", "Ingress", "ingresses", NAMESPACED, ("ing",), _STATUS),
    Resource("networking.k8s.io", "v1", "IngressClass", "ingressclasses", CLUSTER),
    Resource("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", CLUSTER, ("pc",)),
    Resource("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", CLUSTER),
    Resource(_STORAGE, "v1", "StorageClass", "storageclasses", CLUSTER, ("sc",)),
    Resource(_STORAGE, "v1", "VolumeAttachment", "volumeattachments", CLUSTER, (), _STATUS),
    Resource(_STORAGE, "v1", "CSIDriver", "csidrivers", CLUSTER),
    Resource(_STORAGE, "v1", "CSINode", "csinodes", CLUSTER),
    Resource(_RBAC, "v1", "ClusterRole", "clusterroles", CLUSTER),
    Resource(_RBAC, "v1", "ClusterRoleBinding", "clusterrolebindings", CLUSTER),
    Resource(_RBAC, "v1", "Role", "roles"),
    Resource(_RBAC, "v1", "RoleBinding", "rolebindings"),
    Resource(
        *(_ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", CLUSTER),
        subresources=_STATUS,
    ),
    Resource(
        _ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", CLUSTER
    ),
    Resource(_ADMISSION, "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", CLUSTER),
    Resource(_ADMISSION, "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", CLUSTER),
    Resource("apiregistration.k8s.io", "v1", "APIService", "apiservices", CLUSTER, (), _STATUS),
    Resource(
        *("apiextensions.k8s.io", "v1", CRD, "customresourcedefinitions", CLUSTER, ("crd", "crds")),
        subresources=_STATUS,
        categories=("api-extensions",),
    ),
)


class Resources:
    """The resources that are served now."""

    def __init__(self) -> None:
        self._served: dict[tuple[str, str, str], Resource] = {}
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._custom: dict[str, tuple[Resource, ...]] = {}
        """By the name of the CustomResourceDefinition."""
        for resource in BUILT_IN:
            self._serve(resource)

    def __iter__(self) -> Iterator[Resource]:
        """All, in the order in which they came."""
        return iter(self._served.values())

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """By the parts of a URL."""
        return self._served.get((group, version, plural))

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """By what stands in a manifest."""
        return self._kinds.get((api_version, kind))

    def __getitem__(self, plural: str) -> Resource:
        """A built-in resource by its qualified name: `pods`, `deployments.apps`. Raises KeyError."""
        return _BY_QUALIFIED_NAME[plural]

    def define(self, definition: Mapping[str, Any]) -> tuple[Resource, ...]:
        """Serve what a CustomResourceDefinition describes, in place of what it described before."""
        self.forget(definition["metadata"]["name"])
        spec, names = definition["spec"], definition["spec"]["names"]
        served = tuple(
            Resource(
                spec["group"],
                version["name"],
                names["kind"],
                names["plural"],
                spec["scope"],
                tuple(names.get("shortNames") or ()),
                tuple(version.get("subresources") or ()),
                tuple(names.get("categories") or ()),
            )
            for version in spec["versions"]
            if version.get("served", True)
        )
        for resource in served:
            self._serve(resource)
        self._custom[definition["metadata"]["name"]] = served
        return served

    def forget(self, definition_name: str) -> None:
        """Serve no longer what a CustomResourceDefinition brought."""
        for resource in self._custom.pop(definition_name, ()):
            del self._served[resource.group, resource.version, resource.plural]
            del self._kinds[resource.api_version, resource.kind]

    def _serve(self, resource: Resource) -> None:
        self._served[resource.group, resource.version, resource.plural] = resource
        self._kinds[resource.api_version, resource.kind] = resource


_BY_QUALIFIED_NAME: Final = {resource.qualified: resource for resource in BUILT_IN}
