"""The MSK endpoint: all operations in one class, which is what the dispatcher needs."""

from emulator.kafka.configurations import Configurations
from emulator.kafka.scram import ScramSecrets
from emulator.kafka.topics import Topics
from emulator.kafka.updates import Updates


class KafkaResponse(Updates, Configurations, Topics, ScramSecrets):
    """Every MSK operation that the emulator has; the others are answered 501."""
