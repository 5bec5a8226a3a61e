"""The queue looks at each object once, again when asked, and survives what goes wrong."""

from collections.abc import Iterable

from emulator.cluster.controllers.manager import Manager
from emulator.cluster.resources import Resources
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Store
from tests.emulator.cluster.controllers.conftest import World, deployment


class Recorder:
    """Looks at ConfigMaps and answers what it is told to."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers = list(answers)
        self.seen: list[Key] = []

    def concerned(self, event: Event) -> Iterable[Key]:
        return [event.key]

    def reconcile(self, key: Key) -> float | None:
        self.seen.append(key)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def managed(recorder: Recorder) -> tuple[Manager, Store, Clock]:
    store, clock = Store(), Clock()
    return Manager(store, [recorder], clock), store, clock


def put(store: Store, name: str) -> None:
    told = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
    store.create(Resources()["configmaps"], told)


def test_each_object_is_looked_at_once_in_the_order_of_arrival():
    recorder = Recorder()
    manager, store, _ = managed(recorder)
    for name in ("b", "a"):
        put(store, name)
    store.delete(Resources()["configmaps"], "default", "b")
    manager.settle()
    assert recorder.seen == [("default", "b"), ("default", "a")]


def test_only_the_last_answer_says_when_to_look_again():
    recorder = Recorder(10, 50)
    manager, store, clock = managed(recorder)
    put(store, "a")
    manager.settle()
    store.delete(Resources()["configmaps"], "default", "a")
    manager.settle()
    assert len(recorder.seen) == 2

    clock.now = 49
    manager.settle()
    assert len(recorder.seen) == 2
    clock.now = 50
    manager.settle()
    assert len(recorder.seen) == 3


def test_what_fails_is_tried_again():
    recorder = Recorder(ApiError(409, "Conflict", "too slow"), ValueError("a bug"))
    manager, store, clock = managed(recorder)
    put(store, "a")
    manager.settle()
    assert len(recorder.seen) == 1
    for moment in (1, 2, 3):
        clock.now = moment
        manager.settle()
    assert len(recorder.seen) == 3


def test_a_controller_that_fails_to_listen_does_not_fail_the_change():
    class Deaf(Recorder):
        def concerned(self, event: Event) -> Iterable[Key]:
            raise ValueError("a bug")

    listening = Recorder()
    store = Store()
    manager = Manager(store, [Deaf(), listening], Clock())
    put(store, "a")
    manager.settle()
    assert listening.seen == [("default", "a")]


def test_work_grows_with_the_number_of_deployments_and_not_faster(world: World):
    looks = 0
    find = world.store.find

    def counted(*arguments: object) -> object:
        nonlocal looks
        looks += 1
        return find(*arguments)  # pyright: ignore[reportArgumentType]

    def cost(count: int, prefix: str) -> int:
        before = looks
        for number in range(count):
            told = deployment(f"{prefix}-{number}", replicas=2)
            told["spec"]["template"]["metadata"]["labels"]["part-of"] = "everything"
            world.create("deployments.apps", told, settle=False)
            selector = {"app": f"{prefix}-{number}", "part-of": "everything"}
            spec = {"selector": selector, "ports": [{"port": 80}]}
            world.create("services", {"metadata": {"name": f"{prefix}-{number}"}, "spec": spec}, settle=False)
        world.settle()
        return looks - before

    world.store.find = counted  # pyright: ignore[reportAttributeAccessIssue]
    few = cost(20, "few")
    many = cost(200, "many")

    assert len(world.names("pods")) == 440
    assert many < 11 * few
