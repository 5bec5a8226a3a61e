"""EKS: clusters, node groups, addons, and who may do what in them."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created
from rehearsal.mapping import camel


@adapter("aws:eks/cluster:Cluster")
def cluster(order: Order) -> Created:
    """A cluster; the emulator's is ACTIVE at once."""
    name = order.default_name()
    logs = order.inputs.get("enabledClusterLogTypes")
    answer = order.create(
        "eks",
        "CreateCluster",
        renames={
            "vpcConfig": "resourcesVpcConfig",
            "enabledClusterLogTypes": "logging.clusterLogging.types",
        },
        # defaultAddonsToRemoves is Pulumi's own; forceUpdateVersion concerns updates.
        omit=("defaultAddonsToRemoves", "forceUpdateVersion"),
        extra={"logging.clusterLogging.enabled": True} if logs else None,
    )
    created = answer.response["cluster"]
    return answer.created(
        name,
        {
            **_kept(created, "arn", "name", "endpoint", "certificateAuthority", "platformVersion", "status"),
            **_kept(created, "version", "kubernetesNetworkConfig", "accessConfig", "upgradePolicy"),
            "identities": [{"oidcs": [created["identity"]["oidc"]]}],
            "vpcConfig": created["resourcesVpcConfig"],
            "createdAt": str(created.get("createdAt")),
        },
    )


@adapter("aws:eks/nodeGroup:NodeGroup")
def node_group(order: Order) -> Created:
    """A managed node group."""
    name = order.default_name("nodeGroupName")
    answer = order.create(
        "eks",
        "CreateNodegroup",
        renames={
            "nodeRoleArn": "nodeRole",
            "subnetIds": "subnets",
            "remoteAccess.sourceSecurityGroupIds": "sourceSecurityGroups",
        },
        omit=("forceUpdateVersion",),  # concerns updates only
    )
    created = answer.response["nodegroup"]
    groups = (created.get("resources") or {}).get("autoScalingGroups") or []
    return answer.created(
        f"{order.inputs.get('clusterName')}:{name}",
        {
            "arn": created["nodegroupArn"],
            "nodeGroupName": name,
            "resources": [{"autoscalingGroups": groups}],
            **_kept(created, "status", "version", "releaseVersion", "amiType", "capacityType", "diskSize"),
        },
    )


@adapter("aws:eks/addon:Addon")
def addon(order: Order) -> Created:
    """An addon of EKS's own catalogue."""
    answer = order.create(
        "eks",
        "CreateAddon",
        renames={"resolveConflictsOnCreate": "resolveConflicts"},
        omit=("resolveConflictsOnUpdate", "preserve"),  # preserve concerns deletion only
    )
    names = {key: order.inputs.get(key) for key in ("clusterName", "addonName")}
    order.later(
        "eks",
        "UpdateAddon",
        "resolveConflictsOnUpdate",
        renames={"resolveConflictsOnUpdate": "resolveConflicts"},
        **names,
    )
    created = answer.response["addon"]
    return answer.created(
        ":".join(str(each) for each in names.values()),
        {"arn": created["addonArn"], "addonVersion": created["addonVersion"]},
    )


@adapter("aws:eks/accessEntry:AccessEntry")
def access_entry(order: Order) -> Created:
    """A principal that the cluster knows."""
    answer = order.create("eks", "CreateAccessEntry")
    created = answer.response["accessEntry"]
    return answer.created(
        f"{order.inputs.get('clusterName')}:{order.inputs.get('principalArn')}",
        {
            "accessEntryArn": created["accessEntryArn"],
            "userName": created.get("username"),
            **_kept(created, "type", "kubernetesGroups"),
        },
    )


@adapter("aws:eks/accessPolicyAssociation:AccessPolicyAssociation")
def access_policy_association(order: Order) -> Created:
    """What a principal may do in the cluster."""
    answer = order.create("eks", "AssociateAccessPolicy", tagged=False)
    keys = ("clusterName", "principalArn", "policyArn")
    return answer.created("#".join(str(order.inputs.get(key)) for key in keys))


@adapter("aws:eks/podIdentityAssociation:PodIdentityAssociation")
def pod_identity_association(order: Order) -> Created:
    """The role of a service account."""
    answer = order.create("eks", "CreatePodIdentityAssociation")
    created = answer.response["association"]
    return answer.created(created["associationId"], _kept(created, "associationArn", "associationId"))


@adapter("aws:eks/fargateProfile:FargateProfile")
def fargate_profile(order: Order) -> Created:
    """Pods that run without nodes."""
    name = order.default_name("fargateProfileName")
    answer = order.create("eks", "CreateFargateProfile", renames={"subnetIds": "subnets"})
    created = answer.response["fargateProfile"]
    return answer.created(
        f"{order.inputs.get('clusterName')}:{name}",
        {"arn": created["fargateProfileArn"], "fargateProfileName": name, "status": created.get("status")},
    )


def _kept(response: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: camel(response[name]) for name in names if response.get(name) is not None}
