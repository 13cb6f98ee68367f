"""Penalties on the weights of a network."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ElasticNet:
    r"""The elastic net penalty on all weights `w`, biases excepted.

    .. math::
        \alpha \left( \rho \|w\|_1 + \frac{1 - \rho}{2} \|w\|_2^2 \right)

    where :math:`\rho` is `l1_ratio`: 0 is weight decay (L2), 1 is the lasso (L1). At a
    weight of exactly 0 the subgradient 0 is taken. Source: Zou & Hastie (2005),
    "Regularization and variable selection via the elastic net", eq. 3.
    """

    alpha: float = 0.0
    l1_ratio: float = 0.0

    def value(self, weights):
        """Return the penalty of the flat array `weights`."""
        l1, l2 = self.l1_ratio, 1 - self.l1_ratio
        value = l2 / 2 * float(np.vdot(weights, weights))
        if l1:
            value += l1 * float(np.abs(weights).sum())
        return self.alpha * value

    def add_gradient(self, weights, gradient):
        """Add the penalty's gradient at `weights` to `gradient`, in place."""
        gradient += self.alpha * (1 - self.l1_ratio) * weights
        if self.l1_ratio:
            gradient += self.alpha * self.l1_ratio * np.sign(weights)
