import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ae._activations import ACTIVATIONS
from sklearn_ae._layers import Dense


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_against_finite_differences(name):
    rng = np.random.RandomState(0)
    layer = Dense(3, 4, ACTIVATIONS[name])
    weight, bias = layer.initial_weight(rng), rng.normal(size=4)
    x, direction = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))

    def value(weight, bias, x):
        buffers = layer.buffers(len(x), x.dtype)
        return (layer.forward(weight, bias, x, buffers) * direction).sum()

    buffers = layer.buffers(5, x.dtype)
    layer.forward(weight, bias, x, buffers)
    gradient = np.empty_like(weight), np.empty_like(bias)
    delta_x = np.empty_like(x)
    layer.backward(weight, x, buffers, direction.copy(), gradient, delta_x)

    step = 1e-6
    arguments = [weight, bias, x]
    for position, analytic in enumerate([*gradient, delta_x]):
        numeric = np.empty_like(analytic)
        for index in np.ndindex(analytic.shape):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in arguments]
                moved[position][index] += sign * step
                ends.append(value(*moved))
            numeric[index] = (ends[0] - ends[1]) / (2 * step)
        assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("name", "fan"), [("tanh", 500), ("relu", 400)])
def test_initial_weights_have_the_variance_of_their_source(name, fan):
    weight = Dense(400, 100, ACTIVATIONS[name]).initial_weight(np.random.RandomState(0))
    assert_allclose(weight.var(), 2 / fan, rtol=0.03)
    assert np.abs(weight).max() <= np.sqrt(6 / fan)


def test_a_layer_keeps_the_signal_in_range():
    """Variance is kept through ten rectified layers, as He et al. promise."""
    rng = np.random.RandomState(0)
    layer = Dense(300, 300, ACTIVATIONS["relu"])
    x = rng.normal(size=(200, 300))
    for _ in range(10):
        x = layer.forward(
            layer.initial_weight(rng), np.zeros(300), x, layer.buffers(200, x.dtype)
        )
    assert 0.3 < (x**2).mean() < 3
