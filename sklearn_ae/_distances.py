"""Distances of rows from what is normal, and what each feature adds to them."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.neighbors import NearestNeighbors

# Share of the rows, the farthest, that an ellipsoid is not fitted to.
TRIM = 0.4
TRIMMING_ROUNDS = 3

# What a covariance is mixed with: this share of a sphere of the same variance.
SHRINKAGE = 0.05

# Rows to find the nearest of.
N_REFERENCES = 2048


@dataclass(frozen=True)
class Ellipsoid:
    r"""The squared Mahalanobis distance, :math:`(z - m)^\top F F^\top (z - m)`.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        m, the mean of normal rows.
    factor : ndarray of shape (n_features, rank)
        F, such that :math:`F F^\top` is the inverse of their covariance.
    """

    center: np.ndarray
    factor: np.ndarray

    @classmethod
    def fit(cls, Z, weights, axes=None, least_variance=0.0):
        """Fit mean and covariance to most rows, in disregard of the farthest.

        Each round keeps the share of rows that is nearest by the ellipsoid before: the
        concentration step of Rousseeuw & Van Driessen (1999), "A fast algorithm for the
        minimum covariance determinant estimator", section 3, from one start.

        Parameters
        ----------
        Z : ndarray of shape (n_rows, n_features)
        weights : ndarray of shape (n_rows,) or None
        axes : ndarray of shape (n_axes, n_features), optional
            Orthonormal directions outside of which nothing counts.
        least_variance : float
            Below this, a variance is not told from rounding errors.
        """
        projected = Z if axes is None else Z @ axes.T
        kept = slice(None)
        n_rows, n_features = projected.shape
        # Some of few rows might lie on a plane, and all others off it.
        n_rounds = TRIMMING_ROUNDS if (1 - TRIM) * n_rows >= 2 * n_features else 0
        for remaining in reversed(range(n_rounds + 1)):
            kept_weights = None if weights is None else weights[kept]
            center, factor = _whitening(projected[kept], kept_weights, least_variance)
            if remaining:
                squared = np.square((projected - center) @ factor).sum(axis=1)
                limit = quantile(squared, 1 - TRIM, weights)
                # Copies of a row may differ by rounding, and must stay together.
                kept = squared <= limit * (1 + 1e-9)
        if axes is None:
            return cls(center, factor)
        return cls(center @ axes, axes.T @ factor)

    def measure(self, Z):
        """Return the squared distance of each row."""
        return np.square((Z - self.center) @ self.factor).sum(axis=1)

    def shares(self, Z):
        """Return what each feature adds to `measure`; less than nothing is possible."""
        difference = Z - self.center
        return difference * (difference @ self.factor @ self.factor.T)


def _whitening(Z, weights, least_variance):
    """Return mean and whitening factor, of a covariance shrunk towards a sphere."""
    center = np.average(Z, axis=0, weights=weights)
    covariance = np.atleast_2d(np.cov(Z.T, aweights=weights, ddof=0))
    sphere = np.trace(covariance) / len(covariance)
    variances, directions = eigh(covariance)
    variances = (1 - SHRINKAGE) * variances + SHRINKAGE * sphere
    variances = np.maximum(variances, least_variance)
    variances[variances == 0] = 1
    return center, directions / np.sqrt(variances)


@dataclass(frozen=True)
class References:
    """The squared distance from the nearest of some rows.

    A row does not count as its own neighbour: at distance 0 the next one is taken. So
    rows that are among the references can be judged like others.

    Attributes
    ----------
    search : NearestNeighbors
    """

    search: NearestNeighbors

    @classmethod
    def fit(cls, Z, rng):
        """Take some of the rows, without repetitions, at random."""
        chosen = rng.permutation(len(Z))[:N_REFERENCES]
        distinct = np.unique(Z[chosen], axis=0)
        return cls(NearestNeighbors(n_neighbors=min(2, len(distinct))).fit(distinct))

    def measure(self, Z):
        """Return the squared distance of each row."""
        return self._nearest(Z)[0]

    def shares(self, Z):
        """Return what each feature adds to `measure`."""
        _, nearest = self._nearest(Z)
        return np.square(Z - self.search._fit_X[nearest])

    def _nearest(self, Z):
        distances, nearest = self.search.kneighbors(Z)
        squared = np.square(distances)
        # Distances are computed with rounding errors of this order.
        itself = squared[:, 0] <= 1e-10 * (1 + np.square(Z).sum(axis=1))
        column = np.where(itself, squared.shape[1] - 1, 0)
        row = np.arange(len(Z))
        return squared[row, column], nearest[row, column]


def quantile(values, q, weights):
    """Return quantiles for which a weight of 2 counts as two equal values."""
    return np.quantile(values, q, weights=weights, method="inverted_cdf")
