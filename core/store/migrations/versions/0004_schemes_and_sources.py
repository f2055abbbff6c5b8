"""schemes of labels and cases, and cases asked for by the model"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SOURCES = "source IN ('score', 'random', 'margin', 'outlier')"
BEFORE = "source IN ('score', 'random')"


def upgrade() -> None:
    op.add_column("labels", sa.Column("scheme", sa.String(length=40), nullable=True))
    con = op.get_bind()
    sqlite = con.dialect.name == "sqlite"
    numbers = sa.text("SELECT seq FROM sqlite_sequence WHERE name = 'cases'")
    last = con.execute(numbers).scalar() if sqlite else None
    with _cases(BEFORE) as batch_op:
        batch_op.drop_constraint(op.f("ck_cases_source"), type_="check")
        batch_op.create_check_constraint(op.f("ck_cases_source"), SOURCES)
        batch_op.add_column(sa.Column("likely_scheme", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("likely_share", sa.Float(), nullable=True))
    if last is not None:  # the numbers of deleted cases are not given again
        con.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = 'cases'"))
        con.execute(
            sa.text("INSERT INTO sqlite_sequence VALUES ('cases', :last)").bindparams(last=last)
        )


def downgrade() -> None:
    op.execute("UPDATE cases SET source = 'score' WHERE source IN ('margin', 'outlier')")
    added = (
        sa.Column("likely_scheme", sa.String(length=40), nullable=True),
        sa.Column("likely_share", sa.Float(), nullable=True),
    )
    with _cases(SOURCES, *added) as batch_op:
        batch_op.drop_constraint(op.f("ck_cases_source"), type_="check")
        batch_op.create_check_constraint(op.f("ck_cases_source"), BEFORE)
        batch_op.drop_column("likely_share")
        batch_op.drop_column("likely_scheme")
    with op.batch_alter_table("labels") as batch_op:
        batch_op.drop_column("scheme")


def _cases(sources: str, *added: sa.Column):
    """Alter the cases: SQLite copies the table for that and reads no constraints off the old one."""
    table = sa.Table(
        "cases",
        sa.MetaData(),
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("dataset_id", sa.String(length=80), nullable=False),
        sa.Column("actor_id", sa.String(length=400), nullable=False),
        sa.Column("run_id", sa.String(length=120), nullable=False),
        sa.Column("sequence_id", sa.String(length=40), nullable=False),
        sa.Column("flagged", sa.JSON(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=True),
        sa.Column("last_ts", sa.DateTime(), nullable=True),
        sa.Column("source", sa.String(length=10), nullable=False),
        sa.Column("propensity", sa.Float(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        *added,
        sa.CheckConstraint(sources, name=op.f("ck_cases_source")),
        sa.CheckConstraint("propensity >= 0 AND propensity <= 1", name=op.f("ck_cases_propensity")),
        sa.CheckConstraint("score >= 0 AND score <= 1", name=op.f("ck_cases_score")),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.id"], name=op.f("fk_cases_dataset_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_cases_run_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cases")),
        sa.UniqueConstraint("dataset_id", "actor_id", name=op.f("uq_cases_dataset_id_actor_id")),
        sqlite_autoincrement=True,
    )
    return op.batch_alter_table("cases", copy_from=table)
