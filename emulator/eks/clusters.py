"""EKS clusters: everything given at creation comes back, and references are looked up in EC2 and IAM."""

import base64
from typing import Any, Final

from moto.core.responses import ActionResult

from emulator.eks import api_server
from emulator.eks.base import EksOperations, in_use, invalid_request, not_found
from emulator.eks.versions import DEFAULT_VERSION, VERSIONS
from emulator.operations import new_id, now, picked
from emulator.tagging import Tagging

LOG_TYPES: Final = ("api", "audit", "authenticator", "controllerManager", "scheduler")

_KEPT: Final = (
    *("accessConfig", "upgradePolicy", "zonalShiftConfig", "remoteNetworkConfig", "computeConfig"),
    *("storageConfig", "deletionProtection", "controlPlaneScalingConfig", "kubeApiServerConfig"),
    *("kubeSchedulerConfig", "kubeControllerManagerConfig", "encryptionConfig", "outpostConfig"),
)
_ZONES_REQUIRED: Final = 2

# Which kind of update each parameter of UpdateClusterConfig is; AWS takes one kind a call.
_UPDATES: Final = {
    "logging": ("LoggingUpdate", "ClusterLogging"),
    "accessConfig": ("AccessConfigUpdate", "AuthenticationMode"),
    "upgradePolicy": ("UpgradePolicyUpdate", "UpgradePolicy"),
    "zonalShiftConfig": ("ZonalShiftConfigUpdate", "ZonalShiftConfig"),
    "computeConfig": ("AutoModeUpdate", "ComputeConfig"),
    "storageConfig": ("AutoModeUpdate", "StorageConfig"),
    "kubernetesNetworkConfig": ("AutoModeUpdate", "KubernetesNetworkConfig"),
    "remoteNetworkConfig": ("RemoteNetworkConfigUpdate", "RemoteNetworkConfig"),
    "deletionProtection": ("DeletionProtectionUpdate", "DeletionProtection"),
    "controlPlaneScalingConfig": ("ControlPlaneScalingConfigUpdate", "UpdatedTier"),
    "kubeApiServerConfig": ("ControlPlaneComponentConfigUpdate", "KubeApiServerConfig"),
    "kubeSchedulerConfig": ("ControlPlaneComponentConfigUpdate", "KubeSchedulerConfig"),
    "kubeControllerManagerConfig": ("ControlPlaneComponentConfigUpdate", "KubeControllerManagerConfig"),
}


class Clusters(EksOperations, Tagging):
    """CreateCluster, DescribeCluster, ListClusters, DeleteCluster, UpdateClusterConfig/Version."""

    def create_cluster(self) -> ActionResult:
        """A cluster that is ACTIVE at once."""
        params = self.params
        name = params["name"]
        if name in self.state.clusters:
            raise in_use(f"Cluster already exists with name: {name}")
        version = params.get("version") or DEFAULT_VERSION
        self._require_version(version)
        self.require_role(params["roleArn"], "eks.amazonaws.com")
        unique = new_id(32).upper()
        cluster: dict[str, Any] = {
            "name": name,
            "arn": self.state.arn("eks", f"cluster/{name}"),
            "createdAt": now(),
            "version": version,
            "endpoint": f"https://{unique}.gr7.{self.region}.eks.amazonaws.com",
            "roleArn": params["roleArn"],
            "resourcesVpcConfig": self._vpc_config(name, params["resourcesVpcConfig"]),
            "kubernetesNetworkConfig": _network_config(params.get("kubernetesNetworkConfig") or {}),
            "logging": _logging(params.get("logging")),
            "identity": {"oidc": {"issuer": f"https://oidc.eks.{self.region}.amazonaws.com/id/{unique}"}},
            "status": "ACTIVE",
            "certificateAuthority": {"data": _certificate_data(name, unique)},
            "platformVersion": VERSIONS[version].platform,
            "tags": dict(params.get("tags") or {}),
            "health": {"issues": []},
            "upgradePolicy": {"supportType": "EXTENDED"},
            "deletionProtection": False,
            **picked(params, "clientRequestToken", *_KEPT),
        }
        access = {"authenticationMode": "CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": True}
        cluster["accessConfig"] = access | (params.get("accessConfig") or {})
        self._require_keys(cluster)
        server = api_server.created(name, version)
        if server:
            authority = base64.b64encode(server.certificate_authority.encode()).decode()
            cluster |= {"endpoint": server.endpoint, "certificateAuthority": {"data": authority}}
        self.state.clusters[name] = cluster
        return ActionResult({"cluster": cluster})

    def describe_cluster(self) -> ActionResult:
        """The cluster."""
        return ActionResult({"cluster": self.cluster()})

    def list_clusters(self) -> ActionResult:
        """Names in order."""
        names, token = self.page(
            sorted(self.state.clusters), self.params.get("maxResults"), self.params.get("nextToken")
        )
        return ActionResult({"clusters": names, "nextToken": token})

    def delete_cluster(self) -> ActionResult:
        """Refused while protected or while node groups or Fargate profiles are attached."""
        cluster = self.cluster()
        name = cluster["name"]
        if cluster["deletionProtection"]:
            raise invalid_request(
                f"Cluster {name} has deletion protection enabled; disable it with UpdateClusterConfig first"
            )
        groups = sorted(group for owner, group in self.state.nodegroups if owner == name)
        if groups:
            raise in_use(f"Cluster has nodegroups attached: {', '.join(groups)}")
        if any(owner == name for owner, _ in self.state.fargate_profiles):
            raise in_use("Cluster has Fargate profiles attached")
        del self.state.clusters[name]
        api_server.deleted(name)
        owned: tuple[dict[tuple[str, str], Any], ...] = (
            *(self.state.addons, self.state.access_entries, self.state.access_policies),
            *(self.state.pod_identities, self.state.updates),
        )
        for resources in owned:
            for key in [key for key in resources if key[0] == name]:
                del resources[key]
        return ActionResult({"cluster": cluster | {"status": "DELETING"}})

    def update_cluster_version(self) -> ActionResult:
        """One minor version up, as EKS demands; done at once."""
        cluster, version = self.cluster(), self.params["version"]
        self._require_version(version)
        present, wanted = (int(text.split(".")[1]) for text in (cluster["version"], version))
        if wanted != present + 1:
            raise self.invalid(
                f"Unsupported Kubernetes minor version update from {cluster['version']} to {version}: "
                f"the next one is 1.{present + 1}"
            )
        cluster |= {"version": version, "platformVersion": VERSIONS[version].platform}
        api_server.upgraded(cluster["name"], version)
        changes = {"Version": version, "PlatformVersion": cluster["platformVersion"]}
        return ActionResult({"update": self.record_update(cluster["name"], "VersionUpdate", changes)})

    def update_cluster_config(self) -> ActionResult:
        """Changes the cluster at once; nested settings not given keep their values."""
        cluster = self.cluster()
        given = {key: self.params[key] for key in _UPDATES if self.params.get(key) is not None}
        network = self.params.get("resourcesVpcConfig")
        if network:
            return self._update_network(cluster, network)
        if not given:
            raise self.invalid("No changes needed for the logging, access or other config provided")
        kinds = {_UPDATES[key][0] for key in given}
        if len(kinds) > 1:
            raise self.invalid(f"Only one type of update can be allowed, got {', '.join(sorted(kinds))}")
        for key, value in given.items():
            if key == "logging":
                cluster[key] = _logging(value, cluster[key])
            elif isinstance(value, dict):
                cluster[key] = cluster.get(key, {}) | value
            else:
                cluster[key] = value
        changes = {_UPDATES[key][1]: value for key, value in given.items()}
        return ActionResult({"update": self.record_update(cluster["name"], kinds.pop(), changes)})

    def _update_network(self, cluster: dict[str, Any], network: dict[str, Any]) -> ActionResult:
        config = cluster["resourcesVpcConfig"]
        merged = config | network
        self._subnets(merged["subnetIds"])
        for group in merged["securityGroupIds"]:
            self.require_security_group(group, config["vpcId"])
        cluster["resourcesVpcConfig"] = merged
        moved = network.keys() & {"subnetIds", "securityGroupIds"}
        kind = "VpcConfigUpdate" if moved else "EndpointAccessUpdate"
        names = {"subnetIds": "Subnets", "securityGroupIds": "SecurityGroups"}
        changes = {names.get(key, key[0].upper() + key[1:]): value for key, value in network.items()}
        return ActionResult({"update": self.record_update(cluster["name"], kind, changes)})

    def associate_encryption_config(self) -> ActionResult:
        """Envelope encryption for a cluster that has none; AWS cannot change or remove it later."""
        cluster = self.cluster()
        if cluster.get("encryptionConfig"):
            raise in_use("Cluster already has encryption configuration associated")
        cluster["encryptionConfig"] = self.params["encryptionConfig"]
        self._require_keys(cluster)
        changes = {"EncryptionConfig": self.params["encryptionConfig"]}
        return ActionResult(
            {"update": self.record_update(cluster["name"], "AssociateEncryptionConfig", changes)}
        )

    def describe_cluster_versions(self) -> ActionResult:
        """The versions in `emulator.eks.versions`, newest first, with their support as of today."""
        wanted = self.params.get("clusterVersions") or list(VERSIONS)
        today = now()
        found: list[dict[str, Any]] = []
        for minor, version in reversed(VERSIONS.items()):
            standard = today < version.standard_until
            status = "STANDARD_SUPPORT" if standard else "EXTENDED_SUPPORT"
            if today > version.extended_until:
                status = "UNSUPPORTED"
            if minor not in wanted or self.params.get("versionStatus") not in {None, status}:
                continue
            if self.params.get("defaultOnly") and minor != DEFAULT_VERSION:
                continue
            found.append(
                {
                    "clusterVersion": minor,
                    "clusterType": "eks",
                    "defaultPlatformVersion": version.platform,
                    "defaultVersion": minor == DEFAULT_VERSION,
                    "releaseDate": version.released,
                    "endOfStandardSupportDate": version.standard_until,
                    "endOfExtendedSupportDate": version.extended_until,
                    "status": status.lower().replace("_", "-"),
                    "versionStatus": status,
                    "kubernetesPatchVersion": version.patch,
                }
            )
        versions, token = self.page(found, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"clusterVersions": versions, "nextToken": token})

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a cluster or of what belongs to one."""
        tags = self.state.tagged(arn)
        if tags is None:
            raise not_found(f"No resource found with ARN: {arn}")
        return tags

    def _require_version(self, version: str) -> None:
        if version not in VERSIONS:
            raise self.invalid(f"unsupported Kubernetes version {version!r}; EKS has {', '.join(VERSIONS)}")

    def _require_keys(self, cluster: dict[str, Any]) -> None:
        from moto.kms.models import kms_backends  # noqa: PLC0415 - loads only when a key is used

        keys = kms_backends[self.current_account][self.region].keys
        for config in cluster.get("encryptionConfig") or []:
            arn = (config.get("provider") or {}).get("keyArn", "")
            if arn.rsplit("/", 1)[-1] not in keys:
                raise self.invalid(f"The keyArn {arn!r} in encryptionConfig is not a KMS key of this region")

    def _subnets(self, ids: list[str]) -> str:
        """Check the subnets and return their VPC."""
        subnets = [self.subnet(subnet_id) for subnet_id in ids]
        if len({subnet.availability_zone for subnet in subnets}) < _ZONES_REQUIRED:
            raise self.invalid("Subnets specified must be in at least two different AZs")
        vpcs = sorted({subnet.vpc_id for subnet in subnets})
        if len(vpcs) > 1:
            raise self.invalid(f"Subnets specified must belong to the same VPC, not to {', '.join(vpcs)}")
        return vpcs[0]

    def _vpc_config(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        vpc_id = self._subnets(given.get("subnetIds") or [])
        groups = given.get("securityGroupIds") or []
        for group in groups:
            self.require_security_group(group, vpc_id)
        # EKS makes one security group of its own in the VPC, for control plane and nodes.
        created = self.ec2().create_security_group(
            f"eks-cluster-sg-{name}-{new_id(8)}",
            "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes",
            vpc_id=vpc_id,
            tags={f"kubernetes.io/cluster/{name}": "owned", "aws:eks:cluster-name": name},
        )
        public = given.get("endpointPublicAccess", True)
        return {
            "endpointPublicAccess": True,
            "endpointPrivateAccess": False,
            "publicAccessCidrs": ["0.0.0.0/0"] if public else [],
            **given,
            "securityGroupIds": groups,
            "clusterSecurityGroupId": created.id,
            "vpcId": vpc_id,
        }


def _network_config(given: dict[str, Any]) -> dict[str, Any]:
    if given.get("ipFamily") == "ipv6":
        return {"serviceIpv6Cidr": "fd00:ec2::/108"} | given
    return {"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"} | given


def _logging(given: dict[str, Any] | None, present: dict[str, Any] | None = None) -> dict[str, Any]:
    """AWS answers in at most two groups: the enabled types and the others."""
    enabled = {
        kind
        for group in (present or {}).get("clusterLogging", [])
        for kind in group["types"]
        if group["enabled"]
    }
    for group in (given or {}).get("clusterLogging", []):
        types = set(group.get("types") or [])
        enabled = enabled | types if group.get("enabled") else enabled - types
    groups = (
        {"types": [kind for kind in LOG_TYPES if kind in enabled], "enabled": True},
        {"types": [kind for kind in LOG_TYPES if kind not in enabled], "enabled": False},
    )
    return {"clusterLogging": [group for group in groups if group["types"]]}


def _certificate_data(name: str, unique: str) -> str:
    """Base64 text in the place of the CA certificate: none, as no API server answers without a backing."""
    text = f"-----BEGIN CERTIFICATE-----\nemulated cluster {name} {unique}\n-----END CERTIFICATE-----\n"
    return base64.b64encode(text.encode()).decode()
