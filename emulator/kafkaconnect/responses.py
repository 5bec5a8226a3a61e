"""The MSK Connect endpoint: all operations in one class, which is what the dispatcher needs."""

from emulator.kafkaconnect.connectors import Connectors
from emulator.kafkaconnect.plugins import Plugins, WorkerConfigurations


class KafkaConnectResponse(Connectors, Plugins, WorkerConfigurations):
    """Every MSK Connect operation that the emulator has."""
