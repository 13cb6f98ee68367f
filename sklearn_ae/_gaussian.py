"""Codes that are normal distributions."""

from dataclasses import dataclass

import numpy as np

from ._code import Code
from ._stored import Stored


@dataclass(repr=False, eq=False)
class Gaussian(Stored, Code):
    r"""The encoder returns a normal distribution of each row's code; one is drawn.

    Its mean :math:`\mu` and the logarithm of its variance :math:`\sigma^2`, number by
    number. A row costs :math:`\beta` times its divergence from the standard normal one,

    .. math:: \frac{1}{2} \sum_j (\mu_j^2 + \sigma_j^2 - \log \sigma_j^2 - 1)

    (Kingma & Welling 2014, "Auto-encoding variational Bayes", appendix B; :math:`\beta`
    as in Higgins et al. 2017, "beta-VAE", eq. 4).
    """

    beta: float = 1.0

    draws = needs_fresh_draws = True

    def lasting(self):
        return Gaussian()

    def encoder_width(self, n_components):
        return 2 * n_components

    def linear_maps(self, directions, variances, noise):
        """Return those of a linear model with this noise, as of probabilistic PCA.

        Tipping & Bishop (1999), "Probabilistic principal component analysis", eq. 7 for
        the decoder; the encoder is the posterior of codes given a row.
        """
        spread = np.sqrt(np.maximum(variances - noise.mean(), 0))
        out_of = spread[:, None] * directions
        weighted = out_of / noise
        covariance = np.linalg.inv(np.eye(len(out_of)) + weighted @ out_of.T)
        return covariance @ weighted, out_of, np.log(np.diag(covariance))

    def center(self, encoded):
        return np.split(encoded, 2, axis=1)[0]

    def draw(self, shape, rng):
        return rng.standard_normal(shape)

    def codes(self, encoded, drawn, out=None):
        """Return codes from the distributions of rows, given standard normal ones."""
        mean, log_variance = np.split(encoded, 2, axis=1)
        out = np.multiply(np.exp(log_variance / 2), drawn, out=out)
        return np.add(out, mean, out=out)

    def log_ratio(self, codes, encoded, drawn):
        """Return the logarithm of how likely codes are, over that given their rows."""
        _, log_variance = np.split(encoded, 2, axis=1)
        return (drawn**2 + log_variance - codes**2).sum(axis=1) / 2

    def divergence(self, encoded):
        """Return that of each row's distribution from the standard one, in nats."""
        mean, log_variance = np.split(encoded, 2, axis=1)
        cells = mean**2 + np.exp(log_variance) - log_variance - 1
        return cells.sum(axis=1) / 2

    def forward(self, encoded, drawn, out):
        costs = self.beta * self.divergence(encoded)
        return self.codes(encoded, drawn, out), costs

    def backward(self, encoded, delta, drawn, share, out):
        mean, log_variance = np.split(encoded, 2, axis=1)
        by_mean, by_log_variance = np.split(out, 2, axis=1)
        share, deviation = share * self.beta, np.exp(log_variance / 2)
        np.multiply(mean, share, out=by_mean)
        by_mean += delta
        np.multiply(delta, drawn, out=by_log_variance)
        by_log_variance *= deviation
        by_log_variance += share * (deviation**2 - 1)
        by_log_variance /= 2
