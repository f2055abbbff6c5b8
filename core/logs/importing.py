"""A log file becomes a data set, or adds to one: events with facts, sequences, rejected rows."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import IntegrityError

from core.errors import BadInput, Conflict
from core.logs.appending import fit_columns, grow
from core.logs.building import Progress, build
from core.logs.engine import connect, keep_small, scratch_folder
from core.logs.events import Counts, create_events
from core.logs.mapping import Mapping
from core.logs.privacy import create_masks, home_key, is_private
from core.logs.proposal import complete, given_format
from core.logs.quality import Quality
from core.logs.reader import open_log
from core.store import datasets
from core.store.datasets import Dataset
from core.store.home import Home, now, remove, writing


def import_log(
    home: Home,
    path: Path | str,
    *,
    mapping: Mapping | None = None,
    name: str | None = None,
    into: str | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Import a file, folder or glob as a new data set, or what is new of it into an old one.

    Parameters
    ----------
    mapping
        What it does not mention is as `inspect_log` proposes.
    into
        The id of a data set to add to, with its own mapping and name. Rows that it holds already
        count as duplicates. Without any that is new, it stays as it is.
    progress
        Called with the share done (0 to 1) and what is being done; what it raises ends the import
        and nothing is written.

    Raises
    ------
    BadInput
        If the log or the mapping cannot be used; nothing is written then.
    NotFound
        If there is no data set `into`.
    """
    path = Path(path).absolute()
    report = progress or (lambda share, message: None)
    held = None if into is None else _held(home, into, mapping, name)
    if held is not None:
        mapping = Mapping.model_validate(held.mapping)
    with (
        scratch_folder(home.path / "scratch") as scratch,
        connect(scratch, on_disk=True) as con,
    ):
        report(0.02, "reading the file")
        source = open_log(con, path, scratch, format=given_format(mapping))
        keep_small(con)
        notes: list[str] = []
        if held is not None and mapping is not None:
            source, mapping, notes = fit_columns(con, source, mapping)
        mapping = complete(con, source, mapping)
        if is_private(mapping):
            create_masks(con, home_key(home.path))
        counts = create_events(con, mapping)
        folder = scratch / "dataset"
        folder.mkdir()
        if held is not None:
            report(0.25, "looking for what is new")
            stored = home.dataset_dir(held.id)
            grown = grow(con, stored, held, mapping, counts)
            if grown is None:
                return held
            counts = grown
            shutil.copy(stored / "actions.json", folder)  # so that profiles keep their columns
        name = held.name if held else name or name_of(path)
        dataset_id = held.id if held else _free_id(home, name)
        quality = build(con, mapping, dataset_id, counts, folder, report)
        quality["notes"] += notes
        sources = [*(held.sources if held else []), str(path)]
        dataset = _described(dataset_id, name, sources, mapping, counts, quality)
        report(1.0, "putting it in place")  # the last moment to stop it
        _publish(home, dataset, held, folder)
    return dataset


def _described(
    dataset_id: str,
    name: str,
    sources: list[str],
    mapping: Mapping,
    counts: Counts,
    quality: Quality,
) -> Dataset:
    return Dataset(
        id=dataset_id,
        name=name,
        source="\n".join(dict.fromkeys(sources)),
        mapping=mapping.model_dump(mode="json"),
        quality=quality,
        read=counts.read,
        accepted=counts.accepted,
        rejected=counts.rejected,
        duplicate=counts.duplicate,
        actors=quality["actors"],
        sequences=quality["sequences"],
        created_at=now(),
    )


def dataset_of(home: Home, path: Path | str) -> Dataset | None:
    """Return the newest data set that holds what was in the file `path`, if there is one."""
    with home.engine.connect() as con:
        return datasets.of_source(con, str(Path(path).absolute()))


def _held(home: Home, dataset_id: str, mapping: Mapping | None, name: str | None) -> Dataset:
    if mapping is not None or name is not None:
        raise BadInput(
            f"What is added to '{dataset_id}' takes its mapping and its name. "
            "Leave them out, or import as a data set of its own."
        )
    with home.engine.connect() as con:
        return datasets.get(con, dataset_id)


def _publish(home: Home, dataset: Dataset, held: Dataset | None, folder: Path) -> None:
    """Put the files in place and make the data set known: nobody meets one without the other."""
    target = home.dataset_dir(dataset.id)
    with _undisturbed(dataset.id), home.engine.begin() as con:
        if held is not None and not datasets.replace(con, held, dataset):
            raise FileExistsError
        with writing(target, replace=held is not None) as temporary:
            os.replace(folder, temporary)
        if held is None:
            try:
                datasets.add(con, dataset)
            except BaseException:
                remove(target)
                raise


@contextmanager
def _undisturbed(dataset_id: str) -> Iterator[None]:
    try:
        yield
    except (FileExistsError, IntegrityError) as error:
        raise Conflict(
            f"Another import wrote the data set '{dataset_id}' meanwhile. Import again."
        ) from error


def name_of(path: Path) -> str:
    """Return what a data set from `path` is called where nobody names it."""
    name = re.sub(
        r"(\.(gz|zst|bz2|zip|csv|tsv|txt|log|jsonl|ndjson|json|xlsx|parquet))+$",
        "",
        path.name or path.resolve().name,
    )
    # A pattern such as october/*.csv has no name of its own.
    return name if re.search(r"\w", name) else path.absolute().parent.name or "log"


def _free_id(home: Home, name: str) -> str:
    """Return the slug of `name`, in any script, numbered when it is taken."""
    # Names of models and runs begin with it: in any script they must fit the 255 bytes of a file's.
    slug = re.sub(r"[\W_]+", "-", name.lower()).strip("-")[:40].strip("-") or "log"
    with home.engine.connect() as con:
        taken = set(datasets.all_datasets(con)["id"])
    number = 1
    while True:
        found = slug if number == 1 else f"{slug}-{number}"
        if found not in taken and not home.dataset_dir(found).exists():
            return found
        number += 1
