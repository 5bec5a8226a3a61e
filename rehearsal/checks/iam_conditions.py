"""The Condition element of IAM policies: operators, global condition keys, and what narrows a wildcard.

Sources: reference_policies_elements_condition_operators.html and reference_policies_condition-keys.html in
https://docs.aws.amazon.com/IAM/latest/UserGuide/.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from emulator.problem import Problem, join, one_of

_OPERATORS = {
    f"{kind}{comparison}"
    for kind, comparisons in {
        "String": ["Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"],
        "Numeric": ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"],
        "Date": ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"],
        "Arn": ["Equals", "NotEquals", "Like", "NotLike"],
        "": ["Bool", "BinaryEquals", "IpAddress", "NotIpAddress"],
    }.items()
    for comparison in comparisons
}
OPERATORS = sorted({*_OPERATORS, *(f"{operator}IfExists" for operator in _OPERATORS), "Null"})

_GLOBAL_NAMES = """
AssumedRoot CalledVia CalledViaFirst CalledViaLast CurrentTime Ec2InstanceSourceVpc
Ec2InstanceSourcePrivateIPv4 EpochTime FederatedProvider IsMcpServiceAction MultiFactorAuthAge
MultiFactorAuthPresent PrincipalAccount PrincipalArn PrincipalIsAWSService PrincipalOrgID
PrincipalOrgPaths PrincipalServiceName PrincipalServiceNamesList PrincipalTag PrincipalType Referer
RequestedRegion RequestTag ResourceAccount ResourceOrgID ResourceOrgPaths ResourceTag SecureTransport
SourceAccount SourceArn SourceIdentity SourceIp SourceOrgID SourceOrgPaths SourceOwner SourceVpc
SourceVpcArn SourceVpce TagKeys TokenIssueTime UserAgent ViaAWSMCPService ViaAWSService VpceAccount
VpceOrgID VpceOrgPaths VpcSourceIp userid username
"""
GLOBAL_KEYS = [f"aws:{name}" for name in _GLOBAL_NAMES.split()]

_KNOWN = {key.lower() for key in GLOBAL_KEYS}
_WITH_TAG = {"aws:principaltag", "aws:requesttag", "aws:resourcetag"}


def check_condition(condition: Any) -> Iterator[Problem]:
    """Yield what is wrong with a Condition element; None stands for no condition."""
    if condition is None:
        return
    if not isinstance(condition, Mapping):
        yield Problem("Condition", condition, "is not a condition", "an object of operators")
        return
    for operator, keys in condition.items():
        path = join("Condition", operator)
        name = operator.removeprefix("ForAnyValue:").removeprefix("ForAllValues:")
        if name not in OPERATORS:
            yield Problem(path, operator, "is no condition operator", one_of(OPERATORS, name))
        if not isinstance(keys, Mapping):
            yield Problem(path, keys, "has no condition keys", "an object of keys and values")
            continue
        for key, value in keys.items():
            yield from _check_key(key, value, path)


def _check_key(key: str, value: Any, path: str) -> Iterator[Problem]:
    name, slash, tag = key.lower().partition("/")
    if name.startswith("aws:") and name not in _KNOWN:
        yield Problem(
            join(path, key), key, "is no global condition key", one_of(GLOBAL_KEYS, key.partition("/")[0])
        )
    elif name in _WITH_TAG and not (slash and tag):
        yield Problem(join(path, key), key, "names no tag", f"{key.partition('/')[0]}/the-tag's-key")
    if value in ([], {}, None):
        yield Problem(join(path, key), value, "has no value", "at least one value to compare with")


def is_narrowed(condition: Any) -> bool:
    """Say whether a condition limits a statement to some resources: by their tags, account or ARN."""
    if not isinstance(condition, Mapping):
        return False
    keys = [str(key).lower() for each in condition.values() if isinstance(each, Mapping) for key in each]
    narrowing = (
        "resourcetag/",
        "requesttag/",
        ":resourceaccount",
        ":resourceorgid",
        "passedtoservice",
        "viaservice",
    )
    return any(word in key for key in keys for word in narrowing)
