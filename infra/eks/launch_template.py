"""How an EC2 instance of a managed node group starts."""

import pulumi
import pulumi_aws as aws

from infra.environment import Environment

ROOT_DEVICE = "/dev/xvda"
"""Amazon Linux 2023's root volume."""


def launch_template(
    environment: Environment,
    name: str,
    *,
    root_disk: int,
    user_data: str | None = None,
    options: pulumi.ResourceOptions,
) -> aws.ec2.LaunchTemplate:
    """IMDSv2 only and out of pods' reach, an encrypted gp3 root of `root_disk` GiB, tags on all it starts.

    The AMI, the cluster's security group and the bootstrap come from the node group. `user_data` is base64.
    The root is encrypted by the account's EBS key: it holds images and scratch, and another key would need a
    grant for Auto Scaling's service-linked role.
    """
    resource_name = environment.resource_name(name)
    # The provider's default tags stop at the template; what it starts is tagged here.
    tags = {**environment.all_tags, "Name": resource_name}
    return aws.ec2.LaunchTemplate(
        name,
        name=resource_name,
        update_default_version=True,
        metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
            http_endpoint="enabled",
            http_tokens="required",
            # One hop ends at the node: a pod cannot take the node's role.
            http_put_response_hop_limit=1,
        ),
        block_device_mappings=[
            aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                device_name=ROOT_DEVICE,
                ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                    volume_type="gp3",
                    volume_size=root_disk,
                    encrypted="true",
                    delete_on_termination="true",
                ),
            )
        ],
        monitoring=aws.ec2.LaunchTemplateMonitoringArgs(enabled=True),
        tag_specifications=[
            aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=tags)
            for kind in ("instance", "volume", "network-interface")
        ],
        user_data=user_data,
        tags={"Name": resource_name},
        opts=options,
    )
