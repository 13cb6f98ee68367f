"""Likelihoods: losses that are minus the logarithm of a density, to sample from."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from ._losses import BinaryCrossEntropy, Loss, Poisson
from ._stored import Stored

# The least variance, in units of scaled targets: what does not vary has none.
LEAST_VARIANCE = 1e-6


class Likelihood(Stored):
    """What a density has besides a loss."""

    def left_out(self, target):
        """Return what the loss of each cell leaves out: a function of the target."""
        return 0.0

    def draw(self, raw, rng):
        """Return targets drawn around raw outputs, in their dtype."""
        raise NotImplementedError


@dataclass(repr=False, eq=False)
class Normal(Likelihood, Loss):
    r"""Minus the log-density of independent normal cells of one variance, in nats.

    .. math::
        \frac{(x - r)^2}{2 \sigma^2} + \frac{1}{2} \log(2 \pi \sigma^2)

    The logarithm of the variance is learnt along with the network, as its one
    parameter. (With a constant one, which is what most do, the weight of a code's
    divergence is arbitrary; Rybkin, Daniilidis & Levine 2021, "Simple and effective VAE
    training with calibrated decoders", section 3.)

    Parameters
    ----------
    log_variance : float, default=0.0
    """

    shift_invariant = True
    # Multiplied by a number, data have another variance, and the same loss but for a
    # constant.
    degree = 0
    n_parameters = 1

    log_variance: float = 0.0

    def at(self, parameters):
        return Normal(float(parameters[0]))

    def start(self, variance):
        return np.log(max(variance, LEAST_VARIANCE))

    @property
    def variance(self):
        return float(np.exp(self.log_variance))

    @property
    def _of_constant(self):
        return (np.log(2 * np.pi) + self.log_variance) / 2

    def elementwise(self, target, raw):
        return (raw - target) ** 2 / (2 * self.variance) + self._of_constant

    def gradient(self, target, raw):
        return (raw - target) / self.variance

    def value_and_gradient(self, target, raw, weights=None):
        residual = np.subtract(raw, target, out=raw)
        gradient = residual if weights is None else weights * residual
        squares = float(np.vdot(gradient, residual)) / self.variance
        n_cells = raw.size if weights is None else _sum_of_cells(weights, raw.shape)
        gradient /= self.variance
        value = squares / 2 + n_cells * self._of_constant
        return value, gradient, np.array([(n_cells - squares) / 2])

    def draw(self, raw, rng):
        drawn = raw + np.sqrt(self.variance) * rng.normal(size=raw.shape)
        return drawn.astype(raw.dtype)


def _sum_of_cells(weights, shape):
    return float(np.broadcast_to(weights, shape).sum(dtype=np.float64))


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
        return rng.poisson(np.exp(np.minimum(raw, 40))).astype(raw.dtype)


# By the name of the loss that they are, up to a constant and a factor.
LIKELIHOODS: dict[str, type[Loss]] = {
    "squared_error": Normal,
    "binary_cross_entropy": Bernoulli,
    "poisson": PoissonCounts,
}
