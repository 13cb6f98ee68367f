import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neural_network import MLPRegressor

from sklearn_ae._network import Network

ACTIVATIONS_OF_MLP = ["identity", "logistic", "tanh", "relu"]


def test_mirrored_widths_and_activations():
    network = Network.mirrored(
        784, (128, 64, 32), 10, activation="relu", code_activation="tanh"
    )
    widths = [layer.n_inputs for layer in network.layers] + [
        network.layers[-1].n_outputs
    ]
    assert widths == [784, 128, 64, 32, 10, 32, 64, 128, 784]
    names = [layer.activation.name for layer in network.layers]
    assert names == ["relu"] * 3 + ["tanh"] + ["relu"] * 3 + ["identity"]
    assert network.layers[network.encoder][-1].n_outputs == 10
    assert network.layers[network.decoder][0].n_inputs == 10


def test_views_partition_theta_without_copies():
    network = Network.mirrored(5, (4,), 2)
    theta = np.arange(float(network.n_parameters))
    views = network.views(theta)
    assert all(np.shares_memory(theta, array) for pair in views for array in pair)
    weights = np.concatenate([weight.ravel() for weight, _ in views])
    biases = np.concatenate([bias for _, bias in views])
    assert_array_equal(np.concatenate([weights, biases]), theta)
    assert len(weights) == network.n_weights


@pytest.mark.parametrize("activation", ACTIVATIONS_OF_MLP)
def test_same_predictions_as_an_mlp_with_the_same_weights(activation):
    X = np.random.RandomState(0).normal(size=(50, 6))
    mlp = MLPRegressor(hidden_layer_sizes=(5, 3, 5), activation=activation)
    mlp.partial_fit(X, X)
    network = Network.mirrored(
        6, (5,), 3, activation=activation, code_activation=activation
    )
    theta = np.empty(network.n_parameters)
    for (weight, bias), coef, intercept in zip(
        network.views(theta), mlp.coefs_, mlp.intercepts_, strict=True
    ):
        weight[...], bias[...] = coef, intercept
    views = network.views(theta)
    assert_allclose(network.forward(views, X), mlp.predict(X), rtol=0, atol=1e-10)
    code = network.forward(views, X, network.encoder)
    assert_allclose(
        network.forward(views, code, network.decoder), mlp.predict(X), atol=1e-10
    )


def test_forward_leaves_its_input_alone():
    network = Network.mirrored(4, (3,), 2)
    theta = network.initial_theta(np.random.RandomState(0), np.float32)
    X = np.random.RandomState(1).normal(size=(8, 4)).astype(np.float32)
    X.setflags(write=False)
    assert network.forward(network.views(theta), X).dtype == np.float32


def test_same_seed_same_start_in_both_precisions():
    network = Network.mirrored(4, (3,), 2)
    start = network.initial_theta(np.random.RandomState(3), np.float64)
    assert_array_equal(
        network.initial_theta(np.random.RandomState(3), np.float32),
        start.astype(np.float32),
    )


@pytest.mark.parametrize("hidden_layer_sizes", [(4,), (5, 4)])
def test_gradient_with_a_linear_path(hidden_layer_sizes):
    rng = np.random.RandomState(0)
    network = Network.mirrored(6, hidden_layer_sizes, 3, linear_path=True)
    assert network.has_linear_path
    theta = network.initial_theta(rng, np.float64)
    X, direction = rng.normal(size=(2, 7, 6))
    buffers = network.buffers(7, np.float64)
    deltas = [np.empty_like(a) for _, a in buffers[:-1]] + [direction.copy()]
    gradient = np.empty_like(theta)
    views = network.views(theta)
    network.forward(views, X, buffers=buffers)
    network.backward(views, X, buffers, deltas, network.views(gradient))

    def value(theta):
        return np.vdot(network.forward(network.views(theta), X), direction)

    steps = 1e-6 * np.eye(len(theta))
    numeric = [(value(theta + s) - value(theta - s)) / 2e-6 for s in steps]
    assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-8)
