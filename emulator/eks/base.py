"""State of the emulated EKS and what all its operations share."""

from typing import Any, ClassVar

from moto.core.base_backend import BackendDict

from emulator.operations import OperationError, Operations, State, new_uuid, now


class EksState(State):
    """Everything EKS knows in one account and region. Keys start with the cluster's name."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.clusters: dict[str, dict[str, Any]] = {}
        self.nodegroups: dict[tuple[str, str], dict[str, Any]] = {}
        self.fargate_profiles: dict[tuple[str, str], dict[str, Any]] = {}
        self.addons: dict[tuple[str, str], dict[str, Any]] = {}
        self.access_entries: dict[tuple[str, str], dict[str, Any]] = {}
        self.access_policies: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        """Associated policies by ARN, for each (cluster, principal)."""
        self.pod_identities: dict[tuple[str, str], dict[str, Any]] = {}
        self.updates: dict[tuple[str, str], dict[str, Any]] = {}
        """Updates by (cluster, update id), each with the `nodegroupName` or `addonName` it is about."""

    def tagged(self, arn: str) -> dict[str, str] | None:
        """The live tags of the resource with this ARN; None if there is no such resource."""
        kinds: tuple[tuple[dict[Any, dict[str, Any]], str], ...] = (
            (self.clusters, "arn"),
            (self.nodegroups, "nodegroupArn"),
            (self.fargate_profiles, "fargateProfileArn"),
            (self.addons, "addonArn"),
            (self.access_entries, "accessEntryArn"),
            (self.pod_identities, "associationArn"),
        )
        for resources, key in kinds:
            for resource in resources.values():
                if resource[key] == arn:
                    return resource.setdefault("tags", {})
        return None


eks_states = BackendDict(EksState, "eks")


class EksOperations(Operations):
    """Base of EKS's operations: lookups that fail as AWS's do, and updates that succeed at once."""

    service: ClassVar[str] = "eks"
    invalid_code: ClassVar[str] = "InvalidParameterException"

    @property
    def state(self) -> EksState:
        """The state of the request's account and region."""
        return eks_states[self.current_account][self.region]

    def cluster(self, name: str | None = None) -> dict[str, Any]:
        """The cluster that the request names. Raises ResourceNotFoundException."""
        name = name or self.params.get("clusterName") or self.params["name"]
        if name not in self.state.clusters:
            raise not_found(f"No cluster found for name: {name}.")
        return self.state.clusters[name]

    def nodegroup(self) -> dict[str, Any]:
        """The node group that the request names. Raises ResourceNotFoundException."""
        cluster, name = self.cluster()["name"], self.params["nodegroupName"]
        if (cluster, name) not in self.state.nodegroups:
            raise not_found(f"No node group found for name: {name}.")
        return self.state.nodegroups[cluster, name]

    def record_update(self, cluster: str, kind: str, changes: dict[str, Any], **scope: str) -> dict[str, Any]:
        """Record an update that is done; `changes` maps AWS's update-parameter types to values."""
        update = {
            "id": new_uuid(),
            "status": "Successful",
            "type": kind,
            "params": [{"type": name, "value": str(value)} for name, value in changes.items()],
            "createdAt": now(),
            "errors": [],
            **scope,
        }
        self.state.updates[cluster, str(update["id"])] = update
        return update


def not_found(message: str) -> OperationError:
    """404: the named resource does not exist."""
    return OperationError("ResourceNotFoundException", message)


def in_use(message: str) -> OperationError:
    """409: the name is taken, or something still depends on the resource."""
    return OperationError("ResourceInUseException", message)


def invalid_request(message: str) -> OperationError:
    """400: the request makes no sense in the resource's present state."""
    return OperationError("InvalidRequestException", message)
