"""EKS addons."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from moto.core.responses import ActionResult

from emulator.cluster.client import ClusterClient
from emulator.cluster.store import Object
from emulator.eks.addon_workloads import install, manifests, uninstall
from emulator.eks.base import in_use, not_found
from emulator.eks.errands import errands
from emulator.eks.pod_identity import PodIdentities
from emulator.eks.versions import ADDONS, VERSIONS, addon_versions
from emulator.operations import new_uuid, now, picked

_ARCHITECTURES: Final = ["amd64", "arm64"]


class Addons(PodIdentities):
    """Create, describe, list, update and delete addons, and the versions there are."""

    def create_addon(self) -> ActionResult:
        """An addon that is ACTIVE at once, also on a cluster without nodes (where AWS says DEGRADED)."""
        params, cluster = self.params, self.cluster()
        name = params["addonName"]
        if (cluster["name"], name) in self.state.addons:
            raise in_use(f"Addon already exists: {name} on cluster {cluster['name']}.")
        version = self._checked_version(name, params.get("addonVersion"), cluster["version"])
        self._require_configuration(params)
        family = ADDONS[name]
        namespace = (params.get("namespaceConfig") or {}).get("namespace") or family.namespace
        addon: dict[str, Any] = {
            "addonName": name,
            "clusterName": cluster["name"],
            "status": "ACTIVE",
            "addonVersion": version,
            "health": {"issues": []},
            "addonArn": self.state.arn("eks", f"addon/{cluster['name']}/{name}/{new_uuid()}"),
            "createdAt": now(),
            "modifiedAt": now(),
            "tags": dict(params.get("tags") or {}),
            "publisher": "eks" if family.owner == "aws" else "eks-community",
            "owner": family.owner,
            "namespaceConfig": {"namespace": namespace},
            **picked(params, "serviceAccountRoleArn", "configurationValues"),
        }
        addon["podIdentityAssociations"] = self._associate(addon, params.get("podIdentityAssociations") or [])
        self.state.addons[cluster["name"], name] = addon
        self._leave(install, addon)
        return ActionResult({"addon": addon})

    def describe_addon(self) -> ActionResult:
        """The addon."""
        return ActionResult({"addon": self._addon()})

    def list_addons(self) -> ActionResult:
        """Names in order."""
        cluster = self.cluster()["name"]
        names = sorted(name for owner, name in self.state.addons if owner == cluster)
        found, token = self.page(names, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"addons": found, "nextToken": token})

    def update_addon(self) -> ActionResult:
        """A new version, configuration, role or pod identities; done at once."""
        params, addon, cluster = self.params, self._addon(), self.cluster()
        changes: dict[str, Any] = {}
        self._require_configuration(params)
        if params.get("addonVersion"):
            addon["addonVersion"] = self._checked_version(
                addon["addonName"], params["addonVersion"], cluster["version"]
            )
            changes["AddonVersion"] = addon["addonVersion"]
        for key, name in (
            ("serviceAccountRoleArn", "ServiceAccountRoleArn"),
            ("configurationValues", "ConfigurationValues"),
        ):
            if params.get(key) is not None:
                addon[key] = changes[name] = params[key]
        if params.get("podIdentityAssociations") is not None:
            self._dissociate(addon)
            addon["podIdentityAssociations"] = self._associate(addon, params["podIdentityAssociations"])
            changes["PodIdentityAssociations"] = json.dumps(params["podIdentityAssociations"])
        if params.get("resolveConflicts"):
            changes["ResolveConflicts"] = params["resolveConflicts"]
        addon["modifiedAt"] = now()
        self._leave(install, addon)
        update = self.record_update(cluster["name"], "AddonUpdate", changes, addonName=addon["addonName"])
        return ActionResult({"update": update})

    def delete_addon(self) -> ActionResult:
        """Gone at once, with its pod identity associations."""
        addon = self._addon()
        self._dissociate(addon)
        del self.state.addons[addon["clusterName"], addon["addonName"]]
        if not self.params.get("preserve"):
            self._leave(uninstall, addon)
        return ActionResult({"addon": addon | {"status": "DELETING"}})

    def describe_addon_versions(self) -> ActionResult:
        """What `emulator.eks.versions` has, filtered as asked."""
        params = self.params
        minors = (
            [params["kubernetesVersion"]] if params.get("kubernetesVersion") else list(reversed(VERSIONS))
        )
        if minors[0] not in VERSIONS:
            raise self.invalid(f"The Kubernetes version {minors[0]!r} is not supported")
        if params.get("addonName") and params["addonName"] not in ADDONS:
            raise not_found(f"Addon {params['addonName']} not found")
        names = [params["addonName"]] if params.get("addonName") else sorted(ADDONS)
        infos = [
            _addon_info(name, minors)
            for name in names
            if not params.get("types") or ADDONS[name].kind in params["types"]
            if not params.get("owners") or ADDONS[name].owner in params["owners"]
        ]
        found, token = self.page(infos, params.get("maxResults"), params.get("nextToken"))
        return ActionResult({"addons": found, "nextToken": token})

    def _leave(
        self, action: Callable[[ClusterClient, Sequence[Object]], None], addon: dict[str, Any]
    ) -> None:
        """Have the addon's workloads changed in the cluster, as the addon is described now."""
        described, region = dict(addon), self.region
        errands.leave(
            *(addon["clusterName"], f"{action.__name__} addon {addon['addonName']}"),
            lambda client: action(client, list(manifests(described, region))),
        )

    def _addon(self) -> dict[str, Any]:
        cluster, name = self.cluster()["name"], self.params["addonName"]
        if (cluster, name) not in self.state.addons:
            raise not_found(f"No addon: {name} found in cluster: {cluster}")
        return self.state.addons[cluster, name]

    def _checked_version(self, name: str, version: str | None, kubernetes: str) -> str:
        if name not in ADDONS:
            raise self.invalid(f"Addon specified is not supported: {name!r}; EKS offers {', '.join(ADDONS)}")
        offered = addon_versions(name, kubernetes)
        if version is None:
            return offered[0]
        if version not in offered:
            raise self.invalid(
                f"Addon version specified is not supported: {name} {version} on Kubernetes {kubernetes}; "
                f"compatible are {', '.join(offered)}"
            )
        return version

    def _require_configuration(self, params: dict[str, Any]) -> None:
        values = params.get("configurationValues")
        if values and values.lstrip().startswith(("{", "[")):
            try:
                json.loads(values)
            except ValueError as error:
                raise self.invalid(f"ConfigurationValues is not valid JSON: {error}") from error
        arn = params.get("serviceAccountRoleArn")
        if arn:
            self.require_role(arn, None)

    def _associate(self, addon: dict[str, Any], wanted: list[dict[str, str]]) -> list[str]:
        """Create the pod identity associations that the addon owns; returns their ARNs."""
        arns: list[str] = []
        for item in wanted:
            association = self.new_pod_identity(
                addon["clusterName"],
                addon["namespaceConfig"]["namespace"],
                item["serviceAccount"],
                item["roleArn"],
                {"ownerArn": addon["addonArn"]},
            )
            arns.append(association["associationArn"])
        return arns

    def _dissociate(self, addon: dict[str, Any]) -> None:
        for key, association in list(self.state.pod_identities.items()):
            if association.get("ownerArn") == addon["addonArn"]:
                del self.state.pod_identities[key]


def _addon_info(name: str, minors: list[str]) -> dict[str, Any]:
    family = ADDONS[name]
    compatible: dict[str, list[dict[str, Any]]] = {}
    for minor in minors:
        for index, version in enumerate(addon_versions(name, minor)):
            compatible.setdefault(version, []).append(
                {"clusterVersion": minor, "platformVersions": ["*"], "defaultVersion": index == 0}
            )
    versions = [
        {
            "addonVersion": version,
            "architecture": _ARCHITECTURES,
            "computeTypes": ["ec2", "hybrid", "auto"],
            "compatibilities": compatibilities,
            "requiresConfiguration": False,
            "requiresIamPermissions": family.requires_iam,
        }
        for version, compatibilities in compatible.items()
    ]
    return {
        "addonName": name,
        "type": family.kind,
        "addonVersions": versions,
        "publisher": "eks" if family.owner == "aws" else "eks-community",
        "owner": family.owner,
        "defaultNamespace": family.namespace,
    }
