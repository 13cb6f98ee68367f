"""How abnormal a row is: several distances in one number."""

from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np

from ._distances import Distance, Ellipsoid, References, ResidualEllipsoid
from ._equating import whole_rows
from ._gaps import or_typical
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

# Rows that distances are fitted to, at most, and that the median of losses is of.
MAX_ROWS, MAX_ROWS_FOR_MEDIAN = 10_000, 256

# Share of the rows' variance below which that of residuals counts as none; constant
# rows have variance 1 for this.
NEGLIGIBLE = 1e-8

# The least median of a distance.
LEAST_TYPICAL = 1e-9

# Beyond this, in units of the scaled data, squares would overflow.
FARTHEST = 1e100


@dataclass(frozen=True, eq=False)
class LossScore(Stored):
    """Minus the mean loss of each row, in the units of the data.

    Attributes
    ----------
    typical : float
        The median over training rows.
    """

    typical: float = nan

    @classmethod
    def fit(cls, fitted, rows):
        """Find out what is typical of training rows."""
        rows = rows.spread(min(len(rows), MAX_ROWS_FOR_MEDIAN))
        measure = partial(cls().measure, fitted, fitted.views)
        scores = rows.apply(measure, block_length(fitted.model.row_bytes))
        return cls(float(quantile(scores, 0.5, rows.weights())))

    def measure(self, fitted, views, rows):
        """Return the score of each of some `Rows`."""
        model = fitted.model
        scores = -model.losses(views, rows).mean(axis=1)
        counts = model.cell_weights(rows) if rows.has_gaps else None
        return or_typical(scores, counts, self.typical)

    def shares(self, fitted, views, rows):
        """Return what each feature adds to the score of each row."""
        return fitted.model.losses(views, rows) / -rows.n_features


@dataclass(frozen=True, eq=False)
class Part(Stored):
    """One distance, what it weighs, and how large it is for a typical row.

    Attributes
    ----------
    distance : Distance
    weight : float
    typical : float
        Its median.
    of_residual : bool
        Whether it is the distance of what a network leaves of rows.
    """

    distance: Distance
    weight: float
    typical: float
    of_residual: bool

    def measure(self, Z, known=None):
        """Return the squared distance of each row, 1 for a typical one."""
        squared = self.distance.measure(Z)
        if known is not None:
            some = ~known.all(axis=1)
            of_known = self._shares(Z[some], known[some]).sum(axis=1)
            squared[some] = np.maximum(of_known, 0)
        return squared / self.typical

    def shares(self, Z, known=None):
        """Return what each feature adds to the `weight` of log(1 + `measure`)."""
        shares = self._shares(Z, known)
        measure = shares.sum(axis=1)
        relative = np.maximum(measure, 0) / self.typical
        size = self.weight * np.log1p(relative)
        measure[measure == 0] = 1
        return shares * (size / measure)[:, None]

    def _shares(self, Z, known):
        """Return what each feature adds to the distance: unknown cells nothing."""
        shares = self.distance.shares(Z, known)
        return shares if known is None else known * shares


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
        scaled, sample_weight = seen[:, 0], rows.weights()
        if rows.has_gaps and not projection:
            _draw_residuals(seen, rows.known(), sample_weight, rng)
        center = np.average(scaled, axis=0, weights=sample_weight)
        spread = np.square(scaled - center).mean(axis=1)
        least = NEGLIGIBLE * (np.average(spread, weights=sample_weight) or 1.0)
        parts, whole = [], whole_rows(rows)
        of_whole = None if sample_weight is None else sample_weight[whole]
        for name, weight in weights.items():
            kind: Any = KINDS[name]
            Z = seen[:, int(kind.of_residual)]
            distance = kind.fit(Z, sample_weight, least, rng)
            median = quantile(distance.measure(Z[whole]), 0.5, of_whole)
            typical = float(max(median, LEAST_TYPICAL))
            if projection:
                distance = Projected(distance, projection)
            parts.append(Part(distance, weight, typical, kind.of_residual))
        return cls(tuple(parts))

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
        known = rows.known()
        return _finite_or_lowest(
            -sum(part.shares(Z, known) for part, Z in self._parts(fitted, views, rows))
        )

    def _parts(self, fitted, views, rows):
        seen = _seen(fitted.model, views, rows)
        for part in self.parts:
            yield part, seen[int(part.of_residual)]


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


def _draw_residuals(seen, known, weights, rng):
    """Give cells that are not known residuals that known ones of their feature have.

    In place, lest features with many gaps seem to vary less than they do.
    """
    for j, column in enumerate(known.T):
        gaps, residuals = np.flatnonzero(~column), seen[column, 1, j]
        if len(gaps) and len(residuals):
            p = None if weights is None else weights[column] / weights[column].sum()
            seen[gaps, :, j] += rng.choice(residuals, len(gaps), p=p)[:, None]
