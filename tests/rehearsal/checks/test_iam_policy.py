"""Policies IAM would refuse, and those it takes although they allow more than is meant."""

import fnmatch
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.checks.iam_catalog import matching_actions, overlap, services
from rehearsal.checks.iam_policy import check_policy

CLUSTER = "arn:aws:eks:eu-west-1:123456789012:cluster/prod"


def policy(**statement):
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


def refusal(document, kind="identity", **options):
    (problem,) = check_policy(document, kind, "policy", **options)
    return problem


@pytest.mark.parametrize(
    "statement",
    [
        {"Action": "eks:DescribeCluster", "Resource": CLUSTER},
        {"Action": "EKS:describecluster", "Resource": "arn:aws:eks:*:*:cluster/*"},
        {
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::pins", "arn:aws:s3:::pins/*"],
        },
        {"Action": ["ec2:Describe*", "pricing:GetProducts", "ecr:GetAuthorizationToken"], "Resource": "*"},
        {"Action": "cloudwatch:PutMetricData", "Resource": "*"},
        {
            "Action": "secretsmanager:GetSecretValue",
            "Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-*",
        },
        {
            "Action": "kafka-cluster:Connect",
            "Resource": "arn:aws:kafka:eu-west-1:123456789012:cluster/prod/*",
        },
        {"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/prod-*"},
        {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pins/${aws:PrincipalTag/team}/*"},
        {
            "Action": "ec2:TerminateInstances",
            "Resource": "arn:aws:ec2:eu-west-1:*:*",
            "Condition": {"StringEquals": {"aws:ResourceTag/karpenter.sh/nodepool": "gpu"}},
        },
        {"Effect": "Deny", "Action": "s3:*", "Resource": "*"},
    ],
)
def test_a_good_statement_passes(statement):
    assert check_policy(policy(**statement), "identity") == []
    assert check_policy(json.dumps(policy(**statement)), "identity") == []


@pytest.mark.parametrize(
    ("statement", "property_", "value", "remedy"),
    [
        (
            {"Action": "eks:DescribeCluster", "Resource": "*"},
            "Resource",
            "*",
            "use arn:aws:eks:<region>:<account>:cluster/*",
        ),
        (
            {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"},
            "Resource",
            "arn:aws:s3:::*",
            "arn:aws:s3:::*/*",
        ),
        (
            {"Action": "sqs:SendMessage", "Resource": "arn:aws:sqs:eu-west-1:123456789012:*"},
            "Resource",
            "arn:aws:sqs:eu-west-1:123456789012:*",
            "arn:aws:sqs",
        ),
        (
            {
                "Action": "ec2:TerminateInstances",
                "Resource": "*",
                "Condition": {"StringEquals": {"aws:ResourceTag/a": "b"}},
            },
            "Resource",
            "*",
            ":instance/*",
        ),
        (
            {"Action": ["eks:DescribeCluster", "eks:ListClusters"], "Resource": "*"},
            "Resource",
            "*",
            "a statement of their own",
        ),
        (
            {"Action": "iam:PassRole", "Resource": "arn:aws:iam::123456789012:role/*"},
            "Resource",
            "arn:aws:iam::123456789012:role/*",
            "role/prod-*",
        ),
        (
            {"Action": "eks:DescribeClustr", "Resource": CLUSTER},
            "Action",
            "eks:DescribeClustr",
            "did you mean describecluster?",
        ),
        ({"Action": "eks:Frob*", "Resource": CLUSTER}, "Action", "eks:Frob*", "eks: one of"),
        (
            {"Action": "ekz:DescribeCluster", "Resource": CLUSTER},
            "Action",
            "ekz:DescribeCluster",
            "did you mean eks?",
        ),
        (
            {"Action": "DescribeCluster", "Resource": CLUSTER},
            "Action",
            "DescribeCluster",
            "eks:DescribeCluster",
        ),
        ({"Action": 7, "Resource": CLUSTER}, "Action", 7, "eks:DescribeCluster"),
        ({"Action": "eks:*", "Resource": CLUSTER}, "Action", "eks:*", "by name"),
        (
            {"Action": "eks:DescribeCluster", "Resource": "cluster/prod"},
            "Resource",
            "cluster/prod",
            "arn:partition",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": "arn:aws:s3:::pins"},
            "Resource",
            "arn:aws:s3:::pins",
            "arn:aws:eks",
        ),
        (
            {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::pins"},
            "Resource",
            "arn:aws:s3:::pins",
            "arn:aws:s3:::*/*",
        ),
        (
            {"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::pins/*"},
            "Resource",
            "arn:aws:s3:::pins/*",
            "arn:aws:s3:::*",
        ),
        (
            {"Action": ["eks:DescribeCluster", "eks:ListClusters"], "Resource": CLUSTER},
            "Action",
            "eks:ListClusters",
            "a statement of its own",
        ),
        (
            {"Action": ["eks:DescribeCluster", "s3:GetObject"], "Resource": CLUSTER},
            "Action",
            "s3:GetObject",
            "arn:aws:s3:::*/*",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": CLUSTER, "Principal": "*"},
            "Principal",
            "*",
            "Action",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": CLUSTER, "Conditions": {}},
            "Conditions",
            {},
            "Condition",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": CLUSTER, "Sid": "read it"},
            "Sid",
            "read it",
            "letters",
        ),
        ({"Action": "eks:DescribeCluster"}, "Resource", None, "give Resource"),
        (
            {"Effect": "allow", "Action": "eks:DescribeCluster", "Resource": CLUSTER},
            "Effect",
            "allow",
            "did you mean Allow?",
        ),
        (
            {
                "Action": "eks:DescribeCluster",
                "Resource": CLUSTER,
                "Condition": {"StringEqual": {"aws:SourceVpc": "v"}},
            },
            "Condition.StringEqual",
            "StringEqual",
            "did you mean StringEquals?",
        ),
        (
            {
                "Action": "eks:DescribeCluster",
                "Resource": CLUSTER,
                "Condition": {"StringEquals": {"aws:SourceVcp": "v"}},
            },
            "Condition.StringEquals.aws:SourceVcp",
            "aws:SourceVcp",
            "did you mean aws:SourceVpc?",
        ),
        (
            {
                "Action": "eks:DescribeCluster",
                "Resource": CLUSTER,
                "Condition": {"StringEquals": {"aws:ResourceTag": "v"}},
            },
            "Condition.StringEquals.aws:ResourceTag",
            "aws:ResourceTag",
            "aws:ResourceTag/",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": CLUSTER, "Condition": {"StringEquals": "v"}},
            "Condition.StringEquals",
            "v",
            "an object",
        ),
        (
            {"Action": "eks:DescribeCluster", "Resource": CLUSTER, "Condition": []},
            "Condition",
            [],
            "operators",
        ),
    ],
)
def test_refusals_name_the_element_and_what_would_be_right(statement, property_, value, remedy):
    problem = refusal(policy(**statement))
    assert problem.property == f"policy.Statement[0].{property_}"
    assert problem.value == value
    assert remedy in problem.remedy


def test_everything_by_name_is_refused_even_on_everything():
    properties = [p.reason for p in check_policy(policy(Action="*", Resource="*"), "identity")]
    assert "allows everything" in properties


def test_what_is_no_policy_is_refused():
    assert "JSON" in refusal("{Version: 2012}").reason
    assert "is not a policy" in refusal("[]").reason
    properties = {
        p.property: p.remedy for p in check_policy({"Version": "2008-10-17", "Statment": []}, "identity")
    }
    assert properties["policy.Version"] == "only 2012-10-17"
    assert "did you mean Statement?" in properties["policy.Statment"]
    assert "policy.Statement" in properties
    assert refusal({"Version": "2012-10-17", "Statement": ["a"]}).property == "policy.Statement[0]"


def test_statement_ids_are_unique():
    statement = {"Sid": "A", "Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": CLUSTER}
    problem = refusal({"Version": "2012-10-17", "Statement": [statement, statement]})
    assert (problem.property, problem.value) == ("policy.Statement[1].Sid", "A")


@pytest.mark.parametrize(("kind", "limit"), [("identity", None), ("trust", None), ("identity", 10240)])
def test_a_policy_too_long_names_the_limit(kind, limit):
    wanted = limit or {"identity": 6144, "trust": 2048}[kind]
    arns = [f"{CLUSTER}-{n:05}" for n in range(wanted // 40)]
    statement = {"Action": "eks:DescribeCluster", "Resource": arns}
    if kind == "trust":
        principals = [f"arn:aws:iam::123456789012:role/{n:020}" for n in range(60)]
        statement = {"Action": "sts:AssumeRole", "Principal": {"AWS": principals}}
    problem = refusal(policy(**statement), kind, size_limit=limit)
    assert problem.remedy.startswith(f"at most {wanted}")


def test_whitespace_does_not_count():
    document = json.dumps(policy(Action="eks:DescribeCluster", Resource=CLUSTER), indent=2000)
    assert check_policy(document, "identity") == []


def trust(principal, action=("sts:AssumeRole", "sts:TagSession"), **rest):
    return policy(Action=list(action), Principal=principal, **rest)


def test_a_trust_policy_passes():
    assert check_policy(trust({"Service": "pods.eks.amazonaws.com"}), "trust") == []
    assert check_policy(trust({"AWS": "123456789012"}), "trust") == []


@pytest.mark.parametrize(
    ("document", "property_", "remedy"),
    [
        (trust({"Service": "pods.eks.amazonaws.com"}, ["sts:AssumeRole"]), "Action", "sts:TagSession"),
        (trust({"Service": "pods.eks"}), "Principal.Service", "eks.amazonaws.com"),
        (trust({"Services": "eks.amazonaws.com"}), "Principal.Services", "did you mean Service?"),
        (trust({"AWS": "prod-role"}), "Principal.AWS", "12 digits"),
        (trust("eks"), "Principal", "an object"),
        (trust("*"), "Principal", "name who"),
        (trust({"AWS": ["*"]}), "Principal", "name who"),
        (trust({"Service": "eks.amazonaws.com"}, ["s3:GetObject"]), "Action[0]", "sts:AssumeRole"),
        (trust({"Service": "eks.amazonaws.com"}, Resource="*"), "Resource", "one of"),
        (policy(Action="sts:AssumeRole"), "Principal", "give Principal"),
    ],
)
def test_trust_policies_are_refused_for(document, property_, remedy):
    problem = refusal(document, "trust")
    assert problem.property == f"policy.Statement[0].{property_}"
    assert remedy in problem.remedy


def test_a_key_policy_says_star_for_this_key():
    root = {"AWS": "arn:aws:iam::123456789012:root"}
    assert check_policy(policy(Action="kms:*", Principal=root, Resource="*"), "resource") == []


def test_a_repositorys_policy_needs_no_resource():
    document = policy(Action="ecr:BatchGetImage", Principal={"AWS": "123456789012"})
    assert check_policy(document, "resource") == []
    document = policy(Action="s3:GetObject", Principal={"AWS": "123456789012"})
    assert refusal(document, "resource").remedy == "give Resource"


@pytest.mark.parametrize("document", [None, 7, "", "null", {"Statement": {"Action": None}}, {"Statement": 3}])
def test_no_input_is_too_bad_to_be_told(document):
    assert check_policy(document, "identity")


ELEMENTS = st.sampled_from(
    [
        "Version",
        "Statement",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "Principal",
        "Condition",
        "Sid",
        "AWS",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["*", "Allow", "s3:GetObject", "arn:aws:s3:::a/*", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ELEMENTS, inner, max_size=5),
)
KINDS = st.sampled_from(["identity", "trust", "resource"])


@given(st.fixed_dictionaries({"Version": st.just("2012-10-17"), "Statement": VALUES}), KINDS)
def test_no_document_is_too_odd_to_be_judged(document, kind):
    assert isinstance(check_policy(document, kind), list)


def test_every_action_and_resource_of_the_catalog_can_be_read():
    for name, service in services().items():
        assert set(service) >= {"Actions", "Resources"}, name
    assert matching_actions("s3:GetObject") == ("s3:getobject",)
    assert "ec2:describevpcs" in matching_actions("ec2:Describe*")


PATTERNS = st.text("ab*?", max_size=6)


@given(PATTERNS, PATTERNS)
def test_overlap_does_not_depend_on_the_order(left, right):
    assert overlap(left, right) == overlap(right, left)


@given(PATTERNS, st.text("ab", max_size=6))
def test_overlap_with_a_plain_text_is_matching(pattern, text):
    assert overlap(pattern, text) == fnmatch.fnmatchcase(text, pattern)


@given(PATTERNS, PATTERNS, st.text("ab", max_size=6))
def test_patterns_that_match_the_same_text_overlap(left, right, text):
    if fnmatch.fnmatchcase(text, left) and fnmatch.fnmatchcase(text, right):
        assert overlap(left, right)
