"""Search: try settings of a training, keep what judges the validation units best.

Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NeurIPS 2011: TPE) and "Random
Search for Hyper-Parameter Optimization" (JMLR 2012), by Optuna; a trial whose validation falls
behind the median of the trials before it is given up (Golovin et al., "Google Vizier", KDD 2017).
Every trial is tracked as a training of its own. The held-out test units take no part.
"""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal, get_args

import numpy as np
import optuna
from optuna.samplers import BaseSampler, GridSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from core.errors import BadInput
from core.govern.config import TrainConfig
from core.govern.log import Log, read_log
from core.govern.tracking import tracked
from core.govern.training import fit, train
from core.model.batching import Report
from core.store import trainings
from core.store.home import Home
from core.store.models import Model

SamplerName = Literal["tpe", "random", "grid"]
STARTUP = 5  # trials that end before any is given up
FAILED = "failed"  # the attribute of a trial that could not be trained: why
WARM_UP = 2  # epochs of a trial before it is given up


@dataclass(frozen=True)
class Setting:
    """One dimension of the space.

    A grid tries `values`; the other samplers take one of them or, where `between`, any number
    from the first to the last.
    """

    path: str  # of the setting in `TrainConfig`
    values: tuple[float, ...]
    between: Literal["linear", "log"] | None = None

    def suggest(self, trial: Trial) -> float:
        """Ask the sampler for a value."""
        if self.between is None or isinstance(trial.study.sampler, GridSampler):
            value: float = trial.suggest_categorical(self.path, list(self.values))
            return value
        low, high = self.values[0], self.values[-1]
        return trial.suggest_float(self.path, low, high, log=self.between == "log")


SPACE: Final = (
    Setting("size.layers", (2, 3, 4)),
    Setting("size.width", (64, 128, 192)),
    Setting("pretrain.token_share", (0.1, 0.2, 0.3), "linear"),
    Setting("finetune.learning_rate", (2e-4, 6e-4, 2e-3), "log"),
    Setting("finetune.weight_decay", (1e-3, 1e-2, 1e-1), "log"),
    Setting("finetune.dropout", (0.0, 0.1, 0.2), "linear"),
)


@dataclass(frozen=True)
class Found:
    """What a search ended with."""

    search: str
    trials: dict[str, int]  # status -> number
    trial: int  # the best
    settings: dict[str, float]
    validation_ap: float
    model: Model  # trained again with the settings of the best, and registered


def tune(
    home: Home,
    dataset_id: str,
    *,
    trials: int,
    sampler: SamplerName = "tpe",
    seed: int = 0,
    epochs: int | None = None,
    analyst: str = "analyst",
    told: Report = lambda point: None,
    space: Sequence[Setting] = SPACE,
) -> Found:
    """Try settings, then train a candidate with the best of them.

    The search is known by the data set's labels, the space, the sampler and the seed: one that was
    stopped or killed goes on when it is asked for again, and one that ended is made longer by a
    higher number of `trials`. Those that failed or were given up count as trials.

    Parameters
    ----------
    epochs
        Most epochs of each phase of a trial.

    Raises
    ------
    BadInput
        If `trials` is not positive, there is no such sampler or seed, the data set has too few
        verdicts or labels, or every trial failed.
    """
    _check(trials, sampler)
    base = TrainConfig.of(seed=seed, epochs=epochs)
    log = _readable(home, dataset_id)
    search = f"{dataset_id}-{sampler}-{seed}-{_digest(log, base, space)}"
    study = _open(home, search, sampler, seed, space)
    if sampler == "grid":
        trials = min(trials, math.prod(len(one.values) for one in space))
    trainings.find_crashed(home)
    run = _Trial(home, log, base, space, search, trials, analyst, told)
    left = trials - len(_ended(study))
    if left > 0:
        study.optimize(run, n_trials=left, catch=(BadInput,))
    best = _best(study)
    settings = dict(best.params)
    model = train(
        home,
        dataset_id,
        config=changed(base, settings),
        analyst=analyst,
        note=_note(study, best, sampler, seed),
        told=lambda point: told(_retraining(point, trials)),
    )
    return Found(search, _counts(study), best.number, settings, best.values[0], model)


def _check(trials: int, sampler: str) -> None:
    if trials < 1:
        raise BadInput(f"A search takes at least one trial; {trials} were asked for.")
    if sampler not in get_args(SamplerName):
        accepted = ", ".join(get_args(SamplerName))
        raise BadInput(f"There is no sampler '{sampler}'. Samplers: {accepted}.")


def changed(config: TrainConfig, settings: dict[str, float]) -> TrainConfig:
    """Return `config` with other values at some paths."""
    for path, value in settings.items():
        part, _, name = path.partition(".")
        config = replace(config, **{part: replace(getattr(config, part), **{name: value})})
    return config


@dataclass(frozen=True)
class _Trial:
    """Optuna's objective: the validation average precision of one training."""

    home: Home
    log: Log
    base: TrainConfig
    space: Sequence[Setting]
    search: str
    trials: int
    analyst: str
    told: Report

    def __call__(self, trial: Trial) -> float:
        config = changed(self.base, {one.path: one.suggest(trial) for one in self.space})
        done = len(_ended(trial.study))
        tracking = tracked(
            self.home, self.log.dataset_id, asdict(config), analyst=self.analyst,
            told=self._progress(done), search=self.search, trial=trial.number,
        )  # fmt: skip

        def judge(point: dict[str, Any]) -> None:
            tracker.point(point)
            if "validation_ap" in point:
                trial.report(point["validation_ap"], point["epoch"])
                if trial.should_prune():
                    raise optuna.TrialPruned

        try:
            with tracking as tracker:
                fit(self.home, self.log, config, told=judge, resumable=False)
        except BadInput as error:
            trial.set_user_attr(FAILED, str(error))
            raise
        trial.set_user_attr("validation_loss", tracker.best["validation_loss"])
        return tracker.best["validation_ap"]

    def _progress(self, done: int) -> Report:
        words = f"trial {min(done + 1, self.trials)} of {self.trials}: "

        def told(point: dict[str, Any]) -> None:
            share = (done + point["progress"]) / (self.trials + 1)
            self.told({"phase": words + point["phase"], "progress": min(share, 1.0)})

        return told


def _retraining(point: dict[str, Any], trials: int) -> dict[str, Any]:
    share = (trials + point["progress"]) / (trials + 1)
    return {"phase": f"training with the best settings: {point['phase']}", "progress": share}


def _readable(home: Home, dataset_id: str) -> Log:
    log = read_log(home, dataset_id)
    if log.bags is None:
        raise BadInput(
            f"'{dataset_id}' has no verdicts or labels, so nothing says which settings are better."
        )
    log.bags.check_trainable()
    return log


def _digest(log: Log, base: TrainConfig, space: Sequence[Setting]) -> str:
    """Return what tells searches apart whose trials cannot be compared."""
    bags = log.bags
    assert bags is not None
    told = json.dumps([asdict(base), [asdict(one) for one in space]])
    digest = hashlib.sha256(told.encode())
    told_apart = (bags.rows, bags.offsets, bags.label, bags.split.astype(str))
    for part in (*told_apart, log.content, log.confidence):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.hexdigest()[:8]


def _open(
    home: Home, search: str, sampler: SamplerName, seed: int, space: Sequence[Setting]
) -> optuna.Study:
    """Open the search's journal in the home; what it holds already is gone on from."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = home.path / "searches"
    folder.mkdir(exist_ok=True)
    storage = JournalStorage(JournalFileBackend(str(folder / f"{search}.journal")))
    study = optuna.create_study(
        study_name=search,
        storage=storage,
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=STARTUP, n_warmup_steps=WARM_UP),
    )
    # A sampler that began again with the same seed would repeat the trials there are.
    going_on = int(np.random.SeedSequence([seed, len(study.trials)]).generate_state(1)[0])
    samplers: dict[SamplerName, Callable[[], BaseSampler]] = {
        "tpe": lambda: TPESampler(seed=going_on),
        "random": lambda: RandomSampler(seed=going_on),
        "grid": lambda: GridSampler({one.path: one.values for one in space}, seed=seed),
    }
    study.sampler = samplers[sampler]()
    return study


def _ended(study: optuna.Study) -> list[FrozenTrial]:
    """Return the trials that ended by themselves: one that was stopped or killed says nothing."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or FAILED in trial.user_attrs
    ]


def _best(study: optuna.Study) -> FrozenTrial:
    complete = study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not complete:
        said = _ended(study)[-1].user_attrs[FAILED]
        raise BadInput(f"None of the {len(_ended(study))} trials could be trained. {said}")
    return max(complete, key=lambda one: (one.values[0], -one.user_attrs["validation_loss"]))


def _counts(study: optuna.Study) -> dict[str, int]:
    names = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    states = [names[trial.state] for trial in _ended(study)]
    return {name: states.count(name) for name in names.values()}


def _note(study: optuna.Study, best: FrozenTrial, sampler: SamplerName, seed: int) -> str:
    """Say on the model's card where its settings come from."""
    settings = ", ".join(f"{path} {value:.4g}" for path, value in best.params.items())
    counts = _counts(study)
    return (
        f"Its settings are the best of a search of {sum(counts.values())} trials ({sampler} "
        f"sampler, seed {seed}; {counts['pruned']} given up early, {counts['failed']} failed): "
        f"{settings}. Chosen by average precision on validation, {best.values[0]:.3f}, which the "
        "choice makes too good; the held-out units below took no part in it."
    )
