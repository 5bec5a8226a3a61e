"""All controllers of a cluster, in the order in which they look at one change."""

from emulator.cluster.controllers.autoscalers import Autoscalers
from emulator.cluster.controllers.claims import Claims
from emulator.cluster.controllers.cron_jobs import CronJobs
from emulator.cluster.controllers.daemon_sets import DaemonSets
from emulator.cluster.controllers.deployments import Deployments
from emulator.cluster.controllers.disruption_budgets import DisruptionBudgets
from emulator.cluster.controllers.endpoints import Endpoints
from emulator.cluster.controllers.events import EventExpiry
from emulator.cluster.controllers.garbage import GarbageCollector
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.jobs import Jobs
from emulator.cluster.controllers.manager import Controller
from emulator.cluster.controllers.namespaces import Namespaces
from emulator.cluster.controllers.pod_garbage import PodGarbage
from emulator.cluster.controllers.replica_sets import ReplicaSets
from emulator.cluster.controllers.stateful_sets import StatefulSets
from emulator.cluster.resources import Resources
from emulator.cluster.store import Store


def all_controllers(
    store: Store, resources: Resources, *, certificate_authority: str = ""
) -> list[Controller]:
    """The controllers over a store, to be made before a Manager or anybody else listens to it.

    `certificate_authority` is the API server's, in PEM: every namespace has it in a ConfigMap.
    """
    indexes = Indexes(store, resources)
    return [
        ReplicaSets(store, resources, indexes),
        Deployments(store, resources, indexes),
        StatefulSets(store, resources, indexes),
        DaemonSets(store, resources, indexes),
        Jobs(store, resources, indexes),
        CronJobs(store, resources, indexes),
        Autoscalers(store, resources),
        Endpoints(store, resources, indexes),
        DisruptionBudgets(store, resources, indexes),
        Claims(store, resources),
        Namespaces(store, resources, indexes, certificate_authority),
        PodGarbage(store, resources),
        GarbageCollector(store, resources, indexes),
        EventExpiry(store, resources),
    ]
