"""What the network's input goes through while it is trained."""

from dataclasses import dataclass
from math import log

import numpy as np


@dataclass(frozen=True)
class GaussianNoise:
    """Additive normal noise, whose standard deviation each row draws for itself.

    A network that has to undo noise of standard deviation s learns to return the mean
    of the data within about s of its input (Alain & Bengio 2014, "What regularized
    auto-encoders learn from the data-generating distribution", theorem 1). With a range
    of deviations it learns that at all these distances.

    Attributes
    ----------
    low, high : float
        Range of the standard deviation, whose logarithm is uniform; in units of the
        scaled data.
    """

    low: float
    high: float

    def apply(self, X, rng, out=None):
        """Return noisy rows, in `out` if given: another array than `X`.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        rng : numpy.random.Generator
            Draws the same for the same rows when it is in the same state.
        out : ndarray of shape (n_rows, n_features), optional

        Returns
        -------
        noisy : ndarray of shape (n_rows, n_features)
        """
        out = np.empty_like(X) if out is None else out
        rng.standard_normal(out=out, dtype=out.dtype)
        deviation = np.exp(rng.uniform(log(self.low), log(self.high), (len(X), 1)))
        out *= deviation.astype(out.dtype)
        out += X
        return out
