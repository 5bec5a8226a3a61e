"""The way into the emulated EKS cluster: Kubernetes objects are applied there when an API server answers.

Without real processes behind the emulator a cluster only describes itself: its endpoint is a name of AWS, and
nothing is sent. With them, the rehearsal does what Pulumi's provider does: it signs a token as
`aws eks get-token` would and applies each object by server-side apply.
"""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.credentials import Credentials
from botocore.model import ServiceId
from botocore.signers import RequestSigner
from ruamel.yaml import YAML

from emulator.cluster.client import ClusterClient
from emulator.cluster.resources import Resources
from emulator.cluster.status import ApiError
from emulator.problem import Problem
from emulator.process import CREDENTIALS

if TYPE_CHECKING:
    from rehearsal.cloud import Cloud

MANAGER: Final = "pulumi-kubernetes"
_LOOPBACK: Final = "https://127.0.0.1:"
_TOKEN_SECONDS: Final = 60
"""Of the presigned URL, as `aws eks get-token` has it; EKS takes the token for 15 minutes."""

_CHARTED: Final = Path(__file__).resolve().parents[1] / "infra" / "eks" / "crds"
_BUILT_IN: Final = Resources()


def charted_definitions() -> list[dict[str, Any]]:
    """CustomResourceDefinitions that Helm charts install: their schemas, as far as our objects use them."""
    yaml = YAML(typ="safe")
    return [yaml.load(path.read_text(encoding="utf-8")) for path in sorted(_CHARTED.glob("*.yaml"))]


def connect(cloud: "Cloud") -> ClusterClient | None:
    """A client of the account's newest cluster, with what charts install in it; None where nothing answers."""
    names: list[str] = cloud.client("eks").list_clusters()["clusters"]
    if not names:
        return None
    cluster = cloud.client("eks").describe_cluster(name=names[-1])["cluster"]
    if not cluster["endpoint"].startswith(_LOOPBACK):
        return None
    authority = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    client = ClusterClient(cluster["endpoint"], authority, token(cloud, cluster["name"]))
    for definition in charted_definitions():
        apply(client, definition)
    return client


def apply(client: ClusterClient, manifest: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server has stored it. Raises ApiError."""
    resource = _BUILT_IN.of_kind(manifest["apiVersion"], manifest["kind"])
    return client.apply(resource or client.resource_of(manifest), manifest, MANAGER)


def problems_of(refusal: ApiError, manifest: dict[str, Any]) -> list[Problem]:
    """A refusal of the API server, in the rehearsal's words."""
    remedy = f"correct what the API server names ({refusal.reason})"
    if not refusal.causes:
        return [Problem("", manifest["metadata"].get("name", ""), refusal.message, remedy)]
    return [Problem(cause.field, None, cause.message, remedy) for cause in refusal.causes]


def token(cloud: "Cloud", cluster: str) -> str:
    """A bearer token: the presigned URL that tells EKS who asks. github.com/kubernetes-sigs/aws-iam-authenticator"""
    events = cloud.client("sts").meta.events
    credentials = Credentials(CREDENTIALS["aws_access_key_id"], CREDENTIALS["aws_secret_access_key"])
    signer = RequestSigner(ServiceId("STS"), cloud.region, "sts", "v4", credentials, events)
    host = f"https://sts.{cloud.region}.amazonaws.com/"
    request = {
        "method": "GET",
        "url": f"{host}?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {"x-k8s-aws-id": cluster},
        "context": {},
    }
    url: Any = signer.generate_presigned_url(
        request, region_name=cloud.region, expires_in=_TOKEN_SECONDS, operation_name=""
    )
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
