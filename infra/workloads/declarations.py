"""All declarations together: found, put in one order, and checked for what one alone cannot know."""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import pairwise
from types import ModuleType

from infra.environment import Environment
from infra.workloads import declared
from infra.workloads.service import DeclarationError, Service


def services(environment: Environment, package: ModuleType = declared) -> tuple[Service, ...]:
    """Every service of every module of `package`, by name. Raises DeclarationError."""
    return checked(_found(environment, package))


def _found(environment: Environment, package: ModuleType) -> Iterator[Service]:
    for module in pkgutil.iter_modules(package.__path__):
        yield from importlib.import_module(f"{package.__name__}.{module.name}").services(environment)


def checked(found: Iterable[Service]) -> tuple[Service, ...]:
    """The same, by name, once they fit together. Raises DeclarationError that says which do not."""
    ordered = tuple(sorted(found, key=lambda service: service.name))
    _check_names(ordered)
    _check_calls(ordered)
    _check_databases(ordered)
    _check_routes(ordered)
    return ordered


def databases(environment: Environment) -> tuple[str, ...]:
    """The databases that services declare: each gets a user and a credential of its name."""
    names = {service.database for service in services(environment)}
    return tuple(sorted(name for name in names if name is not None))


def kafka_users(environment: Environment) -> tuple[str, ...]:
    """The images whose services read or write topics: each gets a SCRAM user, for tools that cannot use IAM."""
    return tuple(
        sorted({service.image for service in services(environment) if service.reads or service.writes})
    )


def images(found: Sequence[Service]) -> tuple[str, ...]:
    """The repositories that the services run from."""
    return tuple(sorted({service.image for service in found}))


def queues(found: Sequence[Service]) -> tuple[str, ...]:
    """The kinds of jobs that services work on."""
    return tuple(sorted({service.queue for service in found if service.queue is not None}))


def edge(found: Sequence[Service]) -> Service:
    """The gateway. Raises DeclarationError when nobody declares one."""
    for service in found:
        if service.edge:
            return service
    raise DeclarationError("no service is the edge; right would be: one gateway, with `edge=True`")


def _check_names(ordered: Sequence[Service]) -> None:
    for first, second in pairwise(ordered):
        if first.name == second.name:
            raise DeclarationError(
                f"service {first.name!r} is declared twice, by {first.owner} and by {second.owner}; "
                "right would be: a name of its own for each"
            )
    edges = [service.name for service in ordered if service.edge]
    if len(edges) > 1:
        raise DeclarationError(f"{' and '.join(edges)} are both the edge; right would be: one gateway")


def _check_calls(ordered: Sequence[Service]) -> None:
    by_name = {service.name: service for service in ordered}
    for service in ordered:
        for name in service.calls:
            if name not in by_name:
                meant = get_close_matches(name, by_name, n=1)
                raise DeclarationError(
                    f"service {service.name!r} calls {name!r}, which nobody declares; right would be: "
                    + (f"{meant[0]!r}?" if meant else f"one of {', '.join(by_name)}")
                )
            by_name[name].port()


def _check_databases(ordered: Sequence[Service]) -> None:
    owners: dict[str, Service] = {}
    for service in ordered:
        if service.database is None:
            continue
        owner = owners.setdefault(service.database, service)
        if owner.image != service.image:
            raise DeclarationError(
                f"service {service.name!r} uses the database {service.database!r} of {owner.name!r}; right "
                "would be: a database of its own, and calls to the other's API"
            )


def _check_routes(ordered: Sequence[Service]) -> None:
    owners: dict[str, str] = {}
    for service in ordered:
        for route in service.routes:
            for prefix in route.prefixes:
                if prefix in owners:
                    raise DeclarationError(
                        f"services {owners[prefix]!r} and {service.name!r} both route {prefix}; right would be: "
                        "each prefix once"
                    )
                owners[prefix] = service.name
