"""MSK: clusters, brokers, configurations, topics and SCRAM secrets."""
