"""What may be a label, and how the API server says that something may not.

The rules and their wording are those of `k8s.io/apimachinery/pkg/util/validation`.
"""

import re
from typing import Final

from emulator.cluster.status import bad_request

_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_PREFIX: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME: Final = 63
_LONGEST_PREFIX: Final = 253
_NAME_RULE: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_KEY_RULE: Final = f"a qualified name {_NAME_RULE}"
_PREFIX_RULE: Final = (
    "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for "
    r"validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_VALUE_RULE: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)


def check_key(where: str, key: str) -> None:
    """Raise ApiError 400 unless `key` is `name` or `prefix/name`; `where` is the path that the message names."""
    prefix, slash, name = key.rpartition("/")
    problem = ""
    if "/" in prefix:
        problem = f"{_KEY_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
    elif slash and not prefix:
        problem = "prefix part must be non-empty"
    elif len(prefix) > _LONGEST_PREFIX:
        problem = f"prefix part must be no more than {_LONGEST_PREFIX} characters"
    elif prefix and not _PREFIX.fullmatch(prefix):
        problem = _PREFIX_RULE
    elif not name:
        problem = "name part must be non-empty"
    elif len(name) > _LONGEST_NAME:
        problem = f"name part must be no more than {_LONGEST_NAME} characters"
    elif not _NAME.fullmatch(name):
        problem = f"name part {_NAME_RULE}"
    if problem:
        raise bad_request(f'{where}: Invalid value: "{key}": {problem}')


def check_value(where: str, value: str) -> None:
    """Raise ApiError 400 unless `value` may be the value of a label."""
    if len(value) > _LONGEST_NAME:
        raise bad_request(
            f'{where}: Invalid value: "{value}": must be no more than {_LONGEST_NAME} characters'
        )
    if value and not _NAME.fullmatch(value):
        raise bad_request(f'{where}: Invalid value: "{value}": {_VALUE_RULE}')
