"""Storage classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes


@dataclass(frozen=True)
class StorageArgs:
    """The key that encrypts every volume; `after` are the EBS driver and the cluster's administrators."""

    key_arn: pulumi.Input[str]
    after: Sequence[pulumi.Resource]


class Storage(pulumi.ComponentResource):
    """`gp3`, the default: encrypted, growable, and made in the zone where its pod has been placed."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:Storage", name, None, opts)
        kubernetes.storage.v1.StorageClass(
            "gp3",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name="gp3", annotations={"storageclass.kubernetes.io/is-default-class": "true"}
            ),
            provisioner="ebs.csi.aws.com",
            parameters={
                "type": "gp3",
                "encrypted": "true",
                "kmsKeyId": args.key_arn,
                "csi.storage.k8s.io/fstype": "ext4",
            },
            reclaim_policy="Delete",
            volume_binding_mode="WaitForFirstConsumer",
            allow_volume_expansion=True,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        self.register_outputs({})
