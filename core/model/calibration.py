"""Calibration: one temperature, so that a score of .8 is right in eight of ten held-out cases."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from core.model.encoder import Encoder
from core.model.schemes import UNTOLD, kind_of, schemes_of
from core.model.units import Bags

WIDEST = 8.0  # times hotter or colder
PRIOR = 1.0  # spread of the log temperature: a handful of validation labels must not decide alone


def fit_temperature(logits: npt.NDArray[np.floating], label: npt.NDArray[np.int64]) -> float:
    """Return the temperature under which held-out labels are likeliest.

    Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), with a weak prior for 1.

    Parameters
    ----------
    logits
        Of each class of each held-out unit, (B, K).
    label
        Number of its class, (B,).
    """
    ahead = logits.astype(np.float64) - logits[np.arange(len(label)), label][:, None]

    def loss(log_temperature: float) -> float:
        unlikely = logsumexp(ahead / np.exp(log_temperature), axis=1).sum()
        return float(unlikely + 0.5 * (log_temperature / PRIOR) ** 2)

    bound = np.log(WIDEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def calibrate(
    encoder: Encoder,
    score: npt.NDArray[np.float32],
    kinds: npt.NDArray[np.float32],
    validation: Bags,
) -> None:
    """Make a model's probabilities honest on bags that trained nothing.

    Parameters
    ----------
    score, kinds
        What it says without temperatures: each bag's probability of abuse, (B,), and of each kind
        if it is abuse, (B, K).
    """
    clipped = np.clip(score.astype(np.float64), 1e-6, 1 - 1e-6)
    margin = np.log(clipped / (1 - clipped))
    of_score = fit_temperature(np.column_stack([0 * margin, margin]), validation.label)
    kind = kind_of(validation, schemes_of(encoder))
    told = kind != UNTOLD
    of_schemes = fit_temperature(np.log(kinds[told].clip(1e-6)), kind[told])
    set_temperatures(encoder, of_score, of_schemes)


def set_temperatures(encoder: Encoder, of_score: float, of_schemes: float) -> None:
    """Let a model divide its logits by these; 1 leaves them as they are."""
    encoder.bert.config.calibration_temperature = of_score
    if schemes_of(encoder):
        encoder.bert.config.scheme_temperature = of_schemes
