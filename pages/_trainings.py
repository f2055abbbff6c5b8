"""The trainings of a data set, those that brought no model too: a table, and their curves."""

from collections.abc import Hashable
from typing import Any

import pandas as pd
import streamlit as st

from core.charts.trainings import measured, overlay
from core.store import trainings
from core.wording import duration
from pages._common import CHART, home
from pages._words import ago

ENDED = {
    "running": "running",
    "done": "done",
    "pruned": "given up: behind the others",
    "failed": "failed",
    "cancelled": "stopped by hand",
    "crashed": "crashed",
}
FIRST = 3  # trainings overlaid before anybody chooses


def draw_trainings(dataset_id: str) -> None:
    """Draw the curves of the chosen trainings over each other and list all of them."""
    trainings.find_crashed(home())
    with home().engine.connect() as con:
        known = trainings.of_dataset(con, dataset_id)
    if known.empty:
        return
    st.subheader("All trainings of this data set")
    names = dict(zip(known["id"], _names(known), strict=True))
    with_curve = known.loc[known["curve"].map(len) > 0, "id"].tolist()
    chosen = st.multiselect(
        "Compare", with_curve, default=with_curve[:FIRST], format_func=names.__getitem__,
        key=f"trainings-{dataset_id}", placeholder="Choose trainings to draw over each other",
    )  # fmt: skip
    curves = known.set_index("id")["curve"]
    draw_overlay({names[one]: curves[one] for one in chosen})
    st.dataframe(_table(known), hide_index=True, placeholder="")
    st.caption(
        f"The same for TensorBoard: `tensorboard --logdir {home().path / 'trainings'}` "
        "(`pip install tensorboard`)."
    )


def draw_overlay(curves: dict[str, list[dict[str, Any]]]) -> None:
    """Draw one measure of the curves over each other, and the choice of the measure."""
    measures = measured(list(curves.values()))
    if not measures:
        return
    measure = st.segmented_control(
        "Curve", measures, default=measures[0], key="measure", required=True,
        label_visibility="collapsed",
    )  # fmt: skip
    figure = overlay(curves, measure if measure in measures else measures[0])
    st.plotly_chart(figure, key="overlay", config=CHART)


def differing(parameters: pd.Series) -> pd.DataFrame:
    """Return the settings in which the trainings differ, one a column."""
    settings = pd.DataFrame(parameters.tolist(), index=parameters.index)
    said = settings.astype(str)
    several = (said != said.iloc[0]).any()
    return settings.loc[:, several].rename(columns=setting_name)


def setting_name(name: Hashable) -> str:
    """Say a setting in plain words: "finetune.learning_rate" is "fine-tuning learning rate"."""
    phase, _, setting = str(name).rpartition(".")
    said = {"finetune": "fine-tuning ", "pretrain": "pre-training "}.get(phase, "")
    return said + setting.replace("_", " ")


def _names(known: pd.DataFrame) -> list[str]:
    """Return a name for each training that tells it from the others: when, and how it ended."""
    ends = [" · " + ENDED[one] if one != "done" else "" for one in known["status"]]
    return [
        f"{one:%d %b %H:%M:%S}{end}" for one, end in zip(known["created_at"], ends, strict=True)
    ]


def _table(known: pd.DataFrame) -> pd.DataFrame:
    lasted = (known["finished_at"] - known["created_at"]).dt.total_seconds()
    told = pd.DataFrame(
        {
            "started": known["created_at"].map(ago),
            "ended": known["status"].map(ENDED),
            "took": [duration(one) if pd.notna(one) else None for one in lasted],
            "validation AP": _metric(known, "validation_ap"),
            "held-out AP": _metric(known, "test_average_precision"),
            "model": known["model_id"],
            "why it ended": known["message"].where(known["message"] != ""),
        }
    )
    return pd.concat([told, differing(known["parameters"])], axis=1)


def _metric(known: pd.DataFrame, name: str) -> pd.Series:
    return known["metrics"].map(lambda metrics: metrics.get(name)).astype(float).round(3)
