"""NVIDIA's DCGM exporter: utilization, memory, temperature and errors of each GPU, by pod, for Prometheus."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.eks.versions import DCGM_EXPORTER_IMAGE
from infra.gpu_nodes.pool import TAINT

NAME = "dcgm-exporter"
METRICS_PORT = 9400
POD_RESOURCES = "/var/lib/kubelet/pod-resources"
_LABELS = {"app.kubernetes.io/name": NAME}


def dcgm_exporter(namespace: str, options: pulumi.ResourceOptions) -> kubernetes.apps.v1.DaemonSet:
    """The exporter on every GPU node, and a headless Service that lists its pods to whoever scrapes."""
    metadata = kubernetes.meta.v1.ObjectMetaArgs(name=NAME, namespace=namespace, labels=_LABELS)
    service_metadata = kubernetes.meta.v1.ObjectMetaArgs(
        name=NAME,
        namespace=namespace,
        labels=_LABELS,
        # Otherwise Pulumi waits for the Service's pods, and without a GPU node there are none.
        annotations={"pulumi.com/skipAwait": "true"},
    )
    account = kubernetes.core.v1.ServiceAccount(
        NAME, metadata=metadata, automount_service_account_token=False, opts=options
    )
    kubernetes.core.v1.Service(
        NAME,
        metadata=service_metadata,
        spec=kubernetes.core.v1.ServiceSpecArgs(
            cluster_ip="None",
            selector=_LABELS,
            ports=[
                kubernetes.core.v1.ServicePortArgs(name="metrics", port=METRICS_PORT, target_port="metrics")
            ],
        ),
        opts=options,
    )
    return kubernetes.apps.v1.DaemonSet(
        NAME,
        metadata=metadata,
        spec=kubernetes.apps.v1.DaemonSetSpecArgs(
            selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=_LABELS),
            template=kubernetes.core.v1.PodTemplateSpecArgs(
                metadata=kubernetes.meta.v1.ObjectMetaArgs(labels=_LABELS),
                spec=kubernetes.core.v1.PodSpecArgs(
                    service_account_name=NAME,
                    automount_service_account_token=False,
                    priority_class_name="system-node-critical",
                    node_selector={"nvidia.com/gpu.present": "true"},
                    tolerations=[TAINT.toleration_args()],
                    containers=[_container()],
                    volumes=[
                        kubernetes.core.v1.VolumeArgs(
                            name="pod-resources",
                            host_path=kubernetes.core.v1.HostPathVolumeSourceArgs(
                                path=POD_RESOURCES, type="Directory"
                            ),
                        )
                    ],
                ),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[account])),
    )


def _container() -> kubernetes.core.v1.ContainerArgs:
    health = kubernetes.core.v1.HTTPGetActionArgs(path="/health", port="metrics")
    return kubernetes.core.v1.ContainerArgs(
        name=NAME,
        image=DCGM_EXPORTER_IMAGE,
        env=[
            kubernetes.core.v1.EnvVarArgs(name="DCGM_EXPORTER_KUBERNETES", value="true"),
            kubernetes.core.v1.EnvVarArgs(name="DCGM_EXPORTER_LISTEN", value=f":{METRICS_PORT}"),
            # Sees every GPU without taking one from the pods.
            kubernetes.core.v1.EnvVarArgs(name="NVIDIA_VISIBLE_DEVICES", value="all"),
        ],
        ports=[kubernetes.core.v1.ContainerPortArgs(name="metrics", container_port=METRICS_PORT)],
        resources=kubernetes.core.v1.ResourceRequirementsArgs(
            requests={"cpu": "50m", "memory": "256Mi"}, limits={"memory": "512Mi"}
        ),
        readiness_probe=kubernetes.core.v1.ProbeArgs(
            http_get=health, initial_delay_seconds=15, period_seconds=15
        ),
        liveness_probe=kubernetes.core.v1.ProbeArgs(
            http_get=health, initial_delay_seconds=45, period_seconds=30, failure_threshold=5
        ),
        # Root, because the kubelet's pod-resources socket is root's. No SYS_ADMIN, which NVIDIA's chart adds:
        # only the profiling counters need it. The root file system stays writable: DCGM's embedded engine
        # keeps its log and its socket there.
        security_context=kubernetes.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=False,
            run_as_user=0,
            capabilities=kubernetes.core.v1.CapabilitiesArgs(drop=["ALL"]),
            seccomp_profile=kubernetes.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        volume_mounts=[
            kubernetes.core.v1.VolumeMountArgs(name="pod-resources", mount_path=POD_RESOURCES, read_only=True)
        ],
    )
