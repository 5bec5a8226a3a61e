"""What IAM knows of every service: its actions and the ARNs they take, from the data of cfn-lint.

cfn-lint generates it from AWS's Service Authorization Reference
(https://docs.aws.amazon.com/service-authorization/latest/reference/). Actions stand there in lower case, as
IAM does not tell cases apart. The file is read without importing cfn-lint, which takes two seconds.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from emulator.package_data import folder, read_json

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}|\.\*")
_ACCOUNT = 2
"""The place of the account among the service, the region and the account of an ARN."""

_ARN_FIELDS = 6


@cache
def services() -> dict[str, Any]:
    """Return the services by their prefix in actions, such as `eks`."""
    return read_json(folder("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json")


@cache
def matching_actions(pattern: str) -> tuple[str, ...]:
    """Return the actions, as `eks:describecluster`, that an Action element such as `eks:Describe*` names."""
    service, _, name = pattern.lower().partition(":")
    known = services().get(service, {}).get("Actions", {})
    if "*" not in name and "?" not in name:
        return (f"{service}:{name}",) if name in known else ()
    matches = re.compile(re.escape(name).replace(r"\*", ".*").replace(r"\?", "."))
    return tuple(f"{service}:{action}" for action in known if matches.fullmatch(action))


@cache
def arn_formats(action: str) -> tuple[str, ...]:
    """Return the ARNs, with * for what varies, an action can be limited to; none if it takes only `*`."""
    service, _, name = action.partition(":")
    kinds = _resources(service)
    formats: list[str] = []
    for kind in services()[service]["Actions"][name].get("Resources", ()):
        forms = kinds.get(kind.lower(), ())
        # The data cuts the ids off: an object's ARN would be a bucket's.
        formats += [f"{form}/*" for form in forms] if (service, kind) == ("s3", "object") else forms
    return tuple(dict.fromkeys(formats))


@cache
def _resources(service: str) -> dict[str, list[str]]:
    kinds: dict[str, Any] = services()[service]["Resources"]
    return {
        name.lower(): [_PLACEHOLDER.sub("*", form) for form in kind.get("ARNFormats", ())]
        for name, kind in kinds.items()
    }


def takes_either(action: str) -> bool:
    """Say whether an action is as well limited to an ARN as left at `*`.

    CloudWatch's data sets are optional and metrics have no ARN: a metric's writer is limited by the condition
    key `cloudwatch:namespace`. DescribeLogGroups takes log groups, which the data does not know yet.
    """
    service, _, name = action.partition(":")
    kinds = services()[service]["Actions"][name].get("Resources", ())
    return (service == "cloudwatch" and kinds == ["dataset"]) or action == "logs:describeloggroups"


def readable(form: str) -> str:
    """Write an ARN's format as one would fill it in: `arn:aws:eks:<region>:<account>:cluster/*`."""
    _, partition, service, region, account, resource = form.split(":", _ARN_FIELDS - 1)
    fields = [partition.replace("*", "aws"), service, region.replace("*", "<region>")]
    return ":".join(["arn", *fields, account.replace("*", "<account>"), resource])


def fits(arn: str, formats: Iterable[str]) -> bool:
    """Say whether an ARN of a policy, wildcards and all, can name a resource of one of the formats."""
    return any(_fits(arn, form) for form in formats)


@cache
def _fits(arn: str, form: str) -> bool:
    given, wanted = arn.split(":", _ARN_FIELDS - 1), form.split(":", _ARN_FIELDS - 1)
    if len(given) != _ARN_FIELDS:
        return False
    owned_by_aws = given[2] == "ssm" and given[5].startswith("parameter/aws/")
    for place, (field, expected) in enumerate(zip(given[2:5], wanted[2:5], strict=True)):
        if owned_by_aws and place == _ACCOUNT and not field:
            continue  # AWS's public parameters belong to no account
        if not overlap(field, expected) or (not field and expected == "*"):
            return False
    if form.endswith(":s3:::*") and "/" in given[5]:  # a bucket: only objects have a slash
        return False
    return overlap(given[5], wanted[5])


def overlap(left: str, right: str) -> bool:
    """Say whether any text matches both patterns, in which * stands for any characters and ? for one."""
    # The states reachable in `right` after each character of `left`, as of a nondeterministic automaton.
    states = _past_stars({0}, right)
    for character in left:
        reached: set[int] = set()
        if character == "*":
            reached = set(range(min(states), len(right) + 1)) if states else set()
        else:
            for state in states:
                if state < len(right) and right[state] == "*":
                    reached.add(state)
                elif state < len(right) and (right[state] == character or "?" in (character, right[state])):
                    reached.add(state + 1)
        states = _past_stars(reached, right)
    return len(right) in states


def _past_stars(states: set[int], pattern: str) -> set[int]:
    passed = set(states)
    for state in states:
        place = state
        while place < len(pattern) and pattern[place] == "*":
            place += 1
            passed.add(place)
    return passed
