"""From the outbox table to Kafka. How it is done, and how Debezium would do it: README.md."""
