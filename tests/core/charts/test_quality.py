import pandas as pd
import pytest

from core.charts import quality as charts
from core.charts.look import ABUSE
from core.logs.proposal import inspect_log


@pytest.fixture(scope="module")
def quality(tmp_path_factory):
    """A month of hourly events with a silent day, an absurd price and a brand often missing."""
    times = pd.date_range("2024-01-01", periods=24 * 30, freq="h").to_series()
    times = times[times.dt.day != 20]
    rows = pd.DataFrame(
        {
            "time": times,
            "user": [f"u{n % 7}" for n in range(len(times))],
            "price": [10 + n % 9 for n in range(len(times) - 1)] + [99_999],
            "brand": ["acme" if n % 4 else "" for n in range(len(times))],
        }
    )
    path = tmp_path_factory.mktemp("log") / "log.csv"
    rows.to_csv(path, index=False)
    return inspect_log(path).quality


def test_no_event_is_lost_over_time_and_the_gap_is_shaded_where_it_is(quality):
    figure = charts.events_over_time(quality)
    assert sum(figure.data[0].y) == 29 * 24
    (gap,) = figure.layout.shapes
    assert (gap.x0, gap.x1) == ("2024-01-19T23:00:00", "2024-01-21T00:00:00")
    assert gap.fillcolor == ABUSE
    assert figure.layout.annotations[0].text == "no event for 25 h"


def test_every_sequence_is_in_a_bucket_of_its_length(quality):
    bars = charts.sequence_lengths({"sequences_up_to": {"1": 4, "2": 3, "4": 2, "16": 1}}).data[0]
    assert list(bars.x) == ["1", "2", "3–4", "9–16"]
    assert list(bars.y) == [4, 3, 2, 1]
    assert sum(charts.sequence_lengths(quality).data[0].y) == quality["sequences"]


def test_bars_are_ranked_and_only_what_lacks_values_is_drawn(quality):
    figure = charts.missing(quality)
    assert list(figure.layout.yaxis.ticktext) == ["brand"]
    assert list(figure.data[0].x) == [0.25]
    shares = charts.heaviest_actors(quality).data[0].x
    assert list(shares) == sorted(shares, reverse=True)
    assert len(shares) == 7


def test_outliers_show_their_bounds(quality):
    bars = charts.outliers(quality).data[0]
    assert list(bars.x) == [1]
    assert "values from 10 to 99,999" in bars.hovertemplate[0]


def test_only_columns_that_fold_are_in_the_picture_of_words(quality):
    assert list(charts.vocabulary(quality).layout.yaxis.ticktext) == ["brand"]


def test_there_is_no_picture_of_nothing():
    assert charts.missing({"missing": {"time": 0.0}}) is None
    assert charts.outliers({"outliers": {"price": {"outliers": 0}}}) is None


def test_names_of_a_log_cannot_smuggle_markup_and_many_bars_are_cut():
    figure = charts.missing({"missing": {f"<b>{n}": n / 100 for n in range(1, 40)}})
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;39"
    assert len(figure.data[0].x) == charts.MOST_BARS
