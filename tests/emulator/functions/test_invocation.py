"""Lambda functions that are really run."""

import base64
import io
import json
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from emulator.processes import registered
from tests.emulator.rds.conftest import Cloud
from tests.emulator.refusal import refused
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("mysql")

HANDLER = """
import json, os, sys, time
import boto3

def echo(event, context):
    print("echoing", event)
    return {"event": event, "name": context.function_name, "id": context.aws_request_id}

def raises(event, context):
    raise LookupError(f"no {event['what']} anywhere")

def environment(event, context):
    return dict(os.environ)

def account(event, context):
    return boto3.client("sts").get_caller_identity()["Account"]

def itself(event, context):
    client = boto3.client("lambda")
    answer = client.invoke(FunctionName=event["function"], Payload=json.dumps({"deeper": True}))
    return json.loads(answer["Payload"].read())

def sleeps(event, context):
    time.sleep(60)

def exits(event, context):
    sys.exit(3)

def unmarshallable(event, context):
    return object()

def large(event, context):
    return "x" * 7_000_000
"""

Run = Callable[..., Any]


@pytest.fixture
def function(cloud: Cloud, unique: Callable[[str], str]) -> Callable[..., str]:
    """`function("handler.echo")` is a new function's name."""
    iam = cloud.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "lambda.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }

    def create(handler: str, code: str = HANDLER, **more: Any) -> str:
        name = unique("function")
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as content:
            content.writestr("handler.py", code)
            content.writestr("inner/module.py", code)
        asked = {"Runtime": "python3.13", "Role": role, "Timeout": 20} | more
        cloud.client("lambda").create_function(
            FunctionName=name, Handler=handler, Code={"ZipFile": archive.getvalue()}, **asked
        )
        return name

    return create


def invoke(cloud: Cloud, name: str, event: Any = None, **more: Any) -> dict[str, Any]:
    answer = cloud.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return answer | {"Payload": answer["Payload"].read().decode()}


def failure(cloud: Cloud, name: str, event: Any = None) -> dict[str, Any]:
    answer = invoke(cloud, name, event)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["StatusCode"] == 200
    return json.loads(answer["Payload"])


def running_functions(cloud: Cloud) -> list[str]:
    names = [each.name for each in registered(cloud.directory / "processes")]
    return [name for name in names if name.startswith("function/")]


def test_the_handler_gets_the_event_and_a_context(cloud: Cloud, function: Callable[..., str]) -> None:
    name = function("handler.echo")
    answer = invoke(cloud, name, {"pin": 1}, LogType="Tail")
    result = json.loads(answer["Payload"])
    assert (result["event"], result["name"]) == ({"pin": 1}, name)
    assert "FunctionError" not in answer
    assert answer["ExecutedVersion"] == "$LATEST"
    assert base64.b64decode(answer["LogResult"]) == b"echoing {'pin': 1}\n"
    assert running_functions(cloud) == []


def test_a_handler_may_be_in_a_folder(cloud: Cloud, function: Callable[..., str]) -> None:
    answer = invoke(cloud, function("inner/module.echo"), {"pin": 2})
    assert json.loads(answer["Payload"])["event"] == {"pin": 2}


def test_it_sees_its_own_variables_and_nothing_of_this_machine(
    cloud: Cloud, function: Callable[..., str]
) -> None:
    variables = {"CLUSTER_ARN": "arn:cluster", "AWS_REGION": "not-for-the-function-to-say"}
    name = function("handler.environment", Environment={"Variables": variables})
    seen = json.loads(invoke(cloud, name)["Payload"])
    assert seen["CLUSTER_ARN"] == "arn:cluster"
    assert seen["AWS_REGION"] == "eu-west-1"
    assert seen["AWS_ENDPOINT_URL"] == cloud.emulator.endpoint
    assert seen["AWS_LAMBDA_FUNCTION_NAME"] == name
    assert "PYTEST_CURRENT_TEST" not in seen
    assert "HOME" not in seen
    assert "PYTHONPATH" not in seen


def test_its_own_requests_are_answered_while_it_runs(cloud: Cloud, function: Callable[..., str]) -> None:
    assert invoke(cloud, function("handler.account"))["Payload"] == '"210987654321"'
    inner = function("handler.echo")
    answer = invoke(cloud, function("handler.itself"), {"function": inner})
    assert json.loads(answer["Payload"])["event"] == {"deeper": True}


def test_several_run_at_once(cloud: Cloud, function: Callable[..., str]) -> None:
    name = function("handler.account")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: invoke(cloud, name)["Payload"], range(4)))
    assert answers == ['"210987654321"'] * 4


def test_what_the_handler_raises_is_the_answer(cloud: Cloud, function: Callable[..., str]) -> None:
    told = failure(cloud, function("handler.raises"), {"what": "pin"})
    assert (told["errorType"], told["errorMessage"]) == ("LookupError", "no pin anywhere")
    (frame,) = told["stackTrace"]
    assert "in raises" in frame
    assert told["requestId"]


@pytest.mark.parametrize(
    ("handler", "kind", "words"),
    [
        ("lost.handler", "Runtime.ImportModuleError", "Unable to import module 'lost'"),
        ("handler.lost", "Runtime.HandlerNotFound", "Handler 'lost' missing on module 'handler'"),
        ("handler.unmarshallable", "Runtime.MarshalError", "not JSON serializable"),
        ("handler.exits", "Runtime.ExitError", "exit status 3"),
        ("handler.large", "Function.ResponseSizeTooLarge", "6291456"),
    ],
)
def test_what_else_fails_is_named(
    cloud: Cloud, function: Callable[..., str], handler: str, kind: str, words: str
) -> None:
    told = failure(cloud, function(handler))
    assert told["errorType"] == kind
    assert words in told["errorMessage"]


def test_code_that_does_not_parse_is_named(cloud: Cloud, function: Callable[..., str]) -> None:
    told = failure(cloud, function("handler.echo", "def echo(:\n"))
    assert told["errorType"] == "Runtime.UserCodeSyntaxError"
    assert "handler.py" in told["errorMessage"]


def test_a_function_that_takes_too_long_is_ended(cloud: Cloud, function: Callable[..., str]) -> None:
    told = failure(cloud, function("handler.sleeps", Timeout=1))
    assert "Task timed out after 1.00 seconds" in told["errorMessage"]
    assert running_functions(cloud) == []


def test_an_event_is_carried_out_though_nobody_waits(cloud: Cloud, function: Callable[..., str]) -> None:
    name = function("handler.echo")
    answer = invoke(cloud, name, {"pin": 3}, InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"]) == (202, "")
    log = cloud.directory / "logs" / f"function-{name}.log"
    until(lambda: log.exists() and "echoing {'pin': 3}" in log.read_text())


def test_a_dry_run_only_asks_whether_it_could(cloud: Cloud, function: Callable[..., str]) -> None:
    assert invoke(cloud, function("handler.raises"), InvocationType="DryRun")["StatusCode"] == 204


def test_requests_that_are_refused(cloud: Cloud, function: Callable[..., str]) -> None:
    client = cloud.client("lambda")
    with refused("ResourceNotFoundException", "lost"):
        client.invoke(FunctionName="lost")
    name = function("handler.echo")
    with refused("InvalidRequestContentException", "json"):
        client.invoke(FunctionName=name, Payload=b"{not json")
    with refused("RequestTooLargeException", "6291456"):
        client.invoke(FunctionName=name, Payload=json.dumps("x" * 7_000_000))
    client.update_function_configuration(FunctionName=name, Runtime="nodejs22.x")
    with pytest.raises(client.exceptions.InvalidRuntimeException, match="Python functions only"):
        client.invoke(FunctionName=name)
