"""Likelihoods: losses that are minus the logarithm of a density, to sample from."""

from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import gammaln, log_softmax

from ._losses import BinaryCrossEntropy, Loss, Poisson
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
    def of(cls, n_features, scaling):
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
    def of(cls, n_features, scaling):
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
class Mixed(Likelihood, MixedLoss):
    r"""Minus the log-density of numbers, categories and counts, in nats.

    Numbers are normal, each with a variance that is learnt along with the network;
    categories have a softmax's probabilities; counts are Poisson's.

    Parameters
    ----------
    categories, counts, labels
        As of `MixedLoss`.
    n_parameters : int, default=0
        How many numbers there are.
    logarithms : ndarray of shape (n_parameters,) or float, default=0.0
        Of the variances of standardised numbers, but for `LEAST_VARIANCE`.
    known : Variables or None
        What `bind` has found out.
    """

    n_parameters: int = 0
    logarithms: Any = 0.0
    known: Any = None

    @classmethod
    def like(cls, loss):
        """Return the likelihood of the variables of a `MixedLoss`."""
        return cls(loss.categories, loss.counts, loss.labels)

    def bind(self, rows, names=None, before=None):
        bound = super().bind(rows, names, before)
        bound.n_parameters = len(bound.known.numbers)
        return bound

    @property
    def _known(self):
        return self.known

    @_known.setter
    def _known(self, known):
        self.known = known

    def at(self, parameters):
        other = copy(self)
        other.logarithms = parameters.astype(np.float64)
        return other

    def same(self, other):
        return super().same(other) and isinstance(other, Mixed)

    @property
    def variance(self):
        """That of each feature in the units of the data; NaN for those without."""
        known = self.known
        variance = np.full(len(known.mean), np.nan)
        variance[known.numbers] = self._own_variance * known.scale[known.numbers] ** 2
        return variance

    @property
    def _own_variance(self):
        return np.exp(self.logarithms) + LEAST_VARIANCE

    def cells(self, target, raw):
        known, variance = self.known, self._own_variance
        numbers, counts = known.numbers, known.counts
        out = np.empty_like(raw)
        squares = (raw - self._scaled(target))[:, numbers] ** 2
        out[:, numbers] = squares / (2 * variance) + np.log(2 * np.pi * variance) / 2
        out[:, counts] = np.exp(raw[:, counts]) - target[:, counts] * raw[:, counts]
        for group in known.groups.values():
            out[:, group] = -target[:, group] * log_softmax(raw[:, group], axis=1)
        return out

    def value_and_gradient(self, target, raw, weights=None):
        known, variance = self.known, self._own_variance
        value = self.value(target, raw, weights)
        weights = np.ones_like(raw[:1]) if weights is None else weights
        weights = np.broadcast_to(weights, raw.shape)
        numbers, counts = known.numbers, known.counts
        out, residual = np.empty_like(raw), (raw - self._scaled(target))[:, numbers]
        of_numbers = weights[:, numbers]
        out[:, numbers] = of_numbers * residual / variance
        out[:, counts] = weights[:, counts] * (
            np.exp(raw[:, counts]) - target[:, counts]
        )
        for group in known.groups.values():
            out[:, group] = self._group_gradient(target, raw, weights, group)
        n_cells = of_numbers.sum(axis=0, dtype=np.float64)
        squares = (of_numbers * residual**2).sum(axis=0, dtype=np.float64) / variance
        share = (variance - LEAST_VARIANCE) / variance
        return value, out, share * (n_cells - squares) / 2

    def left_out(self, target):
        out = np.zeros_like(target)
        out[:, self.known.numbers] = np.log(self.known.scale[self.known.numbers])
        out[:, self.known.counts] = gammaln(target[:, self.known.counts] + 1)
        return out

    def draw(self, raw, rng):
        known = self.known
        noise = np.zeros(raw.shape)
        noise[:, known.numbers] = np.sqrt(self._own_variance)
        out = self.predict(raw + noise * rng.normal(size=raw.shape))
        rates = np.exp(np.minimum(raw[:, known.counts], 43))
        out[:, known.counts] = rng.poisson(rates)
        for group in known.groups.values():
            # The largest of logits with Gumbel noise is a draw from their softmax.
            chosen = (raw[:, group] + rng.gumbel(size=(len(raw), len(group)))).argmax(1)
            out[:, group] = np.arange(len(group)) == chosen[:, None]
        return out.astype(raw.dtype)


# By the name of the loss that they are, up to a constant and a factor.
LIKELIHOODS: dict[str, type[Likelihood]] = {
    "squared_error": Normal,
    "binary_cross_entropy": Bernoulli,
    "poisson": PoissonCounts,
}
