"""What the relay reads from its environment."""

from pydantic import Field

from services.common.settings import KafkaSettings
from services.pin.settings import PinDatabaseSettings


class RelaySettings(KafkaSettings, PinDatabaseSettings):
    """Of the role `relay`."""

    relay_batch: int = Field(default=500, ge=1, le=10_000)
    """Rows that are on their way to the broker at once."""
    relay_poll_milliseconds: float = Field(default=20.0, ge=1, le=1000)
    """Between two looks at the table while there is traffic."""
    relay_topic_check_seconds: float = Field(default=5.0, gt=0, le=3600)
    """Between two looks whether the topics are those that were published to."""
    relay_idle_poll_milliseconds: float = Field(default=50.0, ge=1, le=10_000)
    """The same after a while without any; a look is one read of an empty table's primary key."""
