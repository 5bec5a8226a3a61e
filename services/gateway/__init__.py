"""The gateway: runs Envoy with the configuration that `infra/workloads/gateway` generates."""
