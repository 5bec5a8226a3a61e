"""The columns of volumes."""

from typing import Final

from emulator.cluster.api.tables.columns import AGE, NAME, UNSET, Column, at, column, field
from emulator.cluster.store import Object, is_terminating

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_MODES: Final = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}
"""In the order in which they are shown."""


def _modes(modes: list[str] | None) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in (modes or ()))


def _phase(obj: Object) -> str:
    return "Terminating" if is_terminating(obj) else at(obj, "status.phase") or ""


def _claim(volume: Object) -> str:
    reference = at(volume, "spec.claimRef")
    return f"{reference.get('namespace', '')}/{reference['name']}" if reference else ""


def _when_bound(claim: Object, text: str) -> str:
    return text if at(claim, "spec.volumeName") else ""


def _class_name(storage_class: Object) -> str:
    metadata = storage_class["metadata"]
    default = (metadata.get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    return f"{metadata['name']} (default)" if default else metadata["name"]


def _token_requests(driver: Object) -> str:
    return ",".join(each.get("audience", "") for each in at(driver, "spec.tokenRequests") or ()) or UNSET


_CLASS: Final = (
    field("StorageClass", "spec.storageClassName"),
    field("VolumeAttributesClass", "spec.volumeAttributesClassName", absent=UNSET),
)
_VOLUME_MODE: Final = field("VolumeMode", "spec.volumeMode", absent=UNSET, wide=True)

PERSISTENT_VOLUMES: Final = (
    NAME,
    field("Capacity", "spec.capacity.storage"),
    column("Access Modes", lambda obj: _modes(at(obj, "spec.accessModes"))),
    field("Reclaim Policy", "spec.persistentVolumeReclaimPolicy"),
    column("Status", _phase),
    column("Claim", _claim),
    *_CLASS,
    field("Reason", "status.reason"),
    AGE,
    _VOLUME_MODE,
)
PERSISTENT_VOLUME_CLAIMS: Final = (
    NAME,
    column("Status", _phase),
    field("Volume", "spec.volumeName"),
    column("Capacity", lambda obj: _when_bound(obj, at(obj, "status.capacity.storage") or "")),
    column("Access Modes", lambda obj: _when_bound(obj, _modes(at(obj, "status.accessModes")))),
    *_CLASS,
    AGE,
    _VOLUME_MODE,
)
STORAGE_CLASSES: Final = (
    Column("Name", lambda obj, _: _class_name(obj), format="name"),
    field("Provisioner", "provisioner"),
    field("ReclaimPolicy", "reclaimPolicy", absent="Delete"),
    field("VolumeBindingMode", "volumeBindingMode", absent=UNSET),
    column("AllowVolumeExpansion", lambda obj: bool(obj.get("allowVolumeExpansion")), "boolean"),
    AGE,
)
VOLUME_ATTACHMENTS: Final = (
    NAME,
    field("Attacher", "spec.attacher"),
    field("PV", "spec.source.persistentVolumeName"),
    field("Node", "spec.nodeName"),
    column("Attached", lambda obj: bool(at(obj, "status.attached")), "boolean"),
    AGE,
)
CSI_DRIVERS: Final = (
    NAME,
    column("AttachRequired", lambda obj: at(obj, "spec.attachRequired") is not False, "boolean"),
    column("PodInfoOnMount", lambda obj: bool(at(obj, "spec.podInfoOnMount")), "boolean"),
    column("StorageCapacity", lambda obj: bool(at(obj, "spec.storageCapacity")), "boolean"),
    column("TokenRequests", _token_requests),
    column("RequiresRepublish", lambda obj: bool(at(obj, "spec.requiresRepublish")), "boolean"),
    column("Modes", lambda obj: ",".join(at(obj, "spec.volumeLifecycleModes") or ("Persistent",))),
    AGE,
)
CSI_NODES: Final = (
    NAME,
    column("Drivers", lambda obj: len(at(obj, "spec.drivers") or ()), "integer"),
    AGE,
)
