"""The contact of a task that cannot be read: some CRMs need it to read the task again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("failing", sa.Column("contact", sa.Text(), nullable=False, server_default=""))
