"""Many cases at once: what a model leans on, and how it treats groups."""

from pathlib import Path
from typing import Annotated

import typer

from core.commands.base import HomeOption, JsonOption, answer, told, verb
from core.errors import NotFound
from core.store import datasets, models, runs
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


@verb("faithfulness")
def faithfulness(
    dataset: str,
    model: Annotated[
        str | None, typer.Option("--model", help="Default: the one whose scores fill the queue.")
    ] = None,
    cases: Annotated[int, typer.Option("--cases", help="How many flagged cases to look at.")] = 10,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which method of explaining to trust: whose order of events the score follows best."""
    from core.explain.faithfulness import measure_faithfulness
    from core.scoring.engine import Scorer

    model = model or _in_force(home, dataset)
    opened = _open(home, model, dataset)
    scorer = Scorer.load(opened.model_dir(model))
    answer(measure_faithfulness(opened, scorer, dataset, cases=cases, progress=told), as_json)


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


def _in_force(home: Path | None, dataset: str) -> str:
    """Return the model whose scores fill the queue of a data set."""
    with open_home(home).engine.connect() as con:
        datasets.get(con, dataset)
        run = runs.deciding(con, dataset)
    if run is None:
        raise NotFound(f"Nothing has scored '{dataset}' yet: score it, or name a model (--model).")
    return run.model_id
