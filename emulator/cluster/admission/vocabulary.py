"""What the API server checks of Kubernetes fields although their published schema does not say so.

The OpenAPI schema gives `imagePullPolicy` as a string; that it is Always, IfNotPresent or Never stands in the
field's description and in `k8s.io/kubernetes/pkg/apis/*/validation`. These are merged into the schemas before
they are compiled, so that they cost nothing more and are reported in the same way.
"""

from typing import Any

from emulator.cluster import quantities

_CORE = "io.k8s.api.core.v1."
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"]
_PROTOCOLS = ["TCP", "UDP", "SCTP"]
_POLICY = "io.k8s.api.networking.v1."

ENUMS: dict[tuple[str, str], list[str]] = {
    (f"{_CORE}Container", "imagePullPolicy"): ["Always", "IfNotPresent", "Never"],
    (f"{_CORE}Container", "terminationMessagePolicy"): ["File", "FallbackToLogsOnError"],
    (f"{_CORE}ContainerPort", "protocol"): _PROTOCOLS,
    (f"{_CORE}PodSpec", "restartPolicy"): ["Always", "OnFailure", "Never"],
    (f"{_CORE}PodSpec", "dnsPolicy"): ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
    (f"{_CORE}Taint", "effect"): _EFFECTS,
    (f"{_CORE}Toleration", "effect"): _EFFECTS,
    (f"{_CORE}Toleration", "operator"): ["Exists", "Equal"],
    (f"{_CORE}NodeSelectorRequirement", "operator"): ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"],
    (f"{_CORE}TopologySpreadConstraint", "whenUnsatisfiable"): ["DoNotSchedule", "ScheduleAnyway"],
    (f"{_CORE}SeccompProfile", "type"): ["RuntimeDefault", "Localhost", "Unconfined"],
    (f"{_CORE}ServiceSpec", "type"): ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"],
    (f"{_CORE}ServiceSpec", "externalTrafficPolicy"): ["Cluster", "Local"],
    (f"{_CORE}ServiceSpec", "internalTrafficPolicy"): ["Cluster", "Local"],
    (f"{_CORE}ServiceSpec", "sessionAffinity"): ["ClientIP", "None"],
    (f"{_CORE}ServiceSpec", "ipFamilyPolicy"): ["SingleStack", "PreferDualStack", "RequireDualStack"],
    (f"{_CORE}ServicePort", "protocol"): _PROTOCOLS,
    (f"{_CORE}HTTPGetAction", "scheme"): ["HTTP", "HTTPS"],
    (f"{_META}LabelSelectorRequirement", "operator"): ["In", "NotIn", "Exists", "DoesNotExist"],
    ("io.k8s.api.apps.v1.DeploymentStrategy", "type"): ["RollingUpdate", "Recreate"],
    ("io.k8s.api.apps.v1.DaemonSetUpdateStrategy", "type"): ["RollingUpdate", "OnDelete"],
    ("io.k8s.api.apps.v1.StatefulSetUpdateStrategy", "type"): ["RollingUpdate", "OnDelete"],
    ("io.k8s.api.apps.v1.StatefulSetSpec", "podManagementPolicy"): ["OrderedReady", "Parallel"],
    ("io.k8s.api.batch.v1.CronJobSpec", "concurrencyPolicy"): ["Allow", "Forbid", "Replace"],
    ("io.k8s.api.autoscaling.v2.MetricTarget", "type"): ["Utilization", "Value", "AverageValue"],
    ("io.k8s.api.autoscaling.v2.MetricSpec", "type"): [
        "Resource",
        "ContainerResource",
        "Pods",
        "Object",
        "External",
    ],
    ("io.k8s.api.storage.v1.StorageClass", "volumeBindingMode"): ["Immediate", "WaitForFirstConsumer"],
    ("io.k8s.api.storage.v1.StorageClass", "reclaimPolicy"): ["Delete", "Retain"],
    (f"{_POLICY}NetworkPolicyPort", "protocol"): _PROTOCOLS,
    (f"{_POLICY}HTTPIngressPath", "pathType"): ["Exact", "Prefix", "ImplementationSpecific"],
    ("io.k8s.api.rbac.v1.Subject", "kind"): ["User", "Group", "ServiceAccount"],
    ("io.k8s.api.rbac.v1.RoleRef", "kind"): ["Role", "ClusterRole"],
    ("io.k8s.api.policy.v1.PodDisruptionBudgetSpec", "unhealthyPodEvictionPolicy"): [
        "AlwaysAllow",
        "IfHealthyBudget",
    ],
}

ITEM_ENUMS: dict[tuple[str, str], list[str]] = {
    (f"{_POLICY}NetworkPolicySpec", "policyTypes"): ["Ingress", "Egress"],
    (f"{_CORE}PersistentVolumeClaimSpec", "accessModes"): [
        "ReadWriteOnce",
        "ReadOnlyMany",
        "ReadWriteMany",
        "ReadWriteOncePod",
    ],
}

RANGES: dict[tuple[str, str], tuple[int, int]] = {
    (f"{_CORE}ContainerPort", "containerPort"): (1, 65535),
    (f"{_CORE}ContainerPort", "hostPort"): (0, 65535),
    (f"{_CORE}ServicePort", "port"): (1, 65535),
    (f"{_CORE}ServicePort", "nodePort"): (0, 65535),
    (f"{_CORE}GRPCAction", "port"): (1, 65535),
    ("io.k8s.api.apps.v1.DeploymentSpec", "replicas"): (0, 2**31 - 1),
    ("io.k8s.api.apps.v1.StatefulSetSpec", "replicas"): (0, 2**31 - 1),
}

DEFINITIONS: dict[str, dict[str, Any]] = {
    # The published `oneOf` of two types that both take null reports nothing readable.
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "type": ["string", "number"],
        "pattern": quantities.PATTERN,
    },
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {"type": ["string", "integer"]},
}


def add_vocabulary(definitions: dict[str, dict[str, Any]]) -> None:
    """Merge the rules into the schema definitions of one Kubernetes version, in place."""
    definitions |= DEFINITIONS
    for (definition, name), choices in ENUMS.items():
        _field(definitions, definition, name)["enum"] = [*choices, None]
    for (definition, name), choices in ITEM_ENUMS.items():
        _field(definitions, definition, name).setdefault("items", {})["enum"] = choices
    for (definition, name), (least, most) in RANGES.items():
        _field(definitions, definition, name).update(minimum=least, maximum=most)


def _field(definitions: dict[str, dict[str, Any]], definition: str, name: str) -> dict[str, Any]:
    # A version may lack a definition (it is older or newer): the rule then has nothing to apply to.
    return definitions.get(definition, {}).get("properties", {}).get(name, {})
