"""What moto loses or mistakes and the emulator corrects; a test that fails after an upgrade may be good news."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest

from tests.emulator.conftest import REGION, Clients
from tests.emulator.refusal import refused

Names = Callable[[str], str]


@pytest.fixture
def function(client: Clients, unique: Names, role: Callable[..., str]) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("handler.py", "def handler(event, context): return event")
    made = client("lambda").create_function(
        FunctionName=unique("function"),
        Runtime="python3.13",
        Handler="handler.handler",
        Role=role("lambda.amazonaws.com"),
        Code={"ZipFile": archive.getvalue()},
        LoggingConfig={"LogFormat": "JSON", "LogGroup": "/functions"},
    )
    return made["FunctionArn"]


def test_a_bucket_that_denies_plain_http_takes_objects(client: Clients, unique: Names) -> None:
    s3, bucket = client("s3"), unique("bucket")
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*"}
    only_tls = statement | {"Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [only_tls]}))
    s3.put_object(Bucket=bucket, Key="a", Body=b"b")
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"b"
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    with refused("403"):
        s3.put_object(Bucket=bucket, Key="a", Body=b"b")


def test_access_logs_go_where_a_policy_lets_them(client: Clients, unique: Names) -> None:
    s3, source, target = client("s3"), unique("source"), unique("target")
    for bucket in (source, target):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    only_tls = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{target}", f"arn:aws:s3:::{target}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    deliver = {
        "Effect": "Allow",
        "Principal": {"Service": ["logging.s3.amazonaws.com"]},
        "Action": ["s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{target}/lake/*"],
    }
    logging = {"TargetBucket": target, "TargetPrefix": "lake/"}
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": [only_tls]}))
    with refused("InvalidTargetBucketForLogging"):
        s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": logging})
    statements = [only_tls, deliver]
    s3.put_bucket_policy(Bucket=target, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    s3.put_bucket_logging(Bucket=source, BucketLoggingStatus={"LoggingEnabled": logging})
    assert s3.get_bucket_logging(Bucket=source)["LoggingEnabled"] == logging


def test_functions_keep_their_logging_and_run_without_docker(client: Clients, function: str) -> None:
    configuration = client("lambda").get_function(FunctionName=function)["Configuration"]
    assert configuration["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": "/functions"}
    answer = client("lambda").invoke(FunctionName=function, Payload=b'{"user": "pin"}')
    assert answer["StatusCode"] == 200


def test_secrets_keep_their_rotation_rules(client: Clients, function: str, unique: Names) -> None:
    secrets = client("secretsmanager")
    secret = secrets.create_secret(Name=unique("secret"), SecretString="{}")["ARN"]
    rules = {"ScheduleExpression": "rate(30 days)", "Duration": "2h"}
    secrets.rotate_secret(
        SecretId=secret, RotationLambdaARN=function, RotationRules=rules, RotateImmediately=False
    )
    described = secrets.describe_secret(SecretId=secret)
    assert described["RotationEnabled"] is True
    assert described["RotationRules"] == rules


def test_keys_keep_their_rotation_period(client: Clients) -> None:
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=180)
    assert kms.get_key_rotation_status(KeyId=key)["RotationPeriodInDays"] == 180


def test_roles_take_the_managed_policies_of_aws(client: Clients, role: Callable[..., str]) -> None:
    name = role("eks.amazonaws.com").rsplit("/", 1)[-1]
    policy = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"
    client("iam").attach_role_policy(RoleName=name, PolicyArn=policy)
    attached = client("iam").list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    assert [item["PolicyArn"] for item in attached] == [policy]
