"""One service, whole: everything that its declaration yields, with the pods last and gone first."""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta.v1 import LabelSelectorArgsDict

from infra.workloads import configuration, endpoints, identity, network_policy, pod, scaling, secrets
from infra.workloads.platform import Platform
from infra.workloads.service import Service

STORAGE_CLASS = "gp3"
_AWAIT_SECONDS = "900"
"""For new pods to be ready: a node has to come first, and an image of a gigabyte."""


class Workload(pulumi.ComponentResource):
    """A Deployment, or a StatefulSet for a service with a volume, and what stands around it."""

    def __init__(
        self, service: Service, platform: Platform, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:workloads:Workload", service.name, None, opts)
        self._service, self._platform = service, platform
        beneath = pulumi.ResourceOptions(parent=self, depends_on=list(platform.after))
        account = identity.service_account(service, platform, beneath)
        settings, checksum = configuration.config_map(service, platform, beneath)
        needed: list[pulumi.Resource] = [*account, settings]
        needed += [
            secrets.external_secret(secret, platform, beneath)
            for secret in secrets.secrets_of(service, platform.environment)
        ]
        if service.name in platform.files:
            files, files_checksum = self._files(beneath)
            needed.append(files)
            checksum = pulumi.Output.concat(checksum, files_checksum)
        needed.append(network_policy.of_service(service, platform, beneath))
        endpoints.endpoints(service, platform, beneath)
        pods = self._pods(
            checksum, pulumi.ResourceOptions(parent=self, depends_on=[*platform.after, *needed])
        )
        after_pods = pulumi.ResourceOptions(parent=self, depends_on=[pods])
        scaling.autoscaler(service, platform, after_pods)
        scaling.disruption_budget(service, platform, beneath)
        self.register_outputs({})

    def _files(
        self, options: pulumi.ResourceOptions
    ) -> tuple[kubernetes.core.v1.ConfigMap, pulumi.Output[str]]:
        contents = self._platform.files[self._service.name].contents
        made = kubernetes.core.v1.ConfigMap(
            pod.files_name(self._service),
            metadata={"name": pod.files_name(self._service), "namespace": self._platform.namespace},
            data=contents,
            opts=options,
        )
        return made, configuration.checksum(contents)

    def _pods(self, checksum: pulumi.Input[str], options: pulumi.ResourceOptions) -> pulumi.Resource:
        service, platform = self._service, self._platform
        metadata = kubernetes.meta.v1.ObjectMetaArgs(
            name=service.name,
            namespace=platform.namespace,
            labels=pod.labels(service),
            annotations={"pulumi.com/timeoutSeconds": _AWAIT_SECONDS},
        )
        selector: LabelSelectorArgsDict = {"match_labels": {"app.kubernetes.io/name": service.name}}
        # Said by nobody but the autoscaler, where there is one: each `up` would take its pods away again.
        replicas = service.replicas.min if service.replicas.fixed else None
        template = pod.template(service, platform, checksum)
        if service.volume is None:
            return kubernetes.apps.v1.Deployment(
                service.name,
                metadata=metadata,
                spec={
                    "replicas": replicas,
                    "selector": selector,
                    "revision_history_limit": 5,
                    "strategy": {
                        "type": "RollingUpdate",
                        "rolling_update": {"max_surge": "25%", "max_unavailable": 0},
                    },
                    "template": template,
                },
                opts=options,
            )
        return kubernetes.apps.v1.StatefulSet(
            service.name,
            metadata=metadata,
            spec={
                "replicas": replicas,
                "selector": selector,
                "service_name": service.name,
                "revision_history_limit": 5,
                "pod_management_policy": "Parallel",
                # What is on the volume is made again from snapshots and Kafka.
                "persistent_volume_claim_retention_policy": {
                    "when_deleted": "Delete",
                    "when_scaled": "Delete",
                },
                "template": template,
                "volume_claim_templates": [
                    {
                        "metadata": {"name": pod.VOLUME, "labels": {"app.kubernetes.io/name": service.name}},
                        "spec": {
                            "access_modes": ["ReadWriteOnce"],
                            "storage_class_name": STORAGE_CLASS,
                            "resources": {"requests": {"storage": f"{service.volume.size_gib}Gi"}},
                        },
                    }
                ],
            },
            opts=options,
        )
