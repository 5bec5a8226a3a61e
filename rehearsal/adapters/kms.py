"""Keys and their aliases."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:kms/key:Key")
def key(order: Order) -> Created:
    """A customer-managed key."""
    answer = order.create(
        "kms",
        "CreateKey",
        renames={"customerMasterKeySpec": "KeySpec"},
        omit=("deletionWindowInDays", "enableKeyRotation", "rotationPeriodInDays", "isEnabled"),
    )
    created = answer.response["KeyMetadata"]
    identity = created["KeyId"]
    order.keep_within("deletionWindowInDays", 7, 30)  # KMS API reference, ScheduleKeyDeletion
    if order.inputs.get("enableKeyRotation"):
        order.further("kms", "EnableKeyRotation", "rotationPeriodInDays", KeyId=identity)
    if order.inputs.get("isEnabled") is False:
        order.call("kms", "DisableKey", KeyId=identity)
    return answer.created(identity, {"arn": created["Arn"], "keyId": identity})


@adapter("aws:kms/alias:Alias")
def alias(order: Order) -> Created:
    """A key's other name."""
    if not (order.inputs.get("name") or order.inputs.get("namePrefix")):
        order.inputs = {**order.inputs, "namePrefix": f"alias/{order.name}-"}
    name = order.default_name()
    answer = order.create("kms", "CreateAlias", renames={"name": "AliasName"}, tagged=False)
    target = order.inputs.get("targetKeyId", "")
    arn = target if target.startswith("arn:") else order.arn("kms", f"key/{target}")
    return answer.created(name, {"arn": order.arn("kms", name), "name": name, "targetKeyArn": arn})
