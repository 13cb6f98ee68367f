import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPRegressor

from sklearn_ae import Dense
from sklearn_ae._layers import run
from sklearn_ae._network import Network

ACTIVATIONS_OF_MLP = ["identity", "logistic", "tanh", "relu"]


def test_mirrored_widths_and_activations():
    activations = "relu", "tanh", "identity"
    network = Network.mirrored(784, (128, 64, 32), 10, activations)
    layers = [*network.encoder.layers, *network.decoder.layers]
    widths = [layer.n_inputs for layer in layers] + [layers[-1].n_outputs]
    assert widths == [784, 128, 64, 32, 10, 32, 64, 128, 784]
    activations = [*network.encoder.activations, *network.decoder.activations]
    names = [activation.name for activation in activations]
    assert names == ["relu"] * 3 + ["tanh"] + ["relu"] * 3 + ["identity"]
    assert network.encoder.layers[-1].n_outputs == 10
    assert network.decoder.layers[0].n_inputs == 10


def test_views_partition_theta_without_copies():
    network = Network.mirrored(5, (4,), 2, linear_path=True)
    theta = np.arange(float(network.n_parameters))
    encoder, decoder = network.views(theta)
    views = [*encoder, *decoder]
    assert all(np.shares_memory(theta, array) for arrays in views for array in arrays)
    weights = np.concatenate([weight.ravel() for weight, *_ in views])
    biases = np.concatenate([bias for _, *biases in views for bias in biases])
    assert_array_equal(np.concatenate([weights, biases]), theta)
    assert len(weights) == network.n_weights


def test_coefs_of_a_path_lie_below_those_of_its_layer():
    network = Network.mirrored(5, (4, 3), 2, linear_path=True)
    theta = np.arange(float(network.n_parameters))
    coefs, intercepts = network.coefs(theta), network.intercepts(theta)
    shapes = [(5, 4), (4, 3), (8, 2), (2, 3), (3, 4), (6, 5)]
    assert [coef.shape for coef in coefs] == shapes
    assert [bias.shape for bias in intercepts] == [(4,), (3,), (2,), (3,), (4,), (5,)]
    encoder, decoder = network.views(theta)
    for views, coef in ((encoder, coefs[2]), (decoder, coefs[5])):
        assert_array_equal(coef, np.vstack([views[-2][0], views[-1][0]]))
        assert np.shares_memory(coef, theta)


@pytest.mark.parametrize("activation", ACTIVATIONS_OF_MLP)
def test_same_predictions_as_an_mlp_with_the_same_weights(activation):
    X = np.random.RandomState(0).normal(size=(50, 6))
    mlp = MLPRegressor(hidden_layer_sizes=(5, 3, 5), activation=activation)
    mlp.partial_fit(X, X)
    network = Network.mirrored(6, (5,), 3, (activation, activation, "identity"))
    theta = np.empty(network.n_parameters)
    for ours, theirs in (
        (network.coefs(theta), mlp.coefs_),
        (network.intercepts(theta), mlp.intercepts_),
    ):
        for array, expected in zip(ours, theirs, strict=True):
            array[...] = expected
    encoder, decoder = network.views(theta)
    codes = network.encoder.forward(encoder, X)
    output = network.decoder.forward(decoder, codes)
    assert_allclose(output, mlp.predict(X), rtol=0, atol=1e-10)


def test_forward_leaves_its_input_alone():
    network = Network.mirrored(4, (3,), 2)
    theta = network.initial_theta(np.random.RandomState(0), np.float32)
    X = np.random.RandomState(1).normal(size=(8, 4)).astype(np.float32)
    X.setflags(write=False)
    encoder, _ = network.views(theta)
    assert network.encoder.forward(encoder, X).dtype == np.float32


def test_same_seed_same_start_in_both_precisions():
    network = Network.mirrored(4, (3,), 2)
    start = network.initial_theta(np.random.RandomState(3), np.float64)
    assert_array_equal(
        network.initial_theta(np.random.RandomState(3), np.float32),
        start.astype(np.float32),
    )


@pytest.mark.parametrize("activation", ["tanh", "silu"])
@pytest.mark.parametrize("half", [0, 1])
@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("hidden_layer_sizes", [(4,), (5, 4), (Dense(5), 4)])
def test_gradient_of_a_stack(hidden_layer_sizes, linear_path, half, activation):
    """By all parameters, and by what came in."""
    rng = np.random.RandomState(0)
    activations = activation, "identity", "identity"
    network = Network.mirrored(6, hidden_layer_sizes, 3, activations, linear_path)
    assert (network.decoder.path is not None) == linear_path
    stack = network.stacks[half]
    theta = network.initial_theta(rng, np.float64)
    x = rng.normal(size=(7, stack.layers[0].n_inputs))
    direction = rng.normal(size=(7, stack.layers[-1].n_outputs))
    trace = stack.trace(7, np.float64, backward=True)
    gradient, delta_x = np.zeros_like(theta), np.empty_like(x)
    views, gradients = network.views(theta)[half], network.views(gradient)[half]
    run(stack.forward_calls(views, x, trace))
    trace.deltas[-1][...] = direction
    run(stack.backward_calls(views, x, trace, gradients, delta_x))

    def value(theta, x):
        return np.vdot(stack.forward(network.views(theta)[half], x), direction)

    steps = 1e-6 * np.eye(len(theta))
    numeric = [(value(theta + s, x) - value(theta - s, x)) / 2e-6 for s in steps]
    assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)
    steps = 1e-6 * np.eye(x.size).reshape(-1, *x.shape)
    numeric = [(value(theta, x + s) - value(theta, x - s)) / 2e-6 for s in steps]
    assert_allclose(delta_x.ravel(), numeric, rtol=1e-6, atol=1e-8)
