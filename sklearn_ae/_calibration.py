"""The threshold between outliers and inliers, and what a score means."""

from dataclasses import dataclass

import numpy as np

from ._statistics import quantile
from ._stored import Stored


@dataclass(frozen=True, eq=False)
class Calibration(Stored):
    """The scores of rows that the network was not fitted to.

    Attributes
    ----------
    scores : ndarray of shape (n_rows,)
        In ascending order.
    ranks : ndarray of shape (n_rows,)
        For each, the weight of all that are as low; the mean weight is 1.
    """

    scores: np.ndarray
    ranks: np.ndarray

    @classmethod
    def fit(cls, scores, weights):
        order = np.argsort(scores)
        ranks = np.arange(1.0, len(scores) + 1)
        if weights is not None:
            as_low = np.cumsum(weights[order], dtype=np.float64)
            ranks = as_low * (len(scores) / as_low[-1])
        return cls(scores[order], ranks)

    def p_values(self, scores):
        """Return, for each score, how probable one as low is for a normal row."""
        n_as_low = np.searchsorted(self.scores, scores, side="right")
        as_low = np.r_[0, self.ranks][n_as_low]
        return np.minimum((as_low + 1) / (len(self.scores) + 1), 1)

    def threshold(self, contamination):
        """Return the score below which this share of fresh rows is, on average."""
        p = (self.ranks + 1) / (len(self.scores) + 1)
        return float(self.scores[np.argmax(p > contamination)])


def share_outside(scores, weights, contamination):
    """Return the threshold below which this share of the rows is."""
    return -float(quantile(-scores, 1 - contamination, weights))


def fence(scores, weights, power=1.0):
    """Return Tukey's lower fence of the scores, or of a power of their sizes."""
    abnormality = np.maximum(-scores, 0) ** power
    lower, upper = quantile(abnormality, [0.25, 0.75], weights)
    return -float((upper + 1.5 * (upper - lower)) ** (1 / power))
