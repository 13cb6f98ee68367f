"""Elementwise activation functions and derivatives, in memory the caller owns."""

from dataclasses import dataclass
from math import pi, sqrt
from typing import Any

import numpy as np
from scipy.special import ndtr

LEAKY_SLOPE = 0.01


@dataclass(frozen=True)
class Activation:
    """A function f and its derivative f', both written into given arrays.

    Attributes
    ----------
    name : str
        The value of the estimators' parameter that selects it.

    forward : callable(z, out)
        Write f(z) into `out`.

    derivative : callable(z, out)
        `out` holds f(z) on entry and f'(z) on exit; `z` may be overwritten.

    in_place : bool
        Whether `out` may be `z` itself: f does not read z after writing, and f' follows
        from f(z) alone. A layer then keeps one array instead of two.

    rectifier : bool
        Whether f passes about half of a symmetric input, which decides between the
        initialisations of Glorot and of He.
    """

    name: str
    forward: Any
    derivative: Any
    in_place: bool
    rectifier: bool


def _relu(z, out):
    np.maximum(z, 0, out=out)


def _relu_derivative(z, out):
    # A comparison, written as 0 or 1, takes less than half the time of np.sign.
    np.greater(out, 0, out=out)


def _leaky_relu(z, out):
    np.maximum(z, LEAKY_SLOPE * z, out=out)


def _leaky_relu_derivative(z, out):
    np.greater(out, 0, out=out)
    np.multiply(out, 1 - LEAKY_SLOPE, out=out)
    np.add(out, LEAKY_SLOPE, out=out)


def _tanh_derivative(z, out):
    np.multiply(out, out, out=out)
    np.subtract(1, out, out=out)


def logistic(z, out):
    """Write 1 / (1 + exp(-z)) into `out`, through tanh: faster than `expit`."""
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


def _logistic_derivative(z, out):
    # s (1 - s) = 1/4 - (s - 1/2)^2
    np.subtract(out, 0.5, out=out)
    np.multiply(out, out, out=out)
    np.subtract(0.25, out, out=out)


def _elu(z, out):
    # exp(z) - 1 >= z, so the larger of z and expm1(min(z, 0)) is the right branch.
    np.minimum(z, 0, out=out)
    np.expm1(out, out=out)
    np.maximum(z, out, out=out)


def _elu_derivative(z, out):
    np.minimum(out, 0, out=out)
    np.add(out, 1, out=out)


def _gelu(z, out):
    ndtr(z, out=out)
    np.multiply(out, z, out=out)


def _gelu_derivative(z, out):
    # Phi(z) + z phi(z), with Phi and phi of the standard normal distribution
    ndtr(z, out=out)
    density = np.exp(-0.5 * z * z)
    density *= 1 / sqrt(2 * pi)
    np.multiply(z, density, out=z)
    np.add(out, z, out=out)


def _silu(z, out):
    logistic(z, out)
    np.multiply(out, z, out=out)


def _silu_derivative(z, out):
    # s + z s (1 - s) = 1 - (1 - z s)(1 - s), where s is the logistic function of z
    np.negative(z, out=z)
    logistic(z, z)
    np.subtract(1, out, out=out)
    np.multiply(out, z, out=out)
    np.subtract(1, out, out=out)


def softplus(z, out):
    """Write log(1 + exp(z)) into `out`; does not overflow."""
    positive = np.maximum(z, 0)
    np.abs(z, out=out)
    np.negative(out, out=out)
    # Of what is not positive. (`logaddexp` takes seven times as long.)
    np.exp(out, out=out)
    np.log1p(out, out=out)
    np.add(out, positive, out=out)


def _softplus_derivative(z, out):
    # the logistic function of z is 1 - exp(-softplus(z))
    np.negative(out, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("identity", None, None, True, False),
        Activation("relu", _relu, _relu_derivative, True, True),
        Activation("leaky_relu", _leaky_relu, _leaky_relu_derivative, True, True),
        Activation("tanh", np.tanh, _tanh_derivative, True, False),
        Activation("logistic", logistic, _logistic_derivative, True, False),
        Activation("elu", _elu, _elu_derivative, False, True),
        Activation("gelu", _gelu, _gelu_derivative, False, True),
        Activation("silu", _silu, _silu_derivative, False, True),
        Activation("softplus", softplus, _softplus_derivative, True, False),
    )
}
