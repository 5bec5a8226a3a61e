"""What the API server checks of an object's name, labels and annotations."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from emulator.cluster import names
from emulator.cluster.admission import refusal
from emulator.cluster.admission.refusal import Refusal
from emulator.problem import Problem, join

LABEL_FORM: Final = (
    "up to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
)
_SUBDOMAIN_FORM: Final = "up to 253 lower-case letters, digits, hyphens and full stops, as a DNS name"
_LABEL_VALUE_FORM: Final = "up to 63 letters, digits, - _ and ., beginning and ending with a letter or digit"
_CRON_JOB_LENGTH: Final = 52


def check_metadata(manifest: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the name, the labels and the annotations of an object."""
    return [
        *_check_name(manifest),
        *check_labels_and_annotations(mapping(manifest.get("metadata")), "metadata"),
    ]


def _check_name(manifest: Mapping[str, Any]) -> Iterator[Problem]:
    name, kind = mapping(manifest.get("metadata")).get("name"), manifest["kind"]
    if name is None:  # Pulumi gives one
        return
    if manifest["apiVersion"].startswith("rbac.authorization.k8s.io/"):
        if name in {"", ".", ".."} or "/" in name or "%" in name:
            cause = refusal.invalid("metadata.name", name, names.segment_error(name))
            yield Refusal(
                "metadata.name", name, "is not a name", "no / and no %, such as system:reader", cause
            )
        return
    pattern, longest, form, told = (
        names.SUBDOMAIN,
        names.SUBDOMAIN_LENGTH,
        _SUBDOMAIN_FORM,
        names.SUBDOMAIN_ERROR,
    )
    if kind == "Namespace":
        pattern, longest, form, told = names.LABEL, names.LABEL_LENGTH, LABEL_FORM, names.LABEL_ERROR
    elif kind == "Service" and manifest["apiVersion"] == "v1":
        pattern, longest, form = names.SERVICE, names.LABEL_LENGTH, f"{LABEL_FORM}, the first a letter"
        told = names.SERVICE_ERROR
    elif kind == "CronJob":
        longest, form = (
            _CRON_JOB_LENGTH,
            f"{_SUBDOMAIN_FORM}; a CronJob's at most 52, as its jobs get a suffix",
        )
    if len(name) > longest:
        most = names.CRON_JOB_LENGTH_ERROR if kind == "CronJob" else names.length_error(longest)
        cause = refusal.invalid("metadata.name", name, most)
        yield Refusal("metadata.name", name, f"has {len(name)} characters", form, cause)
    elif not re.fullmatch(pattern, name):
        cause = refusal.invalid("metadata.name", name, told)
        yield Refusal("metadata.name", name, "is not a DNS-1123 name", form, cause)


def check_labels_and_annotations(metadata: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield what is wrong with the labels and annotations of an object or a template."""
    yield from check_labels(mapping(metadata.get("labels")), join(path, "labels"))
    for key in mapping(metadata.get("annotations")):
        yield from _check_key(key, join(path, "annotations"))


def check_labels(labels: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield what is wrong with labels."""
    for key, value in labels.items():
        yield from _check_key(key, path)
        told = names.label_value_error(value or "")
        if told:
            cause = refusal.invalid(path, value, told)
            yield Refusal(f'{path}["{key}"]', value, "is not a label value", _LABEL_VALUE_FORM, cause)


def _check_key(key: str, path: str) -> Iterator[Problem]:
    told = names.key_error(key)
    if told.startswith("prefix"):
        cause = refusal.invalid(path, key, told)
        yield Refusal(path, key, "has a wrong prefix", f"before the /: {_SUBDOMAIN_FORM}", cause)
    elif told:
        cause = refusal.invalid(path, key, told)
        yield Refusal(path, key, "is not a key", f"[prefix/]name, the name {_LABEL_VALUE_FORM}", cause)


def mapping(value: Any) -> Mapping[str, Any]:
    """The value if it is a mapping, else an empty one: the schema lets null stand for it."""
    return value if isinstance(value, Mapping) else {}
