"""Events are counted when they repeat, and forgotten when they are old or too many."""

from emulator.cluster.controllers.events import NORMAL, WARNING, record
from tests.emulator.cluster.controllers.conftest import World


def test_an_event_says_what_happened_to_whom(world: World):
    pod = world.create("configmaps", {"metadata": {"name": "web"}})
    record(world.store, world.resources, pod, WARNING, "Odd", "It looks odd.", "tester", field_path="data")

    (event,) = world.objects("events")
    assert event["metadata"]["name"].startswith("web.")
    assert event["involvedObject"] == {
        "kind": "ConfigMap",
        "namespace": "default",
        "name": "web",
        "uid": pod["metadata"]["uid"],
        "apiVersion": "v1",
        "resourceVersion": pod["metadata"]["resourceVersion"],
        "fieldPath": "data",
    }
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "Odd", "It looks odd.")
    assert event["source"] == {"component": "tester"}


def test_a_repeated_event_is_counted(world: World):
    pod = world.create("configmaps", {"metadata": {"name": "web"}})
    record(world.store, world.resources, pod, NORMAL, "Odd", "It looks odd.", "tester")
    world.wait(5)
    record(world.store, world.resources, pod, NORMAL, "Odd", "It looks odd.", "tester")
    record(world.store, world.resources, pod, NORMAL, "Odd", "It looks very odd.", "tester")

    first = next(each for each in world.objects("events") if each["message"] == "It looks odd.")
    assert first["count"] == 2
    assert first["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert first["lastTimestamp"] == "2026-01-01T00:00:05Z"
    assert len(world.objects("events")) == 2


def test_events_about_what_has_no_namespace_are_in_default(world: World):
    node = world.get("nodes", "node-1")
    record(world.store, world.resources, node, NORMAL, "Odd", "It looks odd.", "tester")
    assert world.reasons("node-1") == ["Odd"]


def test_events_are_forgotten_after_an_hour(world: World):
    pod = world.create("configmaps", {"metadata": {"name": "web"}})
    record(world.store, world.resources, pod, NORMAL, "Odd", "It looks odd.", "tester")
    world.settle()
    world.wait(3599)
    assert world.reasons("web") == ["Odd"]
    world.wait(61)
    assert world.reasons("web") == []


def test_at_most_a_thousand_are_kept_and_those_are_the_newest(world: World):
    pod = world.create("configmaps", {"metadata": {"name": "web"}})
    for number in range(1200):
        record(world.store, world.resources, pod, NORMAL, "Odd", f"It looks odd {number}.", "tester")
    world.settle()

    messages = set(world.messages("web"))
    assert len(messages) == 1000
    assert "It looks odd 1199." in messages
    assert "It looks odd 199." not in messages
