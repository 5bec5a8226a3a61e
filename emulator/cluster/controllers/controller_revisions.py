"""ControllerRevisions: the templates that a StatefulSet or DaemonSet has had, for rollouts and `rollout undo`.

Each holds a strategic merge patch that brings its template back; kubectl applies it as it stands
(`pkg/controller/history`, `getPatch` in `pkg/controller/statefulset` and `pkg/controller/daemon`).
"""

from collections.abc import Container
from typing import Final

import orjson

from emulator.cluster.controllers.hashing import safe_hash
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.owners import controlled_by
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Object, Store, copy_of, key_of

REVISION_LABEL: Final = "controller-revision-hash"
"""Of pods: the revision that they were made of."""


class History:
    """The revisions of the objects of one resource. `hash_label` is where a revision has its hash."""

    def __init__(
        self, store: Store, resources: Resources, indexes: Indexes, owners: Resource, hash_label: str
    ) -> None:
        self._store = store
        self._indexes = indexes
        self._resource = resources["controllerrevisions.apps"]
        self._owners = owners
        self._hash_label = hash_label

    def revisions(self, owner: Object) -> list[Object]:
        """Those of an object, the newest last."""
        found = self._indexes.controlled(self._resource, owner)
        return sorted(found, key=lambda each: (each["revision"], each["metadata"]["name"]))

    def present(self, owner: Object) -> Object:
        """The revision of the present template: one that was there before becomes the newest again."""
        data = _patch_of(owner)
        revisions = self.revisions(owner)
        newest = revisions[-1]["revision"] if revisions else 0
        for each in reversed(revisions):
            if _same(each["data"], data):
                if each["revision"] == newest:
                    return each
                return self._store.update(self._resource, {**each, "revision": newest + 1})
        return self._create(owner, data, newest + 1)

    def _create(self, owner: Object, data: Object, revision: int) -> Object:
        metadata, collisions = owner["metadata"], 0
        template = owner["spec"]["template"].get("metadata") or {}
        while True:
            digest = safe_hash(data, collisions)
            name = f"{metadata['name']}-{digest}"
            if self._store.find(self._resource, metadata["namespace"], name) is None:
                break
            collisions += 1
        return self._store.create(
            self._resource,
            {
                "apiVersion": self._resource.api_version,
                "kind": self._resource.kind,
                "metadata": {
                    "name": name,
                    "namespace": metadata["namespace"],
                    "labels": {**(template.get("labels") or {}), self._hash_label: digest},
                    "annotations": dict(metadata.get("annotations") or {}),
                    "ownerReferences": [controlled_by(self._owners, owner)],
                },
                "data": data,
                "revision": revision,
            },
        )

    def digest(self, revision: Object) -> str:
        """The hash in the revision's name."""
        return revision["metadata"]["labels"][self._hash_label]

    def forget(self, owner: Object, live: Container[str]) -> None:
        """Delete the oldest above `revisionHistoryLimit`; those named in `live` do not count."""
        limit = owner["spec"].get("revisionHistoryLimit")
        dead = [each for each in self.revisions(owner) if each["metadata"]["name"] not in live]
        for each in dead[: max(0, len(dead) - (10 if limit is None else limit))]:
            self._store.delete(self._resource, *key_of(each))


def template_of(revision: Object) -> Object:
    """The pod template that a revision holds."""
    template = copy_of(revision["data"]["spec"]["template"])
    del template["$patch"]
    return template


def _patch_of(owner: Object) -> Object:
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def _same(left: Object, right: Object) -> bool:
    """Whether two patches are the same. Restarting by an annotation makes another one."""
    return orjson.dumps(left, option=orjson.OPT_SORT_KEYS) == orjson.dumps(right, option=orjson.OPT_SORT_KEYS)
