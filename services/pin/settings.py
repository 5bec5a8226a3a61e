"""What the pin service reads from its environment."""

from typing import Final

from pydantic import Field, field_validator

from services.common.settings import DatabaseSettings

_SQLITE: Final = "sqlite+aiosqlite:///"


class PinDatabaseSettings(DatabaseSettings):
    """Of every role of the pin service, all of which use its database."""

    database_pool_size: int = Field(default=8, ge=1, le=100)
    """Connections kept for transactions, and as many again for reads."""
    database_queue: int = Field(default=128, ge=1, le=10_000)
    """Reads and transactions at once, most of them waiting for a connection; one more is refused (503)."""
    database_timeout_seconds: float = Field(default=4.0, gt=0, le=60)
    """For one read or one transaction, waiting for a connection and repetitions included."""
    database_connect_seconds: int = Field(default=2, ge=1, le=60)
    """For opening a connection."""
    database_connection_age_seconds: int = Field(default=900, ge=1, le=86400)
    """Older connections are replaced, so that a failover or a rotated password is followed in that time."""
    database_check_seconds: float = Field(default=1.0, gt=0, le=60)
    """Between two looks of the readiness probe."""

    @field_validator("database_url")
    @classmethod
    def _sqlite_in_a_file(cls, url: str | None) -> str | None:
        if url is not None and (not url.startswith(_SQLITE) or url in {_SQLITE, f"{_SQLITE}:memory:"}):
            raise ValueError(
                f"must be {_SQLITE} and the path of a file; MySQL is reached by DATABASE_SECRET_FILE, with TLS"
            )
        return url


class PinSettings(PinDatabaseSettings):
    """Of `serve`."""

    images_bucket: str = Field(min_length=3, max_length=63)
    idempotency_hours: float = Field(default=24, gt=0, le=168)
    """How long the answer to an Idempotency-Key is kept."""
    stale_cache_entries: int = Field(default=10_000, ge=0, le=1_000_000)
    """Pins and boards that are kept in memory for when the database cannot be asked."""
    stale_cache_seconds: float = Field(default=600, ge=0, le=86400)
    """How old they may be."""
