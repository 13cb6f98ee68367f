"""Every activation against its formula, every derivative against finite differences."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import erf, expit

from sklearn_ae._activations import ACTIVATIONS

FORMULAS = {
    "relu": lambda z: np.where(z > 0, z, 0),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "tanh": lambda z: np.sinh(z) / np.cosh(z),
    "logistic": expit,
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
    "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    "silu": lambda z: z * expit(z),
    "softplus": lambda z: np.log(1 + np.exp(z)),
}


def evaluate(activation, z):
    """Return f(z) and f'(z), the way a layer computes them."""
    z = z.copy()
    out = z if activation.in_place else np.empty_like(z)
    activation.forward(z, out)
    value = out.copy()
    activation.derivative(z, out)
    return value, out


def test_all_activations_have_a_formula_here():
    # Of the identity nothing is ever computed.
    assert set(FORMULAS) == set(ACTIVATIONS) - {"identity"}


@pytest.mark.parametrize("name", FORMULAS)
def test_values_and_derivatives(name):
    z = np.random.RandomState(0).normal(scale=3, size=(50, 7))
    value, derivative = evaluate(ACTIVATIONS[name], z)
    assert_allclose(value, FORMULAS[name](z), rtol=1e-12, atol=1e-15)
    step = 1e-6
    upper, _ = evaluate(ACTIVATIONS[name], z + step)
    lower, _ = evaluate(ACTIVATIONS[name], z - step)
    assert_allclose(derivative, (upper - lower) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", FORMULAS)
def test_extreme_inputs_stay_finite_and_float32(name):
    z = np.array([[-1e4, -100, -1, -0.0, 0, 1, 100, 1e4]], dtype=np.float32)
    for array in evaluate(ACTIVATIONS[name], z):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()


@pytest.mark.parametrize("name", FORMULAS)
def test_forward_to_another_array_leaves_the_input(name):
    z = np.linspace(-2, 2, 11)
    before, out = z.copy(), np.empty_like(z)
    ACTIVATIONS[name].forward(z, out)
    assert_array_equal(z, before)
    assert_allclose(out, FORMULAS[name](z), rtol=1e-12, atol=1e-15)
