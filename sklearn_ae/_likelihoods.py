"""Likelihoods: losses that are minus the logarithm of a density, to sample from."""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln

from ._losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    Poisson,
    SquaredError,
    as_loss,
)
from ._mixed_loss import MixedLoss
from ._statistics import LEAST_VARIANCE
from ._stored import Stored


class Likelihood(Stored, Loss):
    """A loss that is minus the logarithm of a density, in nats, but for a constant.

    Attributes
    ----------
    variance : ndarray or None, default=None
        That of cells, if it is learnt.
    """

    variance: Any = None

    @classmethod
    def of(cls, loss, n_features, scaling):
        """Return the one for so many features, given the parameter `scaling`."""
        return cls()

    def left_out(self, target):
        """Return what the loss of each cell leaves out: a function of the target."""
        return 0.0

    def log_density(self, target, raw):
        """Return that of each cell, of targets, in float64: large counts cancel."""
        target, raw = target.astype(np.float64), raw.astype(np.float64)
        return -(self.cells(target, raw) + self.left_out(target))

    def draw(self, raw, rng):
        """Return targets drawn around raw outputs, in their dtype."""
        raise TypeError(f"{type(self).__name__} must define 'draw'.")


@dataclass(repr=False, eq=False)
class Normal(Likelihood):
    r"""Minus the log-density of independent normal cells, in nats.

    .. math::
        \frac{(x - r)^2}{2 \sigma^2} + \frac{1}{2} \log(2 \pi \sigma^2)

    One variance for all features, or one for each, is learnt along with the network.
    (With a constant one, as most have it, the weight of a code's divergence is
    arbitrary; Rybkin, Daniilidis & Levine 2021, "Simple and effective VAE training with
    calibrated decoders", section 3.)

    Parameters
    ----------
    n_parameters : int, default=1
        1, or the number of features.

    logarithms : ndarray of shape (n_parameters,) or float, default=0.0
        Of the variances, but for `LEAST_VARIANCE`.
    """

    shift_invariant = True
    # Multiplied by a number, data have another variance, and the same loss but for a
    # constant.
    degree = 0

    n_parameters: int = 1
    logarithms: Any = 0.0

    @classmethod
    def of(cls, loss, n_features, scaling):
        return cls(n_features if scaling in ("auto", "per_feature") else 1)

    def at(self, parameters):
        return Normal(self.n_parameters, parameters.astype(np.float64))

    def start(self, variance):
        return np.log(np.maximum(variance - LEAST_VARIANCE, LEAST_VARIANCE))

    @property
    def variance(self):
        return np.exp(self.logarithms) + LEAST_VARIANCE

    def elementwise(self, target, raw):
        variance = self.variance
        constant = np.log(2 * np.pi * variance) / 2
        cells = (raw - target) ** 2 / (2 * variance).astype(raw.dtype)
        return cells + constant.astype(raw.dtype)

    def gradient(self, target, raw):
        return (raw - target) / self.variance

    def value_and_gradient(self, target, raw, weights=None):
        variance = np.broadcast_to(self.variance, raw.shape[1:])
        residual = np.subtract(raw, target, out=raw)
        gradient = residual if weights is None else weights * residual
        squares = np.einsum("ij,ij->j", gradient, residual) / variance
        n_cells = np.float64(len(raw))
        if weights is not None:
            n_cells = np.broadcast_to(weights, raw.shape).sum(axis=0, dtype=np.float64)
        value = squares.sum() + (n_cells * np.log(2 * np.pi * variance)).sum()
        # By the logarithm of what is above the least variance.
        share = (variance - LEAST_VARIANCE) / variance
        own = share * (n_cells - squares) / 2
        gradient /= variance.astype(raw.dtype)
        if self.n_parameters == 1:
            own = own.sum(keepdims=True)
        return float(value) / 2, gradient, own

    def draw(self, raw, rng):
        drawn = raw + np.sqrt(self.variance) * rng.normal(size=raw.shape)
        return drawn.astype(raw.dtype)


@dataclass(repr=False, eq=False)
class Bernoulli(Likelihood, BinaryCrossEntropy):
    """Minus the log-probability of independent cells that are 0 or 1, in nats.

    Between 0 and 1 it is the cross-entropy, which is the logarithm of no density.
    """

    def draw(self, raw, rng):
        return (rng.uniform(size=raw.shape) < self.predict(raw)).astype(raw.dtype)


@dataclass(repr=False, eq=False)
class PoissonCounts(Likelihood, Poisson):
    r"""Minus the log-probability of independent counts, in nats, but for log(x!).

    .. math:: \exp(r) - x r

    Unlike the deviance it takes counts as they are, whatever their scale.
    """

    degree = None

    def elementwise(self, target, raw):
        return np.exp(raw) - target * raw

    def gradient(self, target, raw):
        return np.exp(raw) - target

    def left_out(self, target):
        return gammaln(target + 1)

    def draw(self, raw, rng):
        return rng.poisson(np.exp(np.minimum(raw, 43))).astype(raw.dtype)


@dataclass(repr=False, eq=False)
class Categorical(Likelihood, CrossEntropy):
    """Minus the log-probability of one category, in nats."""

    def draw(self, raw, rng):
        # The largest of logits with Gumbel noise is a draw from their softmax.
        drawn = (raw + rng.gumbel(size=raw.shape)).argmax(axis=1)
        return (np.arange(raw.shape[1]) == drawn[:, None]).astype(raw.dtype)


@dataclass(repr=False, eq=False)
class Mixed(Likelihood, MixedLoss):
    """Minus the log-density of the variables of a `MixedLoss`, in nats.

    Numbers are normal, each with a variance that is learnt along with the network.

    Parameters
    ----------
    categories, counts, labels
        As of `MixedLoss`.
    n_parameters : int, default=0
        How many numbers there are.
    logarithms : ndarray of shape (n_parameters,) or float, default=0.0
        As of `Normal`.
    variables : Variables or None, default=None
        Once it is bound.
    """

    n_parameters: int = 0
    logarithms: Any = 0.0
    variables: Any = None

    @classmethod
    def of(cls, loss, n_features, scaling):
        return cls(loss.categories, loss.counts, loss.labels)

    def bind(self, scaling, rows, names=None):
        bound = super().bind(scaling, rows, names)
        bound.n_parameters = len(bound.variables.numbers)
        return bound

    def at(self, parameters):
        other = copy(self)
        other.logarithms = parameters.astype(np.float64)
        return other

    def _weights(self, scaling, rows):
        # Nats are nats.
        return self.variables.weights

    def _parts(self):
        variables = self.variables
        yield variables.numbers, self._normal
        yield variables.counts, PoissonCounts()
        for group in variables.groups.values():
            yield group, Categorical()

    @property
    def _normal(self):
        return Normal(self.n_parameters, self.logarithms)

    @property
    def variance(self):
        """That of each feature; NaN for those without."""
        variance = np.full(len(self.variables.names), np.nan)
        variance[self.variables.numbers] = self._normal.variance
        return variance

    def left_out(self, target):
        return self._by_parts(lambda part, x: part.left_out(x), target)

    def draw(self, raw, rng):
        return self._by_parts(lambda part, r: part.draw(r, rng), raw)


# By the loss that they are, up to a constant and a factor.
LIKELIHOODS: dict[type[Loss], type[Likelihood]] = {
    SquaredError: Normal,
    BinaryCrossEntropy: Bernoulli,
    Poisson: PoissonCounts,
    MixedLoss: Mixed,
}


def likelihood_of(loss, n_features, scaling):
    """Return the likelihood for a loss or its name.

    `scaling` is the parameter of that name.
    """
    loss = as_loss(loss)
    return LIKELIHOODS[type(loss)].of(loss, n_features, scaling)
