"""Finds secrets that would leave a stack in plain text, where every reader of its state can see them.

Pulumi encrypts what is marked secret and nothing else; a password interpolated into a plain output is not.
The engine shows the scan every secret value it meets (`learn`), and then the outputs. A value found is never
printed.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from emulator.problem import MASKED, Problem, join
from rehearsal.checks.texts import texts

_SHORTEST = 8
"""Shorter values turn up by chance: `mysql` is a password only in bad company."""

_REMEDY = "mark it secret (pulumi.Output.secret), or export the ARN of its Secrets Manager secret"

_PATTERNS: dict[str, re.Pattern[str]] = {
    "holds a PEM private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "holds an AWS access key": re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Z0-9])"),
    "holds a password in a URL": re.compile(r"[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s:@]+@", re.IGNORECASE),
}

_CREDENTIAL = re.compile(
    r"(password|passwd|passphrase|secret|token|private_?key|credentials?|api_?key|access_?key)$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(
    r"arn:aws[a-z-]*:.*"  # an ARN names a secret
    r"|/?[a-z][a-z0-9._-]*(/[a-z0-9][a-z0-9._-]*)+"  # so does a path such as pinwheel/prod/aurora
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # or an id
    r"|AmazonMSK_[A-Za-z0-9_/+=.@-]+"  # or a name that MSK prescribes
    r"|([Tt]rue|[Ff]alse|enabled|disabled|required|optional)?"  # and a setting about secrets is none
)


class SecretScan:
    """The secret values seen in a rehearsal, and the search for them in plain outputs."""

    def __init__(self) -> None:
        self._learnt: dict[str, None] = {}

    def learn(self, value: object) -> None:
        """Remember a secret value, or every string in a secret object. Short strings are passed over."""
        if isinstance(value, str):
            if len(value) >= _SHORTEST:
                self._learnt[value] = None
        elif isinstance(value, Mapping):
            for member in value.values():
                self.learn(member)
        elif isinstance(value, list | tuple):
            for member in value:
                self.learn(member)

    def check_outputs(
        self, outputs: Mapping[str, object], is_secret: Callable[[str], bool] = lambda _: False
    ) -> list[Problem]:
        """Return the outputs that show a secret; `is_secret` says which are marked secret, by their names."""
        return [
            Problem(path, MASKED, reason, _REMEDY)
            for name, value in outputs.items()
            if not is_secret(name)
            for path, reason in self._walk(value, name, name)
        ]

    def check_leaks(
        self, outputs: Mapping[str, object], is_secret: Callable[[str], bool] = lambda _: False
    ) -> list[Problem]:
        """Return the properties of a resource that show a learnt secret; their names prove nothing there."""
        if not self._learnt:
            return []
        return [
            Problem(path, MASKED, "holds a secret value in plain text", _REMEDY)
            for path, value in texts({name: each for name, each in outputs.items() if not is_secret(name)})
            if any(secret in value for secret in self._learnt)
        ]

    def _walk(self, value: Any, path: str, name: str) -> Iterator[tuple[str, str]]:
        if isinstance(value, Mapping):
            for key, member in value.items():
                yield from self._walk(member, join(path, str(key)), str(key))
        elif isinstance(value, list | tuple):
            for place, member in enumerate(value):
                yield from self._walk(member, f"{path}[{place}]", name)
        elif isinstance(value, str):
            reason = self._reason(value, name)
            if reason is not None:
                yield path, reason

    def _reason(self, value: str, name: str) -> str | None:
        if any(secret in value for secret in self._learnt):
            return "holds a secret value in plain text"
        for reason, pattern in _PATTERNS.items():
            if pattern.search(value):
                return f"{reason} in plain text"
        if _CREDENTIAL.search(name) and not _REFERENCE.fullmatch(value):
            return "is named like a credential and is plain text"
        return None
