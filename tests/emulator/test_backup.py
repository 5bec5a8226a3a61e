"""AWS Backup through boto3."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.conftest import Clients
from tests.emulator.refusal import refused

Names = Callable[[str], str]


@pytest.fixture
def vault(client: Clients, unique: Names) -> str:
    name = unique("vault")
    client("backup").create_backup_vault(BackupVaultName=name)
    return name


def plan_of(vault: str, name: str) -> dict[str, Any]:
    rule = {"RuleName": "daily", "TargetBackupVaultName": vault, "Lifecycle": {"DeleteAfterDays": 35}}
    return {"BackupPlanName": name, "Rules": [rule]}


def test_a_plan_with_a_selection(
    client: Clients, vault: str, unique: Names, role: Callable[..., str]
) -> None:
    backup, name = client("backup"), unique("plan")
    plan = backup.create_backup_plan(BackupPlan=plan_of(vault, name))["BackupPlanId"]
    given = {
        "SelectionName": "tagged",
        "IamRoleArn": role("backup.amazonaws.com"),
        "ListOfTags": [{"ConditionType": "STRINGEQUALS", "ConditionKey": "backup", "ConditionValue": "true"}],
    }
    selection = backup.create_backup_selection(BackupPlanId=plan, BackupSelection=given)["SelectionId"]
    found = backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection)["BackupSelection"]
    assert found == given
    listed = backup.list_backup_selections(BackupPlanId=plan)["BackupSelectionsList"]
    assert [item["SelectionId"] for item in listed] == [selection]
    with refused("AlreadyExistsException", "tagged"):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=given)
    with refused("InvalidParameterValueException", selection):
        backup.delete_backup_plan(BackupPlanId=plan)
    first = backup.get_backup_plan(BackupPlanId=plan)["VersionId"]
    renewed = backup.update_backup_plan(BackupPlanId=plan, BackupPlan=plan_of(vault, f"{name}-renamed"))
    assert renewed["VersionId"] != first
    assert backup.get_backup_plan(BackupPlanId=plan)["BackupPlan"]["BackupPlanName"] == f"{name}-renamed"
    backup.delete_backup_selection(BackupPlanId=plan, SelectionId=selection)
    with refused("ResourceNotFoundException", selection):
        backup.get_backup_selection(BackupPlanId=plan, SelectionId=selection)
    backup.delete_backup_plan(BackupPlanId=plan)
    with refused("ResourceNotFoundException", plan):
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=given)


def test_references_are_checked(client: Clients, vault: str, unique: Names, role: Callable[..., str]) -> None:
    backup = client("backup")
    with refused("InvalidParameterValueException", "no-vault"):
        backup.create_backup_plan(BackupPlan=plan_of("no-vault", unique("plan")))
    plan = backup.create_backup_plan(BackupPlan=plan_of(vault, unique("plan")))["BackupPlanId"]
    with refused("InvalidParameterValueException", "AWS Backup"):
        wrong = {"SelectionName": "s", "IamRoleArn": role("ec2.amazonaws.com"), "Resources": ["*"]}
        backup.create_backup_selection(BackupPlanId=plan, BackupSelection=wrong)


def test_vault_policies_and_region_settings(client: Clients, vault: str) -> None:
    backup = client("backup")
    with refused("ResourceNotFoundException", vault):
        backup.get_backup_vault_access_policy(BackupVaultName=vault)
    backup.put_backup_vault_access_policy(BackupVaultName=vault, Policy="{}")
    assert backup.get_backup_vault_access_policy(BackupVaultName=vault)["Policy"] == "{}"
    backup.delete_backup_vault_access_policy(BackupVaultName=vault)
    backup.update_region_settings(ResourceTypeOptInPreference={"Aurora": False})
    assert backup.describe_region_settings()["ResourceTypeOptInPreference"]["Aurora"] is False
