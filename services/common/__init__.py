"""What every service has in common: settings, operations, logs, metrics, traces, HTTP, gRPC and Kafka."""
