"""Distances of rows from what is normal, and what each feature adds to them."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from sklearn.utils import gen_batches
from sklearn.utils.extmath import randomized_svd

from ._statistics import quantile
from ._stored import Stored

# Share of the rows, the farthest, that an ellipsoid is not fitted to.
TRIM = 0.4
TRIMMING_ROUNDS = 3

# What a covariance is mixed with: this share of a sphere of the same variance.
SHRINKAGE = 0.05

# Directions that an ellipsoid has variances of their own for.
MAX_AXES = 256

# Rows to find the nearest of.
N_REFERENCES = 2048

# Rows compared with them at a time: 2 MiB of products.
ROWS_COMPARED = 256


class Distance(Stored):
    """How far rows are from what is normal; a subclass says from what.

    Attributes
    ----------
    of_residual : bool
        Whether that is about what a network leaves of rows.
    """

    of_residual = False

    def measure(self, Z):
        """Return the squared distance of each row."""
        raise TypeError(f"{type(self).__name__} must define 'measure'.")

    def shares(self, Z, known=None):
        """Return what each feature adds to `measure`.

        `known` says which cells are known, if not all; the others have been filled, and
        what they add is disregarded. A distance may go by the known ones alone.
        """
        raise TypeError(f"{type(self).__name__} must define 'shares'.")


@dataclass(frozen=True, eq=False)
class Ellipsoid(Distance):
    r"""The squared Mahalanobis distance of rows from most of the rows it is fitted to.

    .. math::
        \|F^\top u\|^2 + \|u - V V^\top u\|^2 / s^2, \qquad u = z - m

    where F whitens within the leading principal directions V, and s^2 is the mean
    variance in all others (Tipping & Bishop 1999, "Probabilistic principal component
    analysis", eq. 7). With few features there are no others.

    Attributes
    ----------
    center : ndarray of shape (n_features,)
        m, the mean of normal rows.
    factor : ndarray of shape (n_features, n_axes)
        F
    axes : ndarray of shape (n_features, n_axes) or None
        V
    rest_variance : float
        s^2
    """

    center: np.ndarray
    factor: np.ndarray
    axes: np.ndarray | None = None
    rest_variance: float = 1.0

    @classmethod
    def fit(cls, Z, weights, least_variance=0.0, rng=None):
        """Fit mean and covariance to most rows, in disregard of the farthest.

        Each round keeps the share of rows that is nearest by the ellipsoid before: the
        concentration step of Rousseeuw & Van Driessen (1999), "A fast algorithm for the
        minimum covariance determinant estimator", section 3, from one start.

        Parameters
        ----------
        Z : ndarray of shape (n_rows, n_features)
        weights : ndarray of shape (n_rows,) or None
        least_variance : float
            Below this, a variance is not told from rounding errors.
        """
        axes = _leading_axes(Z, weights) if Z.shape[1] > MAX_AXES else None
        projected = Z if axes is None else Z @ axes
        kept = slice(None)
        n_rows, n_features = projected.shape
        # Some of few rows might lie on a plane, and all others off it.
        n_rounds = TRIMMING_ROUNDS if (1 - TRIM) * n_rows >= 2 * n_features else 0
        for remaining in reversed(range(n_rounds + 1)):
            kept_weights = None if weights is None else weights[kept]
            center, factor = _whitening(projected[kept], kept_weights, least_variance)
            if remaining:
                squared = np.square((projected - center) @ factor).sum(axis=1)
                # Copies of a row may differ by rounding, and must stay together.
                kept = squared <= quantile(squared, 1 - TRIM, weights) * (1 + 1e-9)
        if axes is None:
            return cls(center, factor)
        center = np.average(Z[kept], axis=0, weights=kept_weights)
        rest = _outside(axes, Z[kept] - center)
        variance = np.average(np.square(rest).sum(axis=1), weights=kept_weights)
        variance /= Z.shape[1] - axes.shape[1]
        return cls(center, axes @ factor, axes, max(variance, least_variance))

    def measure(self, Z):
        difference = Z - self.center
        squared = np.square(difference @ self.factor).sum(axis=1)
        if self.axes is not None:
            rest = _outside(self.axes, difference)
            squared += np.square(rest).sum(axis=1) / self.rest_variance
        return squared

    def shares(self, Z, known=None):
        """Return what each feature adds; less than nothing is possible."""
        difference = Z - self.center
        shares = difference * (difference @ self.factor @ self.factor.T)
        if self.axes is not None:
            shares += np.square(_outside(self.axes, difference)) / self.rest_variance
        return shares


class ResidualEllipsoid(Ellipsoid):
    r"""An ellipsoid around residuals, which spread from one feature to others.

    An extreme value also changes what a network makes of the features that depend on
    it. So the question is not how far each feature is out, but how much of the distance
    would be gone without a change of feature j alone: with the inverse covariance P,

    .. math::
        (P u)_j^2 / P_{jj}.

    Source: Alcala & Qin (2009), "Reconstruction-based contribution for process
    monitoring", where it is shown to find the feature that was changed alone.
    """

    of_residual = True

    def shares(self, Z, known=None):
        """Return what each feature adds, in these proportions."""
        difference = Z - self.center
        slopes = difference @ self.factor @ self.factor.T
        curvatures = np.square(self.factor).sum(axis=1)
        if self.axes is not None:
            slopes += _outside(self.axes, difference) / self.rest_variance
            outside = 1 - np.square(self.axes).sum(axis=1)
            curvatures += outside / self.rest_variance
        gains = np.square(slopes) / curvatures
        total = gains.sum(axis=1, keepdims=True)
        total[total == 0] = 1
        return gains * (self.measure(Z)[:, None] / total)


def _leading_axes(Z, weights):
    """Return principal directions, as columns; half as many as rows at most."""
    centered = Z - np.average(Z, axis=0, weights=weights)
    if weights is not None:
        centered *= np.sqrt(weights)[:, None]
    n_axes = min(MAX_AXES, max(1, len(Z) // 2))
    return randomized_svd(centered, n_axes, random_state=0)[2].T


def _outside(axes, difference):
    """Return the part of differences that is orthogonal to the axes."""
    return difference - difference @ axes @ axes.T


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


@dataclass(frozen=True, eq=False)
class References(Distance):
    r"""The squared distance from the nearest of some rows.

    The nearest of references r to a row z is that with the largest

    .. math::
        (z - c)^\top (r - c) - \|r - c\|^2 / 2

    so that one matrix product compares a row with all of them; c, their median, keeps
    rounding errors small. The product is done in float32, which is twice as fast, and
    again in float64 where rounding leaves any doubt.

    A row does not count as its own neighbour: at distance 0 the next one is taken. So
    rows that are among the references can be judged like others.

    Attributes
    ----------
    rows : ndarray of shape (n_references, n_features)
    center : ndarray of shape (n_features,)
        c
    factors : ndarray of shape (n_features + 1, n_references) of float32
        What a row, with a 1 behind it, is multiplied by.
    spread : float
        Median of the references' squared distances from c.
    """

    rows: np.ndarray
    center: np.ndarray
    factors: np.ndarray
    spread: float

    @classmethod
    def fit(cls, Z, weights, least_variance, rng):
        """Take some of the rows, without repetitions, at random."""
        chosen = rng.permutation(len(Z))[:N_REFERENCES]
        distinct = np.unique(Z[chosen], axis=0)
        center = np.median(distinct, axis=0)
        factors = _factors(distinct - center)
        spread = float(np.median(-2 * factors[-1]))
        return cls(distinct, center, factors.astype(np.float32), spread)

    def measure(self, Z):
        return self._nearest(Z)[0]

    def shares(self, Z, known=None):
        """Return what each feature adds to the distance by known cells."""
        if known is None:
            _, nearest = self._nearest(Z)
            return np.square(Z - self.rows[nearest])
        shares = np.empty_like(Z)
        for few in gen_batches(max(1, len(Z)), ROWS_COMPARED):
            shares[few] = self._shares_of_known(Z[few], known[few])
        return shares

    def _shares_of_known(self, Z, known):
        """Return the squared differences from what is nearest by known cells alone."""
        references, centred = self.rows - self.center, known * (Z - self.center)
        closeness = centred @ references.T - known @ np.square(references).T / 2
        size = np.einsum("ij,ij->i", centred, centred)

        def squared(few, nearest):
            difference = known[few] * (Z[few] - self.rows[nearest])
            return np.einsum("ij,ij->i", difference, difference)

        nearest, _ = self._but_itself(closeness, size, squared)
        return known * np.square(Z - self.rows[nearest])

    def _nearest(self, Z):
        """Return the squared distance of each row, and the number of the nearest."""
        squared, nearest, sure = self._search(Z, self.factors)
        unsure = np.flatnonzero(~sure)
        if len(unsure):
            factors = _factors(self.rows - self.center)
            squared[unsure], nearest[unsure], _ = self._search(Z[unsure], factors)
        return squared, nearest

    def _search(self, Z, factors):
        """Return squared distances, the nearest, and whether rounding leaves no doubt.

        In the precision of the factors; but the distances are exact.
        """
        batches = gen_batches(max(1, len(Z)), ROWS_COMPARED)
        parts = (self._search_for_few(Z[few], factors) for few in batches)
        return [np.concatenate(part) for part in zip(*parts, strict=True)]

    def _search_for_few(self, Z, factors):
        centred = Z - self.center
        lifted = np.ones((len(Z), len(factors)), factors.dtype)
        lifted[:, :-1] = centred
        closeness, row = lifted @ factors, np.arange(len(Z))
        size = np.einsum("ij,ij->i", centred, centred)

        def squared_distance(few, nearest):
            difference = Z[few] - self.rows[nearest]
            return np.einsum("ij,ij->i", difference, difference)

        nearest, squared = self._but_itself(closeness, size, squared_distance)
        largest = closeness[row, nearest]
        closeness[row, nearest] = -np.inf
        # A nearer reference is not farther from the centre than this, and its product
        # has at most this error.
        length = np.sqrt(1 + size)
        reach = length + np.sqrt(squared)
        error = (len(factors) + 4) * np.finfo(factors.dtype).eps * reach
        error *= length + reach
        return squared, nearest, largest - closeness.max(axis=1) > 2 * error

    def _but_itself(self, closeness, size, squared):
        """Return the nearest reference of each row, other than itself, and how far.

        Parameters
        ----------
        closeness : ndarray of shape (n_rows, n_references)
            Overwritten.
        size : ndarray of shape (n_rows,)
            Of rows, as squared distances from c.
        squared : callable(rows, references) -> ndarray
            Squared distances of some rows from a reference each.
        """
        nearest = closeness.argmax(axis=1)
        distances = squared(slice(None), nearest)
        # Equal rows may have been scaled with rounding errors of this order.
        itself = np.flatnonzero(distances <= 1e-10 * (self.spread + size))
        if len(itself) and len(self.rows) > 1:
            closeness[itself, nearest[itself]] = -np.inf
            nearest[itself] = closeness[itself].argmax(axis=1)
            distances[itself] = squared(itself, nearest[itself])
        return nearest, distances


def _factors(centred):
    return np.vstack([centred.T, -np.square(centred).sum(axis=1) / 2])
