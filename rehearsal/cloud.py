"""The emulated AWS as the adapters see it: boto3 calls, each judged by its model before it leaves."""

import re
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from emulator.cluster.client import ClusterClient
from emulator.cluster.status import ApiError
from emulator.problem import Problem
from emulator.process import CREDENTIALS
from rehearsal import cluster, placeholders
from rehearsal.checks.botocore_model import check_request
from rehearsal.checks.texts import texts
from rehearsal.mapping import camel, mapped
from rehearsal.service_models import session

SEED_HEADER = "X-Pinwheel-Seed"
"""The emulator draws the random part of new ids from this header's value: the same program, the same ids."""


class Refused(Exception):  # noqa: N818 - reads as what it is
    """The resource would be refused by AWS; `problems` say what about it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class NotSent(Exception):  # noqa: N818 - reads as what it is
    """The requests were judged and found good but, in a dry run, not sent."""


@dataclass
class Created:
    """What an adapter reports: the physical id, and the outputs that AWS adds to the inputs."""

    id: str
    outputs: dict[str, Any] = field(default_factory=dict)
    unchecked: tuple[str, ...] = ()


class Cloud:
    """Clients of one emulated account and region, safe to use from several threads."""

    def __init__(self, endpoint: str, account: str, region: str) -> None:
        self.endpoint = endpoint
        self.account = account
        self.region = region
        self._clients: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._acting = threading.local()

    @cached_property
    def _config(self) -> Config:
        # check_request is stricter than botocore's own validation, and a retry would only hide a gap.
        return Config(
            parameter_validation=False,
            retries={"total_max_attempts": 1},
            max_pool_connections=16,
            proxies={},  # none, whatever HTTP_PROXY says: the emulator is on this machine
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )

    def client(self, service: str) -> Any:
        """The shared client of a service."""
        found = self._clients.get(service)
        if found is None:
            with self._lock:
                found = self._clients.get(service) or self._new_client(service)
                self._clients[service] = found
        return found

    def _new_client(self, service: str) -> Any:
        client: Any = session().create_client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint,
            config=self._config,
            aws_access_key_id=CREDENTIALS["aws_access_key_id"],
            aws_secret_access_key=CREDENTIALS["aws_secret_access_key"],
        )
        client.meta.events.register("before-call", self._add_seed)
        return client

    @contextmanager
    def acting_for(self, urn: str, *, dry: bool = False) -> Generator[None]:
        """This thread's calls are made for `urn`, and end together.

        The first refusal does not end them: from then on requests are judged and answered with stand-ins, as
        all are when `dry`, and at the end Refused tells what all the calls have against the resource.
        Ends in NotSent when `dry` and nothing is wrong.
        """
        acting = self._acting
        acting.urn, acting.dry, acting.problems = urn, dry, []
        try:
            try:
                yield
            except Exception:  # what breaks an adapter after a refusal is a stand-in answer
                if not acting.problems:
                    raise
            if acting.problems:
                raise Refused(*acting.problems)
            if dry:
                raise NotSent
        finally:
            acting.urn, acting.dry, acting.problems = "", False, None

    def _add_seed(self, params: dict[str, Any], **_: Any) -> None:
        if urn := getattr(self._acting, "urn", ""):
            params["headers"][SEED_HEADER] = urn

    def call(
        self,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        property_of: Callable[[str], str] = lambda path: path,
    ) -> dict[str, Any]:
        """One checked call. Outside of `acting_for`, raises Refused with everything that is wrong with it."""
        problems = check_request(service, operation, request, property_of)
        if not problems and not getattr(self._acting, "dry", False):
            try:
                return self._send(service, operation, request)
            except Refused as refused:
                problems = [_blamed(problem, request, property_of) for problem in refused.problems]
        self.refuse(*problems)
        return placeholders.response(service, operation)

    def apply(self, manifest: dict[str, Any]) -> dict[str, Any] | None:
        """Applies a Kubernetes object; None in a dry run, and where no API server stands behind the cluster."""
        if getattr(self._acting, "dry", False) or self._cluster is None:
            return None
        try:
            return cluster.apply(self._cluster, manifest)
        except ApiError as refusal:
            self.refuse(*cluster.problems_of(refusal, manifest))
            return None

    @cached_property
    def _cluster(self) -> ClusterClient | None:
        with self._lock:
            return cluster.connect(self)

    def refuse(self, *problems: Problem) -> None:
        """Notes what is wrong with the resource; outside of `acting_for`, raises Refused."""
        collected: list[Problem] | None = getattr(self._acting, "problems", None)
        if collected is None:
            raise Refused(*problems)
        self._acting.dry = True
        collected += problems

    def judge(
        self,
        service: str,
        operation: str,
        inputs: Mapping[str, Any],
        *,
        renames: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Judges a call that the provider makes only later, such as the one that deletes the resource."""
        request = mapped(service, operation, inputs, renames=renames, extra=extra)
        problems = check_request(service, operation, request.request, request.property_of)
        if problems:
            self.refuse(*problems)

    def _send(self, service: str, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self.client(service)._make_api_call(operation, request)
        except ClientError as error:
            told = error.response["Error"]
            reason = f"was refused by {service}: {told.get('Message', '')}"
            raise Refused(Problem("", operation, reason, _remedy(told))) from None
        except BotoCoreError as error:
            reason = f"did not reach {service}: {error}"
            raise Refused(Problem("", operation, reason, "see the emulator's log")) from None

    def create(
        self,
        service: str,
        operation: str,
        inputs: Mapping[str, Any],
        *,
        renames: Mapping[str, str] | None = None,
        omit: Iterable[str] = (),
        within: str = "",
        tags: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> "Answer":
        """Maps `inputs` to the operation and calls it; see `rehearsal.mapping.mapped` for the parameters."""
        request = mapped(
            service, operation, inputs, renames=renames, omit=omit, within=within, tags=tags, extra=extra
        )
        response = self.call(service, operation, request.request, request.property_of)
        response.pop("ResponseMetadata", None)
        return Answer(response, tuple(request.unused))


@dataclass
class Answer:
    """A response, and the inputs that found no place in the request."""

    response: dict[str, Any]
    unchecked: tuple[str, ...]

    def created(self, identity: str, outputs: Mapping[str, Any] | None = None) -> Created:
        """The adapter's report, with outputs in Pulumi's case."""
        return Created(identity, camel(outputs or {}), self.unchecked)


def _remedy(error: Mapping[str, Any]) -> str:
    code = str(error.get("Code", "the API"))
    if re.search(r"NotFound|NoSuch|NotExist|DoesNotExist", code):
        return f"declare it before this resource and use its output, or name one that exists ({code})"
    if re.search(r"Exists|Duplicate|AlreadyOwned|InUse", code):
        return f"another name, or the resource that has this one ({code})"
    return f"correct what the message names ({code})"


_SHORTEST_BLAMED = 3
"""Characters; shorter values are in every message."""


def _blamed(problem: Problem, request: Mapping[str, Any], property_of: Callable[[str], str]) -> Problem:
    """The same problem at the property whose value the service's message quotes, if it quotes one."""
    quoted = [
        (path, value)
        for path, value in texts(request)
        if len(value) >= _SHORTEST_BLAMED
        and re.search(rf"(?<![\w-]){re.escape(value)}(?![\w-])", problem.reason)
    ]
    missing = re.search(r"\(NoSuch(\w+)\)", problem.remedy)  # S3 says NoSuchBucket, and not which
    if not quoted and missing and isinstance(request.get(missing[1]), str):
        quoted = [(missing[1], request[missing[1]])]
    if not quoted:
        return problem
    path, value = max(quoted, key=lambda each: len(each[1]))
    return replace(problem, property=property_of(path), value=value)
