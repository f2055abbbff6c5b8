"""Benchmarks can be run, and their rivals do the same work."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from core.logs.frames import read_events
from core.logs.importing import import_log
from core.store.home import Home

importing = import_module("benchmarks.import")  # a keyword
BENCHMARKS = sorted(file.stem for file in Path(importing.__file__ or "").parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_finds_what_it_measures(name: str) -> None:
    assert import_module(f"benchmarks.{name}").__doc__


def test_the_pandas_rival_computes_the_facts_that_spoor_computes(
    home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "log.csv"
    importing.generate(3000, log)
    spoor = read_events(home, import_log(home, log).id).set_index("row").sort_index()
    rival = importing.pandas_facts(log).set_index("row").sort_index()
    numbers = ["nth", "gap", "burst_10s", "burst_1m", "actor_1h", "repeat_action", "item_own",
               "items_1h", "item_seen", "item_events_1h", "item_actors_1h", "item_ratio_1h",
               "amount_vs_item"]  # fmt: skip
    for name in numbers:
        got = rival[name].astype(float).replace(np.inf, np.nan)  # by a count of none
        np.testing.assert_allclose(got, spoor[name].astype(float), atol=1e-5, err_msg=name)
    assert rival["hour"].astype(str).tolist() == spoor["hour"].tolist()
    assert rival["same_item"].tolist() == (spoor["same_item"] == "yes").tolist()
