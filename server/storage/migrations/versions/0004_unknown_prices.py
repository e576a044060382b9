"""What limits hold back of money is null where the price is not known, as what it cost is later."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Lets it be null."""
    with op.batch_alter_table("completions") as table:
        table.alter_column("reserved_micros", existing_type=sa.BigInteger(), nullable=True)
