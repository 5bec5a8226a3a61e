"""The EKS control plane: who may reach it, what encrypts it, what it logs."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption, iam, logs
from infra.contracts import NetworkContract
from infra.eks.roles import Role, RoleArgs
from infra.environment import Environment

LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


@dataclass(frozen=True)
class ClusterArgs:
    """Where the control plane's network interfaces go: the network's intra subnets."""

    environment: Environment
    network: NetworkContract


class Cluster(pulumi.ComponentResource):
    """A control plane that only IAM opens.

    Authentication is by access entries alone (no aws-auth ConfigMap), and the creator gets no silent
    administrator's right: `cluster.administrators` lists everybody, see `infra/eks/access.py`. The API server
    is always reachable from the VPC, from outside only for `cluster.public_access_cidrs`.
    """

    def __init__(self, name: str, args: ClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:Cluster", name, None, opts)
        environment, settings = args.environment, args.environment.cluster
        beneath = pulumi.ResourceOptions(parent=self)
        cluster_name = environment.resource_name("cluster")
        secrets_key = encryption.key(environment, "cluster-secrets", options=beneath)
        # EKS would create the group itself: unencrypted, and kept for ever.
        log_group = logs.log_group(
            "control-plane",
            name=f"/aws/eks/{cluster_name}/cluster",
            retention_days=settings.log_retention,
            key=logs.log_key(environment, "cluster", beneath),
            options=beneath,
        )
        role = Role(
            "cluster",
            RoleArgs(
                name=cluster_name,
                description="The EKS control plane manages network interfaces and load balancers",
                trust_policy=iam.trust("eks.amazonaws.com"),
                statements=[
                    iam.allow(
                        ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"], [secrets_key.arn]
                    )
                ],
                managed_policies=["AmazonEKSClusterPolicy"],
            ),
            beneath,
        )
        callers = self._callers(args)
        public = [str(cidr) for cidr in settings.public_access_cidrs]
        cluster = aws.eks.Cluster(
            "cluster",
            name=cluster_name,
            version=settings.kubernetes_version,
            role_arn=role.arn,
            access_config=aws.eks.ClusterAccessConfigArgs(
                authentication_mode="API",
                bootstrap_cluster_creator_admin_permissions=False,
            ),
            vpc_config=aws.eks.ClusterVpcConfigArgs(
                subnet_ids=args.network.intra_subnet_ids,
                security_group_ids=[callers.id],
                endpoint_private_access=True,
                endpoint_public_access=bool(public),
                public_access_cidrs=public or None,
            ),
            encryption_config=aws.eks.ClusterEncryptionConfigArgs(
                provider=aws.eks.ClusterEncryptionConfigProviderArgs(key_arn=secrets_key.arn),
                resources=["secrets"],
            ),
            enabled_cluster_log_types=list(LOG_TYPES),
            # Addons come as versioned EKS addons, in our order: `infra/eks/addons.py`.
            bootstrap_self_managed_addons=False,
            # The default, EXTENDED, costs six times as much once a version's 14 months are over.
            upgrade_policy=aws.eks.ClusterUpgradePolicyArgs(support_type="STANDARD"),
            zonal_shift_config=aws.eks.ClusterZonalShiftConfigArgs(enabled=True),
            deletion_protection=environment.protect,
            tags={"Name": cluster_name},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[role, log_group], protect=environment.protect
            ),
        )
        # Its id is its name, but known only once there is a cluster: so other layers cannot run ahead of it.
        self.name: pulumi.Output[str] = cluster.id
        self.arn: pulumi.Output[str] = cluster.arn
        self.endpoint: pulumi.Output[str] = cluster.endpoint
        self.certificate_authority: pulumi.Output[str] = cluster.certificate_authority.apply(
            lambda authority: authority.data or ""
        )
        self.security_group_id: pulumi.Output[str] = cluster.vpc_config.apply(
            lambda config: config.cluster_security_group_id or ""
        )
        """EKS's own group, on the control plane and on every node: all of them may talk to one another."""
        self.register_outputs({"name": self.name})

    def _callers(self, args: ClusterArgs) -> aws.ec2.SecurityGroup:
        """EKS's own group admits nodes alone: a build machine or VPN in the VPC would not reach the API."""
        full_name = args.environment.resource_name("control-plane")
        group = aws.ec2.SecurityGroup(
            "control-plane",
            name=full_name,
            description="The Kubernetes API from the VPC",
            vpc_id=args.network.vpc_id,
            tags={"Name": full_name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.vpc.SecurityGroupIngressRule(
            "control-plane-https",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            cidr_ipv4=args.network.vpc_cidr,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return group
