"""How abnormal a row is: several distances in one number."""

from dataclasses import dataclass

import numpy as np

from ._distances import Ellipsoid, References, ResidualEllipsoid
from ._rows import block_length
from ._statistics import quantile
from ._stored import Stored

# What the distances weigh in score_parts="auto". On 22 tables (ADBench) "neighbors" is
# best alone where training rows are clean and "location" where they are not; together
# they are good at both.
PARTS = {"residual": 0.7, "neighbors": 1.0, "location": 0.3}

# Rows that distances are fitted to, at most.
MAX_ROWS = 10_000

# Share of the rows' variance below which that of residuals counts as none; constant
# rows have variance 1 for this.
NEGLIGIBLE = 1e-8

# Beyond this, in units of the scaled data, squares would overflow.
FARTHEST = 1e100


@dataclass(frozen=True, eq=False)
class Part(Stored):
    """One distance, what it weighs, and how large it is for a typical row."""

    distance: Ellipsoid | References
    of_residual: bool
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
        views : list of (weight, bias)
        rows : Rows
        rng : RandomState
        """
        rows = rows.sample(MAX_ROWS, rng)
        X, sample_weight = rows.array(), rows.weights()
        scaled, length = _scaled(model, X), block_length(model.row_bytes)
        blocks = [slice(i, i + length) for i in range(0, len(X), length)]
        residuals = [_residual(model, views, X[few], scaled[few]) for few in blocks]
        center = np.average(scaled, axis=0, weights=sample_weight)
        spread = np.square(scaled - center).mean(axis=1)
        least = NEGLIGIBLE * (np.average(spread, weights=sample_weight) or 1.0)
        parts = []
        for name, weight in weights.items():
            of_residual = name == "residual"
            Z = np.concatenate(residuals) if of_residual else scaled
            if name == "neighbors":
                distance = References.fit(Z, rng)
            else:
                kind = ResidualEllipsoid if of_residual else Ellipsoid
                distance = kind.fit(Z, sample_weight, least)
            typical = max(quantile(distance.measure(Z), 0.5, sample_weight), 1e-9)
            parts.append(Part(distance, of_residual, weight, float(typical)))
        return cls(tuple(parts))

    def rows(self, model, views, X):
        """Return the score of each row."""
        return -sum(
            part.weight * np.log1p(part.distance.measure(Z) / part.typical)
            for part, Z in self._parts(model, views, X)
        )

    def contributions(self, model, views, X):
        """Return what each feature adds to the score of each row."""
        total = np.zeros(X.shape)
        for part, Z in self._parts(model, views, X):
            shares = part.distance.shares(Z)
            measure = shares.sum(axis=1)
            size = part.weight * np.log1p(np.maximum(measure, 0) / part.typical)
            measure[measure == 0] = 1
            total -= shares * (size / measure)[:, None]
        return total

    def _parts(self, model, views, X):
        scaled = _scaled(model, X)
        residual = _residual(model, views, X, scaled)
        for part in self.parts:
            yield part, residual if part.of_residual else scaled


def _scaled(model, X):
    scaled = model.units.inputs.apply(X).astype(np.float64)
    return np.clip(scaled, -FARTHEST, FARTHEST, out=scaled)


def _residual(model, views, X, scaled):
    return scaled - _scaled(model, model.reconstruct(views, X))
