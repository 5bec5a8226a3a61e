"""A request that AWS would refuse is refused here, and one it would take passes."""

import re
from typing import Any

import pytest
from botocore import model as botocore_models
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.problem import MASKED, Problem
from rehearsal import service_models
from rehearsal.checks import botocore_model, botocore_overrides
from rehearsal.checks.botocore_model import check_request
from rehearsal.checks.java_patterns import matcher

NODE_GROUP: dict[str, Any] = {
    "clusterName": "prod",
    "nodegroupName": "gpu-a10g",
    "subnets": ["subnet-0a"],
    "nodeRole": "arn:aws:iam::123456789012:role/prod-node",
    "amiType": "AL2023_x86_64_NVIDIA",
    "instanceTypes": ["g5.xlarge"],
    "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 1},
    "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
    "tags": {"environment": "prod"},
}


def refusal(service, operation, request) -> Problem:
    """Return the one problem of a request: more or fewer fail the test."""
    (problem,) = check_request(service, operation, request)
    return problem


def node_group(**changes):
    return refusal("eks", "CreateNodegroup", {**NODE_GROUP, **changes})


def test_a_request_aws_takes_passes():
    assert check_request("eks", "CreateNodegroup", NODE_GROUP) == []


def test_a_wrong_enum_names_the_one_meant():
    problem = node_group(amiType="AL2023_x86_64_NVIDEA")
    assert (problem.property, problem.value) == ("amiType", "AL2023_x86_64_NVIDEA")
    assert problem.remedy.endswith("did you mean AL2023_x86_64_NVIDIA?")


def test_a_taint_in_kubernetes_vocabulary_names_that_of_eks():
    problem = node_group(taints=[{"key": "nvidia.com/gpu", "effect": "NoSchedule"}])
    assert (problem.property, problem.value) == ("taints[0].effect", "NoSchedule")
    assert "did you mean NO_SCHEDULE?" in problem.remedy
    assert "Kubernetes' word" in problem.remedy


def test_a_number_out_of_range_names_the_range():
    problem = node_group(scalingConfig={"minSize": -1, "maxSize": 4})
    assert (problem.property, problem.value) == ("scalingConfig.minSize", -1)
    assert problem.remedy == "at least 0"


def test_a_string_too_long_names_the_limit():
    problem = node_group(taints=[{"key": "k" * 64, "effect": "NO_SCHEDULE"}])
    assert (problem.property, problem.reason) == ("taints[0].key", "has 64 characters")
    assert problem.remedy == "from 1 to 63 characters"


def test_a_pattern_is_meant_for_the_whole_value():
    problem = refusal("iam", "CreateRole", {"RoleName": "prod node", "AssumeRolePolicyDocument": "{}"})
    assert (problem.property, problem.value) == ("RoleName", "prod node")
    assert r"[\w+=,.@-]+" in problem.remedy


def test_a_list_too_long_names_the_limit():
    tags = [{"Key": f"k{n}", "Value": ""} for n in range(51)]
    problem = refusal("iam", "TagRole", {"RoleName": "node", "Tags": tags})
    assert (problem.property, problem.reason, problem.remedy) == ("Tags", "has 51 items", "at most 50 items")


def test_an_unknown_member_names_the_one_meant():
    problem = node_group(labelz={})
    assert (problem.property, problem.reason) == ("labelz", "is not a parameter")
    assert problem.remedy.endswith("did you mean labels?")


def test_a_missing_member_is_named():
    request = {name: value for name, value in NODE_GROUP.items() if name != "nodeRole"}
    problem = refusal("eks", "CreateNodegroup", request)
    assert (problem.property, problem.reason) == ("nodeRole", "is required")


@pytest.mark.parametrize(
    ("changes", "path", "reason"),
    [
        ({"subnets": "subnet-0a"}, "subnets", "is a string, not a list"),
        ({"scalingConfig": []}, "scalingConfig", "is a list, not an object"),
        ({"diskSize": "20"}, "diskSize", "is a string, not an integer"),
        ({"diskSize": True}, "diskSize", "is true or false, not an integer"),
        ({"diskSize": 20.5}, "diskSize", "is a number, not an integer"),
        ({"version": 1.35}, "version", "is a number, not a string"),
        (
            {"nodeRepairConfig": {"enabled": "yes"}},
            "nodeRepairConfig.enabled",
            "is a string, not true or false",
        ),
        ({"releaseVersion": None}, "releaseVersion", "is empty (null), not a string"),
        ({"labels": ["a"]}, "labels", "is a list, not an object"),
    ],
)
def test_a_wrong_type_names_both(changes, path, reason):
    problem = node_group(**changes)
    assert (problem.property, problem.reason) == (path, reason)


def test_an_idempotency_token_is_filled_in_by_botocore():
    request = {"NetworkInsightsPathId": "nip-0a"}  # and a required ClientToken
    assert check_request("ec2", "StartNetworkInsightsAnalysis", request) == []


@pytest.mark.parametrize("members", [{}, {"AndAllFilters": [], "OrAnyFilters": []}])
def test_a_union_takes_exactly_one_member(members):
    problems = check_request("glue", "SearchAssets", {"FilterClause": members})
    (problem,) = [p for p in problems if p.property == "FilterClause"]
    assert problem.reason == f"has {len(members)} members where AWS takes exactly one"
    assert "AndAllFilters" in problem.remedy


def test_every_mistake_is_reported_at_once():
    problems = check_request("eks", "CreateNodegroup", {"diskSize": "20", "amiType": "AL3"})
    assert {p.property for p in problems} >= {"diskSize", "amiType", "nodeRole", "subnets", "nodegroupName"}


def test_properties_are_named_as_the_program_does():
    request = {"Bucket": "Pins"}
    (problem,) = check_request("s3", "CreateBucket", request, {"Bucket": "bucket"}.__getitem__)
    assert problem.property == "bucket"
    assert problem.remedy.startswith("3 to 63 lower-case letters")


def test_a_secret_is_never_shown():
    request = {"Name": "prod/aurora", "SecretString": "x" * 70000}
    problem = refusal("secretsmanager", "CreateSecret", request)
    assert (problem.property, problem.value) == ("SecretString", MASKED)
    assert "xxx" not in str(problem)


def test_an_unknown_operation_is_a_mistake_of_the_adapter():
    with pytest.raises(KeyError, match="did you mean CreateNodegroup"):
        check_request("eks", "CreateNodeGrop", {})


@pytest.mark.parametrize(
    ("service", "operation", "request_", "path", "remedy"),
    [
        ("s3", "CreateBucket", {"Bucket": "a..b"}, "Bucket", "letters, digits, hyphens"),
        ("sqs", "CreateQueue", {"QueueName": "jobs.fifi"}, "QueueName", ".fifo last"),
        (
            "logs",
            "PutRetentionPolicy",
            {"logGroupName": "a", "retentionInDays": 31},
            "retentionInDays",
            "30, 60",
        ),
        (
            "rds",
            "CreateDBCluster",
            {"DBClusterIdentifier": "pins-", "Engine": "aurora-mysql"},
            "DBClusterIdentifier",
            "no hyphen last",
        ),
        (
            "rds",
            "CreateDBCluster",
            {
                "DBClusterIdentifier": "pins",
                "Engine": "aurora-mysql",
                "PreferredMaintenanceWindow": "sunday 4",
            },
            "PreferredMaintenanceWindow",
            "sun:04:30-sun:05:30",
        ),
    ],
)
def test_what_the_models_leave_out_is_checked_too(service, operation, request_, path, remedy):
    problem = refusal(service, operation, request_)
    assert problem.property == path
    assert remedy in problem.remedy


def test_route_53_takes_ids_as_the_api_returns_them():
    request = {"Id": "/hostedzone/Z0123456789ABCDEFGHIJ0123"}
    assert check_request("route53", "GetHostedZone", request) == []


def test_every_override_is_of_a_shape_there_is():
    for service, key in [*botocore_overrides.EXCEPTIONS, *botocore_overrides.SUPPLEMENTS]:
        shapes = botocore_model._service(service).model["shapes"]
        name, _, member = key.partition(".")
        assert name in shapes, key
        assert not member or member in shapes[name]["members"], key


EXAMPLED = [
    "eks",
    "ec2",
    "iam",
    "kms",
    "rds",
    "s3",
    "glue",
    "backup",
    "route53",
    "logs",
    "sqs",
    "sns",
    "events",
]
EXAMPLED += ["secretsmanager", "ecr"]
USED = [*EXAMPLED, "kafka", "kafkaconnect"]  # which have no examples


@pytest.mark.parametrize("service", USED)
def test_every_pattern_of_the_services_used_can_be_run(service):
    shapes = botocore_model._service(service).model["shapes"]
    skipped = [s["pattern"] for s in shapes.values() if "pattern" in s and matcher(s["pattern"]) is None]
    assert skipped == []


EXAMPLES_AT_FAULT = {
    ("ec2", "ModifySpotFleetRequest"),  # ExcessCapacityTerminationPolicy "NoTermination " is in no list
    (
        "kms",
        "CreateCustomKeyStore",
    ),  # cluster-1a23b4cdefg has a 1, which the pattern of a cluster's id leaves out
    ("kms", "UpdateCustomKeyStore"),
}


@pytest.mark.parametrize(
    "service", [name for name in USED if not name.startswith("kafka")]
)  # which have none
def test_the_models_own_examples_keep_to_their_constraints(service):
    """Finds patterns and enums that are wrong: the examples are requests AWS took."""
    examples = (
        service_models.session()
        .get_component("data_loader")
        .load_service_model(service, "examples-1")["examples"]
    )
    constraints = re.compile(
        "is not a value of|form AWS takes|has .* (characters|items|entries)|out of range"
    )
    for operation, cases in examples.items():
        for case in cases if (service, operation) not in EXAMPLES_AT_FAULT else ():
            problems = check_request(service, operation, case.get("input", {}))
            # Types are left out: the examples write some numbers as strings.
            assert not [str(p) for p in problems if constraints.search(p.reason)], operation


def valid(shape: Any, depth: int = 0) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    """Generate values from the constraints of a shape alone."""
    least = shape.metadata.get("min", 0)
    most = shape.metadata.get("max")
    match shape.type_name:
        case "structure":
            names = shape.required_members if depth > 2 else list(shape.members)
            required = {n: valid(shape.members[n], depth + 1) for n in shape.required_members}
            optional = {n: valid(shape.members[n], depth + 1) for n in names if n not in required}
            return st.fixed_dictionaries(required, optional=optional)
        case "list":
            return st.lists(
                valid(shape.member, depth + 1), min_size=least, max_size=min(most or 3, least + 2)
            )
        case "map":
            keys, values = valid(shape.key, depth + 1), valid(shape.value, depth + 1)
            return st.dictionaries(keys, values, min_size=least, max_size=min(most or 3, least + 2))
        case "string":
            if shape.enum:
                return st.sampled_from(shape.enum)
            pattern = raw(shape).get("pattern")
            if pattern:
                return st.from_regex(re.compile(pattern, re.ASCII), fullmatch=True).filter(
                    lambda text: least <= len(text) <= (most or 10**6)
                )
            return st.text(min_size=least, max_size=min(most or 20, least + 20))
        case "integer" | "long":
            return st.integers(least, most if most is not None else 10**6)
        case "boolean":
            return st.booleans()
        case other:
            raise NotImplementedError(other)


def raw(shape: botocore_models.Shape) -> dict[str, Any]:
    return botocore_model._service("eks").model["shapes"][shape.name]


EKS = botocore_models.ServiceModel(botocore_model._service("eks").model, "eks")
GENERATED = ["CreateAddon", "CreateAccessEntry", "CreatePodIdentityAssociation", "UpdateNodegroupConfig"]


@pytest.mark.parametrize("operation", GENERATED)
def test_whatever_keeps_to_the_constraints_of_a_shape_passes(operation):
    shape = EKS.operation_model(operation).input_shape

    @settings(max_examples=25)
    @given(valid(shape))
    def law(request):
        assert check_request("eks", operation, request) == []

    law()


@given(st.text(max_size=12))
def test_a_value_outside_an_enum_is_always_refused(value):
    known = raw(EKS.shape_for("taintEffect" if "taintEffect" in EKS.shape_names else "TaintEffect"))["enum"]
    problems = check_request(
        "eks", "CreateNodegroup", {**NODE_GROUP, "taints": [{"key": "k", "effect": value}]}
    )
    assert bool(problems) == (value not in known)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        (r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*", "Größe 10/ä", "a,b"),
        (r"\p{ASCII}+", "abc", "ä"),
        (r"\p{XDigit}{2}", "0F", "0G"),
        (r"[\w-_]*", "a-_b", "a b"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "a😀\t", "a\x00"),
        (r"\w+", "abc", "ä"),
        (r"a*+b", "aab", "aa"),
    ],
)
def test_patterns_in_javas_dialect_are_translated(pattern, yes, no):
    matches = matcher(pattern)
    assert matches is not None
    assert matches(yes)
    assert not matches(no)


def test_a_pattern_python_cannot_run_judges_nothing():
    assert matcher(r"^(?![^:]*|(?i).*<script>.*)[^:]+$") is None
