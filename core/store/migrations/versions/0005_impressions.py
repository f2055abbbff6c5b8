"""queues in which the events come first, and what was decided before the verdict"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blind_queues",
        sa.Column("dataset_id", sa.String(length=80), nullable=False),
        sa.Column("analyst", sa.String(length=100), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"],
            ["datasets.id"],
            name=op.f("fk_blind_queues_dataset_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("dataset_id", name=op.f("pk_blind_queues")),
    )
    op.create_table(
        "impressions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("analyst", sa.String(length=100), nullable=False),
        sa.Column("stage", sa.String(length=12), nullable=False),
        sa.Column("decision", sa.String(length=12), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("undone_at", sa.DateTime(), nullable=True),
        sa.CheckConstraint(
            "stage IN ('events', 'score', 'explanation')", name=op.f("ck_impressions_stage")
        ),
        sa.CheckConstraint(
            "decision IN ('confirmed', 'legitimate', 'unclear')",
            name=op.f("ck_impressions_decision"),
        ),
        sa.CheckConstraint("seconds >= 0", name=op.f("ck_impressions_seconds")),
        sa.ForeignKeyConstraint(
            ["case_id"], ["cases.id"], name=op.f("fk_impressions_case_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_impressions")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "one_standing_impression",
        "impressions",
        ["case_id", "analyst", "stage"],
        unique=True,
        sqlite_where=sa.text("undone_at IS NULL"),
        postgresql_where=sa.text("undone_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("impressions")
    op.drop_table("blind_queues")
