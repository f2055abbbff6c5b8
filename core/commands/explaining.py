"""Many cases at once: what a model leans on, and how it treats groups."""

from pathlib import Path
from typing import Annotated

import typer

from core.commands.base import HomeOption, JsonOption, answer, told, verb
from core.store import datasets, models
from core.store.home import Home, open_home


@verb("cohort")
def cohort(
    model: str,
    dataset: str,
    by: Annotated[
        str, typer.Option("--by", help="waiting, decision, scheme or a column of categories.")
    ] = "waiting",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which facts moved the scores of cases most; explains what is not explained yet."""
    from core.explain.cohort import explain_cohort
    from core.scoring.engine import Scorer

    opened = _open(home, model, dataset)
    scorer = Scorer.load(opened.model_dir(model))
    answer(explain_cohort(opened, scorer, dataset, by, progress=told), as_json)


@verb("bias")
def bias(
    model: str,
    dataset: str,
    column: str,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare scores and error rates of the groups of actors that a column makes."""
    from core.govern.bias import bias as bias_of

    found = bias_of(_open(home, model, dataset), model, dataset, column)
    answer(found, as_json)


def _open(home: Path | None, model: str, dataset: str) -> Home:
    opened = open_home(home)
    with opened.engine.connect() as con:
        models.get(con, model)
        datasets.get(con, dataset)
    return opened
