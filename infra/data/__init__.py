"""Where data lives: Aurora MySQL, Kafka, change data capture, the Iceberg lake and their backups."""
