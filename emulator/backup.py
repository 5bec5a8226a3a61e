"""AWS Backup: moto's vaults and plans, with what moto lacks: selections, new plan versions, access policies."""

import json
from typing import Any

from moto.backup.exceptions import (
    AlreadyExistsException,
    InvalidParameterValueException,
    ResourceNotFoundException,
)
from moto.backup.models import BackupBackend, Plan, backup_backends
from moto.backup.responses import BackupResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.iam.models import iam_backends

from emulator.operations import new_uuid, now

_DEFAULT_OPT_IN = (
    *("Aurora", "CloudFormation", "DocumentDB", "DynamoDB", "EBS", "EC2", "EFS", "EKS", "FSx", "Neptune"),
    *("RDS", "Redshift", "S3", "Storage Gateway", "Timestream", "VirtualMachine"),
)


class BackupState(BackupBackend):
    """moto's Backup, and selections, policies and region settings."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.selections: dict[tuple[str, str], dict[str, Any]] = {}
        """By plan id and selection id."""
        self.access_policies: dict[str, str] = {}
        self.notifications: dict[str, dict[str, Any]] = {}
        self.opted_in: dict[str, bool] = dict.fromkeys(_DEFAULT_OPT_IN, True)
        self.managed: dict[str, bool] = {"DynamoDB": True, "EFS": True}

    def create_backup_plan(self, backup_plan: Any, backup_plan_tags: Any, creator_request_id: Any) -> Plan:
        """The vaults that the rules name must exist."""
        self.require_vaults(backup_plan)
        return super().create_backup_plan(backup_plan, backup_plan_tags, creator_request_id)

    def require_vaults(self, plan: dict[str, Any]) -> None:
        """Refuse a plan whose rules name a vault that does not exist."""
        for rule in plan["Rules"]:
            if rule["TargetBackupVaultName"] not in self.vaults:
                raise InvalidParameterValueException(
                    f"Rule {rule.get('RuleName')!r}: the backup vault {rule['TargetBackupVaultName']!r} does not exist"
                )

    def live_plan(self, plan_id: str) -> Plan:
        """A plan that is not deleted. Raises ResourceNotFoundException."""
        plan = self.plans.get(plan_id)
        if plan is None or plan.deletion_date is not None:
            raise ResourceNotFoundException(f"Cannot find Backup plan with ID {plan_id}")
        return plan


backup_backends.backend = BackupState


class EmulatedBackupResponse(BackupResponse):
    """Backup with selections."""

    @property
    def state(self) -> BackupState:
        """The state of the request's account and region."""
        state: Any = backup_backends[self.current_account][self.region]
        return state

    def update_backup_plan(self) -> ActionResult:
        """A new version of the plan, under the same id."""
        plan = self.state.live_plan(self._segment(2))
        document = json.loads(self.body)["BackupPlan"]
        self.state.require_vaults(document)
        # The constructor fills in the defaults of the rules and draws a version.
        renewed: Any = Plan(document, plan.creator_request_id, self.state)
        renewed.backup_plan_id, renewed.backup_plan_arn = plan.backup_plan_id, plan.backup_plan_arn
        self.state.plans[plan.backup_plan_id] = renewed
        return ActionResult(renewed.to_dict())

    def delete_backup_plan(self) -> Any:
        """Refused while selections are left, as AWS does."""
        plan = self.state.live_plan(self._segment(2))
        left = [key[1] for key in self.state.selections if key[0] == plan.backup_plan_id]
        if left:
            raise InvalidParameterValueException(
                f"Related backup plan selections must be deleted prior to backup plan deletion: {', '.join(left)}"
            )
        return super().delete_backup_plan()

    def create_backup_selection(self) -> ActionResult:
        """What the plan backs up; the role must exist and trust AWS Backup."""
        plan = self.state.live_plan(self._segment(2))
        selection = json.loads(self.body)["BackupSelection"]
        self._require_role(selection.get("IamRoleArn"))
        names = [item["BackupSelection"]["SelectionName"] for item in self._of_plan(plan.backup_plan_id)]
        if selection["SelectionName"] in names:
            raise AlreadyExistsException(f"Backup selection {selection['SelectionName']} already exists")
        kept: dict[str, Any] = {
            "BackupPlanId": plan.backup_plan_id,
            "SelectionId": new_uuid(),
            "BackupSelection": selection,
            "CreationDate": now(),
        }
        self.state.selections[plan.backup_plan_id, kept["SelectionId"]] = kept
        return ActionResult(kept)

    def get_backup_selection(self) -> ActionResult:
        """The selection."""
        return ActionResult(self._selection())

    def list_backup_selections(self) -> ActionResult:
        """Those of a plan."""
        plan = self.state.live_plan(self._segment(2))
        items = [
            {
                **item,
                "SelectionName": item["BackupSelection"]["SelectionName"],
                "IamRoleArn": item["BackupSelection"]["IamRoleArn"],
            }
            for item in self._of_plan(plan.backup_plan_id)
        ]
        return ActionResult({"BackupSelectionsList": items})

    def delete_backup_selection(self) -> ActionResult:
        """Gone at once."""
        selection = self._selection()
        del self.state.selections[selection["BackupPlanId"], selection["SelectionId"]]
        return EmptyResult()

    def put_backup_vault_access_policy(self) -> ActionResult:
        """A resource policy of a vault."""
        vault = self.state.describe_backup_vault(self._segment(1))
        self.state.access_policies[vault.backup_vault_name] = json.loads(self.body).get("Policy", "")
        return EmptyResult()

    def get_backup_vault_access_policy(self) -> ActionResult:
        """Raises ResourceNotFoundException when the vault has none."""
        vault = self.state.describe_backup_vault(self._segment(1))
        policy = self.state.access_policies.get(vault.backup_vault_name)
        if policy is None:
            raise ResourceNotFoundException(f"Backup vault {vault.backup_vault_name} has no access policy")
        return ActionResult({**vault.to_dict(), "Policy": policy})

    def delete_backup_vault_access_policy(self) -> ActionResult:
        """No error when there is none."""
        self.state.access_policies.pop(self._segment(1), None)
        return EmptyResult()

    def put_backup_vault_notifications(self) -> ActionResult:
        """Which events of a vault go to which topic."""
        vault = self.state.describe_backup_vault(self._segment(1))
        self.state.notifications[vault.backup_vault_name] = json.loads(self.body)
        return EmptyResult()

    def get_backup_vault_notifications(self) -> ActionResult:
        """Raises ResourceNotFoundException when the vault has none."""
        vault = self.state.describe_backup_vault(self._segment(1))
        kept = self.state.notifications.get(vault.backup_vault_name)
        if kept is None:
            raise ResourceNotFoundException(f"Backup vault {vault.backup_vault_name} has no notifications")
        return ActionResult({**vault.to_dict(), **kept})

    def delete_backup_vault_notifications(self) -> ActionResult:
        """No error when there are none."""
        self.state.notifications.pop(self._segment(1), None)
        return EmptyResult()

    def describe_region_settings(self) -> ActionResult:
        """Which resource types AWS Backup protects in this region."""
        opted_in, managed = self.state.opted_in, self.state.managed
        return ActionResult(
            {"ResourceTypeOptInPreference": opted_in, "ResourceTypeManagementPreference": managed}
        )

    def update_region_settings(self) -> ActionResult:
        """Opt resource types in or out."""
        given = json.loads(self.body)
        self.state.opted_in |= given.get("ResourceTypeOptInPreference") or {}
        self.state.managed |= given.get("ResourceTypeManagementPreference") or {}
        return EmptyResult()

    def _segment(self, index: int) -> str:
        """A part of the path, such as the plan's id in /backup/plans/{id}/selections/."""
        return self.path.strip("/").split("/")[index]

    def _of_plan(self, plan_id: str) -> list[dict[str, Any]]:
        return [item for key, item in self.state.selections.items() if key[0] == plan_id]

    def _selection(self) -> dict[str, Any]:
        key = (self._segment(2), self._segment(4))
        if key not in self.state.selections:
            raise ResourceNotFoundException(f"Cannot find Backup selection with ID {key[1]} in plan {key[0]}")
        return self.state.selections[key]

    def _require_role(self, arn: str | None) -> None:
        roles: Any = iam_backends[self.current_account][self.partition].roles.values()
        found = next((role for role in roles if role.arn == arn), None)
        if found is None or '"backup.amazonaws.com"' not in str(found.assume_role_policy_document):
            raise InvalidParameterValueException(
                f"IAM Role {arn} does not exist or cannot be assumed by AWS Backup"
            )
