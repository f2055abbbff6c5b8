"""Calibration: one temperature, so that a score of .8 is right in eight of ten held-out cases."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

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
