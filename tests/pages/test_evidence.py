import pytest
from streamlit.testing.v1 import AppTest

from core.logs.frames import read_events
from core.logs.importing import import_log
from core.logs.mapping import make_mapping
from tests.conftest import small_log

pytestmark = pytest.mark.slow


def evidence(dataset_id, events):  # runs by itself, without what this file imports
    from pages._evidence import draw_events

    draw_events(dataset_id, events, None)


def test_a_log_s_own_columns_named_event_and_after_are_shown(seeded_home, tmp_path):
    log = small_log(actors=4).assign(event="click", after="noon")
    log.to_csv(tmp_path / "log.csv", index=False)
    roles = {"actor": "user_id", "time": "event_time", "action": "event_type"}
    kinds = {"event": "categorical", "after": "categorical"}
    mapping = make_mapping({"roles": roles, "columns": kinds})
    data = import_log(seeded_home, tmp_path / "log.csv", mapping=mapping)
    events = read_events(seeded_home, data.id).head(3)
    app = AppTest.from_function(evidence, kwargs={"dataset_id": data.id, "events": events}).run()
    assert not app.exception
    shown = app.dataframe[0].value
    assert shown["event"].tolist() == ["click"] * 3
    assert shown["after"].tolist() == ["noon"] * 3
    assert shown["@event"].tolist() == [1, 2, 3]
