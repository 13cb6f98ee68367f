"""How abnormal a row is: several distances in one number."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ._distances import Ellipsoid, References, ResidualEllipsoid
from ._gaps import GappyRows
from ._projection import Projected, Projection
from ._rows import block_length
from ._statistics import quantile
from ._stored import Stored

# What the distances weigh in score_parts="auto". On 22 tables (ADBench) "neighbors" is
# best alone where training rows are clean and "location" where they are not; together
# they are good at both.
PARTS = {"residual": 0.7, "neighbors": 1.0, "location": 0.3}

# What they are: each knows whether it is of residuals.
KINDS = {"residual": ResidualEllipsoid, "neighbors": References, "location": Ellipsoid}

# Rows that distances are fitted to, at most.
MAX_ROWS = 10_000

# Share of the rows' variance below which that of residuals counts as none; constant
# rows have variance 1 for this.
NEGLIGIBLE = 1e-8

# Medians of distances are taken of rows of which such shares are known, and are more
# than nothing.
LEVELS = tuple(np.arange(1, 10) / 10)
LEAST_TYPICAL = 1e-9

# With fewer rows without gaps, those whose gaps have been filled count as typical, too.
LEAST_WHOLE = 20

# Rows that are looked at for this, each with several shares.
MAX_ROWS_WITH_GAPS, MAX_CELLS_WITH_GAPS = 256, 2**19

# Beyond this, in units of the scaled data, squares would overflow.
FARTHEST = 1e100


@dataclass(frozen=True, eq=False)
class LossScore(Stored):
    """Minus the mean loss of each row, in the units of the data."""

    def measure(self, fitted, views, rows):
        """Return the score of each of some `Rows`; without any value, that of most."""
        scores, known = -fitted.model.losses(views, rows).mean(axis=1), rows.known()
        return (
            scores
            if known is None
            else np.where(known.any(axis=1), scores, -fitted.loss)
        )

    def shares(self, fitted, views, rows):
        """Return what each feature adds to the score of each row."""
        return fitted.model.losses(views, rows) / -rows.n_features


@dataclass(frozen=True, eq=False)
class Part(Stored):
    """One distance, what it weighs, and how large it is for a typical row.

    Attributes
    ----------
    distance : Ellipsoid or References
    weight : float
    typical : float
        Its median.
    with_gaps : ndarray of shape (len(LEVELS),)
        The median of what known cells make of it, where they are such a share of all.
    """

    distance: Ellipsoid | References
    weight: float
    typical: float
    with_gaps: Any = 0.0

    def measure(self, Z, known=None):
        """Return the squared distance of each row, 1 for a typical one."""
        relative = self.distance.measure(Z) / self.typical
        if known is not None:
            some = ~known.all(axis=1)
            squared = self.distance.shares(Z[some], known[some]).sum(axis=1)
            relative[some] = np.maximum(squared, 0) / self.typical_for(known[some])
            relative[~known.any(axis=1)] = 1
        return relative

    def typical_for(self, known=None):
        """Return the squared distance of a typical row of which so much is known."""
        if known is None:
            return self.typical
        levels, medians = [*LEVELS, 1], [*self.with_gaps, self.typical]
        return np.interp(known.mean(axis=1), levels, medians)

    def judged_with_gaps(self, Z, known):
        """Return the part after a look at rows with gaps."""
        squared = self.distance.shares(Z, known).sum(axis=1)
        share = known.mean(axis=1)
        medians = self.typical * np.array(LEVELS)
        for i, level in enumerate(LEVELS):
            near = np.abs(share - level) <= LEVELS[0] / 2
            if near.any():
                medians[i] = max(np.median(squared[near]), LEAST_TYPICAL)
        return replace(self, with_gaps=medians)


@dataclass(frozen=True, eq=False)
class CombinedScore(Stored):
    r"""Minus the weighted sum of the logarithms of several squared distances.

    .. math::
        -\sum_p w_p \log\left(1 + D_p / \mathrm{median}(D_p)\right)

    - "residual": the Mahalanobis distance of the residual, so that a residual counts
      for more where residuals are small, or do not go along with others;
    - "neighbors": the distance of the row from the nearest of 2,048 training rows;
    - "location": the Mahalanobis distance of the row from the mean.

    All are squared, in units of the scaled data, with medians over the training rows.
    """

    parts: tuple[Part, ...]

    @classmethod
    def fit(cls, weights, fitted, rows, rng):
        """Fit the distances to training rows.

        Parameters
        ----------
        weights : dict of str to float
        fitted : Fitted
        rows : Rows
        rng : RandomState
        """
        model, rows = fitted.model, rows.sample(MAX_ROWS, rng)
        projection = Projection.fit(rows, model.units.inputs)
        seen = rows.apply(
            lambda few: _coordinates(fitted, few, projection).swapaxes(0, 1),
            block_length(model.row_bytes),
        )
        if not (rows.is_complete or projection):
            _draw_residuals(seen, rows.known(), rng)
        scaled, sample_weight = seen[:, 0], rows.weights()
        center = np.average(scaled, axis=0, weights=sample_weight)
        spread = np.square(scaled - center).mean(axis=1)
        least = NEGLIGIBLE * (np.average(spread, weights=sample_weight) or 1.0)
        parts, whole = [], _whole(rows)
        whole_weight = None if sample_weight is None else sample_weight[whole]
        for name, weight in weights.items():
            kind: Any = KINDS[name]
            Z = seen[:, int(kind.of_residual)]
            distance = kind.fit(Z, sample_weight, least, rng)
            typical = quantile(distance.measure(Z[whole]), 0.5, whole_weight)
            if projection:
                distance = Projected(distance, projection)
            parts.append(Part(distance, weight, float(max(typical, LEAST_TYPICAL))))
        return cls(tuple(parts))._judged_with_gaps(fitted, rows)

    def _judged_with_gaps(self, fitted, rows):
        rows = _with_more_gaps(rows, fitted)
        pairs, known = self._parts(fitted, fitted.views, rows), rows.known()
        return replace(
            self, parts=tuple(part.judged_with_gaps(Z, known) for part, Z in pairs)
        )

    def measure(self, fitted, views, rows):
        """Return the score of each of some `Rows`."""
        known = rows.known()
        return _finite_or_lowest(
            -sum(
                part.weight * np.log1p(part.measure(Z, known))
                for part, Z in self._parts(fitted, views, rows)
            )
        )

    def shares(self, fitted, views, rows):
        """Return what each feature adds to the score of each row."""
        total, known = np.zeros((len(rows), rows.n_features)), rows.known()
        for part, Z in self._parts(fitted, views, rows):
            shares = part.distance.shares(Z, known)
            measure = shares.sum(axis=1)
            typical = part.typical_for(known)
            size = part.weight * np.log1p(np.maximum(measure, 0) / typical)
            measure[measure == 0] = 1
            total -= shares * (size / measure)[:, None]
        return _finite_or_lowest(total)

    def _parts(self, fitted, views, rows):
        seen = _seen(fitted.model, views, rows)
        for part in self.parts:
            yield part, seen[int(part.distance.of_residual)]


def _finite_or_lowest(scores):
    """Return scores with NaN, where distances overflow, made the lowest."""
    return np.nan_to_num(scores, copy=False, nan=-np.inf, neginf=-np.inf)


def _seen(model, views, rows):
    """Return scaled rows and their residuals, as an array of shape (2, n_rows, d).

    A cell that is not known is what the network makes of it.
    """
    X, known = rows.array(), rows.known()
    reconstructed = model.reconstruct(views, X)
    if known is not None:
        X = np.where(known, X, reconstructed)
    seen = model.units.inputs.apply(np.stack([X, reconstructed])).astype(np.float64)
    np.clip(seen, -FARTHEST, FARTHEST, out=seen)
    np.subtract(seen[0], seen[1], out=seen[1])
    return seen


def _coordinates(fitted, rows, projection):
    """Return what is `_seen`, of wide rows their coordinates."""
    seen = _seen(fitted.model, fitted.views, rows)
    return projection.coordinates(seen) if projection else seen


def _whole(rows):
    """Return which rows have no gaps, or all if there are too few."""
    if rows.is_complete:
        return slice(None)
    whole = rows.apply(
        lambda few: few.known().all(axis=1), block_length(rows.n_features)
    )
    return whole if whole.sum() >= LEAST_WHOLE else slice(None)


def _draw_residuals(seen, known, rng):
    """Give cells that are not known residuals that known ones of their feature have.

    In place, lest features with many gaps seem to vary less than they do.
    """
    for j, column in enumerate(known.T):
        gaps, residuals = np.flatnonzero(~column), seen[column, 1, j]
        if len(gaps) and len(residuals):
            drawn = rng.choice(residuals, len(gaps))
            seen[gaps, :, j] += drawn[:, None]


def _with_more_gaps(rows, fitted):
    """Return some of the rows, several times, with further cells that are not known."""
    most = max(1, MAX_CELLS_WITH_GAPS // (rows.n_features * len(LEVELS)))
    rows = rows.spread(min(len(rows), MAX_ROWS_WITH_GAPS, most))
    X, known = rows.array(), rows.known()
    shares = np.repeat(LEVELS, len(X))[:, None]
    hidden = np.random.RandomState(0).uniform(size=(len(shares), X.shape[1])) >= shares
    if known is not None:
        hidden |= ~np.tile(known, (len(LEVELS), 1))
    X = np.where(hidden, np.nan, np.tile(X, (len(LEVELS), 1)))
    return GappyRows.at(fitted.location, X).completed(fitted.complete)
