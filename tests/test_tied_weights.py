"""Weights that encoder and decoder share."""

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer, Dense
from sklearn_ae._activations import ACTIVATIONS
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._scaling import Scaling, Units

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris().data


def tied_network(linear_path, activation="tanh", hidden_layer_sizes=(6, 4)):
    activations = activation, "identity", "identity"
    path = linear_path
    return Network.mirrored(5, hidden_layer_sizes, 3, activations, path, tied=True)


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (6, 4), (Dense(6, bias=False), 4)])
def test_the_decoder_has_the_weights_of_the_encoder(linear_path, hidden_layer_sizes):
    network = tied_network(linear_path, hidden_layer_sizes=hidden_layer_sizes)
    apart = Network.mirrored(5, hidden_layer_sizes, 3, linear_path=linear_path)
    assert 2 * network.n_weights == apart.n_weights
    assert apart.n_parameters - apart.n_weights == (
        network.n_parameters - network.n_weights
    )
    theta = np.arange(float(network.n_parameters))
    encoder, decoder = network.views(theta)
    n_layers = len(network.encoder.layers)
    for i in range(n_layers):
        assert_array_equal(decoder[i][0], encoder[n_layers - 1 - i][0].T)
        assert np.shares_memory(decoder[i][0], theta)
    if network.decoder.path is not None:
        assert_array_equal(decoder[-1][0], encoder[-1][0].T)
    arrays = [a for views in (encoder, decoder) for layer in views for a in layer[1:]]
    biases = np.concatenate([*arrays, []])
    assert_array_equal(np.sort(biases), theta[network.n_weights :])


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("block_rows", [0, 5])
def test_gradient(linear_path, activation, block_rows):
    network = tied_network(linear_path, activation)
    scaling = Scaling(np.zeros(5), np.ones(()))
    units = Units.of(scaling, SquaredError(), False)
    rng = np.random.RandomState(0)
    rows = ArrayRows(rng.normal(size=(12, 5)), rng.uniform(0.5, 2, size=12))
    penalty = ElasticNet(0.1, 0.3)
    model = Model(network, SquaredError(), units)
    objective = Objective(model, penalty, np.float64, block_rows)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert relative_error(objective, theta, rows) < 1e-6
    # A shared weight costs once.
    weights = np.concatenate([layer[0].ravel() for layer in network.views(theta)[0]])
    of_weights = objective.value(theta, rows) - objective.mean_loss(theta, rows)
    assert_allclose(of_weights, penalty.value(weights))


def test_same_output_as_a_network_with_these_weights():
    tied = tied_network(True, "silu")
    activations = "silu", "identity", "identity"
    apart = Network.mirrored(5, (6, 4), 3, activations, linear_path=True)
    rng = np.random.RandomState(0)
    theta, other = rng.normal(size=tied.n_parameters), np.empty(apart.n_parameters)
    theirs = [*tied.coefs(theta), *tied.intercepts(theta)]
    for ours, array in zip(
        [*apart.coefs(other), *apart.intercepts(other)], theirs, strict=True
    ):
        ours[...] = array
    x = rng.normal(size=(7, 5))
    for half in (0, 1):
        ours, theirs = tied.views(theta)[half], apart.views(other)[half]
        expected = apart.stacks[half].forward(theirs, x)
        assert_allclose(tied.stacks[half].forward(ours, x), expected, rtol=1e-12)
        x = expected


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"identity"}))
def test_training_starts_as_pca(activation):
    """Whatever the activation is at 0: the bias of the output makes up for it."""
    X = DIGITS[:300, 10:30]
    params = {"hidden_layer_sizes": (8, 6), "activation": activation}
    params |= {"tied_weights": True, "random_state": 0, "max_iter": 1}
    start = AutoencoderTransformer(
        5, **params, solver="adam", tol=0.5, learning_rate_init=1e-12
    ).fit(X)
    pca = PCA(5).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    assert_allclose(start.reconstruct(X), expected, atol=1e-5)


@pytest.mark.parametrize("activation", ["tanh", "leaky_relu", "logistic", "softplus"])
def test_training_leaves_pca_behind(activation):
    train, test = DIGITS[:1200], DIGITS[1200:]
    params = {"tied_weights": True, "activation": activation, "random_state": 0}
    tied = AutoencoderTransformer(8, **params).fit(train)
    pca = AutoencoderTransformer(8, hidden_layer_sizes=()).fit(train)
    assert tied.score(test) > pca.score(test) + 0.05
    assert_allclose(tied.coefs_[1].T, tied.coefs_[4])
    assert not np.allclose(tied.intercepts_[0], tied.intercepts_[4])
    assert 2 * tied.n_parameters_ < 1.1 * (
        clone(tied).set_params(tied_weights=False, max_iter=1).fit(train).n_parameters_
    )


@pytest.mark.parametrize("alpha", [0, 1e-3, 0.05, 10.0])
def test_the_exact_solution_is_the_minimum(alpha):
    """L-BFGS from a random start finds nothing better, and nothing worse."""
    common = {"hidden_layer_sizes": (), "alpha": alpha, "random_state": 0}
    common |= {"tied_weights": True, "scaling": "per_feature"}
    exact = AutoencoderTransformer(2, **common).fit(IRIS)
    found = AutoencoderTransformer(
        2, solver="lbfgs", early_stopping=False, tol=1e-12, max_iter=5000, **common
    ).fit(IRIS)
    assert exact.solver_ == "svd"
    assert_allclose(exact.loss_, found.loss_, rtol=1e-6)
    assert_allclose(exact.reconstruct(IRIS), found.reconstruct(IRIS), atol=1e-3)


def test_hidden_layers_of_a_linear_network():
    params = {"activation": "identity", "tied_weights": True}
    tied = AutoencoderTransformer(8, hidden_layer_sizes=(20, 10), **params).fit(DIGITS)
    assert tied.solver_ == "svd"
    pca = PCA(8).fit(DIGITS)
    expected = pca.inverse_transform(pca.transform(DIGITS))
    assert_allclose(tied.reconstruct(DIGITS), expected, atol=1e-8)


@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_go_on(kind, dtype):
    X = DIGITS.astype(dtype)
    estimator = kind(5, hidden_layer_sizes=16, tied_weights=True, random_state=0)
    estimator.partial_fit(X).partial_fit(X)
    assert estimator.transform(X).dtype == dtype
    assert estimator.score(X) > 0.5
    with pytest.raises(ValueError, match="tied_weights must stay True, got False"):
        estimator.set_params(tied_weights=False).partial_fit(X)
    estimator.set_params(tied_weights=True).fit(X, sample_weight=np.arange(len(X)))
    assert estimator.score(X) > 0.5


def test_layers_that_have_no_way_back():
    class Bent(Dense):
        affine = False

    estimator = AutoencoderTransformer(2, hidden_layer_sizes=Bent(3), tied_weights=True)
    with pytest.raises(ValueError, match="tied_weights must be False .* got Bent"):
        estimator.fit(IRIS)
    estimator.set_params(tied_weights=1)
    with pytest.raises(ValueError, match="'tied_weights' parameter .* must be"):
        estimator.fit(IRIS)
