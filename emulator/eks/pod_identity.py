"""EKS pod identity associations: which IAM role the pods of a service account get."""

from typing import Any

from moto.core.responses import ActionResult

from emulator.eks.base import EksOperations, in_use, invalid_request, not_found
from emulator.operations import new_id, new_uuid, now, picked

TRUSTED = "pods.eks.amazonaws.com"
"""The service that a pod identity role's trust policy must name."""


class PodIdentities(EksOperations):
    """Create, describe, list, update and delete associations."""

    def create_pod_identity_association(self) -> ActionResult:
        """One role per (namespace, service account)."""
        params, cluster = self.params, self.cluster()
        more = picked(params, "disableSessionTags", "targetRoleArn", "policy") | {
            "tags": params.get("tags") or {}
        }
        if params.get("targetRoleArn"):
            more["externalId"] = new_uuid()
        association = self.new_pod_identity(
            cluster["name"], params["namespace"], params["serviceAccount"], params["roleArn"], more
        )
        return ActionResult({"association": association})

    def new_pod_identity(
        self, cluster: str, namespace: str, account: str, role: str, more: dict[str, Any]
    ) -> dict[str, Any]:
        """Record an association. Raises ResourceInUseException when the service account has one."""
        for (owner, _), present in self.state.pod_identities.items():
            if (owner, present["namespace"], present["serviceAccount"]) == (cluster, namespace, account):
                raise in_use(f"Association already exists: {present['associationId']}")
        self.require_role(role, TRUSTED)
        identifier = f"a-{new_id(17)}"
        association: dict[str, Any] = {
            "clusterName": cluster,
            "namespace": namespace,
            "serviceAccount": account,
            "roleArn": role,
            "associationArn": self.state.arn("eks", f"podidentityassociation/{cluster}/{identifier}"),
            "associationId": identifier,
            "tags": {},
            "createdAt": now(),
            "modifiedAt": now(),
            "disableSessionTags": False,
            **more,
        }
        self.state.pod_identities[cluster, identifier] = association
        return association

    def describe_pod_identity_association(self) -> ActionResult:
        """The association."""
        return ActionResult({"association": self._association()})

    def list_pod_identity_associations(self) -> ActionResult:
        """All of the cluster, of a namespace or of a service account."""
        cluster = self.cluster()["name"]
        filters = picked(self.params, "namespace", "serviceAccount")
        matching = [
            association
            for (owner, _), association in self.state.pod_identities.items()
            if owner == cluster and filters.items() <= association.items()
        ]
        found, token = self.page(matching, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"associations": found, "nextToken": token})

    def update_pod_identity_association(self) -> ActionResult:
        """Another role, target role or policy."""
        association = self._association()
        if association.get("ownerArn"):
            raise invalid_request(f"The association belongs to {association['ownerArn']}: update that addon")
        if self.params.get("roleArn"):
            self.require_role(self.params["roleArn"], TRUSTED)
        association |= picked(self.params, "roleArn", "disableSessionTags", "targetRoleArn", "policy")
        association["modifiedAt"] = now()
        return ActionResult({"association": association})

    def delete_pod_identity_association(self) -> ActionResult:
        """Gone at once."""
        association = self._association()
        if association.get("ownerArn"):
            raise invalid_request(f"The association belongs to {association['ownerArn']}: update that addon")
        del self.state.pod_identities[association["clusterName"], association["associationId"]]
        return ActionResult({"association": association})

    def _association(self) -> dict[str, Any]:
        cluster, identifier = self.cluster()["name"], self.params["associationId"]
        if (cluster, identifier) not in self.state.pod_identities:
            raise not_found(f"Association {identifier} was not found in cluster {cluster}")
        return self.state.pod_identities[cluster, identifier]
