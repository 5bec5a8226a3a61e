"""Which topics were published to, so that those that lost their past are published to again.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, unless an earlier attempt has."""
    connection = op.get_bind()
    if sa.inspect(connection).has_table("published_topics"):
        return
    op.create_table(
        "published_topics",
        sa.Column("topic", _ascii(64), primary_key=True),
        sa.Column("topic_id", _ascii(36), nullable=False),
        sa.Column("republished_to", sa.BigInteger(), nullable=True),
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
    )


def _ascii(length: int) -> sa.types.TypeEngine[str]:
    in_mysql = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")
