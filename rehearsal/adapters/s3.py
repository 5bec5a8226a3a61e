"""Buckets, and the settings of a bucket that are resources of their own."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_FIRST_REGION = "us-east-1"
"""The only region whose buckets name no location."""


@adapter("aws:s3/bucket:Bucket")
def bucket(order: Order) -> Created:
    """A bucket without settings: those are resources of their own."""
    name = order.default_name("bucket")
    region = order.cloud.region
    answer = order.create(
        "s3",
        "CreateBucket",
        renames={"objectLockEnabled": "ObjectLockEnabledForBucket"},
        omit=("forceDestroy",),  # concerns deletion only
        extra=None if region == _FIRST_REGION else {"CreateBucketConfiguration.LocationConstraint": region},
        tagged=False,
    )
    if order.tags:
        order.call("s3", "PutBucketTagging", Bucket=name, Tagging={"TagSet": order.tag_list})
    return answer.created(
        name,
        {
            "arn": f"arn:aws:s3:::{name}",
            "bucket": name,
            "bucketDomainName": f"{name}.s3.amazonaws.com",
            "bucketRegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
            "bucketRegion": region,
        },
    )


def _setting(
    order: Order, operation: str, renames: dict[str, str] | None = None, within: str = ""
) -> Created:
    answer = order.create("s3", operation, renames=renames, within=within, tagged=False)
    return answer.created(order.inputs.get("bucket", ""))


@adapter("aws:s3/bucketVersioning:BucketVersioning")
def versioning(order: Order) -> Created:
    """Whether old versions are kept."""
    return _setting(
        order, "PutBucketVersioning", {"versioningConfiguration.mfaDelete": "MFADelete", "mfa": "MFA"}
    )


@adapter("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
def encryption(order: Order) -> Created:
    """With which key objects are encrypted."""
    return _setting(
        order,
        "PutBucketEncryption",
        {"rules.blockedEncryptionTypes": "BlockedEncryptionTypes.EncryptionType"},
        within="ServerSideEncryptionConfiguration",
    )


@adapter("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
def public_access_block(order: Order) -> Created:
    """That nothing here becomes public."""
    answer = order.create(
        "s3",
        "PutPublicAccessBlock",
        within="PublicAccessBlockConfiguration",
        omit=("skipDestroy",),  # the provider leaves the block at deletion
        tagged=False,
    )
    return answer.created(order.inputs.get("bucket", ""))


@adapter("aws:s3/bucketOwnershipControls:BucketOwnershipControls")
def ownership_controls(order: Order) -> Created:
    """To whom objects belong."""
    return _setting(order, "PutBucketOwnershipControls", {"rule": "OwnershipControls.Rules"})


@adapter("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
def lifecycle(order: Order) -> Created:
    """When objects move to another storage class or go."""
    order.inputs = {**order.inputs, "rules": [_rule(each) for each in order.inputs.get("rules") or ()]}
    answer = order.create(
        "s3",
        "PutBucketLifecycleConfiguration",
        within="LifecycleConfiguration",
        omit=("timeouts",),  # the provider's own patience
        tagged=False,
    )
    return answer.created(order.inputs.get("bucket", ""))


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    """A rule, with the tags of its filter as the API has them."""
    both = (given.get("filter") or {}).get("and") or {}
    if not both.get("tags"):
        return given
    tags = [{"key": key, "value": value} for key, value in both["tags"].items()]
    return {**given, "filter": {**given["filter"], "and": {**both, "tags": tags}}}


@adapter("aws:s3/bucketPolicy:BucketPolicy")
def policy(order: Order) -> Created:
    """Who may use a bucket."""
    return _setting(order, "PutBucketPolicy")


@adapter("aws:s3/bucketLogging:BucketLogging")
def access_logging(order: Order) -> Created:
    """Where a bucket's access log goes."""
    places = ("targetBucket", "targetPrefix", "targetObjectKeyFormat", "targetGrants")
    return _setting(
        order,
        "PutBucketLogging",
        {key: f"BucketLoggingStatus.LoggingEnabled.{key[0].upper()}{key[1:]}" for key in places},
    )


@adapter("aws:s3/bucketCorsConfiguration:BucketCorsConfiguration")
def cors(order: Order) -> Created:
    """Which web pages may read objects."""
    return _setting(order, "PutBucketCors", within="CORSConfiguration")


@adapter("aws:s3/bucketNotification:BucketNotification")
def notification(order: Order) -> Created:
    """Who hears of new objects."""
    kinds = {"lambdaFunctions": "LambdaFunction", "queues": "Queue", "topics": "Topic"}
    inputs = order.inputs
    order.inputs = {
        **inputs,
        **{kind: [_notice(each) for each in inputs.get(kind) or ()] for kind in kinds},
    }
    answer = order.create(
        "s3",
        "PutBucketNotificationConfiguration",
        renames={kind: f"NotificationConfiguration.{member}Configurations" for kind, member in kinds.items()},
        omit=("eventbridge",),
        extra={"NotificationConfiguration.EventBridgeConfiguration": {}}
        if inputs.get("eventbridge")
        else None,
        tagged=False,
    )
    return answer.created(inputs.get("bucket", ""))


def _notice(given: dict[str, Any]) -> dict[str, Any]:
    rules = [
        {"name": kind, "value": given[key]}
        for kind, key in (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
        if given.get(key)
    ]
    rest = {key: value for key, value in given.items() if key not in {"filterPrefix", "filterSuffix"}}
    return {**rest, "filter": {"key": {"filterRules": rules}}} if rules else rest


@adapter("aws:s3/bucketObjectv2:BucketObjectv2", "aws:s3/bucketObject:BucketObject")
def stored_object(order: Order) -> Created:
    """An object with the content that the program gives."""
    inputs = order.inputs
    content: dict[str, Any] = {}
    if inputs.get("contentBase64"):
        content = {"Body": order.bytes_of("contentBase64")}
    elif isinstance(inputs.get("source"), dict) and "text" in inputs["source"]:
        content = {"Body": inputs["source"]["text"].encode()}
    elif inputs.get("content") is not None:
        content = {"Body": inputs["content"].encode()}
    answer = order.create(
        "s3",
        "PutObject",
        renames={"kmsKeyId": "SSEKMSKeyId", "websiteRedirect": "WebsiteRedirectLocation"},
        # The hashes tell that the content changed; forceDestroy concerns deletion only.
        omit=("content", "contentBase64", "forceDestroy", "sourceHash", "etag", "overrideProvider")
        + (("source",) if content else ()),
        extra=content,
        tagged=False,
    )
    key = inputs.get("key", "")
    bucket_name = inputs.get("bucket", "")
    return answer.created(
        f"{bucket_name}/{key}",
        {"arn": f"arn:aws:s3:::{bucket_name}/{key}", "versionId": answer.response.get("VersionId")},
    )
