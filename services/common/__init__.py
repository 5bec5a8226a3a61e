"""What the services share: settings, logs, metrics, traces, probes, HTTP, gRPC, Kafka and AWS clients."""
