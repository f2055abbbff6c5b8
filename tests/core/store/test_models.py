import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from core.errors import BadInput, Conflict, NotFound
from core.store import audit, models
from core.store.home import Home, now, open_home
from core.store.models import Model
from core.store.tables import models as table


def add(home: Home, *names: str) -> None:
    with home.engine.begin() as con:
        for name in names:
            models.add(
                con, Model(name, "anomaly", "probability", "candidate", None, None, 0.5, {}, now())
            )


def test_promoting_retires_the_model_before(home: Home) -> None:
    add(home, "a", "b")
    with home.engine.begin() as con:
        models.promote(con, "a", "ann")
        models.promote(con, "b", "ann")
        found = dict(con.execute(select(table.c.id, table.c.status)).all())
        assert found == {"a": "retired", "b": "active"}
        assert audit.newest(con)["action"].tolist() == ["promote", "promote"]


def test_rolling_back_goes_to_the_model_before_and_then_further_back(home: Home) -> None:
    add(home, "a", "b", "c")
    with home.engine.begin() as con:
        for name in "abc":
            models.promote(con, name, "ann")
        assert models.rollback(con, "ann").id == "b"
        assert models.rollback(con, "ann").id == "a"
        with pytest.raises(Conflict, match="No model was active before 'a'"):
            models.rollback(con, "ann")


def test_rolling_back_never_returns_to_a_model_rolled_back_before(home: Home) -> None:
    add(home, "a", "bad", "c")
    with home.engine.begin() as con:
        models.promote(con, "a", "ann")
        models.promote(con, "bad", "ann")
        models.rollback(con, "ann")
        models.promote(con, "c", "ann")
        assert models.rollback(con, "ann").id == "a"


def test_the_database_itself_refuses_two_active_models(home: Home) -> None:
    add(home, "a")
    row = Model("b", "anomaly", "probability", "active", None, None, 0.5, {}, now())
    with home.engine.begin() as con:
        models.promote(con, "a", "ann")
    with pytest.raises(IntegrityError), home.engine.begin() as con:
        con.execute(insert(table).values(**row.__dict__))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(st.sampled_from(["a", "b", "c", "rollback"]), max_size=8))
def test_at_most_one_model_is_active_whatever_is_done(
    tmp_path_factory: pytest.TempPathFactory, moves: list[str]
) -> None:
    home = open_home(tmp_path_factory.mktemp("home"))
    add(home, "a", "b", "c")
    for move in moves:
        try:
            with home.engine.begin() as con:
                if move == "rollback":
                    models.rollback(con, "ann")
                else:
                    models.promote(con, move, "ann")
        except Conflict:
            pass
        with home.engine.connect() as con:
            statuses = con.execute(select(table.c.status)).scalars().all()
            assert statuses.count("active") <= 1
    home.engine.dispose()


def test_the_newest_policy_is_in_force(home: Home) -> None:
    add(home, "a")
    with home.engine.begin() as con:
        assert models.threshold(con, "a") == 0.5
        models.set_threshold(con, "a", 0.7, "ann")
        models.set_threshold(con, "a", 0.6, "ann")
        assert models.threshold(con, "a") == 0.6
        with pytest.raises(BadInput, match=r"between 0 and 1; 1\.5 was given"):
            models.set_threshold(con, "a", 1.5, "ann")


def test_an_unknown_model_is_answered_with_those_there_are(home: Home) -> None:
    add(home, "a")
    with home.engine.connect() as con, pytest.raises(NotFound, match=r"no model 'z'\. Models: a"):
        models.get(con, "z")
