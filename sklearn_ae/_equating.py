"""Scores of rows with gaps, as if nothing were missing."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ._gaps import GappyRows, or_typical
from ._rows import block_length
from ._statistics import ROUNDING, quantile
from ._stored import Stored

# Shares of known cells at which training rows are looked at.
LEVELS = tuple(np.arange(1, 10) / 10)

# Which ranks are compared; between them it is interpolated.
RANKS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)

# The least size of a score that others are divided by, as a share of the largest.
LEAST = 1e-9

# Rows that are looked at, each with all of these shares, and cells in all.
MAX_ROWS, MAX_CELLS = 256, 2**21

# With fewer rows without gaps, those whose gaps have been filled count as whole.
LEAST_WHOLE = 20


@dataclass(frozen=True, eq=False)
class Equated(Stored):
    """A score that compares a row with rows of which as much is known.

    The score of a row with gaps becomes that of rows without which have the same rank
    among themselves as it has among these rows with as many cells hidden:
    equipercentile equating (Kolen & Brennan 2014, "Test equating, scaling, and
    linking", section 2.5). Beyond the highest rank that is known, scores keep their
    differences.

    What that takes is found when the first row with gaps is scored: a detector that
    never sees one has no need of it.

    Attributes
    ----------
    score : CombinedScore or LossScore
        At most 0; its size is minus the score.
    X : ndarray of shape (n_rows, n_features)
        What is compared with: normal rows, with NaN in gaps.
    weights : ndarray of shape (n_rows,) or None
    """

    score: Any
    X: np.ndarray
    weights: Any

    @classmethod
    def fit(cls, score, rows):
        """Keep some normal rows, if possible such as were not trained on."""
        rows = rows.spread(min(len(rows), _most_rows(rows.n_features)))
        X, known = rows.array(), rows.known()
        return cls(
            score, X if known is None else np.where(known, X, np.nan), rows.weights()
        )

    def _found(self, fitted):
        """Return shares of known cells, and which sizes have the `RANKS` there.

        Shares in ascending order, of which the last is that of whole rows; and an array
        of shape (n_shares, n_ranks).
        """
        if vars(self).get("found", (None,))[0] is not fitted:
            vars(self)["found"] = fitted, *self._find(fitted)
        return vars(self)["found"][1:]

    def _find(self, fitted):
        options = {"location": fitted.location, "filler": fitted.filler}
        rows = GappyRows(self.X, self.weights, **options)
        X, weights = with_more_gaps(self.X, self.weights)
        hidden, whole = GappyRows(X, weights, **options), whole_rows(rows)
        measure = partial(self.score.measure, fitted, fitted.views)
        length = block_length(fitted.model.row_bytes)
        sizes, most_known = -rows.apply(measure, length), rows.known()[whole].mean()
        of_whole = _ranked(sizes, self.weights, whole)
        sizes, shares = -hidden.apply(measure, length), hidden.known().mean(axis=1)
        levels, found = [], []
        for level in LEVELS:
            near = np.abs(shares - level) <= LEVELS[0] / 2 + ROUNDING
            # Few features can only be known in few shares.
            if near.any() and level < most_known:
                levels.append(level)
                found.append(_ranked(sizes, weights, near))
        sizes = np.vstack([*found, of_whole])
        return np.array([*levels, most_known]), np.maximum(sizes, _least(sizes))

    def measure(self, fitted, views, rows):
        """Return the score of each of some `Rows`."""
        scores, known = self.score.measure(fitted, views, rows), rows.known()
        return scores if known is None else -self._equated(-scores, known, fitted)

    def shares(self, fitted, views, rows):
        """Return what each feature adds to the score of each row."""
        shares, known = self.score.shares(fitted, views, rows), rows.known()
        if known is None:
            return shares
        sizes = -shares.sum(axis=1)
        # What is infinitely odd stays so.
        some = (sizes > 0) & np.isfinite(sizes)
        ratio = np.where(some, self._equated(sizes, known, fitted), 1)
        return shares * (ratio / np.where(some, sizes, 1))[:, None]

    def _equated(self, sizes, known, fitted):
        """Return sizes of scores of rows of which such cells are known, as if all were.

        Of a row without any it is the median.
        """
        levels, ranked = self._found(fitted)
        share, whole = known.mean(axis=1), ranked[-1]
        own = [np.interp(share, levels, of_rank) for of_rank in ranked.T]
        equated = sizes * (whole[0] / own[0])
        for i in range(len(RANKS) - 1):
            width = np.maximum(own[i + 1] - own[i], _least(ranked))
            slope = (whole[i + 1] - whole[i]) / width
            between = whole[i] + (sizes - own[i]) * slope
            equated = np.where(sizes >= own[i], between, equated)
        beyond = sizes + (whole[-1] - own[-1])
        equated = np.where(sizes >= own[-1], beyond, equated)
        equated = np.where(known.all(axis=1), sizes, equated)
        return or_typical(equated, known, whole[RANKS.index(0.5)])


def _least(sizes):
    return max(LEAST * sizes.max(), np.finfo(np.float64).tiny)


def _ranked(sizes, weights, chosen):
    """Return which of some sizes have the `RANKS`."""
    weights = None if weights is None else weights[chosen]
    return quantile(sizes[chosen], RANKS, weights)


def with_more_gaps(X, weights):
    """Return rows and weights several times, with further cells that are not known.

    Which do not depend on what the estimator draws.
    """
    # Of few rows each several times.
    n_times = len(LEVELS) * (_most_rows(X.shape[1]) // len(X))
    shares = np.repeat(np.resize(LEVELS, n_times), len(X))[:, None]
    hidden = np.random.RandomState(0).uniform(size=(len(shares), X.shape[1])) >= shares
    weights = None if weights is None else np.tile(weights, n_times)
    return np.where(hidden, np.nan, np.tile(X, (n_times, 1))), weights


def _most_rows(n_features):
    return max(1, min(MAX_ROWS, MAX_CELLS // (n_features * len(LEVELS))))


def whole_rows(rows):
    """Return which rows have no gaps, or all if there are too few."""
    if not rows.has_gaps:
        return slice(None)
    length = block_length(8 * rows.n_features)
    found = rows.apply(lambda few: few.known().all(axis=1), length)
    return found if found.sum() >= LEAST_WHOLE else slice(None)
