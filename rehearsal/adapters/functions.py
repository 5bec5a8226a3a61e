"""Lambda functions, who may call them, and the calls that a program makes."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The earliest time a ZIP can hold: the same code gives the same archive."""


@adapter("aws:lambda/function:Function")
def function(order: Order) -> Created:
    """A function with its code."""
    name = order.default_name()
    inputs = order.inputs
    code = inputs.get("code")
    answer = order.create(
        "lambda",
        "CreateFunction",
        renames={
            "name": "FunctionName",
            "s3Bucket": "Code.S3Bucket",
            "s3Key": "Code.S3Key",
            "s3ObjectVersion": "Code.S3ObjectVersion",
            "imageUri": "Code.ImageUri",
            "sourceKmsKeyArn": "Code.SourceKMSKeyArn",
            "durableConfig.retentionPeriod": "RetentionPeriodInDays",
            "fileSystemConfig": "FileSystemConfigs",
        },
        omit=(
            *("code", "reservedConcurrentExecutions"),
            # Tell that the code changed, or concern deletion.
            *("sourceCodeHash", "codeSha256", "skipDestroy", "replaceSecurityGroupsOnDestroy"),
            "replacementSecurityGroupIds",
        ),
        extra={"Code.ZipFile": archive(code)} if isinstance(code, Mapping) else None,
    )
    reserved = inputs.get("reservedConcurrentExecutions")
    if reserved is not None and reserved >= 0:  # -1 reserves nothing
        order.further("lambda", "PutFunctionConcurrency", "reservedConcurrentExecutions", FunctionName=name)
    arn = order.arn("lambda", f"function:{name}")
    region = order.cloud.region
    return answer.created(
        name,
        {
            "arn": arn,
            "name": name,
            "qualifiedArn": f"{arn}:$LATEST",
            "invokeArn": f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{arn}/invocations",
            "version": answer.response.get("Version"),
        },
    )


def archive(code: Mapping[str, Any]) -> bytes:
    """The code as a ZIP; `code` is an asset or archive as on Pulumi's wire."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for path, data in _files(code, ""):
            archive.writestr(zipfile.ZipInfo(path or "code", _LONG_AGO), data)
    return content.getvalue()


def _files(code: Mapping[str, Any], path: str) -> Iterator[tuple[str, bytes]]:
    if "assets" in code:
        for name, each in code["assets"].items():
            yield from _files(each, f"{path}/{name}".lstrip("/"))
    elif "text" in code:
        yield path, code["text"].encode()
    elif "path" in code:
        root = Path(code["path"])
        for file in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if file.is_file():
                inside = str(file.relative_to(root)) if root.is_dir() else root.name
                yield (
                    (f"{path}/{inside}".lstrip("/") if root.is_dir() or not path else path),
                    file.read_bytes(),
                )


@adapter("aws:lambda/permission:Permission")
def permission(order: Order) -> Created:
    """Who may call a function."""
    identity = order.default_name("statementId")
    answer = order.create("lambda", "AddPermission", renames={"function": "FunctionName"}, tagged=False)
    return answer.created(identity, {"statementId": identity})


@adapter("aws:lambda/invocation:Invocation")
def invocation(order: Order) -> Created:
    """A call made when the program is applied; it fails when the function does.

    The emulator runs the function where there are real databases. Elsewhere it must only exist, and the result
    is `null`.
    """
    inputs = order.inputs
    answer = order.create(
        "lambda",
        "Invoke",
        renames={"input": "Payload"},
        # When and with what more the provider calls.
        omit=("input", "triggers", "lifecycleScope", "terraformKey", "tenantId"),
        extra={"Payload": _payload(order)},
        tagged=False,
    )
    result = _text(answer.response.get("Payload"))
    if answer.response.get("FunctionError"):
        order.refuse("input", inputs.get("input"), f"makes the function fail: {_reason(result)}", _SEE_LOG)
    identity = f"{inputs.get('functionName')}_{inputs.get('qualifier') or '$LATEST'}_{order.digits(32)}"
    return answer.created(identity, {"result": result})


_SEE_LOG = "an input that the function takes, or a corrected function; its log says more"


def _payload(order: Order) -> str:
    """The input as the provider sends it: with the lifecycle added when the function is called for each change."""
    text = str(order.inputs.get("input", ""))
    if order.inputs.get("lifecycleScope") != "CRUD":
        return text
    try:
        content = json.loads(text)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        order.refuse("input", text, "is no JSON object", "an object, to which the lifecycle is added")
        return text
    key = order.inputs.get("terraformKey") or "tf"
    return json.dumps({**content, key: {"action": "create", "prev_input": None}})


def _text(payload: Any) -> str:
    return str(payload.read().decode()) if hasattr(payload, "read") else str(payload)


def _reason(result: str) -> str:
    """What the function raised, in its own words."""
    try:
        told = json.loads(result)
        return f"{told['errorType']}: {told['errorMessage']}"
    except (ValueError, TypeError, KeyError):
        return result
