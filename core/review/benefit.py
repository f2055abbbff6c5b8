"""Do explanations help: what blind review says about the decisions before and after them.

Being right is counted where a label from outside is known. Elsewhere decisions are held against the
final verdict, which shows agreement only: the analyst who gave it agrees with it by construction,
so the last stage is not judged by it, and the conclusion leaves such cases out.
"""

from typing import Any, Final

import numpy as np
import pandas as pd

from core.logs.frames import read_sequences
from core.model.units import label_actors
from core.review.intervals import matched_difference, median, median_difference, share
from core.schema import Column
from core.store import cases, datasets, impressions, labels, queues, verdicts
from core.store.home import Home
from core.store.impressions import LAST, STAGES
from core.wording import counted

FEWEST: Final = 30  # cases for a conclusion: of fewer, a share is known to some 20 points at best
LABEL, VERDICT = "label", "verdict"  # how it is known what a case was
_STEPS = (("events", "score"), ("score", LAST), ("events", LAST))
_ONE = ["case_id", "analyst"]


def benefit(home: Home, dataset_id: str) -> dict[str, Any]:
    """Return how right and how fast decisions of a data set were at each stage of a blind review.

    Cases of which an analyst took an impression back, having seen more by then, are only counted
    (``taken_back``). Shares have Wilson's interval, medians a percentile bootstrap's, all of 95 %.

    Raises
    ------
    NotFound
        If there is no such data set.
    """
    with home.engine.connect() as con:
        datasets.get(con, dataset_id)
        blind = queues.is_blind(con, dataset_id)
        given = impressions.of_dataset(con, dataset_id)
        standing = verdicts.of_dataset(con, dataset_id)
        outside = labels.of_dataset(con, dataset_id)
        both = [cases.queue(con, dataset_id, decided=decided) for decided in (False, True)]
    known = _known(home, dataset_id, pd.concat(both), outside)
    early = given[given["stage"] != LAST]
    again = early.loc[early["undone_at"].notna(), _ONE].drop_duplicates()
    staged, ordinary = _decisions(given, standing)
    staged = _without(staged, again)
    return {
        "dataset": dataset_id,
        "blind": blind,
        "taken_back": len(again),
        **assess(_judged(staged, known, standing), _judged(ordinary, known, standing)),
    }


def assess(staged: pd.DataFrame, ordinary: pd.DataFrame) -> dict[str, Any]:
    """Return the report on decisions, one row per case and analyst.

    Parameters
    ----------
    staged
        Those asked for by stage: for each of `STAGES` a column with the decision and one,
        ``seconds_`` and its name, with the time it took, or missing; ``truth`` (1 abuse,
        0 legitimate, or missing), ``known_by`` (`LABEL` or `VERDICT`) and ``own``: the verdict it
        is known by is the analyst's own.
    ordinary
        The same of those decided with everything in sight: only the last stage.
    """
    gain = _gain(staged)
    pace = _pace(staged, ordinary)
    return {
        "cases": len(staged),
        "through_all_stages": int(staged[list(STAGES)].notna().all(axis=1).sum()),
        "stages": [_stage(staged, stage) for stage in STAGES],
        "changes": [_change(staged, *step) for step in _STEPS],
        "ordinary": _stage(ordinary, LAST),
        "gain": gain,
        "pace": pace,
        "conclusion": conclude(gain, pace),
    }


def conclude(gain: dict[str, Any], pace: dict[str, Any]) -> str:
    """Say in plain English whether explanations make decisions better, or only faster."""
    better = _found(gain, gain["cases"], "better", "worse")
    timed = min(pace[mode]["cases"] for mode in ("from_events", "ordinary"))
    faster = _found(pace, timed, "slower", "faster")
    if (better, faster) == ("same", "faster"):
        return (
            f"As far as can be told, explanations make decisions only faster: {_pace_words(pace)}. "
            f"That they make them better is not shown: {_gain_words(gain)}."
        )
    return f"{_quality(better, gain)} {_speed(faster, pace)}"


def _quality(found: str, gain: dict[str, Any]) -> str:
    if found == "few":
        return (
            "There are too few cases to tell whether explanations make decisions better: "
            f"{gain['cases']} with a label from outside went through the score and the "
            f"explanation, and it takes {FEWEST}."
        )
    shown = "are not shown to make decisions better or worse"
    said = shown if found == "same" else f"make decisions {found}"
    return f"Explanations {said}: {_gain_words(gain)}."


def _speed(found: str, pace: dict[str, Any]) -> str:
    if found == "few":
        return (
            "There are too few to tell whether they make them faster: "
            f"{counted(pace['from_events']['cases'], 'decision')} from the events alone and "
            f"{pace['ordinary']['cases']} with everything in sight were timed, and it takes "
            f"{FEWEST} of each."
        )
    shown = "It is not shown that they change how long a decision takes"
    said = shown if found == "same" else f"Decisions are {found} with them"
    return f"{said}: {_pace_words(pace)}."


def _found(measured: dict[str, Any], cases: int, above: str, below: str) -> str:
    """Name which side of zero an interval lies on."""
    if cases < FEWEST or measured["low"] is None:
        return "few"
    return above if measured["low"] > 0 else below if measured["high"] < 0 else "same"


def _gain_words(gain: dict[str, Any]) -> str:
    low, high = (f"{100 * gain[end]:+.0f}" for end in ("low", "high"))
    return (
        f"of {gain['cases']} cases with a label, {gain['before']} were right with the score alone "
        f"and {gain['after']} with the explanation too (in a hundred, {low} to {high})"
    )


def _pace_words(pace: dict[str, Any]) -> str:
    alone, everything = (f"{pace[mode]['value']:.0f} s" for mode in ("from_events", "ordinary"))
    return (
        f"a decision took {everything} with everything in sight and {alone} from the events alone "
        f"(medians; the difference lies between {pace['low']:+.0f} and {pace['high']:+.0f} s)"
    )


def _known(
    home: Home, dataset_id: str, queued: pd.DataFrame, outside: pd.DataFrame
) -> dict[str, int]:
    """Return what outside labels say of each case's actor, as far as its sequences were shown."""
    if outside.empty or queued.empty:
        return {}
    shown = {*queued[Column.SEQUENCE], *queued["flagged"].explode().dropna()}
    seen = read_sequences(home, dataset_id, sequences=sorted(shown))
    no_verdicts = pd.DataFrame(columns=["decision", "sequences", "actor_id", "scheme"])
    return label_actors(seen, outside, no_verdicts)


def _decisions(given: pd.DataFrame, standing: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row per case and analyst: of those asked for by stage, and of ordinary verdicts."""
    stands = given[given["undone_at"].isna()]
    index = [*_ONE, Column.ACTOR]
    by_stage = stands.set_index([*index, "stage"])  # one stands per stage
    decided = by_stage["decision"].unstack().reindex(columns=STAGES)  # noqa: PD010
    timed = by_stage["seconds"].astype(float).unstack().reindex(columns=STAGES)  # noqa: PD010
    wide = decided.join(timed.add_prefix("seconds_")).reset_index()
    staged = wide[wide["events"].notna()]
    blind = given.loc[given["stage"] != LAST, _ONE].drop_duplicates()
    verdict = standing[[*index, "decision"]].rename(columns={"decision": LAST})
    ordinary = verdict.merge(wide[[*_ONE, f"seconds_{LAST}"]], on=_ONE, how="left")
    return staged, _without(ordinary, blind)


def _without(frame: pd.DataFrame, left_out: pd.DataFrame) -> pd.DataFrame:
    keys = pd.MultiIndex.from_frame(frame[_ONE])
    return frame[~keys.isin(pd.MultiIndex.from_frame(left_out))].reset_index(drop=True)


def _judged(frame: pd.DataFrame, known: dict[str, int], standing: pd.DataFrame) -> pd.DataFrame:
    """Add what is known of each case, by a label from outside or else by its final verdict."""
    final = standing.set_index("case_id")
    told = final["decision"].map({"confirmed": 1.0, "legitimate": 0.0})
    label = frame[Column.ACTOR].map(known).astype(float)
    verdict = frame["case_id"].map(told).astype(float)
    how = np.select([label.notna(), verdict.notna()], [LABEL, VERDICT], default="")
    own = frame["case_id"].map(final["analyst"]).eq(frame["analyst"])
    return frame.assign(truth=label.fillna(verdict), known_by=how, own=own)


def _stage(frame: pd.DataFrame, stage: str) -> dict[str, Any]:
    """Return how many decided at a stage, how long it took and how right it was."""
    here = frame[frame[stage].notna()]
    return {
        "stage": stage,
        "decisions": len(here),
        "seconds": median(here[f"seconds_{stage}"].dropna().to_numpy()),
        **{f"by_{source}": _accuracy(here, stage, source) for source in (LABEL, VERDICT)},
    }


def _accuracy(frame: pd.DataFrame, stage: str, source: str) -> dict[str, Any]:
    known = _counting(frame, stage, source)
    outcome = _outcome(known, stage)
    right = int((outcome > 0).sum())
    return {
        "cases": len(known),
        "right": right,
        "wrong": int((outcome < 0).sum()),
        "unclear": int((outcome == 0).sum()),
        **share(right, len(known)),
    }


def _change(frame: pd.DataFrame, before: str, after: str) -> dict[str, Any]:
    """Return how often the decision changed between two stages, and whether for the better."""
    both = frame[frame[before].notna() & frame[after].notna()]
    changed = int((both[before] != both[after]).sum())
    found = {"from": before, "to": after, "cases": len(both), "changed": changed}
    for source in (LABEL, VERDICT):
        known = _counting(both, after, source)
        moved = _outcome(known, after) - _outcome(known, before)
        found[f"by_{source}"] = {
            "cases": len(known),
            "towards_right": int((moved > 0).sum()),
            "towards_wrong": int((moved < 0).sum()),
        }
    return {**found, **share(changed, len(both))}


def _counting(frame: pd.DataFrame, stage: str, source: str) -> pd.DataFrame:
    """Leave what is known in one way; an analyst's own verdict says nothing about itself."""
    known = frame[frame["known_by"] == source]
    return known[~known["own"]] if source == VERDICT and stage == LAST else known


def _outcome(frame: pd.DataFrame, stage: str) -> "pd.Series[int]":
    """Return 1 for right, -1 for wrong, 0 for unclear: neither, and better than wrong."""
    right = frame[stage].eq("confirmed") == frame["truth"].eq(1)
    return right.map({True: 1, False: -1}).astype(int).where(frame[stage].ne("unclear"), 0)


def _gain(staged: pd.DataFrame) -> dict[str, Any]:
    """Return by how much more often decisions are right with the explanation than without it."""
    both = staged[(staged["known_by"] == LABEL) & staged["score"].notna() & staged[LAST].notna()]
    before, after = (_outcome(both, stage) > 0 for stage in ("score", LAST))
    return {
        "cases": len(both),
        "before": int(before.sum()),
        "after": int(after.sum()),
        **matched_difference(int((after & ~before).sum()), int((before & ~after).sum()), len(both)),
    }


def _pace(staged: pd.DataFrame, ordinary: pd.DataFrame) -> dict[str, Any]:
    """Return how much longer a decision takes with everything in sight than from events alone."""
    alone = staged["seconds_events"].dropna().to_numpy()
    everything = ordinary[f"seconds_{LAST}"].dropna().to_numpy()
    return {
        "from_events": median(alone),
        "ordinary": median(everything),
        **median_difference(everything, alone),
    }
