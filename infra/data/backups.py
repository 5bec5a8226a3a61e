"""AWS Backup: copies of the database and the lake in a vault that their own administrators cannot empty."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption, iam
from infra.environment import Environment

DAILY_RETENTION = 35
"""Days at most. Every copy of Aurora is billed as a whole, so only monthly ones are kept longer."""

_POLICIES = (
    "service-role/AWSBackupServiceRolePolicyForBackup",
    "service-role/AWSBackupServiceRolePolicyForRestores",
    "AWSBackupServiceRolePolicyForS3Backup",
    "AWSBackupServiceRolePolicyForS3Restore",
)


@dataclass(frozen=True)
class BackupsArgs:
    """The ARNs of what is backed up."""

    environment: Environment
    resource_arns: tuple[pulumi.Input[str], ...]


class Backups(pulumi.ComponentResource):
    """`vault`, filled daily. In a protected environment it is locked: nobody shortens what is kept."""

    def __init__(self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Backups", name, None, opts)
        environment = args.environment
        full_name = environment.resource_name("backups")
        beneath = pulumi.ResourceOptions(parent=self)
        self.key = encryption.key(environment, "backups", options=beneath)
        self.vault = aws.backup.Vault(
            "backups",
            name=full_name,
            kms_key_arn=self.key.arn,
            force_destroy=not environment.protect,
            tags={"Name": full_name},
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect),
        )
        daily = min(DAILY_RETENTION, environment.backup_retention)
        if environment.protect:
            # Governance mode: without `changeable_for_days`, whose lock not even AWS could ever open.
            aws.backup.VaultLockConfiguration(
                "backups",
                backup_vault_name=self.vault.name,
                min_retention_days=daily,
                max_retention_days=environment.backup_retention,
                opts=pulumi.ResourceOptions(parent=self.vault),
            )
        rules = [self._rule("daily", "cron(0 10 * * ? *)", daily)]
        if environment.backup_retention > daily:
            rules.append(self._rule("monthly", "cron(0 12 1 * ? *)", environment.backup_retention))
        plan = aws.backup.Plan("backups", name=full_name, rules=rules, tags={"Name": full_name}, opts=beneath)
        role = iam.role(
            "backups",
            name=full_name,
            description="AWS Backup copies and restores the database and the lake",
            trust_policy=iam.trust("backup.amazonaws.com"),
            managed_policies=_POLICIES,
            options=beneath,
        )
        aws.backup.Selection(
            "backups",
            name=full_name,
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=list(args.resource_arns),
            opts=beneath,
        )
        self.register_outputs({"vault": self.vault.name})

    def _rule(self, name: str, schedule: str, days: int) -> aws.backup.PlanRuleArgs:
        """`schedule` in UTC, after the database's own backup window; neither kind goes to cold storage."""
        return aws.backup.PlanRuleArgs(
            rule_name=name,
            target_vault_name=self.vault.name,
            schedule=schedule,
            start_window=60,  # minutes
            completion_window=480,
            lifecycle=aws.backup.PlanRuleLifecycleArgs(delete_after=days),
        )
