"""EKS managed node groups and the updates of clusters, node groups and addons."""

from typing import Any, Final

from moto.core.responses import ActionResult
from moto.ec2.models.instance_types import INSTANCE_TYPES

from emulator.eks.base import EksOperations, in_use, not_found
from emulator.eks.errands import errands
from emulator.eks.nodes import GroupNodes, group_nodes, relabel, remove, replace, scale
from emulator.eks.versions import VERSIONS
from emulator.operations import new_id, new_uuid, now, picked

_KEPT: Final = (
    *(
        "nodeRepairConfig",
        "updateConfig",
        "warmPoolConfig",
        "remoteAccess",
        "launchTemplate",
        "instanceTypes",
    ),
    *("diskSize", "clientRequestToken"),
)
_DEFAULT_AMI: Final = "AL2023_x86_64_STANDARD"
_RELEASE_DATE: Final = "20260903"


class Nodegroups(EksOperations):
    """Create, describe, list, update and delete node groups; describe and list updates."""

    def create_nodegroup(self) -> ActionResult:
        """A node group that is ACTIVE at once; its references are looked up in EC2 and IAM."""
        params, cluster = self.params, self.cluster()
        name = params["nodegroupName"]
        if (cluster["name"], name) in self.state.nodegroups:
            raise in_use(f"NodeGroup already exists with name {name} and cluster name {cluster['name']}")
        self._require_references(cluster, params)
        template = self._launch_template(params)
        version = params.get("version") or cluster["version"]
        self._require_node_version(version, cluster["version"])
        scaling = {"minSize": 1, "maxSize": 2, "desiredSize": 2} | (params.get("scalingConfig") or {})
        self._require_scaling(scaling)
        self._require_disjoint_taints(params.get("taints") or [])
        unique = new_uuid()
        nodegroup: dict[str, Any] = {
            "nodegroupName": name,
            "nodegroupArn": self.state.arn("eks", f"nodegroup/{cluster['name']}/{name}/{unique}"),
            "clusterName": cluster["name"],
            "version": version,
            "releaseVersion": params.get("releaseVersion") or f"{VERSIONS[version].patch}-{_RELEASE_DATE}",
            "createdAt": now(),
            "modifiedAt": now(),
            "status": "ACTIVE",
            "capacityType": params.get("capacityType") or "ON_DEMAND",
            "scalingConfig": scaling,
            "subnets": params["subnets"],
            "nodeRole": params["nodeRole"],
            "amiType": params.get("amiType") or _DEFAULT_AMI,
            "labels": dict(params.get("labels") or {}),
            "taints": list(params.get("taints") or []),
            "resources": {"autoScalingGroups": [{"name": f"eks-{name}-{unique}"}]},
            "health": {"issues": []},
            "updateConfig": {"maxUnavailable": 1},
            "tags": dict(params.get("tags") or {}),
            **picked(params, *_KEPT),
        }
        if template:
            nodegroup["launchTemplate"] = template
        else:
            nodegroup.setdefault("instanceTypes", ["t3.medium"])
            nodegroup.setdefault("diskSize", 20)
        if params.get("remoteAccess"):
            nodegroup["resources"]["remoteAccessSecurityGroup"] = f"sg-{new_id(17)}"
        self.state.nodegroups[cluster["name"], name] = nodegroup
        nodes = self._nodes(nodegroup)
        if nodes:
            errands.leave(cluster["name"], f"start node group {name}", lambda client: scale(client, nodes))
        return ActionResult({"nodegroup": nodegroup})

    def describe_nodegroup(self) -> ActionResult:
        """The node group."""
        return ActionResult({"nodegroup": self.nodegroup()})

    def list_nodegroups(self) -> ActionResult:
        """Names in order."""
        cluster = self.cluster()["name"]
        names = sorted(name for owner, name in self.state.nodegroups if owner == cluster)
        found, token = self.page(names, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"nodegroups": found, "nextToken": token})

    def delete_nodegroup(self) -> ActionResult:
        """Gone at once."""
        nodegroup = self.nodegroup()
        cluster, name = nodegroup["clusterName"], nodegroup["nodegroupName"]
        del self.state.nodegroups[cluster, name]
        errands.leave(cluster, f"end node group {name}", lambda client: remove(client, name))
        return ActionResult({"nodegroup": nodegroup | {"status": "DELETING"}})

    def update_nodegroup_config(self) -> ActionResult:
        """Labels, taints, sizes and update settings; done at once."""
        params, nodegroup = self.params, self.nodegroup()
        before = self._nodes(nodegroup)
        changes: dict[str, Any] = {}
        if params.get("scalingConfig"):
            scaling = nodegroup["scalingConfig"] | params["scalingConfig"]
            self._require_scaling(scaling)
            nodegroup["scalingConfig"] = scaling
            changes |= {key[0].upper() + key[1:]: value for key, value in params["scalingConfig"].items()}
        labels = params.get("labels") or {}
        nodegroup["labels"] |= labels.get("addOrUpdateLabels") or {}
        for key in labels.get("removeLabels") or []:
            nodegroup["labels"].pop(key, None)
        taints = params.get("taints") or {}
        for taint in [*(taints.get("removeTaints") or []), *(taints.get("addOrUpdateTaints") or [])]:
            nodegroup["taints"] = [
                kept
                for kept in nodegroup["taints"]
                if (kept.get("key"), kept.get("effect")) != (taint.get("key"), taint.get("effect"))
            ]
        nodegroup["taints"] += taints.get("addOrUpdateTaints") or []
        self._require_disjoint_taints(nodegroup["taints"])
        for key in ("updateConfig", "nodeRepairConfig", "warmPoolConfig"):
            if params.get(key) is not None:
                nodegroup[key] = params[key]
        for name, value in (
            ("LabelsToAdd", labels.get("addOrUpdateLabels")),
            ("LabelsToRemove", labels.get("removeLabels")),
            ("TaintsToAdd", taints.get("addOrUpdateTaints")),
            ("TaintsToRemove", taints.get("removeTaints")),
            ("NodeRepairConfig", params.get("nodeRepairConfig")),
            ("MaxUnavailable", (params.get("updateConfig") or {}).get("maxUnavailable")),
        ):
            if value:
                changes[name] = value
        nodegroup["modifiedAt"] = now()
        after = self._nodes(nodegroup)
        if before and after:
            _change_nodes(before, after)
        update = self._update(nodegroup, "ConfigUpdate", changes)
        return ActionResult({"update": update})

    def update_nodegroup_version(self) -> ActionResult:
        """A new Kubernetes version, AMI release or launch template version; done at once."""
        params, nodegroup, cluster = self.params, self.nodegroup(), self.cluster()
        template = self._launch_template(params)
        version = params.get("version") or (nodegroup["version"] if template else cluster["version"])
        self._require_node_version(version, cluster["version"])
        release = params.get("releaseVersion") or f"{VERSIONS[version].patch}-{_RELEASE_DATE}"
        nodegroup |= {"version": version, "releaseVersion": release, "modifiedAt": now()}
        changes = {"Version": version, "ReleaseVersion": release}
        if template:
            nodegroup["launchTemplate"] = template
            changes |= {
                "LaunchTemplateName": template["name"],
                "LaunchTemplateVersion": template["version"],
            }
        nodes = self._nodes(nodegroup)
        if nodes:
            what = f"update node group {nodes.group} to {release}"
            errands.leave(nodes.cluster, what, lambda client: replace(client, nodes))
        return ActionResult({"update": self._update(nodegroup, "VersionUpdate", changes)})

    def describe_update(self) -> ActionResult:
        """An update, which must be about the node group or addon that the request names, if any."""
        cluster = self.cluster()["name"]
        update = self.state.updates.get((cluster, self.params["updateId"]))
        if update is None or not self._is_about_named(update):
            raise not_found(f"No update found for ID: {self.params['updateId']}")
        return ActionResult({"update": update})

    def list_updates(self) -> ActionResult:
        """Ids of the updates of the cluster itself, or of the node group or addon named."""
        cluster = self.cluster()["name"]
        ids = [
            update_id
            for (owner, update_id), update in self.state.updates.items()
            if owner == cluster and self._is_about_named(update)
        ]
        found, token = self.page(ids, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"updateIds": found, "nextToken": token})

    def list_insights(self) -> ActionResult:
        """Upgrade insights: none, since no workload runs here that could hinder one."""
        self.cluster()
        return ActionResult({"insights": []})

    def _nodes(self, nodegroup: dict[str, Any]) -> GroupNodes | None:
        """What the group runs, in the cluster's own terms; None when the cluster only describes."""
        if not errands.wanted(nodegroup["clusterName"]):
            return None
        subnets = [self.subnet(subnet_id) for subnet_id in nodegroup["subnets"]]
        named = nodegroup.get("launchTemplate")
        template = (
            self.ec2().launch_templates[named["id"]].get_version(named["version"]).data if named else {}
        )
        zones = [(str(subnet.cidr_block), str(subnet.availability_zone)) for subnet in subnets]
        return group_nodes(nodegroup, self.region, zones, template)

    def _is_about_named(self, update: dict[str, Any]) -> bool:
        scopes = ("nodegroupName", "addonName")
        return all(update.get(scope) == self.params.get(scope) for scope in scopes)

    def _update(self, nodegroup: dict[str, Any], kind: str, changes: dict[str, Any]) -> dict[str, Any]:
        return self.record_update(
            nodegroup["clusterName"], kind, changes, nodegroupName=nodegroup["nodegroupName"]
        )

    def _require_references(self, cluster: dict[str, Any], params: dict[str, Any]) -> None:
        self.require_role(params["nodeRole"], "ec2.amazonaws.com")
        vpc_id = cluster["resourcesVpcConfig"]["vpcId"]
        for subnet_id in params["subnets"]:
            if self.subnet(subnet_id).vpc_id != vpc_id:
                raise self.invalid(f"Subnet {subnet_id} is not in the cluster's VPC {vpc_id}")
        unknown = [kind for kind in params.get("instanceTypes") or [] if kind not in INSTANCE_TYPES]
        if unknown:
            raise self.invalid(f"The following supplied instance types do not exist: [{', '.join(unknown)}]")

    def _require_scaling(self, scaling: dict[str, int]) -> None:
        low, desired, high = (scaling[key] for key in ("minSize", "desiredSize", "maxSize"))
        if low > high:
            raise self.invalid(f"Minimum capacity {low} can't be greater than maximum size {high}")
        if desired < low:
            raise self.invalid(f"Minimum capacity {low} can't be greater than desired size {desired}")
        if desired > high:
            raise self.invalid(f"desired capacity {desired} can't be greater than max size {high}")

    def _require_disjoint_taints(self, taints: list[dict[str, Any]]) -> None:
        seen: set[tuple[Any, Any]] = set()
        for taint in taints:
            key = (taint.get("key"), taint.get("effect"))
            if key in seen:
                raise self.invalid(f"Duplicate taint {taint.get('key')} with effect {taint.get('effect')}")
            seen.add(key)

    def _require_node_version(self, version: str, of_cluster: str) -> None:
        if version not in VERSIONS:
            raise self.invalid(f"Requested Nodegroup Kubernetes version {version} is not supported")
        if int(version.split(".")[1]) > int(of_cluster.split(".")[1]):
            raise self.invalid(
                f"Requested Nodegroup Kubernetes version {version} is newer than the cluster's {of_cluster}"
            )

    def _launch_template(self, params: dict[str, Any]) -> dict[str, str] | None:
        """The launch template with id, name and version, looked up in EC2; None if none is named."""
        given = params.get("launchTemplate")
        if not given:
            return None
        if params.get("diskSize"):
            raise self.invalid("Disk size must be specified within the launch template.")
        if params.get("remoteAccess"):
            raise self.invalid("Remote access configuration cannot be specified with a launch template.")
        templates = self.ec2().launch_templates.values()
        found = [
            template
            for template in templates
            if given.get("id") == template.id or given.get("name") == template.name
        ]
        if not found:
            raise self.invalid(f"Launch template {given.get('id') or given.get('name')} does not exist")
        version = str(given.get("version") or found[0].default_version_number)
        known = {"$Latest", "$Default", *(str(item.number) for item in found[0].versions)}
        if version not in known:
            raise self.invalid(f"Launch template {found[0].id} has no version {version}")
        return {"id": found[0].id, "name": found[0].name, "version": version}


def _change_nodes(before: GroupNodes, after: GroupNodes) -> None:
    if (before.labels, before.taints) != (after.labels, after.taints):
        what = f"change labels and taints of node group {after.group}"
        errands.leave(after.cluster, what, lambda client: relabel(client, before, after))
    if before.desired != after.desired:
        what = f"scale node group {after.group} to {after.desired}"
        errands.leave(after.cluster, what, lambda client: scale(client, after))
