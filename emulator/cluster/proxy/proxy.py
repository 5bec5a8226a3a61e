"""Gives every Service its lasting address, and leads what comes there to the Service's ready pods."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from emulator.cluster.addresses import Addresses
from emulator.cluster.controllers.events import record
from emulator.cluster.proxy.envoy import Envoy, EnvoyError
from emulator.cluster.proxy.ports import listening_port
from emulator.cluster.resources import Resources
from emulator.cluster.settings import Settings
from emulator.cluster.store import Event, Key, Object, Store, copy_of, key_of

URL: Final = "pinwheel.io/url"
ADDRESS: Final = "pinwheel.io/address"
_PLACEHOLDER: Final = "pinwheel.io/placeholder"
_SERVICE_NAME: Final = "kubernetes.io/service-name"
_API_SERVER: Final[Key] = ("default", "kubernetes")
"""Its Service is the API server itself."""
_COMPONENT: Final = "service-proxy"
_DROP_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.01
_RETRY_SECONDS: Final = 3.0
_LOG = logging.getLogger(__name__)

_Slices = dict[Key, list[Object]]
"""EndpointSlices by their Service."""


@dataclass(frozen=True)
class _Front:
    """A Service as it is listened for: the wanted ports and the real ones."""

    address: str
    ports: Mapping[int, int]


class ServiceProxy:
    """The proxy in front of all Services. Envoy is started with the first Service that has a ready pod."""

    def __init__(self, store: Store, resources: Resources, settings: Settings, addresses: Addresses) -> None:
        self._store = store
        self._resources = resources
        self._settings = settings
        self._addresses = addresses
        self._services = resources["services"]
        self._pods = resources["pods"]
        self._slices = resources["endpointslices.discovery.k8s.io"]
        self._fronts: dict[Key, _Front] = {}
        self._endpoints: dict[str, list[tuple[str, int]]] = {}
        """What was written, by the name of the cluster: namespace/service/port."""
        self._listeners: list[tuple[str, str, int]] = []
        self._dirty: dict[Key, None] = {}
        self._leaving: set[str] = set()
        """Addresses of pods that end, which nothing is led to, whatever the slices still say."""
        self._wake = asyncio.Event()
        self._envoy: Envoy | None = None
        self._unsubscribe = store.subscribe(self._note)

    async def run(self) -> None:
        """Follow the Services, for ever."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                self._follow()
                await self._serve()
            except Exception:  # what one Service says must not end the others
                _LOG.exception("the Services could not be brought to what they should be")
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()

    async def stop(self) -> None:
        """End Envoy."""
        self._unsubscribe()
        envoy, self._envoy = self._envoy, None
        if envoy is not None:
            await asyncio.to_thread(envoy.stop)

    async def without(self, address: str) -> None:
        """Return when Envoy leads no new connection to a pod, or after a second in any case."""
        self._leaving.add(address)
        envoy = self._envoy
        if envoy is None or not any(address == host for each in self._endpoints.values() for host, _ in each):
            return
        self._write_endpoints(envoy)
        clock = asyncio.get_running_loop().time
        deadline = clock() + _DROP_SECONDS
        try:
            while clock() < deadline and await asyncio.to_thread(envoy.leads_to, address):
                await asyncio.sleep(_POLL_SECONDS)
        except EnvoyError as error:  # it was killed, and starts without the pod
            _LOG.warning("%s", error)

    def ports(self, namespace: str, name: str) -> Mapping[int, int]:
        """The ports of a Service, and those at which it listens."""
        service = self._store.find(self._services, namespace, name)
        if service is None or not self._is_fronted(service):
            return {}
        return self._front(service).ports

    def headless_address(self, namespace: str, name: str) -> str | None:
        """What stands for the pods of a headless Service, whose name DNS would give all their addresses for."""
        service = self._store.find(self._services, namespace, name)
        if service is None or not _is_headless(service):
            return None
        return self._front(service).address

    # Following the objects

    def _note(self, event: Event) -> None:
        if event.resource.key == self._services.key:
            address = event.object["spec"].get("clusterIP")
            if event.type == "ADDED" and address in self._addresses:
                self._addresses.reserve(address)
            self._dirty[event.key] = None
        elif event.resource.key == self._slices.key:
            metadata = event.object["metadata"]
            self._dirty[metadata["namespace"], (metadata.get("labels") or {}).get(_SERVICE_NAME, "")] = None
        elif event.resource.key == self._pods.key and event.type == "DELETED":
            self._leaving.discard((event.object.get("status") or {}).get("podIP", ""))
            return
        else:
            return
        self._wake.set()

    def _follow(self) -> None:
        while self._dirty:
            key = next(iter(self._dirty))
            del self._dirty[key]
            service = self._store.find(self._services, *key)
            if service is None or not self._is_fronted(service):
                gone = self._fronts.pop(key, None)
                if gone:
                    self._addresses.release(gone.address)
            else:
                self._describe(service, self._front(service))

    def _is_fronted(self, service: Object) -> bool:
        return service["spec"].get("type") != "ExternalName" and key_of(service) != _API_SERVER

    def _front(self, service: Object) -> _Front:
        key = key_of(service)
        present = self._fronts.get(key)
        address = self._address_of(service, present)
        wanted = [port["port"] for port in _tcp(service)]
        known = present.ports if present and present.address == address else {}
        if present is None or present.address != address or list(known) != wanted:
            ports = {port: known.get(port) or listening_port(address, port) for port in wanted}
            self._fronts[key] = _Front(address, ports)
            for port in service["spec"].get("ports") or ():
                if port.get("protocol", "TCP") != "TCP":
                    self._tell(service, "PortNotSupported", f"{_port_name(port)}: only TCP is carried here")
            for port, real in ports.items():
                if port != real:
                    self._tell(
                        service, "PortMoved", f"port {port} of {address} cannot be had; listening at {real}"
                    )
        return self._fronts[key]

    def _address_of(self, service: Object, present: _Front | None) -> str:
        """The cluster IP, if it is one of this cluster's; else what the Service is given instead of it."""
        given, key = service["spec"].get("clusterIP"), key_of(service)
        promised = self._addresses.promised(*key)
        if promised is None and given in self._addresses:
            return given
        if present is not None and promised is None:
            return present.address
        return self._addresses.service_ip(*key)

    def _describe(self, service: Object, front: _Front) -> None:
        """Write into the Service where it is."""
        changed = copy_of(service)
        spec = changed["spec"]
        if spec.get("clusterIP") != front.address and not _is_headless(service):
            spec |= {"clusterIP": front.address, "clusterIPs": [front.address]}
        addresses = [f"{front.address}:{port}" for port in front.ports.values()]
        shown = "" if _is_headless(service) else _url(changed, front)  # people have another Service for that
        told = {ADDRESS: ",".join(addresses), URL: shown}
        annotations: dict[str, str] = changed["metadata"].get("annotations") or {}
        changed["metadata"]["annotations"] = {
            **{name: value for name, value in annotations.items() if name not in told},
            **{name: value for name, value in told.items() if value},
        }
        if spec.get("type") == "LoadBalancer":
            ingress = {"ip": front.address, "ipMode": "Proxy"}
            changed.setdefault("status", {})["loadBalancer"] = {"ingress": [ingress]}
        self._store.update(self._services, changed)

    # Serving

    async def _serve(self) -> None:
        if self._envoy is None:
            slices = self._slices_by_service()
            if not any(
                self._ready(key, port, slices) for key, front in self._fronts.items() for port in front.ports
            ):
                return
            self._envoy = await self._started()
        self._write(self._envoy)

    async def _started(self) -> Envoy:
        settings = self._settings
        envoy = Envoy(
            f"{settings.name}/proxy",
            settings.directory / "proxy",
            registry=settings.registry,
            log=settings.directory / "proxy.log",
            report=lambda text: _LOG.warning("%s", text),
        )
        self._endpoints, self._listeners = {}, []
        self._write(envoy)
        try:
            await asyncio.to_thread(envoy.start)
        except BaseException:
            envoy.stop()
            raise
        return envoy

    def _write(self, envoy: Envoy) -> None:
        """Endpoints before clusters before listeners, so that nothing is led to what is not known yet."""
        listeners = [
            (_cluster_name(key, port), front.address, real)
            for key, front in self._fronts.items()
            for port, real in front.ports.items()
        ]
        before, names = set(self._endpoints), {name for name, _, _ in listeners}
        self._write_endpoints(envoy)
        if before != names:
            envoy.write_clusters(sorted(names))
        if listeners != self._listeners:
            self._listeners = listeners
            envoy.write_listeners(listeners)
        for name in before - names:
            del self._endpoints[name]
            envoy.forget_endpoints(name)

    def _write_endpoints(self, envoy: Envoy) -> None:
        slices = self._slices_by_service()
        for key, front in self._fronts.items():
            for port in front.ports:
                name, ready = _cluster_name(key, port), self._ready(key, port, slices)
                if self._endpoints.get(name) != ready:
                    self._endpoints[name] = ready
                    envoy.write_endpoints(name, ready)

    def _ready(self, key: Key, port: int, slices: _Slices) -> list[tuple[str, int]]:
        """The addresses and ports of a Service's ready pods that really run."""
        service = self._store.find(self._services, *key) or {}
        name = next((each.get("name") or "" for each in _tcp(service) if each["port"] == port), None)
        found: dict[tuple[str, int], None] = {}
        for slice_ in slices.get(key, ()):
            ports = [
                each["port"]
                for each in slice_.get("ports") or ()
                if (each.get("name") or "") == name and each.get("port")  # without one it is every port
            ]
            for endpoint in slice_.get("endpoints") or ():
                if (endpoint.get("conditions") or {}).get("ready", True) is not False and self._runs(
                    endpoint, key[0]
                ):
                    found |= {(address, each): None for address in endpoint["addresses"] for each in ports}
        return [each for each in found if each[0] not in self._leaving]

    def _slices_by_service(self) -> _Slices:
        found: _Slices = {}
        for slice_ in self._store.list(self._slices):
            metadata = slice_["metadata"]
            name = (metadata.get("labels") or {}).get(_SERVICE_NAME, "")
            found.setdefault((metadata["namespace"], name), []).append(slice_)
        return found

    def _runs(self, endpoint: Mapping[str, Any], namespace: str) -> bool:
        reference = endpoint.get("targetRef") or {}
        if reference.get("kind") != "Pod":
            return True
        pod = self._store.find(self._pods, namespace, reference["name"])
        return pod is not None and _PLACEHOLDER not in (pod["metadata"].get("annotations") or {})

    def _tell(self, service: Object, reason: str, message: str) -> None:
        record(self._store, self._resources, service, "Warning", reason, message, _COMPONENT)


def _tcp(service: Object) -> list[dict[str, Any]]:
    ports = cast("list[dict[str, Any]]", (service.get("spec") or {}).get("ports") or [])
    return [port for port in ports if port.get("protocol", "TCP") == "TCP"]


def _is_headless(service: Object) -> bool:
    return service["spec"].get("clusterIP") == "None"


def _cluster_name(key: Key, port: int) -> str:
    return f"{key[0]}/{key[1]}/{port}"


def _port_name(port: Mapping[str, Any]) -> str:
    return f"port {port['port']}/{port['protocol']}"


def _url(service: Object, front: _Front) -> str:
    """Of its first port that speaks HTTP, by what is said of it or by its number."""
    for port in _tcp(service):
        said = f"{port.get('appProtocol') or port.get('name') or {80: 'http', 443: 'https'}.get(port['port'], '')}"
        if said.startswith("http"):
            scheme = "https" if said.startswith("https") else "http"
            real = front.ports[port["port"]]
            shown = "" if (scheme, real) in {("http", 80), ("https", 443)} else f":{real}"
            return f"{scheme}://{front.address}{shown}"
    return ""
