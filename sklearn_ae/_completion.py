"""What a normal distribution expects of cells that are not known."""

from copy import copy
from dataclasses import dataclass

import numpy as np
from scipy.linalg import inv

from ._corruption import FRACTION, Corruption
from ._options import parameter
from ._scaling import fit_scaling
from ._stored import Stored

# With more columns than this, what is expected of a cell is the mean.
MAX_COLUMNS = 256

# Rows that the distribution is fitted to, at most, and how often.
MAX_ROWS, MAX_ROUNDS = 5000, 30

# What is added to variances, as a share of them; cells set aside choose one.
RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3)

# Share of the cells by which one is chosen.
JUDGES = 0.1

# When a fit has converged, in standard deviations, and the relative error of solutions.
TOLERANCE, PRECISION = 2e-3, 1e-3

# Most steps towards a solution.
MAX_STEPS = 50


@dataclass(frozen=True, eq=False)
class Completion(Stored):
    r"""The mean of unknown cells of a row, given the others, if rows are normal.

    With the precision matrix P it solves

    .. math::
        P_{uu} (x_u - m_u) = -P_{uk} (x_k - m_k)

    for unknown cells u and known ones k.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
        m, in units of scaled rows.
    precision : ndarray of shape (n_features, n_features)
        P
    """

    mean: np.ndarray
    precision: np.ndarray

    @classmethod
    def fit(cls, rows, scaling, rng):
        """Fit it to the known cells of some `Rows`.

        By the EM algorithm (Little & Rubin 2019, "Statistical analysis with missing
        data", section 11.2), where the covariance of unknown cells is that of draws.
        """
        _, own = fit_scaling(rows, "per_feature")
        unit, shift = own.scale / scaling.scale, scaling.apply(own.location)
        rows = rows.sample(MAX_ROWS, rng)
        X, known = own.apply(rows.array()).astype(np.float64), rows.known()
        known = np.ones(X.shape, bool) if known is None else known
        drawn = rng.normal(size=X.shape)
        judges = known & (rng.uniform(size=X.shape) < JUDGES)
        ridge, args = RIDGES[1], (X, rows.weights(), drawn)
        if judges.any():
            mean, covariance = _moments(*args, known & ~judges, ridge)
            of_error = X, rows.weights(), known, judges, mean, covariance
            errors = [_error(*of_error, candidate) for candidate in RIDGES]
            ridge = RIDGES[int(np.argmin(errors))]
        mean, covariance = _moments(*args, known, ridge)
        precision = _precision(covariance, ridge) / np.outer(unit, unit)
        return cls(shift + unit * mean, precision)

    def fill(self, X, known):
        """Return scaled rows with expected values in place of those not known."""
        centred = np.where(known, X - self.mean, 0)
        rows = np.flatnonzero(~known.all(axis=1))
        right = -(centred[rows] @ self.precision)
        centred[rows] += _solved(self.precision, right, ~known[rows])
        return np.where(known, X, centred + self.mean).astype(X.dtype, copy=False)


def _precision(covariance, ridge):
    return inv(covariance + np.diag(ridge * np.diag(covariance)))


def _moments(X, weights, drawn, known, ridge):
    """Return mean and covariance of scaled rows of which some cells are known."""
    mean, covariance = np.zeros(X.shape[1]), np.eye(X.shape[1])
    gaps, before = ~known, None
    for _ in range(MAX_ROUNDS):
        precision = _precision(covariance, ridge)
        filled = Completion(mean, precision).fill(X, known)
        # Numbers with the covariance of precision @ x, for x of this distribution.
        right = drawn @ np.linalg.cholesky(precision).T
        deviations = _solved(precision, right, gaps)
        mean = np.average(filled, axis=0, weights=weights)
        both = np.vstack([filled - mean, deviations])
        twice = None if weights is None else np.r_[weights, weights]
        scatter = both.T @ (both if twice is None else twice[:, None] * both)
        covariance = scatter / (len(X) if weights is None else weights.sum())
        np.fill_diagonal(covariance, np.maximum(np.diag(covariance), 1e-6))
        if before is not None and np.abs(filled - before).mean() < TOLERANCE:
            break
        before = filled
    return mean, covariance


def _error(X, weights, known, judges, mean, covariance, ridge):
    """Return the mean squared error of known cells that have been hidden."""
    filled = Completion(mean, _precision(covariance, ridge)).fill(X, known & ~judges)
    of_rows = np.ones(len(X)) if weights is None else weights
    of_judges = np.broadcast_to(of_rows[:, None], X.shape)[judges]
    return np.average(np.square(filled - X)[judges], weights=of_judges)


def _solved(matrix, right, unknown):
    """Solve for the unknown numbers of each row; the others are 0.

    By conjugate gradients (Hestenes & Stiefel 1952), for all rows at once; each stops
    for itself, so that it does not matter which are together.
    """
    scale = 1 / np.diag(matrix)
    x, residual = np.zeros_like(right), np.where(unknown, right, 0)
    scaled = residual * scale
    direction, size = scaled, np.einsum("ij,ij->i", residual, scaled)[:, None]
    enough = PRECISION**2 * size
    for _ in range(min(MAX_STEPS, right.shape[1])):
        going = size > enough
        if not going.any():
            break
        image = np.where(unknown, direction @ matrix, 0)
        curvature = np.einsum("ij,ij->i", direction, image)[:, None]
        step = np.where(going, size / np.where(going, curvature, 1), 0)
        x += step * direction
        residual = residual - step * image
        scaled, before = residual * scale, size
        size = np.einsum("ij,ij->i", residual, scaled)[:, None]
        factor = np.where(going, size / np.where(going, before, 1), 0)
        direction = scaled + factor * direction
    return x


@dataclass(repr=False, eq=False)
class HiddenCells(Corruption):
    """Some cells are hidden, and become what the rest of the row lets expect.

    Gaps, too, in training and afterwards, where otherwise they are the mean: what a
    normal distribution fitted to the training rows makes of the known cells. Only
    cells that are hidden count in the loss, so the network learns what to add to it.
    Above 256 features the expected value is the mean.

    Parameters
    ----------
    fraction : float in [0, 1], default=0.2
        The probability with which each cell is hidden, with :class:`MixedLoss` each
        category. 0 is no noise at all, and then a gap is the mean.
    """

    fraction: float = parameter(0.2, FRACTION)

    def changes(self):
        return self.fraction > 0

    def completion(self, scaling, rows, rng, before=None):
        if before is not None or rows.n_features > MAX_COLUMNS:
            return before
        return Completion.fit(rows, scaling, rng)

    def filling(self, fill, groups):
        told = copy(self)
        told._bound = fill, groups
        return told

    def corrupt(self, X, known, rng, out):
        fill, groups = self._bound
        seen = rng.random(X.shape, dtype=np.float32) >= self.fraction
        for columns in groups:
            seen[:, columns] = seen[:, columns[:1]]
        counts = ~seen if known is None else known & ~seen
        out[...] = fill(X, seen if known is None else known & seen)
        # On average they weigh what all known cells do.
        return counts.astype(X.dtype) / self.fraction
