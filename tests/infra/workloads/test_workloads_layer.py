"""What follows from the declarations, read off a rehearsal of prod: who may do what, who talks to whom, what runs."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra import environment_file
from infra.contracts import WorkloadsContract, decoded
from infra.network.address_plan import plan
from infra.workloads import declarations
from infra.workloads.service import NAMESPACE, Service
from rehearsal.rehearse import Rehearsal
from services.search.snapshots import prefix

pytestmark = pytest.mark.xdist_group("rehearsed")

Inputs = dict[str, Any]
ACCOUNT = "111122223333"
OWN = "arn:aws:s3:::pinwheel-prod-{}-" + ACCOUNT


class Layer:
    """The inputs of prod's workloads layer, by type and name."""

    def __init__(self, rehearsal: Rehearsal) -> None:
        (layer,) = [each for each in rehearsal.layers if each.name == "workloads"]
        self.records = [record for record in layer.records if record.custom]
        self.outputs = layer.outputs

    def of_kind(self, kind: str) -> Iterator[Inputs]:
        return (each.inputs for each in self.records if each.type.endswith(f":{kind}"))

    def named(self, kind: str, name: str) -> Inputs:
        (found,) = [
            each.inputs for each in self.records if each.type.endswith(f":{kind}") and each.name == name
        ]
        return found

    def has(self, kind: str, name: str) -> bool:
        return any(each.type.endswith(f":{kind}") and each.name == name for each in self.records)

    def allowed(self, service: str) -> dict[str, Inputs]:
        """The statements of a service's role by their Sid."""
        (policy,) = [
            each.inputs["policy"]
            for each in self.records
            if each.type == "aws:iam/rolePolicy:RolePolicy"
            and each.inputs["name"] == f"pinwheel-prod-{service}"
        ]
        return {each["Sid"]: each for each in json.loads(policy)["Statement"]}

    def pod(self, service: str) -> Inputs:
        kind = "StatefulSet" if self.has("StatefulSet", service) else "Deployment"
        return self.named(kind, service)["spec"]["template"]


@pytest.fixture(scope="module")
def layer(rehearsed: Callable[[str], Rehearsal]) -> Layer:
    return Layer(rehearsed("prod"))


@pytest.fixture(scope="module")
def services() -> tuple[Service, ...]:
    return declarations.services(environment_file.load("prod"))


# What it may do in AWS


def test_a_stream_worker_may_do_what_it_declared_and_nothing_else(layer: Layer):
    allowed = layer.allowed("ml-stream")

    def names(sid: str, kind: str) -> set[str]:
        prefix = f"arn:aws:kafka:us-east-1:{ACCOUNT}:{kind}/pinwheel-prod-kafka/"
        assert all(arn.startswith(prefix) for arn in allowed[sid]["Resource"])
        return {arn.rsplit("/", 1)[-1] for arn in allowed[sid]["Resource"]}

    assert set(allowed) == {
        "ConnectToKafka", "ReadTopics", "WriteTopics", "JoinGroup", "Objects0", "List0", "DecryptObjects",
    }  # fmt: skip
    assert names("ReadTopics", "topic") == {"pins"}
    assert names("WriteTopics", "topic") == {"embeddings", "pins.dead-letter"}
    assert names("JoinGroup", "group") == {"ml-stream"}
    assert allowed["Objects0"]["Resource"] == [OWN.format("images") + "/originals/*"]
    assert allowed["Objects0"]["Action"] == ["s3:GetObject"]
    assert allowed["List0"]["Condition"] == {"StringLike": {"s3:prefix": ["originals/*"]}}


def test_a_reader_without_a_group_may_join_none(layer: Layer):
    allowed = layer.allowed("search-leaf-0")

    assert "JoinGroup" not in allowed
    assert allowed["LookForGroup"]["Action"] == ["kafka-cluster:DescribeGroup"]
    shards = environment_file.load("prod").workloads.search_shards
    assert allowed["Objects0"]["Resource"] == [f"{OWN.format('snapshots')}/{prefix(0, shards)}/*"]
    assert "s3:DeleteObject" in allowed["Objects0"]["Action"]


def test_a_worker_reaches_its_queues_and_no_others(layer: Layer):
    prefix = f"arn:aws:sqs:us-east-1:{ACCOUNT}:pinwheel-prod-jobs-"

    assert layer.allowed("pin-jobs")["WorkOnJobs"]["Resource"] == [
        f"{prefix}{priority}" for priority in ("high", "default", "low", "dead-letter")
    ]
    assert not any("sqs" in action for each in layer.allowed("pin").values() for action in each["Action"])


def test_jobs_remove_images_and_cannot_write_over_originals(layer: Layer):
    images = OWN.format("images")
    may = {
        (action, resource)
        for each in layer.allowed("pin-jobs").values()
        for action in each["Action"]
        for resource in each["Resource"]
        if action in ("s3:PutObject", "s3:DeleteObject")
    }
    assert may == {
        ("s3:PutObject", f"{images}/thumbnails/*"),
        ("s3:DeleteObject", f"{images}/thumbnails/*"),
        ("s3:DeleteObject", f"{images}/originals/*"),
    }


def test_keys_open_through_s3_only(layer: Layer):
    for service in ("pin", "pin-jobs", "ml", "search-leaf-0"):
        (key,) = [each for each in layer.allowed(service).values() if "kms:Decrypt" in each["Action"]]
        assert key["Condition"] == {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
        assert len(key["Resource"]) == 1


def test_who_talks_to_no_part_of_aws_has_no_role(layer: Layer, services: tuple[Service, ...]):
    with_role = {each["serviceAccount"] for each in layer.of_kind("PodIdentityAssociation")}

    assert with_role == {"external-secrets"} | {
        each.name for each in services if each.name not in ("gateway", "search-root")
    }


def test_only_the_operator_reads_secrets(layer: Layer):
    readers = [
        each.inputs["name"]
        for each in layer.records
        if each.type == "aws:iam/rolePolicy:RolePolicy" and "secretsmanager:" in each.inputs["policy"]
    ]

    assert readers == ["pinwheel-prod-external-secrets"]
    (secret,) = layer.allowed("external-secrets")["ReadSecrets"]["Resource"]
    assert ":secret:pinwheel/prod/database/pin-" in secret


# Who talks to whom


def peers(rules: list[Inputs], side: str) -> set[tuple[str, int]]:
    """(service, port) of all rules that are about pods of the namespace."""
    return {
        (peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"], port["port"])
        for rule in rules
        for peer in rule[side]
        if "podSelector" in peer and "namespaceSelector" not in peer
        for port in rule["ports"]
    }


def test_nothing_is_allowed_by_default(layer: Layer):
    spec = layer.named("NetworkPolicy", "deny-all")["spec"]

    assert spec["podSelector"] == {}
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in spec
    assert [port["port"] for rule in spec["egress"] for port in rule["ports"]] == [53, 53]


def test_only_declared_callers_come_in(layer: Layer):
    def callers(service: str) -> set[tuple[str, int]]:
        return peers(layer.named("NetworkPolicy", service)["spec"]["ingress"], "from")

    assert callers("pin") == {("gateway", 8080)}
    assert callers("search-root") == {("gateway", 8080)}
    assert callers("search-leaf-3") == {("search-root", 9000)}
    assert callers("ml") == {("search-root", 9000), ("ml-stream", 9000)}
    assert callers("pin-jobs") == callers("pin-relay") == set()


def test_what_one_may_call_the_other_lets_in(layer: Layer):
    ways_out, ways_in = set[tuple[str, str, int]](), set[tuple[str, str, int]]()
    for policy in layer.of_kind("NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        if name != "deny-all":
            ways_out |= {(name, callee, port) for callee, port in peers(spec["egress"], "to")}
            ways_in |= {(caller, name, port) for caller, port in peers(spec["ingress"], "from")}

    assert ways_out == ways_in


def test_operations_are_for_prometheus_only(layer: Layer, services: tuple[Service, ...]):
    for service in services:
        rules = layer.named("NetworkPolicy", service.name)["spec"]["ingress"]
        (rule,) = [each for each in rules if {"port": 9090, "protocol": "TCP"} in each["ports"]]
        assert rule["from"] == [
            {"namespaceSelector": {"matchLabels": {"pinwheel.io/scrapes-metrics": "true"}}}
        ]
        assert len(rule["ports"]) == 1


def test_databases_and_brokers_are_reached_where_they_are(layer: Layer):
    environment = environment_file.load("prod")
    intra = [{"ipBlock": {"cidr": zone.intra}} for zone in plan(environment.network.cidr, environment.zones)]

    def reached(service: str) -> dict[int, list[Inputs]]:
        rules = layer.named("NetworkPolicy", service)["spec"].get("egress") or []
        return {rule["ports"][0]["port"]: rule["to"] for rule in rules}

    assert reached("pin-relay")[3306] == intra
    assert reached("pin-relay")[9098] == intra
    assert 9098 not in reached("pin")
    assert not {3306, 9098, 443} & set(reached("search-root"))


# What runs


def test_every_pod_passes_pod_security_restricted(layer: Layer, services: tuple[Service, ...]):
    for service in services:
        spec = layer.pod(service.name)["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert {kind for volume in spec["volumes"] for kind in volume} <= {
            "name",
            "emptyDir",
            "secret",
            "configMap",
        }
        for container in (*spec["containers"], *spec.get("initContainers", ())):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert set(container["resources"]["limits"]) <= {"memory", "nvidia.com/gpu"}
    (namespace,) = [each for each in layer.of_kind("Namespace") if each["metadata"]["name"] == NAMESPACE]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_schema_is_there_before_the_service(layer: Layer):
    spec = layer.pod("pin")["spec"]

    (prepare,) = spec["initContainers"]
    assert prepare["args"] == ["migrate"]
    assert spec["containers"][0]["args"] == ["serve"]
    assert prepare["image"] == spec["containers"][0]["image"]
    assert prepare["image"] == f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/pinwheel/pin:1"
    assert "initContainers" not in layer.pod("pin-relay")["spec"]


def test_pods_are_watched_at_the_operations_port(layer: Layer, services: tuple[Service, ...]):
    for service in services:
        template = layer.pod(service.name)
        (container,) = template["spec"]["containers"]
        assert {"name": "operations", "containerPort": 9090} in container["ports"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "operations"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "operations"}
        assert template["metadata"]["annotations"]["prometheus.io/port"] == "9090"


def test_the_database_credential_is_a_file(layer: Layer):
    secret = layer.named("ExternalSecret", "pin-database")["spec"]
    spec = layer.pod("pin")["spec"]
    variables = layer.named("ConfigMap", "pin")["data"]

    assert secret["data"] == [
        {"secretKey": "credential.json", "remoteRef": {"key": "pinwheel/prod/database/pin"}}
    ]
    (volume,) = [
        each["name"] for each in spec["volumes"] if each.get("secret") == {"secretName": "pin-database"}
    ]
    (folder,) = [
        mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"] if mount["name"] == volume
    ]
    assert variables["DATABASE_SECRET_FILE"] == f"{folder}/credential.json"
    assert folder == "/var/run/secrets/pinwheel/database"


def test_variables_follow_from_the_declaration(layer: Layer):
    pin, leaf = layer.named("ConfigMap", "pin")["data"], layer.named("ConfigMap", "search-leaf-2")["data"]
    jobs = layer.named("ConfigMap", "pin-jobs")["data"]

    assert pin["SERVICE_NAME"] == "pin"
    assert pin["ENVIRONMENT"] == "prod"
    assert pin["IMAGES_BUCKET"] == f"pinwheel-prod-images-{ACCOUNT}"
    assert "KAFKA_BOOTSTRAP_SERVERS" not in pin
    assert leaf["KAFKA_SECURITY_PROTOCOL"] == "SASL_SSL"
    assert leaf["KAFKA_BOOTSTRAP_SERVERS"].endswith(":9098")
    assert (leaf["SHARD"], leaf["SHARDS"]) == ("2", "6")
    root = layer.named("ConfigMap", "search-root")["data"]
    assert leaf["EMBEDDING_MODEL_VERSION"] == root["EMBEDDING_MODEL_VERSION"] == "default:1"
    assert jobs["JOBS_QUEUE_PREFIX"] == "pinwheel-prod-jobs"


def test_pods_end_after_their_own_grace(layer: Layer, services: tuple[Service, ...]):
    for service in services:
        grace = float(layer.named("ConfigMap", service.name)["data"]["SHUTDOWN_GRACE_SECONDS"])
        assert 0 < grace < layer.pod(service.name)["spec"]["terminationGracePeriodSeconds"]


def test_a_changed_variable_starts_new_pods(rehearsed: Callable[[str], Rehearsal]):
    def checksums(environment: str) -> dict[str, str]:
        found = Layer(rehearsed(environment))
        return {
            each["metadata"]["name"]: each["spec"]["template"]["metadata"]["annotations"][
                "pinwheel.io/configuration"
            ]
            for each in found.of_kind("Deployment")
        }

    local, dev = checksums("local"), checksums("dev")

    assert set(local) == set(dev)
    assert not set(local.values()) & set(dev.values())
    assert len(set(local.values())) == len(local)


def test_the_number_of_pods_is_said_once(layer: Layer, services: tuple[Service, ...]):
    scaled = {each["metadata"]["name"]: each["spec"] for each in layer.of_kind("HorizontalPodAutoscaler")}

    assert set(scaled) == {service.name for service in services if not service.replicas.fixed}
    for service in services:
        kind = "StatefulSet" if service.volume else "Deployment"
        said = layer.named(kind, service.name)["spec"].get("replicas")
        if service.replicas.fixed:
            assert said == service.replicas.min
        else:
            assert said is None
            bounds = scaled[service.name]
            assert (bounds["minReplicas"], bounds["maxReplicas"]) == (
                service.replicas.min,
                service.replicas.max,
            )
            assert bounds["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": kind, "name": service.name}


def test_a_service_with_a_volume_is_a_stateful_set(layer: Layer):
    spec = layer.named("StatefulSet", "search-leaf-0")["spec"]

    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "gp3"
    mounts = {
        mount["name"]: mount["mountPath"]
        for mount in spec["template"]["spec"]["containers"][0]["volumeMounts"]
    }
    assert (
        mounts[claim["metadata"]["name"]]
        == layer.named("ConfigMap", "search-leaf-0")["data"]["INDEX_DIRECTORY"]
    )


def test_models_run_on_the_pool_for_them_where_there_is_one(
    layer: Layer, rehearsed: Callable[[str], Rehearsal]
):
    spec = layer.pod("ml")["spec"]
    on_cpu = Layer(rehearsed("local")).pod("ml")["spec"]

    assert spec["nodeSelector"] == {"pinwheel.io/gpu-pool": "inference"}
    assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert [each["key"] for each in spec["tolerations"]] == ["nvidia.com/gpu"]
    assert "nodeSelector" not in on_cpu
    assert "nvidia.com/gpu" not in on_cpu["containers"][0]["resources"]["limits"]


def test_only_the_gateway_has_a_load_balancer(layer: Layer):
    balanced = [each for each in layer.of_kind("Service") if each["spec"].get("type") == "LoadBalancer"]

    (gateway,) = balanced
    annotations = gateway["metadata"]["annotations"]
    assert gateway["metadata"]["name"] == "gateway"
    assert annotations["service.beta.kubernetes.io/aws-load-balancer-internal"] == "true"
    assert layer.named("Service", "pin-headless")["spec"]["clusterIP"] == "None"


# What it stands on


def test_images_never_change_under_their_tag(layer: Layer):
    repositories = list(layer.of_kind("Repository"))

    assert {each["name"] for each in repositories} == {
        f"pinwheel/{image}" for image in ("gateway", "ml", "pin", "search")
    }
    assert {each["imageTagMutability"] for each in repositories} == {"IMMUTABLE"}


def test_jobs_that_nobody_can_do_are_put_aside(layer: Layer):
    queues = {each["name"]: each for each in layer.of_kind("Queue")}

    dead = queues.pop("pinwheel-prod-jobs-dead-letter")
    assert set(queues) == {f"pinwheel-prod-jobs-{priority}" for priority in ("high", "default", "low")}
    for queue in queues.values():
        redrive = json.loads(queue["redrivePolicy"])
        assert redrive["deadLetterTargetArn"].endswith(":pinwheel-prod-jobs-dead-letter")
        assert queue["messageRetentionSeconds"] < dead["messageRetentionSeconds"]
        assert queue["sqsManagedSseEnabled"] is True


def test_only_our_pages_upload_from_a_browser(layer: Layer):
    (cors,) = layer.of_kind("BucketCorsConfiguration")

    assert cors["bucket"] == f"pinwheel-prod-images-{ACCOUNT}"
    assert [rule["allowedOrigins"] for rule in cors["corsRules"]] == [["https://pinwheel.example"]]


def test_the_contract_says_what_others_need(layer: Layer):
    contract = decoded(WorkloadsContract, layer.outputs["contract"])

    assert contract["gateway_address"] == "gateway.pinwheel.svc.cluster.local:80"
    assert contract["image_repositories"]["pin"].endswith("/pinwheel/pin")
    assert contract["buckets"]["images"] == f"pinwheel-prod-images-{ACCOUNT}"
    assert contract["queue_prefixes"] == {"jobs": "pinwheel-prod-jobs"}
