"""Abuse planted into real logs: the model and every baseline, scheme by scheme, on new rings.

    python -m benchmarks.planted
    python -m benchmarks.planted --logs rees46_shop --seeds 0 1 2 --explained 0

Into each log go all schemes that it has words for, at three levels of camouflage. Rings are planted
for training or for testing, so that no test actor shares a device, its targets or its meetings with
a training one; honest actors are divided at random. One model per log learns all schemes together,
through the command line, and so do the baselines. Printed per scheme: average precision of finding
its test actors among the honest ones (95 % bootstrap), and by how much the model is ahead of the
best baselines (paired). Then `--explained` flagged actors per scheme are explained, and the planted
events looked for among the highest attributions: ROC-AUC in a sequence that holds both kinds.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import roc_auc_score

from benchmarks.learning import SHARED, run, show_parts
from core.explain.explaining import read_each
from core.explain.shapley import attribute
from core.govern.evaluation import baselines_of
from core.govern.log import read_log
from core.govern.wording import interval
from core.logs.frames import read_events, read_mapping
from core.logs.mapping import Mapping, Roles, extra_columns
from core.model.encoder import POSITIVE
from core.model.metrics import Judgement, difference, judge
from core.model.units import Bags
from core.schema import Column
from core.scoring.engine import Scorer
from core.simulate.host import read_host
from core.simulate.injecting import plant
from core.simulate.schemes import SCHEMES, coupon_orders
from core.simulate.telling import Planting, harvest
from core.store import models
from core.store.home import open_home

LOGS = {"rees46_shop": "events.csv.gz", "trivago_sessions": "events.parquet"}
CAMOUFLAGE = (0.0, 0.3, 0.6)
SIZES = {"train": 24, "test": 16}  # actors of a scheme at each level of camouflage
HONEST_TRAIN = 0.6  # share of the honest actors
SHOWN = 4  # baselines
METRIC = "average_precision"

Truth = set[tuple[str, pd.Timestamp]]  # actor and time of planted events


@dataclass(frozen=True)
class Planted:
    """A log with abuse in it."""

    events: pd.DataFrame
    labels: pd.DataFrame  # actor_id, abuse, scheme, split
    truth: Truth


def planted(events: pd.DataFrame, seed: int) -> Planted:
    """Plant every scheme that the log has words for."""
    rng = np.random.default_rng(seed)
    planting = Planting(read_host(events), rng)
    split: dict[str, str] = {}
    for name, scheme in SCHEMES.items():
        spoken = scheme.main in planting.host.families
        if not spoken or (name == "coupon_abuse" and coupon_orders(planting.host, rng) is None):
            continue
        for side, size in SIZES.items():
            for camouflage in CAMOUFLAGE:
                plant(planting, name, size=size, camouflage=camouflage)
            split |= dict.fromkeys(planting.truth.keys() - split.keys(), side)
    told, truth = harvest(planting)
    labels = pd.DataFrame({Column.ACTOR: told[Column.ACTOR].astype(str).unique()})
    labels = labels.merge(truth, how="left", on=Column.ACTOR)
    labels["abuse"] = labels["scheme"].notna().astype(int)
    drawn = np.where(rng.random(len(labels)) < HONEST_TRAIN, "train", "test")
    labels["split"] = labels[Column.ACTOR].map(split).fillna(pd.Series(drawn))
    return Planted(told, labels, _truth(planting))


def _truth(planting: Planting) -> Truth:
    own = [one for one in planting.told if not one.cover]
    since = pd.to_timedelta([one.at for one in own], unit="s").floor("us")
    times = (planting.host.frame[Column.TIME].iloc[0] + since).floor(planting.host.unit)
    return set(zip([one.actor for one in own], times, strict=True))


def prepare(folder: Path, name: str, seed: int) -> tuple[str, Truth]:
    """Import a log with abuse in it and attach the labels; return the data set and the truth."""
    home = open_home(folder)
    host = run(folder, "import", SHARED / name / LOGS[name], "--name", f"{name} {seed} before")
    original = read_mapping(home, host["dataset"])
    canonical = {"actor": Column.ACTOR, "session": Column.SESSION, "time": Column.TIME}
    roles = {role: canonical.get(role, role) for role in original.roles.taken().values()}
    extras = extra_columns(original)
    made = planted(read_events(home, host["dataset"])[[*roles.values(), *extras]], seed)
    log, labels, told = (folder / f"{name}-{seed}.{end}" for end in ("parquet", "csv", "json"))
    made.events.to_parquet(log)
    made.labels.to_csv(labels, index=False)
    mapping = Mapping(roles=Roles(**roles), columns=extras, sequence=original.sequence)
    told.write_text(mapping.model_dump_json(exclude_unset=True))
    found = run(folder, "import", log, "--mapping", told, "--name", f"{name} {seed}")["dataset"]
    about = ("--key", Column.ACTOR, "--label", "abuse", "--scheme", "scheme", "--split", "split")
    run(folder, "labels", found, labels, *about, "--on", "actor")
    return found, made.truth


def of_scheme(
    scheme: str, test: Bags, actors: npt.NDArray[np.object_], score: npt.NDArray[np.floating]
) -> Judgement:
    """Judge the scores of the test units, as far as they are honest or of this scheme."""
    some = (test.label == 0) | (test.scheme == scheme) | (scheme == "all")
    return judge(test.label[some], score[some], 0.5, groups=actors[some], probability=False)


def measure(folder: Path, name: str, seed: int, explained: int) -> None:
    """Train on one log, print what the model and the baselines find and what is explained."""
    dataset, truth = prepare(folder, name, seed)
    started = time.perf_counter()
    trained = run(folder, "train", dataset, "--seed", seed)["model"]
    print(f"\n{name}, seed {seed}, trained in {time.perf_counter() - started:.0f} s")
    home = open_home(folder)
    log, scorer = read_log(home, dataset), Scorer.load(home.model_dir(trained))
    assert log.bags is not None
    test = log.bags.of("test")
    actors = log.sequences[Column.ACTOR].to_numpy()[test.first]
    batch = log.encode(scorer.encoder.tokenizer, test.rows)
    score = scorer.predict_proba(batch)[:, POSITIVE]
    rivals = {rival: one.score for rival, one in baselines_of(log).items()}
    schemes = sorted(set(test.scheme[test.label == 1]))
    for scheme in [*schemes, "all"]:
        ours = of_scheme(scheme, test, actors, test.maximum(score))
        theirs = {name: of_scheme(scheme, test, actors, one) for name, one in rivals.items()}
        best = sorted(theirs, key=lambda name: -theirs[name].report[METRIC]["value"])[:SHOWN]
        print(f"{scheme} ({ours.report['positives']}): model {interval(ours.report[METRIC])}")
        for rival in best:
            ahead = interval(difference(ours, theirs[rival])[METRIC])
            print(f"  {rival:<28}{interval(theirs[rival].report[METRIC])}, model ahead by {ahead}")
    show_parts(home, trained, dataset)
    with home.engine.connect() as con:
        threshold = models.threshold(con, trained)
    areas = defaultdict(list)
    highest = test.highest(score)
    for bag in np.flatnonzero((test.label == 1) & (score[highest] >= threshold)):
        if len(areas[scheme := test.scheme[bag]]) == explained:
            continue
        sequence = log.sequences.iloc[test.rows[highest[bag]]]
        events = read_events(home, dataset, sequences=[sequence[Column.SEQUENCE]])
        whose = str(sequence[Column.ACTOR])
        own = [(whose, at) in truth for at in events[Column.TIME]]
        if 0 < sum(own) < len(own):
            (one,) = read_each(home, scorer, dataset, [sequence[Column.SEQUENCE]])
            areas[scheme].append(roc_auc_score(own, attribute(scorer, one).by_event(one)[1:]))
    for scheme, found in areas.items():
        if found:
            middle = statistics.median(found)
            print(f"{scheme}: planted events by attribution, ROC-AUC {middle:.3f} ({len(found)})")


def main() -> None:
    """Measure each log with each seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--logs", nargs="+", default=list(LOGS), choices=list(LOGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--explained", type=int, default=5)
    asked = parser.parse_args()
    for known in asked.logs:
        for seed in asked.seeds:
            with tempfile.TemporaryDirectory() as folder:
                measure(Path(folder), known, seed, asked.explained)


if __name__ == "__main__":
    main()
