"""What if: a sequence edited, and what would clear it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.commands.base import HomeOption, JsonOption, answer, verb
from core.errors import BadInput
from core.store import datasets, models
from core.store.home import Home, open_home

if TYPE_CHECKING:
    from core.explain.whatif import Experiment


@verb("whatif")
def whatif(
    model: str,
    dataset: str,
    sequence: str,
    edits: Annotated[
        Path, typer.Option("--edits", help="JSON: delete, change, insert; positions from 0.")
    ],
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a sequence with events left out, changed, moved or added."""
    from core.explain.edits import parse_edits
    from core.explain.whatif import explain, frozen_facts

    try:
        wanted = parse_edits(edits.read_bytes())
    except OSError as error:
        raise BadInput(f"The edits {edits} cannot be read: {error.strerror}.") from error
    experiment = _read(open_home(home), model, dataset, sequence)
    found = experiment.run(wanted)
    reasons = explain(experiment, found).to_dict()["reasons"]
    frozen = frozen_facts(experiment.mapping, experiment.actions)
    answer({**found.to_dict(), "reasons": reasons, "frozen": frozen}, as_json)


@verb("counterfactual")
def counterfactual(
    model: str, dataset: str, sequence: str, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Say without which events a flagged sequence would pass, and which alone keep it flagged."""
    from core.explain.counterfactual import find_counterfactual

    opened = open_home(home)
    experiment = _read(opened, model, dataset, sequence)
    with opened.engine.connect() as con:
        threshold = models.threshold(con, model)
    answer(find_counterfactual(experiment, threshold).to_dict(), as_json)


def _read(home: Home, model_id: str, dataset_id: str, sequence_id: str) -> "Experiment":
    from core.explain.whatif import Experiment
    from core.scoring.engine import Scorer

    with home.engine.connect() as con:
        models.get(con, model_id)
        datasets.get(con, dataset_id)
    scorer = Scorer.load(home.model_dir(model_id))
    return Experiment.read(home, scorer, dataset_id, sequence_id)
