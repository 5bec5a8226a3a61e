"""Makes the `Table` of objects of one resource.

https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from emulator.cluster.api.tables import configuration, network, nodes, pods, storage, workloads
from emulator.cluster.api.tables.columns import DEFAULT, Columns
from emulator.cluster.api.tables.custom import custom_columns
from emulator.cluster.resources import Resource
from emulator.cluster.store import Object

API_VERSION: Final = "meta.k8s.io/v1"


def table(
    resource: Resource,
    objects: Iterable[Object],
    include_object: str,
    definition: Mapping[str, Any] | None,
    now: datetime,
) -> dict[str, Any]:
    """The table, without its resource version, which is the list's.

    `definition` is the CustomResourceDefinition of a custom resource. `include_object` says what of each
    object its row carries besides the cells: `None`, `Metadata` or `Object`.
    """
    columns = columns_of(resource, definition)
    return {
        "kind": "Table",
        "apiVersion": API_VERSION,
        "metadata": {},
        "columnDefinitions": [column.definition() for column in columns],
        "rows": [
            {
                "cells": [column.cell(obj, now) for column in columns],
                "object": _included(resource, obj, include_object),
            }
            for obj in objects
        ],
    }


def columns_of(resource: Resource, definition: Mapping[str, Any] | None) -> Columns:
    """The columns of a resource."""
    return custom_columns(resource, definition) if definition else _COLUMNS.get(resource.qualified, DEFAULT)


def _included(resource: Resource, obj: Object, include_object: str) -> Object | None:
    match include_object:
        case "Object":
            return {"kind": resource.kind, "apiVersion": resource.api_version} | obj
        case "Metadata":
            return {
                "kind": "PartialObjectMetadata",
                "apiVersion": API_VERSION,
                "metadata": obj["metadata"],
            }
        case _:
            return None


_RBAC: Final = "rbac.authorization.k8s.io"
_ADMISSION: Final = "admissionregistration.k8s.io"

_COLUMNS: Final[dict[str, Columns]] = {
    "pods": pods.PODS,
    "podtemplates": workloads.POD_TEMPLATES,
    "replicationcontrollers": workloads.REPLICATION_CONTROLLERS,
    "deployments.apps": workloads.DEPLOYMENTS,
    "replicasets.apps": workloads.REPLICA_SETS,
    "statefulsets.apps": workloads.STATEFUL_SETS,
    "daemonsets.apps": workloads.DAEMON_SETS,
    "controllerrevisions.apps": workloads.CONTROLLER_REVISIONS,
    "jobs.batch": workloads.JOBS,
    "cronjobs.batch": workloads.CRON_JOBS,
    "horizontalpodautoscalers.autoscaling": workloads.AUTOSCALERS,
    "poddisruptionbudgets.policy": workloads.DISRUPTION_BUDGETS,
    "services": network.SERVICES,
    "endpoints": network.ENDPOINTS,
    "endpointslices.discovery.k8s.io": network.ENDPOINT_SLICES,
    "ingresses.networking.k8s.io": network.INGRESSES,
    "ingressclasses.networking.k8s.io": network.INGRESS_CLASSES,
    "networkpolicies.networking.k8s.io": network.NETWORK_POLICIES,
    "nodes": nodes.NODES,
    "namespaces": nodes.NAMESPACES,
    "events": nodes.EVENTS,
    "events.events.k8s.io": nodes.EVENTS,
    "leases.coordination.k8s.io": nodes.LEASES,
    "runtimeclasses.node.k8s.io": nodes.RUNTIME_CLASSES,
    "priorityclasses.scheduling.k8s.io": nodes.PRIORITY_CLASSES,
    "configmaps": configuration.CONFIG_MAPS,
    "secrets": configuration.SECRETS,
    "serviceaccounts": configuration.SERVICE_ACCOUNTS,
    "resourcequotas": configuration.RESOURCE_QUOTAS,
    f"roles.{_RBAC}": configuration.ROLES,
    f"clusterroles.{_RBAC}": configuration.ROLES,
    f"rolebindings.{_RBAC}": configuration.BINDINGS,
    f"clusterrolebindings.{_RBAC}": configuration.BINDINGS,
    f"validatingwebhookconfigurations.{_ADMISSION}": configuration.WEBHOOKS,
    f"mutatingwebhookconfigurations.{_ADMISSION}": configuration.WEBHOOKS,
    f"validatingadmissionpolicies.{_ADMISSION}": configuration.ADMISSION_POLICIES,
    f"validatingadmissionpolicybindings.{_ADMISSION}": configuration.ADMISSION_BINDINGS,
    "apiservices.apiregistration.k8s.io": configuration.API_SERVICES,
    "persistentvolumes": storage.PERSISTENT_VOLUMES,
    "persistentvolumeclaims": storage.PERSISTENT_VOLUME_CLAIMS,
    "storageclasses.storage.k8s.io": storage.STORAGE_CLASSES,
    "volumeattachments.storage.k8s.io": storage.VOLUME_ATTACHMENTS,
    "csidrivers.storage.k8s.io": storage.CSI_DRIVERS,
    "csinodes.storage.k8s.io": storage.CSI_NODES,
}
"""By the resource's qualified name; limit ranges and CustomResourceDefinitions have the default ones."""
