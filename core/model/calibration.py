"""Calibration: one temperature, so that a score of .8 is right in eight of ten held-out cases."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

WIDEST = 8.0  # times hotter or colder
PRIOR = 1.0  # spread of the log temperature: a handful of validation labels must not decide alone


def fit_temperature(margin: npt.NDArray[np.floating], label: npt.NDArray[np.int64]) -> float:
    """Return the temperature under which held-out labels are likeliest.

    Guo et al., "On Calibration of Modern Neural Networks" (ICML 2017), with a weak prior for 1.

    Parameters
    ----------
    margin
        Logit of the positive class less that of the other, of each held-out unit, (B,).
    """
    signed = np.where(label == 1, margin, -margin).astype(np.float64)

    def loss(log_temperature: float) -> float:
        likelihood = np.logaddexp(0, -signed / np.exp(log_temperature)).sum()
        return float(likelihood + 0.5 * (log_temperature / PRIOR) ** 2)

    bound = np.log(WIDEST)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))
