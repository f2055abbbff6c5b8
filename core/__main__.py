"""The command line: everything a page does can be done without it.

Exit codes: 0 done, 1 refused with one clear line, 2 wrong usage.
"""

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from core.errors import BadInput, SpoorError
from core.store import cases, datasets, jobs, models, trainings, verdicts
from core.store.home import Home, open_home, records

app = typer.Typer(
    help="Spoor: from a behaviour log to reviewed cases.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

HomeOption = Annotated[
    Path | None,
    typer.Option("--home", help="Folder of the workbench (default: $SPOOR_HOME or .spoor)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AnalystOption = Annotated[str, typer.Option("--analyst", help="Who does this.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of everything random.")]


def verb(name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command that answers a `SpoorError` with one line and exit code 1."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def refusing(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except SpoorError as error:
                typer.echo(f"spoor: {error}", err=True)
                raise typer.Exit(1) from error

        return app.command(name)(refusing)

    return register


def answer(result: dict[str, Any], as_json: bool) -> None:
    """Print a result for a program or for a person."""
    if as_json:
        typer.echo(json.dumps(result, default=str, ensure_ascii=False))
        return
    for key, value in result.items():
        if isinstance(value, list | dict):
            value = json.dumps(value, default=str, ensure_ascii=False, indent=2)
        typer.echo(f"{key}: {value}")


def told(share: float, message: str) -> None:
    """Show progress on standard error, where somebody is looking."""
    if sys.stderr.isatty():
        typer.echo(f"\r\033[K{share:4.0%} {message}", err=True, nl=share >= 1)


@verb("demo")
def demo(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Fill the home with the demonstration log, the starter model, scores and a queue."""
    from core.demo import load_demonstration

    answer(load_demonstration(open_home(home), told), as_json)


@verb("inspect")
def inspect(file: Path, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Say what a log looks like, how it would be read and which templates fit; writes nothing."""
    from core.logs.proposal import inspect_log
    from core.logs.templates import FOLDER, fitting, read_templates
    from core.settings import Settings

    found = inspect_log(file)
    templates, _ = read_templates((home or Settings().home) / FOLDER)
    answer(
        {
            "format": found.format.model_dump(),
            "mapping": found.mapping.model_dump(),
            "columns": json.loads(found.columns.to_json(orient="records")),
            "quality": found.quality,
            "notes": found.notes,
            "templates": [one.name for one in fitting(templates, found.columns["name"])],
        },
        as_json,
    )


@verb("import")
def import_(
    file: Path,
    mapping: Annotated[Path | None, typer.Option("--mapping", help="JSON mapping.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the data set.")] = None,
    into: Annotated[
        str | None, typer.Option("--into", help="Data set to add to what it does not hold yet.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a log as a data set, or add what is new in it to one.

    A file that was imported before adds to its data set, unless a name or a mapping is given.
    """
    from core.logs.importing import dataset_of, import_log
    from core.logs.mapping import parse_mapping

    given = None if mapping is None else parse_mapping(_text_of(mapping))
    place = open_home(home)
    if into is None and name is None and given is None and (known := dataset_of(place, file)):
        into = known.id
        told(0.0, f"adding what is new to '{into}'")
    before = 0
    if into is not None:
        with place.engine.connect() as con:
            before = datasets.get(con, into).accepted
    dataset = import_log(place, file, mapping=given, name=name, into=into, progress=told)
    counts = ("read", "accepted", "rejected", "duplicate", "actors", "sequences")
    added = dataset.accepted - before
    answer(
        {"dataset": dataset.id, "added": added, **{c: getattr(dataset, c) for c in counts}}, as_json
    )


@verb("labels")
def labels(
    dataset: str,
    file: Path,
    key: Annotated[str, typer.Option("--key", help="FILE's column of ids.")],
    label: Annotated[str, typer.Option("--label", help="FILE's column of labels.")],
    on: Annotated[
        Literal["actor", "session", "sequence"] | None,
        typer.Option("--on", help="What the ids name (default: what matches best)."),
    ] = None,
    positive: Annotated[
        str | None, typer.Option("--positive", help="The value that means abuse.")
    ] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="FILE's column of train / test.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attach outside labels to a data set."""
    from core.logs.labels import attach_labels

    attached = attach_labels(
        open_home(home), dataset, file, key=key, label=label, on=on, positive=positive, split=split
    )
    answer(
        {"attached": attached.attached, "unmatched": attached.unmatched, "on": attached.on}, as_json
    )


@verb("train")
def train(
    dataset: str,
    parent: Annotated[str | None, typer.Option("--from", help="Model to continue from.")] = None,
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Most epochs of each phase.")
    ] = None,
    backbone: Annotated[
        str,
        typer.Option(
            "--backbone", help="behaviour-small, behaviour-base, or text:DIRECTORY_OR_NAME."
        ),
    ] = "behaviour-small",
    layout: Annotated[
        Literal["summed", "inline"],
        typer.Option("--layout", help="A position per event or per token."),
    ] = "summed",
    split_by: Annotated[
        Literal["actor", "time"],
        typer.Option("--split-by", help="Test on a random part of the actors or the last seen."),
    ] = "actor",
    method: Annotated[
        Literal["full", "lora", "head"],
        typer.Option("--method", help="Fine-tune all weights, low-rank additions or the head."),
    ] = "full",
    adversarial: Annotated[
        bool, typer.Option("--adversarial", help="Also learn from perturbed copies.")
    ] = False,
    seed: SeedOption = 0,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a candidate on verdicts and labels; without any, pre-train only."""
    from core.govern.training import TrainConfig
    from core.govern.training import train as train_model

    config = TrainConfig.of(
        seed=seed,
        epochs=epochs,
        layout=layout,
        split_by=split_by,
        backbone=backbone,
        method=method,
        adversarial=adversarial,
    )
    opened = open_home(home)
    model = train_model(
        opened,
        dataset,
        parent_id=parent,
        config=config,
        analyst=analyst,
        told=lambda point: told(point["progress"], _point(point)),
    )
    answer({"model": model.id, "kind": model.kind, "metrics": model.metrics}, as_json)


@verb("tune")
def tune(
    dataset: str,
    trials: Annotated[int, typer.Option("--trials", help="Trainings to try in all.")],
    sampler: Annotated[
        Literal["tpe", "random", "grid"],
        typer.Option("--sampler", help="How the settings of a trial are chosen."),
    ] = "tpe",
    epochs: Annotated[
        int | None, typer.Option("--epochs", help="Most epochs of each phase of a trial.")
    ] = None,
    seed: SeedOption = 0,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search the settings of training, and train a candidate with the best; goes on if stopped."""
    from core.govern.search import tune as tune_settings

    found = tune_settings(
        open_home(home),
        dataset,
        trials=trials,
        sampler=sampler,
        seed=seed,
        epochs=epochs,
        analyst=analyst,
        told=lambda point: told(point["progress"], point["phase"]),
    )
    answer(
        {
            "search": found.search,
            "trials": found.trials,
            "best": {
                "trial": found.trial,
                "settings": found.settings,
                "validation_ap": found.validation_ap,
            },
            "model": found.model.id,
            "metrics": found.model.metrics,
        },
        as_json,
    )


@verb("score")
def score(
    model: str,
    dataset: str,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV or Parquet file of scores.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a data set and renew its queue."""
    from core.scoring.engine import Scorer
    from core.scoring.runs import score_dataset

    opened = open_home(home)
    _check_model(opened, model)
    run = score_dataset(opened, Scorer.load(opened.model_dir(model)), dataset, progress=told)
    if out is not None:
        from core.review.exporting import scores_of, write_frame

        write_frame(scores_of(opened, dataset, run.id), out)
    answer({"run": run.id, "sequences": run.sequences, "seconds": round(run.seconds, 3)}, as_json)


@verb("evaluate")
def evaluate(
    model: str,
    dataset: str,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option("--split", help="Which units to judge on."),
    ] = "test",
    capacity: Annotated[
        float, typer.Option("--capacity", help="Units that can be reviewed: a share or a number.")
    ] = 0.05,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a model on labelled units, beside every baseline on the same rows."""
    from core.govern.evaluation import evaluate as evaluate_model

    opened = open_home(home)
    answer(evaluate_model(opened, model, dataset, split=split, capacity=capacity), as_json)


@verb("robustness")
def robustness(
    model: str,
    dataset: str,
    perturbation: Annotated[
        list[str] | None, typer.Option("--perturbation", help="Only this one; can be repeated.")
    ] = None,
    seed: SeedOption = 0,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how scores move under small changes, and how much abuse hides among normal events."""
    from core.govern.robustness import measure_robustness

    opened = open_home(home)
    answer(
        measure_robustness(
            opened, model, dataset, perturbations=perturbation, seed=seed, progress=told
        ),
        as_json,
    )


@verb("explain")
def explain(
    model: str, dataset: str, sequence: str, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Say which events and tokens drove the score of a sequence."""
    from core.explain.explaining import explain_sequence
    from core.scoring.engine import Scorer

    opened = open_home(home)
    _check_model(opened, model)
    with opened.engine.connect() as con:
        datasets.get(con, dataset)
    scorer = Scorer.load(opened.model_dir(model))
    answer(explain_sequence(opened, scorer, dataset, sequence).to_dict(), as_json)


@verb("promote")
def promote(
    model: str,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a model the one that decides."""
    from core.review import policy

    answer({"active": policy.promote(open_home(home), model, analyst).id}, as_json)


@verb("rollback")
def rollback(
    analyst: AnalystOption = "analyst", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Give the decision back to the model before."""
    from core.review import policy

    answer({"active": policy.roll_back(open_home(home), analyst).id}, as_json)


@verb("threshold")
def threshold(
    model: str,
    value: float,
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a new threshold of a model in force."""
    from core.review import policy

    policy.set_threshold(open_home(home), model, value, analyst)
    answer({"model": model, "threshold": value}, as_json)


@verb("models")
def list_models(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the models."""
    with open_home(home).engine.connect() as con:
        frame = models.all_models(con).drop(columns=["metrics"])
    answer({"models": records(frame)}, as_json)


@verb("trainings")
def list_trainings(dataset: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the trainings of a data set, also those that failed, were stopped or crashed."""
    opened = open_home(home)
    trainings.find_crashed(opened)
    with opened.engine.connect() as con:
        datasets.get(con, dataset)
        frame = trainings.of_dataset(con, dataset).drop(columns=["search", "trial"])
    answer({"trainings": records(frame)}, as_json)


@verb("datasets")
def list_datasets(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the data sets."""
    with open_home(home).engine.connect() as con:
        frame = datasets.all_datasets(con).drop(columns=["mapping", "quality"])
    answer({"datasets": records(frame)}, as_json)


@verb("delete")
def delete(dataset: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Delete a data set with its labels, scores, cases and verdicts."""
    datasets.delete_dataset(open_home(home), dataset)
    answer({"deleted": dataset}, as_json)


@verb("queue")
def queue(dataset: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the cases waiting, highest score first."""
    columns = ["id", "actor_id", "sequence_id", "score", "events", "source"]
    with open_home(home).engine.connect() as con:
        datasets.get(con, dataset)
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
    analyst: AnalystOption = "analyst",
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide a case."""
    from core.review.deciding import decide

    following = decide(open_home(home), case, decision, scheme=scheme, note=note, analyst=analyst)
    answer({"case": case, "decision": decision, "next": following}, as_json)


@verb("undo")
def undo(
    analyst: AnalystOption = "analyst", home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Take back an analyst's last verdict."""
    with open_home(home).engine.begin() as con:
        answer({"case": verdicts.undo_last(con, analyst)}, as_json)


@verb("jobs")
def list_jobs(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the jobs, newest first."""
    columns = ["id", "kind", "status", "progress", "message", "created_at"]
    with open_home(home).engine.connect() as con:
        frame = jobs.newest(con)[columns]
    answer({"jobs": records(frame)}, as_json)


@verb("worker")
def worker(
    idle: Annotated[
        float | None, typer.Option("--idle", help="Seconds without work before ending.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do the jobs that pages ask for."""
    from core.worker import NICENESS, run_worker

    os.nice(NICENESS)
    answer({"done": run_worker(open_home(home), idle=idle)}, as_json)


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


@verb("doctor")
def doctor(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Check installation, device, database and home."""
    import torch
    import transformers

    from core.scoring.engine import best_device

    opened = open_home(home)
    with opened.engine.connect() as con:
        active = models.active(con)
    answer(
        {
            "home": str(opened.path),
            "database": opened.engine.dialect.name,
            "device": str(best_device()),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "active": None if active is None else active.id,
        },
        as_json,
    )


def _check_model(home: Home, model_id: str) -> None:
    with home.engine.connect() as con:
        models.get(con, model_id)


def _point(point: dict[str, Any]) -> str:
    loss = f", loss {point['loss']:.4f}" if "loss" in point else ""
    return f"{point['phase']}{loss}"


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The mapping {file} cannot be read: {error}.") from error


def main() -> NoReturn:
    """Run the command line as a process of its own."""
    code = 0
    try:
        app()
    except SystemExit as ended:
        code = int(ended.code or 0)
    sys.stdout.flush()
    sys.stderr.flush()
    # DuckDB's bindings print pages of leak warnings when Python tears down after shap was loaded.
    os._exit(code)


if __name__ == "__main__":
    main()
