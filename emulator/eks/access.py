"""EKS access entries and the access policies associated with them."""

from typing import Any, Final

from moto.core.responses import ActionResult
from moto.iam.models import iam_backends

from emulator.eks.base import EksOperations, in_use, invalid_request, not_found
from emulator.operations import new_uuid, now

# https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html
ACCESS_POLICIES: Final = (
    *("AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSAdminViewPolicy"),
    *("AmazonEKSEditPolicy", "AmazonEKSViewPolicy", "AmazonEKSAutoNodePolicy", "AmazonEKSBlockStoragePolicy"),
    *("AmazonEKSBlockStorageClusterPolicy", "AmazonEKSComputePolicy", "AmazonEKSComputeClusterPolicy"),
    *("AmazonEKSLoadBalancingPolicy", "AmazonEKSLoadBalancingClusterPolicy", "AmazonEKSNetworkingPolicy"),
    *("AmazonEKSNetworkingClusterPolicy", "AmazonEKSHybridPolicy", "AmazonEKSSecretReaderPolicy"),
    *("AmazonEKSClusterInsightsPolicy", "AmazonEKSEventPolicy"),
)
# https://docs.aws.amazon.com/eks/latest/userguide/creating-access-entries.html
ENTRY_TYPES: Final = (
    "STANDARD",
    "EC2_LINUX",
    "EC2_WINDOWS",
    "FARGATE_LINUX",
    "EC2",
    "HYBRID_LINUX",
    "HYPERPOD_LINUX",
)
_NODE_GROUPS: Final = {"EC2_LINUX": ["system:nodes"], "EC2_WINDOWS": ["system:nodes"]}


class AccessEntries(EksOperations):
    """Who may enter a cluster, and with which policies."""

    def create_access_entry(self) -> ActionResult:
        """The principal must exist in IAM when it is of this account, as AWS demands."""
        params, cluster = self.params, self.cluster()
        if cluster["accessConfig"]["authenticationMode"] == "CONFIG_MAP":
            raise invalid_request(
                "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP]"
            )
        principal, kind = params["principalArn"], params.get("type") or "STANDARD"
        if (cluster["name"], principal) in self.state.access_entries:
            raise in_use("The specified access entry resource is already in use on this cluster.")
        if kind not in ENTRY_TYPES:
            raise self.invalid(
                f"The specified type {kind!r} is not supported; use one of {', '.join(ENTRY_TYPES)}"
            )
        groups = list(params.get("kubernetesGroups") or [])
        if kind != "STANDARD" and (groups or params.get("username")):
            raise self.invalid(f"An access entry of type {kind} takes no kubernetesGroups and no username")
        self._require_principal(principal)
        self._require_groups(groups)
        kind_and_name = principal.rsplit(":", 1)[-1].split("/", 1)
        resource = "/".join([cluster["name"], kind_and_name[0], self.state.account_id, *kind_and_name[1:]])
        entry: dict[str, Any] = {
            "clusterName": cluster["name"],
            "principalArn": principal,
            "kubernetesGroups": _NODE_GROUPS.get(kind, groups),
            "accessEntryArn": self.state.arn("eks", f"access-entry/{resource}/{new_uuid()}"),
            "createdAt": now(),
            "modifiedAt": now(),
            "tags": dict(params.get("tags") or {}),
            "username": params.get("username") or self._username(principal, kind),
            "type": kind,
        }
        self.state.access_entries[cluster["name"], principal] = entry
        self.state.access_policies[cluster["name"], principal] = {}
        return ActionResult({"accessEntry": entry})

    def describe_access_entry(self) -> ActionResult:
        """The entry."""
        return ActionResult({"accessEntry": self._entry()})

    def list_access_entries(self) -> ActionResult:
        """Principals in order, all or those with a policy."""
        cluster, policy = self.cluster()["name"], self.params.get("associatedPolicyArn")
        principals = sorted(
            principal
            for owner, principal in self.state.access_entries
            if owner == cluster and (not policy or policy in self.state.access_policies[owner, principal])
        )
        found, token = self.page(principals, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"accessEntries": found, "nextToken": token})

    def update_access_entry(self) -> ActionResult:
        """New groups or user name."""
        entry = self._entry()
        if entry["type"] != "STANDARD":
            raise self.invalid(f"An access entry of type {entry['type']} cannot be updated")
        if self.params.get("kubernetesGroups") is not None:
            self._require_groups(self.params["kubernetesGroups"])
            entry["kubernetesGroups"] = self.params["kubernetesGroups"]
        if self.params.get("username"):
            entry["username"] = self.params["username"]
        entry["modifiedAt"] = now()
        return ActionResult({"accessEntry": entry})

    def delete_access_entry(self) -> ActionResult:
        """Gone with its policies."""
        entry = self._entry()
        key = (entry["clusterName"], entry["principalArn"])
        del self.state.access_entries[key]
        del self.state.access_policies[key]
        return ActionResult({})

    def associate_access_policy(self) -> ActionResult:
        """A second association of the same policy replaces its scope."""
        entry, policy, scope = self._entry(), self.params["policyArn"], self.params["accessScope"]
        if policy not in {self._policy_arn(name) for name in ACCESS_POLICIES}:
            raise self.invalid(
                f"The policyArn {policy!r} is not an EKS access policy; see ListAccessPolicies"
            )
        if entry["type"] not in {"STANDARD", "EC2", "HYPERPOD_LINUX"}:
            raise self.invalid(f"An access entry of type {entry['type']} takes no access policies")
        if (scope.get("type") == "namespace") != bool(scope.get("namespaces")):
            raise self.invalid(
                "accessScope: type 'namespace' needs namespaces, and type 'cluster' takes none"
            )
        policies = self.state.access_policies[entry["clusterName"], entry["principalArn"]]
        policies[policy] = {
            "policyArn": policy,
            "accessScope": {
                "type": scope.get("type", "cluster"),
                "namespaces": scope.get("namespaces") or [],
            },
            "associatedAt": policies.get(policy, {}).get("associatedAt", now()),
            "modifiedAt": now(),
        }
        output = {"clusterName": entry["clusterName"], "principalArn": entry["principalArn"]}
        return ActionResult({**output, "associatedAccessPolicy": policies[policy]})

    def disassociate_access_policy(self) -> ActionResult:
        """Raises ResourceNotFoundException when the policy is not associated."""
        entry, policy = self._entry(), self.params["policyArn"]
        policies = self.state.access_policies[entry["clusterName"], entry["principalArn"]]
        if policies.pop(policy, None) is None:
            raise not_found(f"The policy {policy} is not associated with {entry['principalArn']}")
        return ActionResult({})

    def list_associated_access_policies(self) -> ActionResult:
        """In the order of association."""
        entry = self._entry()
        policies = self.state.access_policies[entry["clusterName"], entry["principalArn"]]
        found, token = self.page(
            list(policies.values()), self.params.get("maxResults"), self.params.get("nextToken")
        )
        output = {"clusterName": entry["clusterName"], "principalArn": entry["principalArn"]}
        return ActionResult({**output, "associatedAccessPolicies": found, "nextToken": token})

    def list_access_policies(self) -> ActionResult:
        """All that EKS has."""
        policies = [{"name": name, "arn": self._policy_arn(name)} for name in sorted(ACCESS_POLICIES)]
        found, token = self.page(policies, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"accessPolicies": found, "nextToken": token})

    def _policy_arn(self, name: str) -> str:
        return f"arn:{self.partition}:eks::aws:cluster-access-policy/{name}"

    def _entry(self) -> dict[str, Any]:
        cluster, principal = self.cluster()["name"], self.params["principalArn"]
        if (cluster, principal) not in self.state.access_entries:
            raise not_found(f"The specified principalArn could not be found: {principal}")
        return self.state.access_entries[cluster, principal]

    def _require_principal(self, arn: str) -> None:
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith(("role/", "user/", "root")):  # noqa: PLR2004
            raise self.invalid(
                f"The specified principalArn is invalid: {arn!r} is not the ARN of an IAM role or user"
            )
        iam = iam_backends[self.current_account][self.partition]
        known = {item.arn for item in (*iam.roles.values(), *iam.users.values())}
        # AWS's service-linked roles exist without anyone creating them.
        if parts[4] == self.current_account and arn not in known and "/aws-service-role/" not in arn:
            if parts[5] == "root":
                return
            raise self.invalid(
                f"The specified principalArn is invalid: invalid principal {arn}: no such role or user"
            )

    def _require_groups(self, groups: list[str]) -> None:
        for group in groups:
            if group.startswith(("system:", "eks:", "aws:", "amazon:", "iam:")):
                raise self.invalid(
                    f"The kubernetes group name {group} is invalid, it cannot start with that prefix"
                )

    def _username(self, principal: str, kind: str) -> str:
        if kind in {"EC2_LINUX", "EC2_WINDOWS", "EC2"}:
            return "system:node:{{EC2PrivateDNSName}}"
        if ":role/" in principal:
            name = principal.rsplit("/", 1)[-1]
            return f"arn:{self.partition}:sts::{self.current_account}:assumed-role/{name}/{{{{SessionName}}}}"
        return principal
