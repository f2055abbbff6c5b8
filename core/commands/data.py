"""Data sets: look at a log, import it, label it."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from core.commands.base import HomeOption, JsonOption, answer, told, verb
from core.errors import BadInput
from core.store import datasets
from core.store.home import open_home, records


@verb("demo")
def demo(home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Fill the home with the demonstration log, the starter model, scores and a queue."""
    from core.demo import load_demonstration
    from core.runners import explain_later

    opened = open_home(home)
    found = load_demonstration(opened, told)
    explain_later(opened, found["model"], found["dataset"], "command line")
    answer(found, as_json)


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
    found = {"dataset": dataset.id, "added": added, **{c: getattr(dataset, c) for c in counts}}
    answer({**found, "notes": dataset.quality["notes"]}, as_json)


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
    scheme: Annotated[
        str | None, typer.Option("--scheme", help="FILE's column of kinds of abuse.")
    ] = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Attach outside labels to a data set."""
    from core.logs.labels import attach_labels

    attached = attach_labels(
        open_home(home), dataset, file, key=key, label=label, on=on, positive=positive,
        split=split, scheme=scheme,
    )  # fmt: skip
    answer(
        {"attached": attached.attached, "unmatched": attached.unmatched, "on": attached.on}, as_json
    )


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


def _text_of(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The mapping {file} cannot be read: {error}.") from error
