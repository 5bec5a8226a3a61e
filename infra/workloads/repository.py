"""Where the images are: one ECR repository an image, whose tags never move and whose layers are scanned."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption
from infra.environment import PROJECT, Environment

UNTAGGED_DAYS = 7
KEPT_IMAGES = 100
"""Builds of each image: enough to go back by months."""


@dataclass(frozen=True)
class RepositoriesArgs:
    """`images` are the repositories' names, below `pinwheel/`."""

    environment: Environment
    images: Sequence[str]


class Repositories(pulumi.ComponentResource):
    """`urls` by image. Before the first deployment there are no images: make this alone, push, then go on."""

    def __init__(self, name: str, args: RepositoriesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:Repositories", name, None, opts)
        self._environment = args.environment
        self._key = encryption.key(args.environment, name, options=pulumi.ResourceOptions(parent=self))
        self.urls = {image: self._repository(image) for image in args.images}
        self.register_outputs({"urls": self.urls})

    def _repository(self, image: str) -> pulumi.Output[str]:
        repository = aws.ecr.Repository(
            image,
            name=f"{PROJECT}/{image}",
            image_tag_mutability="IMMUTABLE",
            image_scanning_configuration=aws.ecr.RepositoryImageScanningConfigurationArgs(scan_on_push=True),
            encryption_configurations=[
                aws.ecr.RepositoryEncryptionConfigurationArgs(encryption_type="KMS", kms_key=self._key.arn)
            ],
            force_delete=not self._environment.protect,
            tags={"Name": f"{PROJECT}/{image}"},
            opts=pulumi.ResourceOptions(parent=self, protect=self._environment.protect),
        )
        aws.ecr.LifecyclePolicy(
            image,
            repository=repository.name,
            policy=json.dumps({"rules": _RULES}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return repository.repository_url


_RULES = [
    {
        "rulePriority": 1,
        "description": "What a failed push left",
        "selection": {
            "tagStatus": "untagged",
            "countType": "sinceImagePushed",
            "countUnit": "days",
            "countNumber": UNTAGGED_DAYS,
        },
        "action": {"type": "expire"},
    },
    {
        "rulePriority": 2,
        "description": "Old builds",
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": KEPT_IMAGES},
        "action": {"type": "expire"},
    },
]
