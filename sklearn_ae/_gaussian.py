"""Codes that are normal distributions."""

from dataclasses import dataclass

import numpy as np

from ._code import Code
from ._stored import Stored

# In units of scaled data: what does not vary has none.
LEAST_VARIANCE = 1e-6


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
    n_components: int = 1

    draws = needs_fresh_draws = True

    def of_size(self, n_components):
        return Gaussian(self.beta, n_components)

    def lasting(self):
        return Gaussian(n_components=self.n_components)

    def check(self, choices):
        if choices.solver == "svd":
            raise ValueError(
                "solver must be 'adam', 'sgd' or 'auto' where codes are drawn, got "
                "solver='svd'."
            )
        if choices.code_activation != "identity" or choices.feature_weight is not None:
            raise ValueError(
                "A normal code needs code_activation='identity', and a density all "
                "features alike, feature_weight=None; got code_activation="
                f"{choices.code_activation!r} and feature_weight="
                f"{choices.feature_weight!r}."
            )

    def encoder_width(self, n_components):
        return 2 * n_components

    def linear_factors(self, variances, rest):
        """Return those of probabilistic PCA.

        Tipping & Bishop (1999), "Probabilistic principal component analysis", eq. 7,
        and the posterior in its section 3.2.
        """
        rest = max(rest, LEAST_VARIANCE)
        variances = np.maximum(variances, rest)
        out_of = np.sqrt(variances - rest)
        return out_of / variances, out_of, np.log(rest / variances)

    def center(self, encoded):
        return np.split(encoded, 2, axis=1)[0]

    def draw(self, n_rows, rng):
        return rng.standard_normal((n_rows, self.n_components))

    def forward(self, encoded, drawn, out):
        mean, log_variance = np.split(encoded, 2, axis=1)
        np.multiply(np.exp(log_variance / 2), drawn, out=out)
        out += mean
        return out, self.beta * divergence(mean, log_variance)

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


def divergence(mean, log_variance):
    """Return each normal distribution's divergence from the standard one, in nats."""
    cells = mean**2 + np.exp(log_variance) - log_variance - 1
    return cells.sum(axis=1) / 2
