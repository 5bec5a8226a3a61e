"""The report's counts and lines, from records as a rehearsal leaves them."""

from emulator.problem import MASKED, Problem
from infra import environment_file
from pinwheel import report
from rehearsal.record import Record, Refusal, Status
from rehearsal.rehearse import LayerResult, Rehearsal

ENVIRONMENT = environment_file.load("local")


def record(token: str, name: str, status: Status = Status.CREATED, *, custom: bool = True) -> Record:
    urn = f"urn:pulumi:local-network::pinwheel::{token}::{name}"
    return Record(urn=urn, type=token, name=name, custom=custom, inputs={}, status=status)


def rehearsal(*layers: LayerResult) -> Rehearsal:
    return Rehearsal(ENVIRONMENT, list(layers))


def lines(result: Rehearsal, *, debug: bool = False) -> list[str]:
    return [line.plain for line in report.render(result, debug=debug)]


def test_coverage_counts_resources_of_aws_whose_type_has_an_adapter() -> None:
    found = report.coverage(
        rehearsal(
            LayerResult(
                "network",
                [
                    record("aws:ec2/vpc:Vpc", "vpc"),
                    record("aws:none/such:Such", "a", Status.RECORDED),
                    record("aws:none/such:Such", "b", Status.RECORDED),
                    record("aws:ec2/subnet:Subnet", "refused", Status.FAILED),
                    record("pinwheel:network:Vpc", "component", custom=False),
                    record("pulumi:providers:aws", "aws"),
                ],
            )
        )
    )
    assert (found.aws, found.aws_with_adapter, found.percent) == (4, 2, 50.0)
    assert found.recorded_only == (("aws:none/such:Such", 2),)


def test_nothing_of_aws_is_wholly_covered() -> None:
    assert report.coverage(rehearsal()).percent == 100


def test_coverage_is_never_rounded_up_to_all() -> None:
    many = [record("aws:ec2/vpc:Vpc", f"vpc-{index}") for index in range(9999)]
    layer = LayerResult("network", [*many, record("aws:none/such:Such", "a", Status.RECORDED)])
    assert "  AWS resources with an adapter: 9999 of 10000 (99.9 %)" in lines(rehearsal(layer))


def test_what_nothing_judges_is_listed() -> None:
    vpc = record("aws:ec2/vpc:Vpc", "vpc")
    vpc.unchecked = ("ipv4IpamPoolId",)
    shown = lines(rehearsal(LayerResult("network", [vpc])))
    assert "  Properties that nothing judges: aws:ec2/vpc:Vpc ipv4IpamPoolId (1)" in shown


def test_a_refusal_names_resource_property_value_reason_and_what_would_be_right() -> None:
    group = record("aws:eks/nodeGroup:NodeGroup", "gpu", Status.FAILED)
    problem = Problem("amiType", "AL2023_x86_64_NVIDEA", "is not an AMI type of EKS", "one of ...")
    layer = LayerResult("cluster", [group], [Refusal("cluster", group.urn, problem)])
    shown = lines(rehearsal(layer))
    start = shown.index("cluster: refused")
    assert shown[start + 1 :] == [
        "  aws:eks/nodeGroup:NodeGroup gpu",
        "    amiType = AL2023_x86_64_NVIDEA is not an AMI type of EKS",
        "      right: one of ...",
        "local does not pass: 1 refusal.",
    ]


def test_values_are_kept_to_a_line_and_markup_is_not_interpreted() -> None:
    group = record("aws:eks/nodeGroup:NodeGroup", "gpu", Status.FAILED)
    problems = [
        Problem("policy", "[red]\n" * 200, "is wrong", "right"),
        Problem("password", MASKED, "is plain", "no"),
    ]
    layer = LayerResult("cluster", [group], [Refusal("cluster", group.urn, each) for each in problems])
    shown = "\n".join(lines(rehearsal(layer)))
    assert "policy = [red] [red]" in shown
    assert "... is wrong" in shown
    assert "password = [secret] is plain" in shown


def test_a_crash_is_one_line_and_debug_shows_where() -> None:
    layer = LayerResult("data", crash="KeyError: 'contract'", crash_trace="Traceback ...\n  File x, line 1\n")
    assert "data: its program ended with KeyError: 'contract' (--debug shows the way there)" in lines(
        rehearsal(layer)
    )
    assert "Traceback ...\n  File x, line 1" in lines(rehearsal(layer), debug=True)
    assert lines(rehearsal(layer))[-1] == "local does not pass: the program of data ended early."


def test_a_crash_says_at_which_line_of_the_programs() -> None:
    layer = LayerResult("data", crash="KeyError: 'a'", crash_at="infra/stacks/data.py:23")
    assert "ended with KeyError: 'a', raised at infra/stacks/data.py:23 (" in "\n".join(
        lines(rehearsal(layer))
    )


def test_a_layer_that_lacks_another_s_outputs_is_not_blamed() -> None:
    crashed = LayerResult("cluster", crash="KeyError: 'a'")
    lacking = LayerResult("data", crash="NoOutputsError: ...", lacks="local-cluster")
    shown = lines(rehearsal(crashed, lacking))
    assert "data: went only as far as it goes without the outputs of local-cluster" in shown
    assert shown[-1] == "local does not pass: the program of cluster ended early."


def test_a_rehearsal_without_refusals_passes() -> None:
    assert lines(rehearsal(LayerResult("network")))[-1] == "local passes."
