"""Review: score, the queue, verdicts, what leaves the workbench."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from core.commands.base import AnalystOption, HomeOption, JsonOption, SeedOption, answer, told, verb
from core.store import cases, datasets, models, queues
from core.store.home import Home, open_home, records


@verb("score")
def score(
    model: str,
    dataset: str,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV or Parquet file of scores.")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option("--engine", help="This machine, or the Ray cluster $RAY_ADDRESS names."),
    ] = "local",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a data set and renew its queue; whoever opens the page next has its cases explained."""
    from core.runners import explain_later
    from core.scoring.cluster import on_ray
    from core.scoring.engine import Scorer
    from core.scoring.partitions import in_this_process
    from core.scoring.runs import score_dataset

    opened = open_home(home)
    _check_model(opened, model)
    scorer = Scorer.load(opened.model_dir(model))
    spread = {"local": in_this_process, "ray": on_ray}[engine]
    run = score_dataset(opened, scorer, dataset, progress=told, spread=spread)
    explain_later(opened, model, dataset, "command line")
    if out is not None:
        from core.review.exporting import scores_of, write_frame

        write_frame(scores_of(opened, dataset, run.id), out)
    answer({"run": run.id, "sequences": run.sequences, "seconds": round(run.seconds, 3)}, as_json)


@verb("queue")
def queue(dataset: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the cases waiting, highest score first; those of a blind queue by chance, no scores."""
    columns = ["id", "actor_id", "sequence_id", "events"]
    with open_home(home).engine.connect() as con:
        datasets.get(con, dataset)
        if not queues.is_blind(con, dataset):
            columns += ["score", "source", "likely_scheme", "likely_share"]
        frame = cases.queue(con, dataset)[columns]
    answer({"cases": records(frame)}, as_json)


@verb("ask")
def ask(
    dataset: str,
    strategy: Annotated[
        str, typer.Option("--strategy", help="random, margin or outlier_then_margin.")
    ] = "outlier_then_margin",
    size: Annotated[int, typer.Option("--size", help="How many actors.")] = 25,
    seed: SeedOption = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add to the queue the actors whose verdicts would teach the next model most."""
    from core.review.asking import ask as ask_about

    asked = ask_about(open_home(home), dataset, strategy, size, seed=seed)
    answer({"added": len(asked), "cases": records(asked)}, as_json)


@verb("verdict")
def verdict(
    case: int,
    decision: Literal["confirmed", "legitimate", "unclear"],
    scheme: Annotated[str | None, typer.Option("--scheme", help="Kind of abuse.")] = None,
    note: Annotated[str, typer.Option("--note", help="Why.")] = "",
    confidence: Annotated[
        float, typer.Option("--confidence", help="How much it counts in training, up to 1.")
    ] = 1.0,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a case."""
    from core.review.deciding import decide

    following = decide(
        open_home(home),
        case,
        decision,
        analyst=analyst,
        scheme=scheme,
        note=note,
        confidence=confidence,
    )
    answer({"case": case, "decision": decision, "next": following}, as_json)


@verb("undo")
def undo(
    analyst: AnalystOption = "analyst", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Take back an analyst's last verdict, or impression before one."""
    from core.review.deciding import undo as take_back

    answer({"case": take_back(open_home(home), analyst)}, as_json)


@verb("blind")
def blind(
    dataset: str,
    on: Annotated[
        bool | None,
        typer.Option("--on/--off", help="Show events, then the score, then why; or all at once."),
    ] = None,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say whether explanations make decisions better or only faster; switch blind review."""
    from core.review.benefit import benefit
    from core.review.blind import switch

    opened = open_home(home)
    if on is not None:
        switch(opened, dataset, on, analyst)
    answer(benefit(opened, dataset), as_json)


@verb("impression")
def impression(
    case: int,
    stage: Literal["events", "score"],
    decision: Literal["confirmed", "legitimate", "unclear"],
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0, help="How long the case was looked at.")
    ] = None,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a case looks like before the verdict: from its events, or with its score."""
    from core.review.blind import give_impression

    following = give_impression(
        open_home(home), case, stage, decision, analyst=analyst, seconds=seconds
    )
    answer({"case": case, "stage": stage, "decision": decision, "next": following}, as_json)


@verb("export")
def export(
    dataset: str,
    out: Path,
    what: Annotated[
        Literal["verdicts", "scores"], typer.Option("--what", help="What to write.")
    ] = "verdicts",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write verdicts or the newest scores of a data set as CSV or Parquet."""
    from core.review.exporting import scores_of, verdicts_of, write_frame

    frame = {"verdicts": verdicts_of, "scores": scores_of}[what](open_home(home), dataset)
    write_frame(frame, out)
    answer({"file": str(out), "rows": len(frame)}, as_json)


def _check_model(home: Home, model_id: str) -> None:
    with home.engine.connect() as con:
        models.get(con, model_id)
