"""Queues, topics, logs, events, alarms, backups, budgets, names, images, functions, scaling."""

import io
import json
import urllib.parse
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.conftest import ACCOUNT, REGION, Play

Unique = Callable[[str], str]


def test_a_queues_attributes_and_its_real_url(play: Play):
    created = play(
        "aws:sqs/queue:Queue", name="interruptions", messageRetentionSeconds=300, sqsManagedSseEnabled=True
    )

    found = play.ask("sqs", "GetQueueAttributes", QueueUrl=created.id, AttributeNames=["All"])["Attributes"]
    assert found["MessageRetentionPeriod"] == "300"
    assert created.id == f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/interruptions"
    assert created.outputs["arn"] == found["QueueArn"]


@pytest.mark.parametrize(
    ("name", "value"), [("messageRetentionSeconds", 59), ("visibilityTimeoutSeconds", 43_201)]
)
def test_a_queues_numbers_have_bounds(play: Play, unique: Unique, name: str, value: int):
    (problem,) = play.refused("aws:sqs/queue:Queue", name=unique("queue"), **{name: value})

    assert (problem.property, problem.value) == (name, value)


def test_a_fifo_queue_is_named_so(play: Play):
    created = play("aws:sqs/queue:Queue", fifoQueue=True)

    assert created.outputs["name"].endswith(".fifo")


def test_a_policy_of_a_queue_that_is_not_there_is_refused(play: Play):
    url = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/lost"

    assert play.refused("aws:sqs/queuePolicy:QueuePolicy", queueUrl=url, policy="{}")


def test_a_topic_and_who_listens(play: Play):
    topic = play("aws:sns/topic:Topic", name="alarms", displayName="Alarms")
    subscription = play(
        "aws:sns/topicSubscription:TopicSubscription",
        topic=topic.id,
        protocol="email",
        endpoint="oncall@pinwheel.example",
    )

    found = play.ask("sns", "GetTopicAttributes", TopicArn=topic.id)["Attributes"]
    assert found["DisplayName"] == "Alarms"
    assert subscription.id.startswith(topic.id)


def test_a_log_group_keeps_its_events_for_a_time(play: Play):
    created = play("aws:cloudwatch/logGroup:LogGroup", name="/aws/test/flow", retentionInDays=90)

    (found,) = play.ask("logs", "DescribeLogGroups", logGroupNamePrefix="/aws/test/flow")["logGroups"]
    assert found["retentionInDays"] == 90
    assert created.outputs["arn"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/test/flow"


def test_a_log_groups_class_and_retention_are_judged_together(play: Play):
    problems = play.refused(
        "aws:cloudwatch/logGroup:LogGroup", name="/wrong", retentionInDays=91, logGroupClass="CHEAP"
    )

    assert {problem.property for problem in problems} == {"retentionInDays", "logGroupClass"}


def test_a_rule_and_its_target(play: Play, unique: Unique):
    queue = play("aws:sqs/queue:Queue", name=unique("events"))
    rule = play("aws:cloudwatch/eventRule:EventRule", name="spot", eventPattern='{"source": ["aws.ec2"]}')

    target = play(
        "aws:cloudwatch/eventTarget:EventTarget",
        rule=rule.id,
        targetId="queue",
        arn=queue.outputs["arn"],
        inputTransformer={"inputTemplate": '"<id>"', "inputPaths": {"id": "$.id"}},
    )

    (found,) = play.ask("events", "ListTargetsByRule", Rule="spot")["Targets"]
    assert found["Arn"] == queue.outputs["arn"]
    assert found["InputTransformer"]["InputPathsMap"] == {"id": "$.id"}
    assert target.id == "spot-queue"


def test_a_target_of_no_rule_is_refused(play: Play):
    assert play.refused(
        "aws:cloudwatch/eventTarget:EventTarget", rule="lost", arn="arn:aws:sqs:eu-west-1:1:q"
    )


def test_an_alarm_over_an_expression(play: Play):
    metric = {
        "namespace": "AWS/SQS",
        "metricName": "Age",
        "period": 60,
        "stat": "Maximum",
        "dimensions": {"Q": "q"},
    }
    play(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        name="slow",
        comparisonOperator="GreaterThanThreshold",
        evaluationPeriods=2,
        threshold=3,
        metricQueries=[
            {"id": "age", "metric": metric},
            {"id": "rate", "expression": "age / 2", "returnData": True},
        ],
    )

    (found,) = play.ask("cloudwatch", "DescribeAlarms", AlarmNames=["slow"])["MetricAlarms"]
    assert found["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "Q", "Value": "q"}]
    assert found["Threshold"] == 3.0


def test_an_alarms_words_are_judged(play: Play):
    (problem,) = play.refused(
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        comparisonOperator=">",
        evaluationPeriods=1,
        metricName="m",
        namespace="n",
    )

    assert (problem.property, problem.value) == ("comparisonOperator", ">")


def test_a_backup_plan_and_what_it_takes(play: Play, key: str, role: Callable[[str], str]):
    vault = play("aws:backup/vault:Vault", name="vault", kmsKeyArn=key)
    play(
        "aws:backup/vaultLockConfiguration:VaultLockConfiguration",
        backupVaultName="vault",
        minRetentionDays=7,
    )
    plan = play(
        "aws:backup/plan:Plan",
        name="daily",
        rules=[
            {
                "ruleName": "daily",
                "targetVaultName": "vault",
                "schedule": "cron(0 3 * * ? *)",
                "startWindow": 60,
                "lifecycle": {"deleteAfter": 35},
            }
        ],
    )
    selection = play(
        "aws:backup/selection:Selection",
        planId=plan.id,
        name="tagged",
        iamRoleArn=role("backup.amazonaws.com"),
        selectionTags=[{"type": "STRINGEQUALS", "key": "backup", "value": "yes"}],
    )

    found = play.ask("backup", "GetBackupPlan", BackupPlanId=plan.id)["BackupPlan"]
    assert found["Rules"][0]["Lifecycle"] == {"DeleteAfterDays": 35}
    assert vault.outputs["arn"].endswith(":backup-vault:vault")
    assert play.ask("backup", "GetBackupSelection", BackupPlanId=plan.id, SelectionId=selection.id)
    assert selection.unchecked == plan.unchecked == ()


def test_a_selection_of_a_wrong_condition_is_named(play: Play, role: Callable[[str], str]):
    (problem,) = play.refused(
        "aws:backup/selection:Selection",
        planId="none",
        name="tagged",
        iamRoleArn=role("backup.amazonaws.com"),
        selectionTags=[{"type": "EQUALS", "key": "backup", "value": "yes"}],
    )

    assert (problem.property, problem.value) == ("selectionTags[0].type", "EQUALS")


def test_a_budget_warns(play: Play):
    notification = {
        "comparisonOperator": "GREATER_THAN",
        "threshold": 80,
        "thresholdType": "PERCENTAGE",
        "notificationType": "FORECASTED",
        "subscriberEmailAddresses": ["oncall@pinwheel.example"],
    }
    created = play(
        "aws:budgets/budget:Budget",
        name="monthly",
        budgetType="COST",
        timeUnit="MONTHLY",
        limitAmount="1500",
        limitUnit="USD",
        costFilters=[{"name": "TagKeyValue", "values": ["user:environment$test"]}],
        notifications=[notification],
        timePeriodStart="2027-01-01_00:00",
    )

    found = play.ask("budgets", "DescribeBudget", AccountId=ACCOUNT, BudgetName="monthly")["Budget"]
    assert found["BudgetLimit"] == {"Amount": "1500", "Unit": "USD"}
    assert found["CostFilters"] == {"TagKeyValue": ["user:environment$test"]}
    assert created.id == f"{ACCOUNT}:monthly"
    assert created.unchecked == ()


def test_a_budgets_mistakes_are_named_in_pulumis_words(play: Play):
    problems = play.refused(
        "aws:budgets/budget:Budget",
        budgetType="MONEY",
        timeUnit="MONTHLY",
        limitAmount="1",
        limitUnit="USD",
        timePeriodStart="tomorrow",
        notifications=[
            {
                "comparisonOperator": ">",
                "threshold": 80,
                "notificationType": "ACTUAL",
                "subscriberEmailAddresses": ["oncall@pinwheel.example"],
            }
        ],
    )

    assert {problem.property for problem in problems} == {
        "budgetType",
        "timePeriodStart",
        "notifications[0].comparisonOperator",
    }


def test_a_private_zone_and_a_record(play: Play, vpc: str):
    zone = play("aws:route53/zone:Zone", name="test.internal", vpcs=[{"vpcId": vpc}])
    record = play(
        "aws:route53/record:Record",
        zoneId=zone.id,
        name="db.test.internal",
        type="CNAME",
        ttl=60,
        records=["writer.example"],
    )

    found = play.ask("route53", "ListResourceRecordSets", HostedZoneId=zone.id)["ResourceRecordSets"]
    assert {each["Name"]: each["Type"] for each in found}["db.test.internal."] == "CNAME"
    assert record.id == f"{zone.id}_db.test.internal_CNAME"
    assert zone.outputs["zoneId"] == zone.id


def test_a_record_of_a_wrong_type_in_a_zone_is_named(play: Play):
    (problem,) = play.refused(
        "aws:route53/record:Record", zoneId="Z1", name="a.b", type="ALIAS", ttl=60, records=["x"]
    )

    assert (problem.property, problem.value) == ("type", "ALIAS")


def test_a_repository_and_which_images_go(play: Play):
    created = play(
        "aws:ecr/repository:Repository",
        name="pin",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfigurations=[{"encryptionType": "KMS"}],
        forceDelete=True,
    )
    selection = {
        "tagStatus": "untagged",
        "countType": "sinceImagePushed",
        "countUnit": "days",
        "countNumber": 14,
    }
    rule = {"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}
    play("aws:ecr/lifecyclePolicy:LifecyclePolicy", repository="pin", policy=json.dumps({"rules": [rule]}))

    assert created.outputs["repositoryUrl"] == f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/pin"
    assert created.unchecked == ()


def function_inputs(role: str, **more: Any) -> dict[str, Any]:
    code = {"assets": {"handler.py": {"text": "def run(event, context):\n    return None\n"}}}
    return {"role": role, "handler": "handler.run", "runtime": "python3.13", "code": code, **more}


def test_a_functions_code_arrives_the_same_every_time(play: Play, role: Callable[[str], str], unique: Unique):
    runs_as = role("lambda.amazonaws.com")
    names = [unique("bootstrap"), unique("bootstrap")]
    for name in names:
        play("aws:lambda/function:Function", name=name, **function_inputs(runs_as, timeout=60))

    sums = {play.ask("lambda", "GetFunctionConfiguration", FunctionName=name)["CodeSha256"] for name in names}
    assert len(sums) == 1


def test_a_functions_archive_holds_its_files(play: Play, role: Callable[[str], str]):
    play("aws:lambda/function:Function", name="stored", **function_inputs(role("lambda.amazonaws.com")))

    location = play.ask("lambda", "GetFunction", FunctionName="stored")["Code"]["Location"]
    assert urllib.parse.urlsplit(location).path
    # The emulator keeps code where only its own invocation reads it; the archive itself is checked here.
    from rehearsal.adapters.functions import archive

    names = zipfile.ZipFile(io.BytesIO(archive(function_inputs("r")["code"]))).namelist()
    assert names == ["handler.py"]


def test_a_functions_mistakes_are_named(play: Play, role: Callable[[str], str]):
    inputs = function_inputs(
        role("lambda.amazonaws.com"), runtime="python3.99", architectures=["arm"], timeout=9999
    )

    problems = play.refused("aws:lambda/function:Function", **inputs)

    assert {problem.property for problem in problems} == {"runtime", "architectures[0]", "timeout"}


def test_an_invocation_needs_its_function(play: Play):
    (problem,) = play.refused("aws:lambda/invocation:Invocation", functionName="lost", input="{}")

    assert problem.property == "functionName"


def test_an_invocation_is_not_run(play: Play, role: Callable[[str], str]):
    play("aws:lambda/function:Function", name="called", **function_inputs(role("lambda.amazonaws.com")))

    created = play(
        "aws:lambda/invocation:Invocation", functionName="called", input="{}", lifecycleScope="CRUD"
    )

    assert created.outputs == {"result": "null"}
    assert created.unchecked == ()


def test_scaling_of_a_wrong_namespace_is_named(play: Play):
    (problem,) = play.refused(
        "aws:appautoscaling/target:Target",
        minCapacity=1,
        maxCapacity=2,
        resourceId="x",
        scalableDimension="kafka:broker-storage:VolumeSize",
        serviceNamespace="msk",
    )

    assert (problem.property, problem.value) == ("serviceNamespace", "msk")
