import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.resources import Resources
from emulator.cluster.selectors import FieldSelector, LabelSelector
from emulator.cluster.status import ApiError

LABELS = {"app": "web", "tier": "front", "shards": "12", "example.com/team": "ads", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("app=web", True),
        ("app==web", True),
        ("app=api", False),
        ("app!=api", True),
        ("unknown!=api", True),
        (" app = web , tier in (front, back) ", True),
        ("tier notin (front,back)", False),
        ("unknown notin (x)", True),
        ("app", True),
        ("!app", False),
        ("!unknown", True),
        ("shards>11", True),
        ("shards>12", False),
        ("shards<13", True),
        ("app>1", False),
        ("example.com/team=ads", True),
        ("empty=", True),
        ("empty in ()", True),
        ("in in (in)", False),
        ("app=web,tier=back", False),
    ],
)
def test_a_label_selector_selects(text: str, selected: bool) -> None:
    assert LabelSelector.parse(text).matches(LABELS) is selected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("=web", "found '=', expected: !, identifier, or 'end of string'"),
        ("app=web,", "found '', expected: identifier after ','"),
        ("app=web tier", "found 'tier', expected: ',' or 'end of string'"),
        ("app in web", "unable to parse requirement: found 'web' expected: '('"),
        ("app in (web", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("app=(", "unable to parse requirement: found '(', expected: identifier"),
        (
            "app is web",
            "unable to parse requirement: found 'is', expected: in, notin, =, ==, !=, gt, lt",
        ),
        ("!", "unable to parse requirement: found '', expected: identifier"),
    ],
)
def test_a_broken_label_selector_is_refused_in_the_servers_words(text: str, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        LabelSelector.parse(text)
    assert (refusal.value.code, refusal.value.reason) == (400, "BadRequest")
    assert refusal.value.message == message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("-app=web", '<nil>: Invalid value: "-app": name part must consist of'),
        ("a/b/c=web", '<nil>: Invalid value: "a/b/c": a qualified name must consist of'),
        ("/app=web", "prefix part must be non-empty"),
        ("example.com/=web", "name part must be non-empty"),
        ("Example.com/app=web", "prefix part a lowercase RFC 1123 subdomain must consist of"),
        (f"{'a' * 64}=web", "name part must be no more than 63 bytes"),
        (f"{'a' * 254}/app=web", "prefix part must be no more than 253 bytes"),
        ("app=we*b", 'values[0][app]: Invalid value: "we*b": a valid label must be an empty string or'),
        (f"app={'a' * 64}", "must be no more than 63 bytes"),
        ("shards>many", "the value must be an integer"),
    ],
)
def test_what_cannot_be_a_label_is_refused(text: str, part: str) -> None:
    with pytest.raises(ApiError) as refusal:
        LabelSelector.parse(text)
    assert part in refusal.value.message


@given(st.text(alphabet="ab=!,() in<>-/.", max_size=20))
def test_any_text_is_a_selector_or_a_bad_request(text: str) -> None:
    with contextlib.suppress(ApiError):
        LabelSelector.parse(text).matches({"a": "b"})


def test_the_selector_of_an_object() -> None:
    selector = LabelSelector.of(
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "canary", "operator": "DoesNotExist"},
            ],
        }
    )
    assert selector.matches({"app": "web", "tier": "back"})
    assert not selector.matches({"app": "web", "tier": "back", "canary": "1"})
    assert not selector.matches(None)


def test_an_empty_selector_selects_everything_and_none_nothing() -> None:
    assert LabelSelector.of({}).matches(None)
    assert not LabelSelector.of(None).matches(LABELS)


@pytest.mark.parametrize(
    ("expression", "part"),
    [
        ({"key": "a", "operator": "Near"}, "'Near' is not a valid label selector operator"),
        ({"key": "a", "operator": "In"}, "values set can't be empty"),
        ({"key": "a", "operator": "Exists", "values": ["b"]}, "values set must be empty"),
    ],
)
def test_a_broken_expression_is_refused(expression: dict[str, object], part: str) -> None:
    with pytest.raises(ApiError) as refusal:
        LabelSelector.of({"matchExpressions": [expression]})
    assert part in refusal.value.message


POD = {
    "metadata": {"name": "web-0", "namespace": "shop"},
    "spec": {"nodeName": "n1"},
    "status": {"phase": "Running"},
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("spec.nodeName=n1", True),
        ("spec.nodeName==n1,status.phase!=Running", False),
        ("status.phase!=Failed", True),
        ("metadata.name=web-0,metadata.namespace=shop", True),
        ("spec.schedulerName=", True),
        ("spec.hostNetwork=false", True),
        (r"metadata.name=web\,0", False),
    ],
)
def test_a_field_selector_selects(text: str, selected: bool) -> None:
    selector = FieldSelector.parse(text)
    selector.check(Resources()["pods"])
    assert selector.matches(POD) is selected


def test_fields_are_compared_as_text() -> None:
    selector = FieldSelector.parse("spec.unschedulable=true")
    selector.check(Resources()["nodes"])
    assert selector.matches({"spec": {"unschedulable": True}})
    assert not selector.matches({"spec": {}})


def test_an_event_is_found_by_what_it_is_about() -> None:
    event = {"involvedObject": {"name": "web-0"}, "source": {"component": "kubelet"}, "reason": "Killing"}
    selector = FieldSelector.parse("involvedObject.name=web-0,source=kubelet,reason=Killing")
    selector.check(Resources()["events"])
    assert selector.matches(event)


def test_the_name_that_a_selector_asks_for() -> None:
    assert FieldSelector.parse("metadata.name=web-0").name == "web-0"
    assert FieldSelector.parse("metadata.name!=web-0").name is None


@pytest.mark.parametrize(
    ("resource", "text", "message"),
    [
        ("pods", "spec.color=red", "field label not supported: spec.color"),
        ("nodes", "metadata.namespace=x", "field label not supported: metadata.namespace"),
        (
            "configmaps",
            "data.key=x",
            '"data.key" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ],
)
def test_fields_that_cannot_be_selected_by_are_refused(resource: str, text: str, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        FieldSelector.parse(text).check(Resources()[resource])
    assert (refusal.value.code, refusal.value.message) == (400, message)


def test_a_broken_field_selector_is_refused() -> None:
    with pytest.raises(ApiError) as refusal:
        FieldSelector.parse("spec.nodeName=n1,what")
    assert refusal.value.message == "invalid selector: 'spec.nodeName=n1,what'; can't understand 'what'"
