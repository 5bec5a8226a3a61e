"""Puts real addresses and folders in the place of names that only exist inside a cluster.

A container finds a Service by DNS and a volume by its mount path; a process on this machine has neither the
cluster's DNS nor a mount namespace. So the names are replaced where the pod gets them from: variables,
arguments, and the files of ConfigMaps. A name is replaced only where it cannot be anything else:

- `name.namespace.svc` and `name.namespace.svc.cluster.local` anywhere, even before the Service exists;
- `name.namespace` and `name`, of Services that exist, after `scheme://`, or followed by one of the Service's
  ports; `name.namespace` also as a whole value or one of a list;
- mount paths as whole components of a path.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_LABEL: Final = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_HOST: Final = re.compile(
    rf"(?<![\w.-])(?P<name>{_LABEL})(?:\.(?P<namespace>{_LABEL})(?P<svc>\.svc(?:\.cluster\.local\.?)?)?)?"
    r"(?![\w-])(?!\.\w)(?::(?P<port>\d{1,5})(?![\w.]))?"
)
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCHEME: Final = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?:[^\s/@]*@)?(?:[^\s/@,]+,)*$")
"""What stands before a host of a URL, of which some (Kafka's, MongoDB's) list several."""
_BEFORE_HOST: Final = frozenset(["", *" ,;=@[({\"'\n\t"])


@dataclass(frozen=True)
class ServiceAddress:
    """Where a Service is on this machine."""

    address: str
    ports: Mapping[int, int] = field(default_factory=dict[int, int])
    """Its ports, and those at which it listens: the same, unless they could not be had."""


Lookup = Callable[[str, str, bool], ServiceAddress | None]
"""The address of the Service in a namespace with a name; the flag says that nothing else can be meant."""


def with_addresses(text: str, namespace: str, find: Lookup) -> str:
    """`text` of a pod in `namespace`, with the names of Services replaced by their addresses."""

    def replaced(found: re.Match[str]) -> str:
        service = find(found["namespace"] or namespace, found["name"], bool(found["svc"]))
        if service is None:
            return found[0]
        scheme = _SCHEME.search(text, 0, found.start())
        before, after = text[: found.start()][-1:], text[found.end() :][:1]
        port = int(found["port"] or 0)
        named_as_host = before in _BEFORE_HOST and (
            port in service.ports or (bool(found["namespace"]) and before in {"", ","} and after in {"", ","})
        )
        if not (found["svc"] or scheme or named_as_host):
            return found[0]
        usual = _DEFAULT_PORTS.get(scheme["scheme"].lower(), 0) if scheme else 0
        actual = service.ports.get(port or usual, port or usual)
        return f"{service.address}:{actual}" if port or actual != usual else service.address

    return _HOST.sub(replaced, text)


def with_folders(text: str, folders: Mapping[str, Path]) -> str:
    """`text` with the mount paths of a container replaced by the folders that stand for them."""
    if not folders:
        return text
    longest_first = sorted((path.rstrip("/") for path in folders), key=len, reverse=True)
    pattern = "|".join(re.escape(path) for path in longest_first if path)
    if not pattern:
        return text
    by_path = {path.rstrip("/"): folder for path, folder in folders.items()}
    return re.sub(
        rf"(?:(?<![\w./~-])|(?<=://)|(?<=:///))(?:{pattern})(?![\w.-])",  # also of `sqlite:////data/pins.db`
        lambda found: str(by_path[found[0]]),
        text,
    )
