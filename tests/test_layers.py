import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae import Dense, Layer
from sklearn_ae._layers import run


def forward(layer, parameters, x):
    out = np.empty((len(x), layer.n_outputs))
    run(layer.forward_calls(parameters, x, out, layer.scratch(len(x), x.dtype)))
    return out


@pytest.mark.parametrize("bias", [False, True])
def test_backward_against_finite_differences(bias):
    rng = np.random.RandomState(0)
    layer = Dense(4, bias).after(3)
    shapes = (*layer.weight_shapes, *layer.bias_shapes)
    parameters = tuple(rng.normal(size=shape) for shape in shapes)
    x, direction = rng.normal(size=(5, 3)), rng.normal(size=(5, 4))
    gradients = tuple(np.empty(shape) for shape in shapes)
    delta_x, scratch = np.empty_like(x), layer.scratch(5, x.dtype)
    delta = direction.copy()
    run(layer.backward_calls(parameters, x, delta, gradients, delta_x, scratch))
    arguments = [*parameters, x]
    for position, analytic in enumerate([*gradients, delta_x]):
        numeric = np.empty_like(analytic)
        for index in np.ndindex(analytic.shape):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in arguments]
                moved[position][index] += sign * 1e-6
                output = forward(layer, moved[:-1], moved[-1])
                ends.append((output * direction).sum())
            numeric[index] = (ends[0] - ends[1]) / 2e-6
        assert_allclose(analytic, numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("rectifier", "fan"), [(False, 500), (True, 400)])
def test_initial_weights_have_the_variance_of_their_source(rectifier, fan):
    layer = Dense(100).after(400)
    (weight,) = layer.initial(np.random.RandomState(0), rectifier)
    assert_allclose(weight.var(), 2 / fan, rtol=0.03)
    assert np.abs(weight).max() <= np.sqrt(6 / fan)
    (weight,) = layer.initial(np.random.RandomState(0), rectifier, n_more=100)
    assert_allclose(weight.var(), 2 / (fan + 100), rtol=0.03)


def test_layers_keep_the_signal_in_range():
    """Variance is kept through ten rectified layers, as He et al. promise."""
    rng = np.random.RandomState(0)
    layer = Dense(300).after(300)
    x = rng.normal(size=(200, 300))
    for _ in range(10):
        (weight,) = layer.initial(rng, rectifier=True)
        x = np.maximum(forward(layer, (weight, np.zeros(300)), x), 0)
    assert 0.3 < (x**2).mean() < 3


def test_the_mirrored_layer_is_the_adjoint():
    """<A x, y> is <x, A* y>."""
    rng = np.random.RandomState(0)
    layer = Dense(4, bias=False).after(3)
    back = layer.mirrored()
    assert (back.n_inputs, back.n_outputs) == (4, 3)
    parameters = (rng.normal(size=(3, 4)),)
    adjoint = layer.adjoint(parameters)
    x, y = rng.normal(size=(1, 3)), rng.normal(size=(1, 4))
    assert_allclose(
        np.vdot(forward(layer, parameters, x), y),
        np.vdot(x, forward(back, adjoint, y)),
    )


def test_dense_is_affine():
    layer = Dense(4).after(3)
    assert layer.affine
    rng = np.random.RandomState(0)
    parameters, x = (rng.normal(size=(3, 4)), rng.normal(size=4)), rng.normal(size=3)
    zero = forward(layer, parameters, np.zeros((1, 3)))
    assert_array_equal(zero[0], parameters[1])
    assert_allclose(
        forward(layer, parameters, 3 * x[None]) - zero,
        3 * (forward(layer, parameters, x[None]) - zero),
    )
    assert (layer.weight_shapes, layer.bias_shapes) == (((3, 4),), ((4,),))


def test_a_layer_without_its_methods_says_which():
    class Incomplete(Layer):
        pass

    for method, args in {
        "after": (3,),
        "mirrored": (),
        "initial": (None, True),
        "forward_calls": (None,) * 4,
        "backward_calls": (None,) * 6,
    }.items():
        with pytest.raises(TypeError, match=f"Incomplete must define '{method}'"):
            getattr(Incomplete(), method)(*args)
