"""Models: train, search, judge, explain, promote."""

from typing import Annotated, Any, Literal

import typer

from core.commands.base import AnalystOption, HomeOption, JsonOption, SeedOption, answer, told, verb
from core.store import datasets, models, trainings
from core.store.home import Home, open_home, records


@verb("train")
def train(
    dataset: str,
    parent: Annotated[str | None, typer.Option("--from", help="Model to continue from.")] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs", help="Most epochs of each phase. By default few labels take more."
        ),
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
    """Train a candidate on verdicts and labels; without any, pre-train only.

    Past one GPU or core: torchrun --nproc-per-node 2 -m core train DATASET.
    """
    from core.model.distributed import processes
    from core.scoring.device import best_device

    with processes(best_device) as main:
        if not main:
            return
        from core.govern.config import TrainConfig
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
        model = train_model(
            open_home(home),
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


@verb("trainings")
def list_trainings(dataset: str, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the trainings of a data set, also those that failed, were stopped or crashed."""
    opened = open_home(home)
    trainings.find_crashed(opened)
    with opened.engine.connect() as con:
        datasets.get(con, dataset)
        frame = trainings.of_dataset(con, dataset).drop(columns=["search", "trial"])
    answer({"trainings": records(frame)}, as_json)


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


@verb("models")
def list_models(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """List the models."""
    with open_home(home).engine.connect() as con:
        frame = models.all_models(con).drop(columns=["metrics"])
    answer({"models": records(frame)}, as_json)


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


def _check_model(home: Home, model_id: str) -> None:
    with home.engine.connect() as con:
        models.get(con, model_id)


def _point(point: dict[str, Any]) -> str:
    loss = f", loss {point['loss']:.4f}" if "loss" in point else ""
    return f"{point['phase']}{loss}"
