"""AWS Backup: vaults, plans, and what they take."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:backup/vault:Vault")
def vault(order: Order) -> Created:
    """A vault."""
    name = order.default_name()
    answer = order.create(
        "backup",
        "CreateBackupVault",
        renames={"name": "BackupVaultName", "kmsKeyArn": "EncryptionKeyArn"},
        omit=("forceDestroy",),  # concerns deletion only
        extra={"BackupVaultTags": order.tags} if order.tags else None,
    )
    return answer.created(name, {"arn": answer.response["BackupVaultArn"], "name": name})


@adapter("aws:backup/vaultLockConfiguration:VaultLockConfiguration")
def vault_lock(order: Order) -> Created:
    """How long nobody may delete what is in a vault."""
    return _of_vault(order, "PutBackupVaultLockConfiguration")


@adapter("aws:backup/vaultPolicy:VaultPolicy")
def vault_policy(order: Order) -> Created:
    """Who may use a vault."""
    return _of_vault(order, "PutBackupVaultAccessPolicy")


def _of_vault(order: Order, operation: str) -> Created:
    answer = order.create("backup", operation, tagged=False)
    name = order.inputs.get("backupVaultName", "")
    return answer.created(name, {"backupVaultArn": order.arn("backup", f"backup-vault:{name}")})


@adapter("aws:backup/plan:Plan")
def plan(order: Order) -> Created:
    """When backups are taken and how long they are kept."""
    order.default_name()
    answer = order.create(
        "backup",
        "CreateBackupPlan",
        within="BackupPlan",
        renames={
            "name": "BackupPlanName",
            "rules.targetVaultName": "TargetBackupVaultName",
            "rules.schedule": "ScheduleExpression",
            "rules.startWindow": "StartWindowMinutes",
            "rules.completionWindow": "CompletionWindowMinutes",
            "rules.copyActions.destinationVaultArn": "DestinationBackupVaultArn",
            "coldStorageAfter": "MoveToColdStorageAfterDays",
            "deleteAfter": "DeleteAfterDays",
        },
        extra={"BackupPlanTags": order.tags} if order.tags else None,
    )
    created = answer.response
    return answer.created(
        created["BackupPlanId"], {"arn": created["BackupPlanArn"], "version": created["VersionId"]}
    )


@adapter("aws:backup/selection:Selection")
def selection(order: Order) -> Created:
    """What a plan backs up."""
    order.default_name()
    answer = order.create(
        "backup",
        "CreateBackupSelection",
        within="BackupSelection",
        renames={
            "planId": "BackupPlanId",
            "name": "SelectionName",
            "selectionTags": "ListOfTags",
            "selectionTags.type": "ConditionType",
            "selectionTags.key": "ConditionKey",
            "selectionTags.value": "ConditionValue",
            **{
                f"conditions.{test}.{key}": f"Condition{key.title()}"
                for test in ("stringEquals", "stringNotEquals", "stringLikes", "stringNotLikes")
                for key in ("key", "value")
            },
        },
        tagged=False,
    )
    return answer.created(answer.response["SelectionId"])
