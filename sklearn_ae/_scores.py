"""How abnormal a row is: several distances in one number."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ._distances import Ellipsoid, References, ResidualEllipsoid
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

# Beyond this, in units of the scaled data, squares would overflow.
FARTHEST = 1e100


@dataclass(frozen=True, eq=False)
class LossScore(Stored):
    """Minus the mean loss of each row, in the units of the data."""

    def measure(self, model, views, rows):
        """Return the score of each of some `Rows`."""
        return -model.losses(views, rows).mean(axis=1)

    def shares(self, model, views, rows):
        """Return what each feature adds to the score of each row."""
        return model.losses(views, rows) / -rows.n_features


@dataclass(frozen=True, eq=False)
class Part(Stored):
    """One distance, what it weighs, and how large it is for a typical row."""

    distance: Ellipsoid | References
    weight: float
    typical: float


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
    def fit(cls, weights, model, views, rows, rng):
        """Fit the distances to training rows.

        Parameters
        ----------
        weights : dict of str to float
        model : Model
        views : as of `Model`
        rows : Rows
        rng : RandomState
        """
        rows, length = rows.sample(MAX_ROWS, rng), block_length(model.row_bytes)
        seen = rows.apply(lambda few: _seen(model, views, few).swapaxes(0, 1), length)
        scaled, sample_weight = seen[:, 0], rows.weights()
        center = np.average(scaled, axis=0, weights=sample_weight)
        spread = np.square(scaled - center).mean(axis=1)
        least = NEGLIGIBLE * (np.average(spread, weights=sample_weight) or 1.0)
        parts = []
        for name, weight in weights.items():
            kind: Any = KINDS[name]
            Z = seen[:, int(kind.of_residual)]
            distance = kind.fit(Z, sample_weight, least, rng)
            typical = max(quantile(distance.measure(Z), 0.5, sample_weight), 1e-9)
            parts.append(Part(distance, weight, float(typical)))
        return cls(tuple(parts))

    def measure(self, model, views, rows):
        """Return the score of each of some `Rows`."""
        return _finite_or_lowest(
            -sum(
                part.weight * np.log1p(part.distance.measure(Z) / part.typical)
                for part, Z in self._parts(model, views, rows)
            )
        )

    def shares(self, model, views, rows):
        """Return what each feature adds to the score of each row."""
        total = np.zeros((len(rows), rows.n_features))
        for part, Z in self._parts(model, views, rows):
            shares = part.distance.shares(Z)
            measure = shares.sum(axis=1)
            size = part.weight * np.log1p(np.maximum(measure, 0) / part.typical)
            measure[measure == 0] = 1
            total -= shares * (size / measure)[:, None]
        return _finite_or_lowest(total)

    def _parts(self, model, views, rows):
        seen = _seen(model, views, rows)
        for part in self.parts:
            yield part, seen[int(part.distance.of_residual)]


def _finite_or_lowest(scores):
    """Return scores with NaN, where distances overflow, made the lowest."""
    return np.nan_to_num(scores, copy=False, nan=-np.inf, neginf=-np.inf)


def _seen(model, views, rows):
    """Return scaled rows and their residuals, as an array of shape (2, n_rows, d).

    A cell that weighs nothing is what the network makes of it.
    """
    X, weights = rows.array(), rows.cell_weights()
    reconstructed = model.reconstruct(views, X)
    if weights is not None:
        X = np.where(weights > 0, X, reconstructed)
    seen = model.units.inputs.apply(np.stack([X, reconstructed])).astype(np.float64)
    np.clip(seen, -FARTHEST, FARTHEST, out=seen)
    np.subtract(seen[0], seen[1], out=seen[1])
    return seen
