"""A small External Secrets Operator: ExternalSecrets become Secrets with what Secrets Manager holds.

https://external-secrets.io/latest/api/externalsecret/. It reads with the credentials of the emulated cloud,
refreshes every `refreshInterval`, and like the operator gives the Secret the ExternalSecret as its owner.
"""

import asyncio
import base64
import contextlib
import json
import logging
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from emulator.cluster import conditions
from emulator.cluster.controllers import events
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, timestamp

API: Final = "external-secrets.io/v1"
KIND: Final = "ExternalSecret"
COMPONENT: Final = "external-secrets"

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.05
_NEVER: Final = float("inf")
_REFRESH_SECONDS: Final = 3600.0
"""The operator's default."""
_DURATION: Final = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")

Read = Callable[[str], str]
"""The value of the secret with a name or an ARN; raises LookupError saying why there is none."""


class ExternalSecrets:
    """The controller. What it reads comes from elsewhere, so a task of its own fetches it."""

    def __init__(self, store: Store, resources: Resources, read: Read) -> None:
        self._store = store
        self._resources = resources
        self._secrets = resources["secrets"]
        self._read = read
        self._fetching: dict[Key, asyncio.Task[None]] = {}
        self._due: dict[Key, tuple[str, int, float]] = {}
        """By object: its uid, the generation that was fetched, and when it is to be fetched again."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The ExternalSecret itself, and the one that owns a Secret."""
        if (event.resource.api_version, event.resource.kind) == (API, KIND):
            return (event.key,)
        if event.resource.key == self._secrets.key and event.type == "DELETED":
            owners = event.object["metadata"].get("ownerReferences") or ()
            keys = [(event.key[0], owner["name"]) for owner in owners if owner.get("kind") == KIND]
            for key in keys:
                self._due.pop(key, None)
            return keys
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Begin to fetch what is new or due, and look again when it is there."""
        found = self._find(key)
        if found is None:
            self._due.pop(key, None)
            return None
        if key in self._fetching:
            return _POLL_SECONDS
        _, external = found
        uid, generation, due = self._due.get(key, ("", 0, 0.0))
        now = self._store.clock().timestamp()
        if (uid, generation) == _identity(external) and now < due:
            return due - now if due < _NEVER else None
        self._fetching[key] = asyncio.get_running_loop().create_task(self._sync(key, external))
        return _POLL_SECONDS

    def _find(self, key: Key) -> tuple[Resource, Object] | None:
        resource = self._resources.of_kind(API, KIND)
        external = self._store.find(resource, *key) if resource else None
        if resource is None or external is None or is_terminating(external):
            return None
        return resource, external

    async def _sync(self, key: Key, external: Object) -> None:
        again = _RETRY_SECONDS
        try:
            data = await _in_thread(lambda: self._data(key[0], external))
            self._write(key, external, data)
            again = _seconds(external["spec"].get("refreshInterval")) or _NEVER
        except (LookupError, ApiError) as refusal:
            message = refusal.message if isinstance(refusal, ApiError) else str(refusal.args[0])
            self._tell(key, ("False", "SecretSyncedError", message))
        except Exception:
            _LOG.exception("external secret %s", key)
        finally:
            self._due[key] = (*_identity(external), self._store.clock().timestamp() + again)
            del self._fetching[key]

    def _data(self, namespace: str, external: Object) -> dict[str, str]:
        """The Secret's `data`. Runs in a thread of its own."""
        self._check_store(namespace, external["spec"].get("secretStoreRef") or {})
        values: dict[str, str] = {}

        def value(reference: Mapping[str, Any]) -> str:
            name = reference["key"]
            if name not in values:
                values[name] = self._read(name)
            wanted = reference.get("property")
            return values[name] if not wanted else _property(values[name], name, wanted)

        data = {entry["secretKey"]: value(entry["remoteRef"]) for entry in external["spec"].get("data") or ()}
        return {name: base64.b64encode(text.encode()).decode() for name, text in data.items()}

    def _check_store(self, namespace: str, reference: Mapping[str, Any]) -> None:
        kind, name = reference.get("kind", "SecretStore"), reference.get("name", "")
        resource = self._resources.of_kind(API, kind)
        found = (
            self._store.find(resource, namespace if resource.namespaced else "", name) if resource else None
        )
        if found is None:
            raise LookupError(f'could not get {kind} "{name}": it does not exist')
        if (found["spec"]["provider"].get("aws") or {}).get("service") != "SecretsManager":
            raise LookupError(f"{kind} {name}: only the provider aws with service SecretsManager is emulated")

    def _write(self, key: Key, external: Object, data: Mapping[str, str]) -> None:
        if self._find(key) is None:
            return
        name = _target(external)
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": key[0], "ownerReferences": [_owner(external)]},
            "type": "Opaque",
            "data": dict(data),
        }
        present = self._store.find(self._secrets, key[0], name)
        if present is None:
            self._store.create(self._secrets, secret)
        elif present.get("data") != data:
            self._store.update(self._secrets, {**present, "data": dict(data)})
        self._tell(key, ("True", "SecretSynced", "secret synced"))

    def _tell(self, key: Key, told: tuple[str, str, str]) -> None:
        found = self._find(key)
        if found is None:
            return
        resource, external = found
        now = self._store.clock()
        was = conditions.condition(external, "Ready")
        status = {
            **(external.get("status") or {}),
            "conditions": conditions.with_condition(conditions.conditions_of(external), "Ready", told, now),
        }
        if told[0] == "True":
            status["refreshTime"] = timestamp(now)
        self._store.update(resource, {**external, "status": status})
        if told[0] != "True" and (was is None or was.get("message") != told[2]):
            events.record(
                *(self._store, self._resources, external, events.WARNING, "UpdateFailed", told[2], COMPONENT)
            )


async def _in_thread(work: Callable[[], dict[str, str]]) -> dict[str, str]:
    """What `work` returns, from a daemon thread: one that hangs must not keep the cluster from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[dict[str, str]] = loop.create_future()

    def settle(result: dict[str, str] | Exception) -> None:
        if done.cancelled():
            return
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)

    def run() -> None:
        try:
            result = work()
        except Exception as error:
            result = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=run, name="external-secret", daemon=True).start()
    return await done


def from_secrets_manager(environment: Mapping[str, str]) -> Read:
    """Reads from the Secrets Manager that a container's `environment` leads to."""

    def read(name: str) -> str:
        # Imported here: 30 MB that a cluster without ExternalSecrets can do without.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

        session = boto3.Session(
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_REGION"],
        )
        client = session.client(
            "secretsmanager",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            config=Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 1}),
        )
        try:
            return cast("str", client.get_secret_value(SecretId=name)["SecretString"])
        except (BotoCoreError, ClientError, KeyError) as error:
            raise LookupError(f"could not get secret data from provider: {name}: {error}") from error

    return read


def _property(value: str, name: str, wanted: str) -> str:
    try:
        found = json.loads(value)[wanted]
    except (ValueError, KeyError, TypeError):
        raise LookupError(f"key {wanted} does not exist in secret {name}") from None
    return found if isinstance(found, str) else json.dumps(found)


def _identity(external: Object) -> tuple[str, int]:
    return external["metadata"]["uid"], external["metadata"].get("generation", 1)


def _target(external: Object) -> str:
    return (external["spec"].get("target") or {}).get("name") or external["metadata"]["name"]


def _owner(external: Object) -> dict[str, Any]:
    metadata = external["metadata"]
    return {
        "apiVersion": API,
        "kind": KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _seconds(duration: str | None) -> float:
    """Of a Go duration such as `1h0m0s`; 0: never again."""
    if duration is None:
        return _REFRESH_SECONDS
    found = _DURATION.fullmatch(duration)
    if duration == "0" or found is None:
        return 0.0
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds
