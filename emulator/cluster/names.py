"""The forms of names, labels and keys, and what the API server says of others.

The rules and their wording are those of `k8s.io/apimachinery/pkg/util/validation`.
"""

import re
from typing import Final

LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SERVICE: Final = r"[a-z]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN: Final = rf"{LABEL}(\.{LABEL})*"
QUALIFIED: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?"
CONFIG_KEY: Final = r"[-._a-zA-Z0-9]+"

LABEL_ERROR: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    f"'{LABEL}')"
)
SERVICE_ERROR: Final = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for "
    f"validation is '{SERVICE}')"
)
SUBDOMAIN_ERROR: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    f"'{SUBDOMAIN}')"
)
QUALIFIED_ERROR: Final = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
LABEL_VALUE_ERROR: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
CONFIG_KEY_ERROR: Final = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
    f"'KEY_NAME',  or 'key-name', regex used for validation is '{CONFIG_KEY}')"
)
CRON_JOB_LENGTH_ERROR: Final = "must be no more than 52 characters"

LABEL_LENGTH: Final = 63
SUBDOMAIN_LENGTH: Final = 253
_PORT_NAME_LENGTH: Final = 15


def length_error(most: int) -> str:
    """Of a name that is too long."""
    return f"must be no more than {most} bytes"


def key_error(key: str) -> str:
    """Of the key of a label or an annotation, `name` or `prefix/name`; empty if it is one."""
    prefix, slash, name = key.rpartition("/")
    if "/" in prefix:
        form = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return f"a qualified name {QUALIFIED_ERROR} {form}"
    if slash and not prefix:
        return "prefix part must be non-empty"
    if prefix and (wrong := _error(prefix, SUBDOMAIN, SUBDOMAIN_LENGTH, SUBDOMAIN_ERROR)):
        return f"prefix part {wrong}"
    if not name:
        return "name part must be non-empty"
    wrong = _error(name, QUALIFIED, LABEL_LENGTH, QUALIFIED_ERROR)
    return f"name part {wrong}" if wrong else ""


def label_value_error(value: str) -> str:
    """Of the value of a label; empty if it is one."""
    return _error(value, QUALIFIED, LABEL_LENGTH, LABEL_VALUE_ERROR) if value else ""


def _error(text: str, form: str, longest: int, told: str) -> str:
    if len(text) > longest:
        return length_error(longest)
    return "" if re.fullmatch(form, text) else told


def segment_error(name: str) -> str:
    """Of a name that is a segment of a path and cannot be."""
    if name in {"", ".", ".."}:
        return f"may not be '{name}'"
    return f"may not contain '{'/' if '/' in name else '%'}'"


def port_name_error(name: str) -> str:
    """Of the name of a container's port; empty if it is one."""
    if len(name) > _PORT_NAME_LENGTH:
        return length_error(_PORT_NAME_LENGTH)
    if not re.fullmatch(r"[-a-z0-9]+", name):
        return "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not re.search(r"[a-z]", name):
        return "must contain at least one letter (a-z)"
    if "--" in name:
        return "must not contain consecutive hyphens"
    return "must not begin or end with a hyphen" if "-" in {name[0], name[-1]} else ""
