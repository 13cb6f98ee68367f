"""Penalties on codes: their formulas, their gradients, and that codes get sparse."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, KFold

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    CodePenalty,
    GaussianNoise,
    KLSparsity,
    L1Sparsity,
)
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._draws import Draws
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._scaling import Scaling, Units

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris().data
quick = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 5}
sparse = {"code_activation": "logistic", "linear_path": False}


@dataclass(repr=False, eq=False)
class Decorrelated(CodePenalty):
    """The user's own: products of different numbers of a code have the mean 0."""

    strength: float = 0.1

    def statistic(self, codes):
        return (codes[:, :, None] * codes[:, None, :]).reshape(len(codes), -1)

    def off_diagonal(self, mean):
        n = int(np.sqrt(len(mean)))
        return mean.reshape(n, n) * (1 - np.eye(n))

    def value(self, mean):
        return self.strength * np.square(self.off_diagonal(mean)).sum()

    def gradient(self, codes, mean):
        return self.strength * 4 * codes @ self.off_diagonal(mean)


ALL = [L1Sparsity(0.3), KLSparsity(0.1, strength=0.7), Decorrelated()]


@pytest.mark.parametrize(
    ("penalties", "code_activation"),
    [
        ([L1Sparsity(0.3)], "identity"),
        ([L1Sparsity(0.3)], "tanh"),
        ([KLSparsity(0.1, strength=0.7)], "logistic"),
        ([Decorrelated()], "identity"),
        ([Decorrelated()], "relu"),
        (ALL, "logistic"),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("block_rows", [0, 7])
def test_gradient(penalties, code_activation, weighted, tied, block_rows):
    """Alone and combined: with penalties on weights, noise, tied weights, features."""
    activations = "tanh", code_activation, "identity"
    network = Network.mirrored(5, (4,), 7, activations, tied=tied)
    units = Units.of(Scaling(np.zeros(5), np.ones(())), SquaredError(), False)
    rng = np.random.RandomState(0)
    weights = rng.uniform(0.5, 2, size=40) if weighted else None
    rows = ArrayRows(rng.normal(size=(40, 5)), weights)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    options = {"block_rows": block_rows, "code_penalties": penalties}
    feature_weight = None
    if tied:
        draws = Draws(0)
        draws.tile = 4
        options |= {"corruption": GaussianNoise(0.5), "draws": draws}
        feature_weight = np.array([0, 0.5, 1, 1.5, 2])
    model = Model(network, SquaredError(), units, feature_weight=feature_weight)
    objective = Objective(model, ElasticNet(0.1), np.float64, **options)
    assert relative_error(objective, theta, rows) < 1e-6


def test_formulas():
    mean = np.array([0.02, 0.4, 0.9])
    divergences = [entropy([0.05, 0.95], [m, 1 - m]) for m in mean]
    assert_allclose(KLSparsity(0.05, 2.0).value(mean), 2 * sum(divergences))
    codes = np.array([[1.0, -2], [0, 4]])
    penalty = L1Sparsity(0.5)
    assert penalty.value(penalty.statistic(codes).mean(axis=0)) == 0.5 * 7 / 2
    # Units that are always on or always off cost much, but not infinitely much.
    for penalty in (KLSparsity(), KLSparsity(0.999)):
        assert np.isfinite(penalty.value(np.array([0.0, 1.0])))
        assert np.isfinite(penalty.gradient(codes, np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_no_strength_is_no_penalty(kind, dtype, solver):
    X = IRIS.astype(dtype)
    none = [KLSparsity(strength=0), L1Sparsity(0)]
    plain, penalised = (
        kind(2, code_penalty=p, solver=solver, **quick, **sparse).fit(X)
        for p in (None, none)
    )
    assert_array_equal(plain._fitted.theta, penalised._fitted.theta)
    assert plain._fitted.theta.dtype == dtype
    assert (
        AutoencoderTransformer(2, hidden_layer_sizes=(), code_penalty=L1Sparsity(0))
        .fit(X)
        .solver_
        == "svd"
    )


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
def test_units_are_rarely_active(solver, kind):
    params = quick | sparse | {"max_iter": 150, "solver": solver}
    params |= {"early_stopping": False, "noise": None}
    weights = np.random.RandomState(0).uniform(0.5, 2, size=len(DIGITS))
    estimator = kind(20, code_penalty=KLSparsity(0.05), **params)
    estimator.fit(DIGITS, sample_weight=weights)
    codes = estimator.transform(DIGITS)
    means = np.average(codes, axis=0, weights=weights)
    assert_allclose(means, 0.05, atol=0.02)
    assert np.mean(codes < 0.05) > 0.55


@pytest.mark.parametrize("early_stopping", [True, False])
def test_l1_makes_codes_sparse(early_stopping):
    """With rows set aside, too: what they decide by counts the penalty."""
    params = quick | {"max_iter": 60, "early_stopping": early_stopping, "alpha": 1e-3}
    params |= {"code_activation": "relu"}
    plain, penalised = (
        AutoencoderTransformer(30, code_penalty=p, **params).fit(DIGITS)
        for p in (None, L1Sparsity(0.05))
    )
    off = [np.mean(e.transform(DIGITS) < 1e-3) for e in (plain, penalised)]
    assert off[1] > off[0] + 0.2
    assert penalised.score(DIGITS) > 0.5


def test_codes_may_be_wider_than_the_data():
    params = quick | {"code_penalty": L1Sparsity(0.01)}
    for more in ({}, {"linear_path": False}, {"tied_weights": True}, {"noise": 0.3}):
        estimator = AutoencoderTransformer(10, **params | more).fit(IRIS)
        assert estimator.transform(IRIS).shape == (150, 10)
        assert estimator.inverse_transform(estimator.transform(IRIS)).shape == (150, 4)
    assert AutoencoderTransformer(10, noise=0.5, **quick).fit(IRIS).n_components_ == 10
    with pytest.raises(ValueError, match="unless noise or a code_penalty"):
        AutoencoderTransformer(10, **quick).fit(IRIS)
    with pytest.raises(ValueError, match="unless noise or a code_penalty"):
        none = {"code_penalty": L1Sparsity(0), "noise": 0}
        AutoencoderTransformer(10, **quick, **none).fit(IRIS)


def recorded(given):
    def running_mean(self, mean, before):
        given.append(before)
        return mean

    return running_mean


def test_the_running_mean_goes_on(monkeypatch):
    """In minibatches, and from one call of partial_fit to the next."""
    penalties = [KLSparsity(), L1Sparsity(0.1)]
    params = quick | sparse | {"batch_size": 50, "code_penalty": penalties}
    estimator, means = AutoencoderTransformer(5, **params), None
    for rows in np.array_split(DIGITS, 4):
        given = []
        with monkeypatch.context() as patched:
            patched.setattr(KLSparsity, "running_mean", recorded(given))
            estimator.partial_fit(rows)
        assert len(given) == 9
        assert_array_equal(given[0], None if means is None else means[0])
        means = estimator._fitted.progress["code_means"]
        assert [mean.shape for mean in means] == [(5,), (5,)]
    # A penalty that has changed starts anew.
    estimator.set_params(code_penalty=Decorrelated()).partial_fit(DIGITS)
    assert estimator._fitted.progress["code_means"][0].shape == (25,)
    estimator.set_params(code_penalty=None).partial_fit(DIGITS)
    assert estimator._fitted.progress["code_means"] is None


def test_the_running_mean_remembers():
    first, second = np.array([0.2]), np.array([0.4])
    mean = KLSparsity().running_mean(first, None)
    assert_allclose(mean, 0.2)
    assert_allclose(KLSparsity().running_mean(second, mean), 0.22)


@pytest.mark.parametrize(
    "params",
    [
        {"linear_path": False},
        {"code_activation": "logistic"},
        {"code_activation": "tanh", "linear_path": False},
    ],
)
def test_what_kl_needs(params):
    estimator = AutoencoderTransformer(2, code_penalty=KLSparsity(), **params)
    message = "KLSparsity needs codes in .* code_activation must be 'logistic' and line"
    with pytest.raises(ValueError, match=message):
        estimator.fit(IRIS)
    estimator.set_params(hidden_layer_sizes=(), code_activation="logistic").fit(IRIS)
    assert estimator.solver_ == "adam"
    with pytest.raises(ValueError, match="solver='svd' needs .* no code_penalty"):
        AutoencoderTransformer(
            2, code_penalty=L1Sparsity(), hidden_layer_sizes=(), solver="svd"
        ).fit(IRIS)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        ("l1", "code_penalty"),
        (L1Sparsity, "code_penalty"),
        ([L1Sparsity], "code_penalty must be None, an object like"),
        ([None], "code_penalty must be None, an object like"),
        (GaussianNoise(), "code_penalty"),
        (L1Sparsity(-1), "'strength' parameter of L1Sparsity"),
        ([KLSparsity(target=1)], "'target' parameter of KLSparsity"),
        (CodePenalty(), "CodePenalty must define 'value'"),
    ],
)
def test_bad_penalties(penalty, message):
    with pytest.raises((ValueError, TypeError), match=message):
        AutoencoderTransformer(2, code_penalty=penalty, **quick).fit(IRIS)


@pytest.mark.parametrize(
    ("method", "result", "message"),
    [
        (
            "statistic",
            lambda self, codes: codes.sum(axis=1),
            "statistic of .* a 2-D array with a row",
        ),
        ("value", lambda self, mean: mean, "value of .* must return a number"),
        ("value", lambda self, mean: None, "value of .* a number, got None"),
        ("value", lambda self, mean: np.sign(mean, out=mean).sum(), "must not write"),
        ("gradient", lambda self, codes, mean: mean, "gradient of .* the shape of"),
        ("gradient", lambda self, codes, mean: np.sign(codes, out=codes), "not write"),
    ],
)
def test_careless_penalties(method, result, message):
    careless = type("Careless", (Decorrelated,), {method: result})
    estimator = AutoencoderTransformer(2, code_penalty=careless(), **quick)
    with pytest.raises(ValueError, match=message):
        estimator.fit(IRIS)


def test_a_penalty_is_a_parameter():
    estimator = AutoencoderTransformer(2, code_penalty=L1Sparsity(0.1), **quick)
    copy = clone(estimator)
    assert copy.code_penalty == L1Sparsity(0.1)
    assert copy.code_penalty is not estimator.code_penalty
    search = GridSearchCV(estimator, {"code_penalty__strength": [0, 50]}, cv=KFold(2))
    search.fit(IRIS[np.random.RandomState(0).permutation(len(IRIS))])
    assert search.best_params_ == {"code_penalty__strength": 0}
    with pytest.raises(ValueError, match=r"code_penalty=KLSparsity\(\) has to come"):
        AutoencoderTransformer().set_params(code_penalty__target=0.1)
    with pytest.raises(ValueError, match="code_penalty is a sequence: set"):
        several = AutoencoderTransformer(code_penalty=[L1Sparsity()])
        several.set_params(code_penalty__strength=0.1)
    several = clone(estimator.set_params(code_penalty=[L1Sparsity(), Decorrelated()]))
    several.fit(IRIS)
    restored = pickle.loads(pickle.dumps(several))
    assert_array_equal(restored.transform(IRIS), several.transform(IRIS))
    assert several.code_penalty == [L1Sparsity(), Decorrelated()]


def test_what_is_minimised_in_minibatches_is_the_same():
    """An epoch of one batch costs what the objective does."""
    penalties = [L1Sparsity(0.1), Decorrelated()]
    params = quick | {"batch_size": len(IRIS), "code_penalty": penalties}
    params |= {"early_stopping": False, "learning_rate_init": 1e-12, "solver": "sgd"}
    estimator = AutoencoderTransformer(2, **params).fit(IRIS)
    assert_allclose(estimator.loss_curve_[0], estimator.loss_, rtol=1e-8)
    codes = estimator.transform(IRIS)
    unit = estimator.scale_**2
    penalty = sum(p.value(p.statistic(codes).mean(axis=0)) for p in penalties)
    expected = -estimator.score_samples(IRIS).mean() + unit * penalty
    assert_allclose(estimator.loss_, expected)


@pytest.mark.parametrize("batch_size", [1, 10, 50])
def test_heavy_rows_count_as_much_in_each_minibatch(batch_size):
    network = Network.mirrored(5, (4,), 3)
    units = Units.of(Scaling(np.zeros(5), np.ones(())), SquaredError(), False)
    rng = np.random.RandomState(0)
    X, weights = rng.normal(size=(50, 5)), rng.choice([1.0, 9.0], size=50)
    rows, theta = ArrayRows(X, weights), rng.normal(size=network.n_parameters)
    model = Model(network, SquaredError(), units)
    objective = Objective(model, None, np.float64, code_penalties=[L1Sparsity(0.5)])
    value, gradient = objective.value_and_gradient(theta, rows)
    gradient, total, steps = gradient.copy(), 0.0, np.zeros_like(theta)
    for fun, n_rows in objective.minibatches(rows, batch_size):
        part, step = fun(theta)
        total += part * n_rows / 50
        steps += step * n_rows / 50
    assert_allclose(total, value)
    assert_allclose(steps, gradient, atol=1e-12)


def test_validation_counts_the_penalty():
    params = quick | {"code_penalty": L1Sparsity(0.1)}
    train, aside = IRIS[::2], IRIS[1::2]
    estimator = AutoencoderTransformer(2, **params).fit(train, X_val=aside)
    codes = estimator.transform(aside)
    penalty = L1Sparsity(0.1).value(np.abs(codes).mean(axis=0))
    loss = -estimator.score_samples(aside).mean() + estimator.scale_**2 * penalty
    assert_allclose(min(estimator.validation_loss_curve_), loss)
