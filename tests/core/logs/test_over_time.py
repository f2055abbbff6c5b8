import pandas as pd

from core.logs.importing import import_log
from core.logs.mapping import Mapping, Roles
from core.logs.over_time import actions_over_time


def _imported(home, folder, times):
    log = pd.DataFrame({"user": "a", "time": times, "action": ["view", "view", "cart"]})
    log.to_csv(folder / "log.csv", index=False)
    mapping = Mapping(roles=Roles(actor="user", time="time", action="action"))
    return import_log(home, folder / "log.csv", name="log", mapping=mapping).id


def test_events_are_counted_by_action_and_interval(home, tmp_path):
    times = ["2026-01-01 10:00:30", "2026-01-01 10:00:40", "2026-01-01 10:02:00"]
    counted = actions_over_time(home, _imported(home, tmp_path, times))
    assert counted["ts"].dt.strftime("%H:%M").tolist() == ["10:00", "10:02"]
    assert counted["ts"].dt.tz is not None
    assert counted[["action", "events"]].to_numpy().tolist() == [["view", 2], ["cart", 1]]


def test_a_long_log_is_counted_by_longer_intervals(home, tmp_path):
    times = ["2026-01-01", "2026-03-01", "2026-03-01 05:00"]
    counted = actions_over_time(home, _imported(home, tmp_path, times))
    assert len(counted) == 3
    assert counted["ts"].dt.strftime("%m-%d").tolist() == ["01-01", "03-01", "03-01"]
