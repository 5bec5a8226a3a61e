"""The NVIDIA device plugin: tells the kubelet how many GPUs, or time slices of them, its node has."""

import hashlib
import json

import pulumi
import pulumi_kubernetes as kubernetes

from infra.eks.versions import DEVICE_PLUGIN_IMAGE
from infra.gpu_nodes.pool import SLICES_LABEL, TAINT, device_plugin_configuration

SOCKETS = "/var/lib/kubelet/device-plugins"
CONFIGURATION = "/etc/nvidia-device-plugin"


def device_plugin(
    namespace: str, time_slices: int, options: pulumi.ResourceOptions
) -> kubernetes.apps.v1.DaemonSet:
    """A DaemonSet on the nodes whose GPUs are cut in `time_slices`, with the configuration that cuts them.

    One for each value, chosen by the nodes' label, instead of NVIDIA's sidecar that picks a configuration at
    run time: that would need the right to read nodes.
    """
    name = f"nvidia-device-plugin-{time_slices}"
    configuration = json.dumps(device_plugin_configuration(time_slices), indent=2, sort_keys=True)
    labels = {"app.kubernetes.io/name": "nvidia-device-plugin", "app.kubernetes.io/instance": name}
    metadata = kubernetes.meta.v1.ObjectMetaArgs(name=name, namespace=namespace, labels=labels)
    account = kubernetes.core.v1.ServiceAccount(
        name, metadata=metadata, automount_service_account_token=False, opts=options
    )
    settings = kubernetes.core.v1.ConfigMap(
        name, metadata=metadata, data={"config.yaml": configuration}, opts=options
    )
    return kubernetes.apps.v1.DaemonSet(
        name,
        metadata=metadata,
        spec=kubernetes.apps.v1.DaemonSetSpecArgs(
            selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=labels),
            template=kubernetes.core.v1.PodTemplateSpecArgs(
                metadata=kubernetes.meta.v1.ObjectMetaArgs(
                    labels=labels,
                    # The plugin reads its configuration once: a changed one must start new pods.
                    annotations={
                        "pinwheel.io/configuration": hashlib.sha256(configuration.encode()).hexdigest()
                    },
                ),
                spec=kubernetes.core.v1.PodSpecArgs(
                    service_account_name=name,
                    automount_service_account_token=False,
                    priority_class_name="system-node-critical",
                    node_selector={SLICES_LABEL: str(time_slices)},
                    tolerations=[TAINT.toleration_args()],
                    containers=[_container()],
                    volumes=[
                        kubernetes.core.v1.VolumeArgs(
                            name="sockets",
                            host_path=kubernetes.core.v1.HostPathVolumeSourceArgs(
                                path=SOCKETS, type="Directory"
                            ),
                        ),
                        kubernetes.core.v1.VolumeArgs(
                            name="configuration",
                            config_map=kubernetes.core.v1.ConfigMapVolumeSourceArgs(name=name),
                        ),
                    ],
                ),
            ),
        ),
        opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[account, settings])),
    )


def _container() -> kubernetes.core.v1.ContainerArgs:
    return kubernetes.core.v1.ContainerArgs(
        name="device-plugin",
        image=DEVICE_PLUGIN_IMAGE,
        args=[f"--config-file={CONFIGURATION}/config.yaml"],
        resources=kubernetes.core.v1.ResourceRequirementsArgs(
            requests={"cpu": "20m", "memory": "64Mi"}, limits={"memory": "128Mi"}
        ),
        # Root, because only root may open a socket among the kubelet's; with nothing else that root has.
        security_context=kubernetes.core.v1.SecurityContextArgs(
            allow_privilege_escalation=False,
            read_only_root_filesystem=True,
            run_as_user=0,
            capabilities=kubernetes.core.v1.CapabilitiesArgs(drop=["ALL"]),
            seccomp_profile=kubernetes.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
        ),
        volume_mounts=[
            kubernetes.core.v1.VolumeMountArgs(name="sockets", mount_path=SOCKETS),
            kubernetes.core.v1.VolumeMountArgs(
                name="configuration", mount_path=CONFIGURATION, read_only=True
            ),
        ],
    )
