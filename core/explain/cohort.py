"""What a model leans on over many cases: the mean absolute attribution of facts and of tokens.

The mean of absolute Shapley values over sequences is SHAP's measure of global importance (Lundberg
et al., "From local explanations to global understanding with explainable AI for trees", Nature
Machine Intelligence 2020).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from core.errors import BadInput
from core.explain.groups import group_actors, group_columns
from core.explain.naming import fact_of, fact_words, in_words
from core.logs.frames import actions, drop_recut, read_mapping
from core.schema import Column
from core.store import cases, explanations
from core.store.home import Home

if TYPE_CHECKING:
    from core.scoring.engine import Scorer

ALL: Final = "waiting"
BY_VERDICT: Final = ("decision", "scheme")
MOST_CASES: Final = 100  # explained for one picture, drawn at random from more
MOST_TOKENS: Final = 30  # named of each group

Explain = Callable[[str], dict[str, Any]]  # the id of a sequence -> `Explanation.to_dict`


def cohort(
    home: Home, model_id: str, dataset_id: str, by: str = ALL, *, explain: Explain | None = None
) -> dict[str, Any]:
    """Return which facts and tokens moved the scores of cases most, for each group of them.

    Parameters
    ----------
    by
        ``waiting`` (the queue as one group), ``decision`` or ``scheme`` (decided cases by their
        verdict), or a column of categories (cases that wait).
    explain
        Explains a sequence that is not explained yet; without it such cases only count.

    Returns
    -------
    ``groups``: name, number of ``cases``, how many of them are ``explained``, and if any are
    ``facts`` and ``tokens`` by falling ``moved``: the mean over the explained cases of the absolute
    attribution. ``share`` is a fact's part of all that moved; ``direction`` the signed mean.

    Raises
    ------
    BadInput
        If the cases cannot be grouped by `by`.
    """
    chosen = _members(home, dataset_id, by)
    words = fact_words(read_mapping(home, dataset_id), actions(home, dataset_id))
    found = {name: _explained(home, model_id, dataset_id, name, explain) for name in
             chosen[Column.SEQUENCE]}  # fmt: skip
    groups = []
    for name, part in chosen.groupby("group", sort=False):
        known = [one for one in map(found.get, part[Column.SEQUENCE]) if one is not None]
        counts = {"group": str(name), "cases": len(part), "explained": len(known)}
        groups.append(counts | (importance(known, words) if known else {}))
    return {"model": model_id, "dataset": dataset_id, "by": by, "groups": groups}


def explain_cohort(
    home: Home,
    scorer: "Scorer",
    dataset_id: str,
    by: str = ALL,
    *,
    progress: Callable[[float, str], None] = lambda share, message: None,
) -> dict[str, Any]:
    """Return `cohort` after explaining those of its cases that are not explained yet."""
    from core.explain.explaining import explain_sequence  # torch: a page only reads what is there

    before = cohort(home, scorer.model_id, dataset_id, by)["groups"]
    missing = sum(group["cases"] - group["explained"] for group in before)
    done = 0

    def explain(sequence_id: str) -> dict[str, Any]:
        nonlocal done
        found = explain_sequence(home, scorer, dataset_id, sequence_id).to_dict()
        done += 1
        progress(done / missing, f"explained {done} of {missing} cases")
        return found

    return cohort(home, scorer.model_id, dataset_id, by, explain=explain)


def importance(
    explained: Sequence[Mapping[str, Any]], words: Mapping[str, str]
) -> dict[str, list[dict[str, Any]]]:
    """Return the mean absolute attribution by fact and by token over explanations."""
    rows = [
        (number, token["token"], token["words"], token["value"])
        for number, one in enumerate(explained)
        for part in (one["profile"], *one["events"])
        for token in part["tokens"]
    ]
    tokens = pd.DataFrame(rows, columns=["sequence", "name", "words", "value"])
    facts = tokens.assign(
        words=[in_words(name, words) for name in tokens["name"]],
        name=tokens["name"].map(fact_of),
    )
    total = max(float(tokens["value"].abs().sum()) / len(explained), 1e-12)
    by_fact = _ranked(facts, len(explained))
    for fact in by_fact:
        fact["share"] = fact["moved"] / total
    return {"facts": by_fact, "tokens": _ranked(tokens, len(explained))[:MOST_TOKENS]}


def _ranked(rows: pd.DataFrame, size: int) -> list[dict[str, Any]]:
    """Sum rows by name; the mean is over all explanations, also those that lack the name."""
    summed = rows.assign(moved=rows["value"].abs()).groupby("name", sort=False)
    joined = pd.DataFrame(
        {
            "words": summed["words"].first(),
            "moved": summed["moved"].sum() / size,
            "direction": summed["value"].sum() / size,
            "seen_in": summed["sequence"].nunique(),
        }
    )
    ranked = joined.sort_values("moved", ascending=False, kind="stable").reset_index()
    return [{str(key): value for key, value in row.items()} for row in ranked.to_dict("records")]


def _members(home: Home, dataset_id: str, by: str) -> pd.DataFrame:
    """Return sequence and group of at most `MOST_CASES` cases, larger groups first."""
    accepted = [ALL, *BY_VERDICT, *group_columns(home, dataset_id)]
    if by not in accepted:
        raise BadInput(f"Cases cannot be grouped by '{by}'. Accepted: {', '.join(accepted)}.")
    with home.engine.connect() as con:
        queue = cases.queue(con, dataset_id, decided=by in BY_VERDICT)
    known = drop_recut(home, dataset_id, queue)
    if by == ALL:
        known["group"] = ALL
    elif by in BY_VERDICT:
        known = known.assign(group=known[by]).dropna(subset="group")
    else:
        known["group"] = known[Column.ACTOR].map(group_actors(home, dataset_id, by))
    if len(known) > MOST_CASES:
        drawn = np.random.default_rng(0).choice(len(known), MOST_CASES, replace=False)
        known = known.iloc[np.sort(drawn)]
    sizes = known["group"].map(known["group"].value_counts())
    return known.assign(size=-sizes).sort_values(["size", "group"], kind="stable")


def _explained(
    home: Home, model_id: str, dataset_id: str, sequence_id: str, explain: Explain | None
) -> dict[str, Any] | None:
    with home.engine.connect() as con:
        stored = explanations.get(con, model_id, dataset_id, sequence_id)
    return explain(sequence_id) if stored is None and explain is not None else stored
