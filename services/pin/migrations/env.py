"""What Alembic runs: the revisions, on the connection of `services.pin.migrations.migrate`."""

from alembic import context
from sqlalchemy import Connection

from services.pin.models import Base

connection: Connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, compare_type=True)
with context.begin_transaction():
    context.run_migrations()
