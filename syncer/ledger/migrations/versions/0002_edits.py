"""What copies show, as the base of edits.

Copies that are there take what they show as their base: title and due are known, a text is when it is next read.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("body", "assignee", "owed", "typed"):
        op.add_column("replica", sa.Column(name, sa.Text(), nullable=True))
    op.add_column("operation", sa.Column("changes", sa.Text(), nullable=True))
