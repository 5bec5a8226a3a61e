"""PersistentVolumeClaims: each is bound at once to a volume made for it.

There are no disks: a claim only has to be Bound, so that pods that use it can start.
"""

from collections.abc import Iterable
from typing import Final

from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating

_PROVISIONER: Final = "pv.kubernetes.io/provisioned-by"


class Claims:
    """The controller of PersistentVolumeClaims and of the volumes that it makes."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._claims = resources["persistentvolumeclaims"]
        self._volumes = resources["persistentvolumes"]
        self._classes = resources["storageclasses.storage.k8s.io"]
        self._waiting: dict[str, Key] = {}
        """Claims that name a volume which is not there, by the volume's name."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The claim itself, and that of a volume."""
        if event.resource.key == self._claims.key:
            volume = event.object["spec"].get("volumeName")
            return (event.key, ("", volume)) if volume else (event.key,)
        if event.resource.key == self._volumes.key:
            claim = self._waiting.get(event.key[1])
            return (("", event.key[1]), claim) if claim else (("", event.key[1]),)
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Bind a claim, or delete a volume whose claim is gone; volumes have no namespace."""
        if not key[0]:
            self._reclaim(key[1])
            return None
        claim = self._store.find(self._claims, *key)
        if claim is None or is_terminating(claim) or (claim.get("status") or {}).get("phase") == "Bound":
            return None
        if not claim["spec"].get("volumeName"):
            name = f"pvc-{claim['metadata']['uid']}"
            if self._store.find(self._volumes, "", name) is None:
                self._store.create(self._volumes, self._volume(name, claim))
            claim = self._store.update(self._claims, {**claim, "spec": {**claim["spec"], "volumeName": name}})
        volume = self._store.find(self._volumes, "", claim["spec"]["volumeName"])
        if volume is None:
            self._waiting[claim["spec"]["volumeName"]] = key
            return None
        self._waiting.pop(volume["metadata"]["name"], None)
        modes = claim["spec"].get("accessModes") or ["ReadWriteOnce"]
        status = {"phase": "Bound", "accessModes": modes, "capacity": volume["spec"].get("capacity") or {}}
        self._store.update(self._claims, {**claim, "status": status})
        spec = {**volume["spec"], "claimRef": _reference(claim)}
        self._store.update(self._volumes, {**volume, "spec": spec, "status": {"phase": "Bound"}})
        return None

    def _volume(self, name: str, claim: Object) -> Object:
        spec = claim["spec"]
        storage_class = self._store.find(self._classes, "", spec.get("storageClassName") or "")
        provisioner = (storage_class or {}).get("provisioner", "pinwheel.io/emulated")
        told = {
            "capacity": (spec.get("resources") or {}).get("requests") or {},
            "accessModes": spec.get("accessModes") or ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": (storage_class or {}).get("reclaimPolicy", "Delete"),
            "storageClassName": spec.get("storageClassName") or "",
            "volumeMode": spec.get("volumeMode", "Filesystem"),
            "claimRef": _reference(claim),
            "csi": {"driver": provisioner, "volumeHandle": name},
        }
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": name, "annotations": {_PROVISIONER: provisioner}},
            "spec": told,
            "status": {"phase": "Available"},
        }

    def _reclaim(self, name: str) -> None:
        volume = self._store.find(self._volumes, "", name)
        reference = (volume or {"spec": {}})["spec"].get("claimRef")
        if volume is None or not reference or is_terminating(volume):
            return
        claim = self._store.find(self._claims, reference["namespace"], reference["name"])
        if claim is not None and claim["metadata"]["uid"] == reference.get("uid"):
            return
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._store.delete(self._volumes, "", name)
        else:
            self._store.update(self._volumes, {**volume, "status": {"phase": "Released"}})


def _reference(claim: Object) -> Object:
    told = {field: claim["metadata"][field] for field in ("namespace", "name", "uid")}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **told}
