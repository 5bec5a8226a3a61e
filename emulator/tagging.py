"""The three tag operations, which EKS and MSK Connect have in the same words."""

from moto.core.responses import ActionResult

from emulator.operations import Operations


class Tagging(Operations):
    """TagResource, UntagResource and ListTagsForResource, on the tags that `tags_of` finds."""

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a resource, to read and to change. Raises the service's error for an unknown one."""
        raise NotImplementedError

    def tag_resource(self) -> ActionResult:
        """Add or replace tags."""
        self.tags_of(self.params["resourceArn"]).update(self.params["tags"])
        return ActionResult({})

    def untag_resource(self) -> ActionResult:
        """Remove tags; keys that are not there are no error."""
        tags = self.tags_of(self.params["resourceArn"])
        for key in self.params["tagKeys"]:
            tags.pop(key, None)
        return ActionResult({})

    def list_tags_for_resource(self) -> ActionResult:
        """All tags."""
        return ActionResult({"tags": self.tags_of(self.params["resourceArn"])})
