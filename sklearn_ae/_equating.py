"""Scores of rows with gaps, as if nothing were missing."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ._gaps import GappyRows, or_typical
from ._rows import block_length
from ._statistics import quantile
from ._stored import Stored

# Shares of known cells at which training rows are looked at.
LEVELS = tuple(np.arange(1, 10) / 10)

# Which ranks are compared; between them it is interpolated.
RANKS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)

# The least size of a score that others are divided by.
LEAST = 1e-9

# Rows that are looked at, each with all of these shares, and cells in all.
MAX_ROWS, MAX_CELLS = 256, 2**19

# With fewer rows without gaps, those whose gaps have been filled count as whole.
LEAST_WHOLE = 20


@dataclass(frozen=True, eq=False)
class Equated(Stored):
    """A score that compares a row with rows of which as much is known.

    The score of a row with gaps becomes that of the training rows without which have
    the same rank among themselves as it has among training rows of which as many cells
    have been hidden: equipercentile equating (Kolen & Brennan 2014, "Test equating,
    scaling, and linking", section 2.5). Beyond the ranks that are known, scores keep
    their ratio.

    Attributes
    ----------
    score : CombinedScore or LossScore
        At most 0; its size is minus the score.
    levels : ndarray of shape (n_levels,)
        Shares of known cells, in ascending order; the last is that of whole rows.
    sizes : ndarray of shape (n_levels, len(RANKS))
        Of scores, with these ranks among rows of which so much is known.
    """

    score: Any
    levels: np.ndarray
    sizes: np.ndarray

    @classmethod
    def fit(cls, score, fitted, rows):
        """Look at some training rows as they are, and with cells hidden."""
        most = max(1, MAX_CELLS // (rows.n_features * len(LEVELS)))
        rows = rows.spread(min(len(rows), MAX_ROWS, most))
        hidden, whole = rows_with_gaps(rows, fitted), typical_rows(rows)
        measure = partial(score.measure, fitted, fitted.views)
        length = block_length(fitted.model.row_bytes)
        sizes = -rows.apply(measure, length)
        of_whole, known = _ranked(sizes, rows.weights(), whole), rows.known()
        most_known = 1.0 if known is None else float(known[whole].mean())
        sizes, shares = -hidden.apply(measure, length), hidden.known().mean(axis=1)
        levels, found = [], []
        for level in LEVELS:
            near = np.abs(shares - level) <= LEVELS[0] / 2
            # Few features can only be known in few shares.
            if near.any() and level < most_known:
                levels.append(level)
                found.append(_ranked(sizes, hidden.weights(), near))
        sizes = np.maximum(np.vstack([*found, of_whole]), LEAST)
        return cls(score, np.array([*levels, most_known]), sizes)

    def measure(self, fitted, views, rows):
        """Return the score of each of some `Rows`."""
        scores, known = self.score.measure(fitted, views, rows), rows.known()
        return scores if known is None else -self._equated(-scores, known)

    def shares(self, fitted, views, rows):
        """Return what each feature adds to the score of each row."""
        shares, known = self.score.shares(fitted, views, rows), rows.known()
        if known is None:
            return shares
        sizes = -shares.sum(axis=1)
        ratio = self._equated(sizes, known) / np.where(sizes == 0, 1, sizes)
        return shares * ratio[:, None]

    def _equated(self, sizes, known):
        """Return sizes of scores of rows of which such cells are known, as if all were.

        Of a row without any it is the median.
        """
        share, whole = known.mean(axis=1), self.sizes[-1]
        own = [np.interp(share, self.levels, of_rank) for of_rank in self.sizes.T]
        equated = sizes * (whole[0] / own[0])
        for i in range(len(RANKS) - 1):
            width = np.maximum(own[i + 1] - own[i], LEAST)
            slope = (whole[i + 1] - whole[i]) / width
            between = whole[i] + (sizes - own[i]) * slope
            equated = np.where(sizes >= own[i], between, equated)
        beyond = sizes * (whole[-1] / own[-1])
        equated = np.where(sizes >= own[-1], beyond, equated)
        equated = np.where(known.all(axis=1), sizes, equated)
        return or_typical(equated, known, whole[RANKS.index(0.5)])


def _ranked(sizes, weights, chosen):
    """Return which of some sizes have the `RANKS`."""
    weights = None if weights is None else weights[chosen]
    return quantile(sizes[chosen], RANKS, weights)


def rows_with_gaps(rows, fitted):
    """Return rows several times, with further cells that are not known.

    Which do not depend on what the estimator draws, nor does that on them.
    """
    X, known, weights = rows.array(), rows.known(), rows.weights()
    shares = np.repeat(LEVELS, len(X))[:, None]
    hidden = np.random.RandomState(0).uniform(size=(len(shares), X.shape[1])) >= shares
    if known is not None:
        hidden |= ~np.tile(known, (len(LEVELS), 1))
    if weights is not None:
        weights = np.tile(weights, len(LEVELS))
    X = np.where(hidden, np.nan, np.tile(X, (len(LEVELS), 1)))
    return GappyRows(X, weights, None, None, fitted.location, fitted.filler)


def typical_rows(rows):
    """Return which rows have no gaps, or all if there are too few."""
    if not rows.has_gaps:
        return slice(None)
    length = block_length(8 * rows.n_features)
    found = rows.apply(lambda few: few.known().all(axis=1), length)
    return found if found.sum() >= LEAST_WHOLE else slice(None)
