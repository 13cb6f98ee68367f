"""How far a typical row is of which as much is known."""

from dataclasses import dataclass

import numpy as np

from ._gaps import GappyRows
from ._rows import block_length
from ._statistics import quantile
from ._stored import Stored

# Shares of known cells at which typical rows are looked at; between them it is
# interpolated.
LEVELS = tuple(np.arange(1, 10) / 10)

# The least median of a distance.
LEAST = 1e-9

# Rows that are looked at, each with all of these shares, and cells in all.
MAX_ROWS, MAX_CELLS = 256, 2**19

# With fewer rows without gaps, those whose gaps have been filled are typical, too.
LEAST_WHOLE = 20


@dataclass(frozen=True, eq=False)
class Typical(Stored):
    """Medians of a squared distance over training rows.

    Attributes
    ----------
    whole : float
        Of rows without gaps.
    with_gaps : ndarray of shape (len(LEVELS),)
        Of what known cells make of it, where they are such a share of all.
    """

    whole: float
    with_gaps: np.ndarray

    @classmethod
    def fit(cls, whole, squared, shares, weights):
        """Take medians of squared distances by which share of their cells rows know.

        `whole` is the median for rows that know all.
        """
        whole = max(float(whole), LEAST)
        # Few features can only be known in few shares.
        levels, medians = [0.0], [0.0]
        for level in LEVELS:
            near = np.abs(shares - level) <= LEVELS[0] / 2
            if near.any():
                of_near = None if weights is None else weights[near]
                levels.append(level)
                medians.append(quantile(squared[near], 0.5, of_near))
        medians = np.interp(LEVELS, [*levels, 1], [*medians, whole])
        return cls(whole, np.maximum(medians, LEAST))

    def of(self, known):
        """Return the median for rows of which such cells are known; None is all."""
        if known is None:
            return self.whole
        levels, medians = [*LEVELS, 1], [*self.with_gaps, self.whole]
        return np.interp(known.mean(axis=1), levels, medians)


def rows_with_gaps(rows, fitted):
    """Return some of the rows, several times, with further cells that are not known.

    Which do not depend on what the estimator draws, nor does that on them.
    """
    most = max(1, MAX_CELLS // (rows.n_features * len(LEVELS)))
    rows = rows.spread(min(len(rows), MAX_ROWS, most))
    X, known, weights = rows.array(), rows.known(), rows.weights()
    shares = np.repeat(LEVELS, len(X))[:, None]
    hidden = np.random.RandomState(0).uniform(size=(len(shares), X.shape[1])) >= shares
    if known is not None:
        hidden |= ~np.tile(known, (len(LEVELS), 1))
    if weights is not None:
        weights = np.tile(weights, len(LEVELS))
    X = np.where(hidden, np.nan, np.tile(X, (len(LEVELS), 1)))
    return GappyRows(X, weights, fill=fitted.location).filled_by(fitted.filler)


def whole(rows):
    """Return which rows have no gaps, or all if there are too few."""
    if not rows.has_gaps:
        return slice(None)
    length = block_length(8 * rows.n_features)
    found = rows.apply(lambda few: few.known().all(axis=1), length)
    return found if found.sum() >= LEAST_WHOLE else slice(None)
