"""All tables. Constraints live here, in the database, not in Python checks before an insert."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, *values: str) -> CheckConstraint:
    accepted = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({accepted})", name=column)


def _probability(column: str) -> CheckConstraint:
    return CheckConstraint(f"{column} >= 0 AND {column} <= 1", name=column)


datasets = Table(
    "datasets",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("source", Text, nullable=False),
    Column("mapping", JSON, nullable=False),
    Column("quality", JSON, nullable=False),
    Column("read", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("duplicate", Integer, nullable=False),
    Column("actors", Integer, nullable=False),
    Column("sequences", Integer, nullable=False),
    Column("created_at", DateTime, nullable=False),
    CheckConstraint("accepted + rejected + duplicate = read", name="nothing_lost"),
)

labels = Table(
    "labels",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("unit", String(10), primary_key=True),
    Column("key", String(400), primary_key=True),
    Column("label", Boolean, nullable=False),
    Column("split", String(10)),
    Column("scheme", String(40)),  # what kind of abuse it is, if somebody said
    _one_of("unit", "actor", "session", "sequence"),
    _one_of("split", "train", "validation", "test"),
)

models = Table(
    "models",
    metadata,
    Column("id", String(100), primary_key=True),
    Column("task", String(20), nullable=False),
    Column("kind", String(12), nullable=False),
    Column("status", String(10), nullable=False),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="SET NULL")),
    Column("parent_id", ForeignKey("models.id", ondelete="SET NULL")),
    Column("threshold", Float, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("activated_at", DateTime),
    _one_of("kind", "probability", "unusualness"),
    _one_of("status", "candidate", "active", "retired"),
    _probability("threshold"),
)
Index(
    "one_active_model",
    models.c.task,
    unique=True,
    sqlite_where=text("status = 'active'"),
    postgresql_where=text("status = 'active'"),
)

trainings = Table(
    "trainings",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="SET NULL")),
    Column("model_id", ForeignKey("models.id", ondelete="SET NULL")),  # what it made, if anything
    Column("search", String(120)),  # the search it is a trial of
    Column("trial", Integer),
    Column("status", String(10), nullable=False),
    Column("message", Text, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("curve", JSON, nullable=False),  # list of points, one per epoch of each phase
    Column("metrics", JSON, nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    UniqueConstraint("search", "trial"),
    _one_of("status", "running", "done", "pruned", "failed", "cancelled", "crashed"),
)

policies = Table(
    "policies",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=True),
    Column("model_id", ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
    Column("threshold", Float, nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("created_at", DateTime, nullable=False),
    _probability("threshold"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(120), primary_key=True),
    Column("model_id", ForeignKey("models.id", ondelete="CASCADE"), nullable=False),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("sequences", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("created_at", DateTime, nullable=False),
)

cases = Table(
    "cases",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", String(400), nullable=False),
    Column("run_id", ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("sequence_id", String(40), nullable=False),  # the sequence with the highest score
    Column("flagged", JSON, nullable=False),  # ids of all sequences at or above the threshold
    Column("score", Float, nullable=False),
    Column("events", Integer, nullable=False),
    Column("amount", Float),
    Column("last_ts", DateTime),
    Column("source", String(10), nullable=False),
    Column("propensity", Float, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("likely_scheme", String(40)),  # what the model would call it, if it tells schemes apart
    Column("likely_share", Float),  # how sure it is of that, if it is abuse
    UniqueConstraint("dataset_id", "actor_id"),
    _one_of("source", "score", "random", "margin", "outlier"),
    _probability("score"),
    _probability("propensity"),
    sqlite_autoincrement=True,  # a freed number would send a stale click to another actor
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("decision", String(12), nullable=False),
    Column("scheme", String(40)),
    Column("note", Text, nullable=False),
    Column("reasons", JSON, nullable=False),
    Column("evidence", JSON, nullable=False),
    Column("sequences", JSON, nullable=False),  # ids of the sequences the verdict covers
    Column("confidence", Float, nullable=False),
    Column("score", Float, nullable=False),  # what the analyst saw when deciding
    Column("created_at", DateTime, nullable=False),
    Column("undone_at", DateTime),
    _one_of("decision", "confirmed", "legitimate", "unclear"),
    _probability("confidence"),
    sqlite_autoincrement=True,
)
Index(
    "one_standing_verdict",
    verdicts.c.case_id,
    unique=True,
    sqlite_where=text("undone_at IS NULL"),
    postgresql_where=text("undone_at IS NULL"),
)

blind_queues = Table(
    "blind_queues",
    metadata,
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("analyst", String(100), nullable=False),  # who asked for it
    Column("created_at", DateTime, nullable=False),
)

impressions = Table(
    "impressions",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("case_id", ForeignKey("cases.id", ondelete="CASCADE"), nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("stage", String(12), nullable=False),  # the most that was shown when deciding
    Column("decision", String(12), nullable=False),
    Column("seconds", Float),  # since the case was shown so; NULL where nobody timed it
    Column("created_at", DateTime, nullable=False),
    Column("undone_at", DateTime),
    _one_of("stage", "events", "score", "explanation"),
    _one_of("decision", "confirmed", "legitimate", "unclear"),
    CheckConstraint("seconds >= 0", name="seconds"),
    sqlite_autoincrement=True,
)
Index(
    "one_standing_impression",
    impressions.c.case_id,
    impressions.c.analyst,
    impressions.c.stage,
    unique=True,
    sqlite_where=text("undone_at IS NULL"),
    postgresql_where=text("undone_at IS NULL"),
)

explanations = Table(
    "explanations",
    metadata,
    Column("model_id", ForeignKey("models.id", ondelete="CASCADE"), primary_key=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), primary_key=True),
    Column("sequence_id", String(40), primary_key=True),
    Column("explanation", JSON, nullable=False),
    Column("created_at", DateTime, nullable=False),
)

scenarios = Table(
    "scenarios",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("dataset_id", ForeignKey("datasets.id", ondelete="CASCADE"), nullable=False),
    Column("sequence_id", String(40), nullable=False),
    Column("name", String(100), nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("edits", JSON, nullable=False),  # as `core.explain.edits.Edits` reads them
    Column("created_at", DateTime, nullable=False),
    UniqueConstraint("dataset_id", "sequence_id", "name"),
    sqlite_autoincrement=True,  # a link must never open another scenario
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(20), nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("status", String(10), nullable=False),
    Column("progress", Float, nullable=False),
    Column("message", Text, nullable=False),
    Column("curve", JSON, nullable=False),  # list of points of a training run
    Column("result", JSON),
    Column("analyst", String(100), nullable=False),
    Column("worker", String(100)),
    Column("attempts", Integer, nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("created_at", DateTime, nullable=False),
    Column("started_at", DateTime),
    Column("heartbeat_at", DateTime),
    Column("finished_at", DateTime),
    _one_of("status", "queued", "running", "done", "failed", "cancelled"),
    _probability("progress"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", DateTime, nullable=False),
    Column("analyst", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("detail", JSON, nullable=False),
)
