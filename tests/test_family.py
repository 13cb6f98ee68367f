"""The house has a place for the whole family: each member here is one class.

These are sketches, of what is to come. What counts is that nothing else had to be
changed for them, and that their gradients are right wherever the house uses them.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from finite_differences import relative_error
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris

from sklearn_ae import AutoencoderTransformer, Corruption, Layer, _choices, _input
from sklearn_ae._code import Code
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._rows import Rows, in_dtype
from sklearn_ae._scaling import Scaling, Units

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris().data
quick = {"hidden_layer_sizes": (16,), "random_state": 0}


def make_objective(code, n_components=3, **options):
    """Return an objective over rows of five features, and parameters."""
    width = code.encoder_width(n_components)
    network = Network.mirrored(5, (4,), n_components, encoder_width=width)
    scaling = Scaling(np.zeros(5), np.ones(()))
    units = Units.of(scaling, SquaredError(), False)
    model = Model(network, SquaredError(), units, code)
    theta = np.random.RandomState(0).normal(scale=0.5, size=network.n_parameters)
    return Objective(model, ElasticNet(0.1), np.float64, **options), theta


def some_rows(kind=Rows, n_rows=40, weighted=True):
    rng = np.random.RandomState(1)
    weights = rng.uniform(0.5, 2, size=n_rows) if weighted else None
    return kind(rng.normal(size=(n_rows, 5)), weights)


@dataclass(repr=False, eq=False)
class Masking(Corruption):
    """Some cells become the mean of their feature."""

    fraction: float = 0.3

    def changes(self):
        return self.fraction > 0

    def apply(self, X, rng, out):
        return np.multiply(X, rng.uniform(size=X.shape) >= self.fraction, out=out)


@dataclass(repr=False, eq=False)
class SaltAndPepper(Corruption):
    """Some cells become the least or the greatest value of their feature."""

    fraction: float = 0.3
    ends: tuple | None = None

    def bind(self, scaling, rows):
        blocks = [X for X, _ in rows.blocks(100)]
        least = np.min([X.min(axis=0) for X in blocks], axis=0)
        greatest = np.max([X.max(axis=0) for X in blocks], axis=0)
        return replace(self, ends=(scaling.apply(least), scaling.apply(greatest)))

    def apply(self, X, rng, out):
        u = rng.uniform(size=X.shape)
        least, greatest = self.ends
        out[...] = np.where(u < self.fraction / 2, least, X)
        return np.copyto(out, greatest, where=u > 1 - self.fraction / 2)


@dataclass(repr=False, eq=False)
class FunctionNoise(Corruption):
    """What a function of the user's makes of rows in the user's units."""

    func: object = None
    scaling: object = None

    def bind(self, scaling, rows):
        return replace(self, scaling=scaling)

    def apply(self, X, rng, out):
        return self.scaling.apply(self.func(self.scaling.invert(X), rng))


def test_corruptions():
    plain = AutoencoderTransformer(10, max_iter=20, **quick).fit(DIGITS)
    scaling, corrupted = plain._fitted.scaling, np.empty_like(DIGITS)
    for noise in (Masking(), SaltAndPepper()):
        fit = AutoencoderTransformer(10, noise=noise, max_iter=20, **quick).fit(DIGITS)
        bound, rng = noise.bind(scaling, Rows(DIGITS)), np.random.default_rng(0)
        bound.apply(scaling.apply(DIGITS), rng, corrupted)
        X = scaling.invert(corrupted)
        errors = [np.square(e.reconstruct(X) - DIGITS).mean() for e in (fit, plain)]
        assert errors[0] < 0.9 * errors[1]
    assert (
        AutoencoderTransformer(3, noise=Masking(0.0), **quick).fit(IRIS).noise_ is None
    )
    same = FunctionNoise(lambda X, rng: X)
    for solver in ("adam", "lbfgs"):
        params = quick | {"solver": solver, "max_iter": 5}
        fits = [
            AutoencoderTransformer(2, noise=n, **params).fit(IRIS) for n in (same, None)
        ]
        assert_allclose(fits[0].transform(IRIS), fits[1].transform(IRIS), rtol=1e-9)


class L1Sparsity(Code):
    """The absolute values of codes cost something."""

    def forward(self, encoded, weights, drawn):
        cost = np.abs(encoded) if weights is None else weights * np.abs(encoded)
        return encoded, 0.1 * float(cost.sum())

    def backward(self, encoded, delta, weights, drawn, factor, out):
        out += 0.1 * factor * (1 if weights is None else weights) * np.sign(encoded)


class KLSparsity(Code):
    """The mean activation of each unit, of which there is a running mean, is given."""

    penalises = True
    target, strength, memory = 0.05, 1.0, 0.9

    def statistic(self, encoded):
        return encoded

    def running_mean(self, mean, before):
        if before is None:
            return mean
        return self.memory * before + (1 - self.memory) * mean

    def penalty(self, mean):
        p, q = self.target, np.clip(mean, 1e-6, 1 - 1e-6)
        kl = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
        return self.strength * float(kl.sum())

    def penalty_gradient(self, encoded, mean):
        p, q = self.target, np.clip(mean, 1e-6, 1 - 1e-6)
        return np.broadcast_to(
            self.strength * ((1 - p) / (1 - q) - p / q), encoded.shape
        )


class Positive(KLSparsity):
    """The same for squares of what the encoder returns, so that no sign matters."""

    target = 0.5

    def statistic(self, encoded):
        return encoded**2 / (1 + encoded**2)

    def penalty_gradient(self, encoded, mean):
        slope = 2 * encoded / (1 + encoded**2) ** 2
        return slope * super().penalty_gradient(encoded, mean)


class Ordered(Code):
    """Codes are cut off at one, two and three numbers."""

    copies = 3

    def forward(self, encoded, weights, drawn):
        kept = np.tril(np.ones((3, 3)))[:, None, :]
        return (kept * encoded).reshape(-1, 3), 0.0

    def backward(self, encoded, delta, weights, drawn, factor, out):
        kept = np.tril(np.ones((3, 3)))[:, None, :]
        (kept * delta.reshape(3, -1, 3)).sum(axis=0, out=out)


class Gaussian(Code):
    """The encoder returns mean and log-variance; codes are drawn, and cost their KL."""

    draws = True
    beta = 0.1

    def encoder_width(self, n_components):
        return 2 * n_components

    def center(self, encoded):
        return np.split(encoded, 2, axis=1)[0]

    def draw(self, n_rows, rng):
        return rng.normal(size=(n_rows, 3))

    def forward(self, encoded, weights, drawn):
        mean, log_variance = np.split(encoded, 2, axis=1)
        kl = (mean**2 + np.exp(log_variance) - log_variance - 1) / 2
        cost = kl if weights is None else weights * kl
        return mean + np.exp(log_variance / 2) * drawn, self.beta * float(cost.sum())

    def backward(self, encoded, delta, weights, drawn, factor, out):
        mean, log_variance = np.split(encoded, 2, axis=1)
        share = self.beta * factor * (1 if weights is None else weights)
        out[:, :3] = delta + share * mean
        out[:, 3:] = delta * drawn * np.exp(log_variance / 2) / 2
        out[:, 3:] += share * (np.exp(log_variance) - 1) / 2


@pytest.mark.parametrize("code", [L1Sparsity, Positive, Ordered, Gaussian])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block_rows", [0, 7])
def test_gradients_of_codes(code, weighted, block_rows):
    rows = some_rows(weighted=weighted)
    objective, theta = make_objective(code(), block_rows=block_rows)
    assert relative_error(objective, theta, rows) < 1e-6
    whole, _ = make_objective(code())
    assert_allclose(objective.value(theta, rows), whole.value(theta, rows))
    assert_allclose(objective.mean_loss(theta, rows), whole.mean_loss(theta, rows))
    # Where there is one minibatch, its mean is that of all.
    ((fun, _),) = objective.minibatches(rows, len(rows))
    if not code.draws:
        expected = objective.value_and_gradient(theta, rows)
        assert_allclose(fun(theta)[0], expected[0])


def with_code(monkeypatch, code):
    monkeypatch.setattr(_choices.Choices, "code", code)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_sparse_codes(monkeypatch, solver):
    with_code(monkeypatch, KLSparsity())
    params = {"code_activation": "logistic", "linear_path": False, "max_iter": 150}
    params |= quick | {"solver": solver, "early_stopping": False}
    codes = AutoencoderTransformer(20, **params).fit(DIGITS).transform(DIGITS)
    assert_allclose(codes.mean(axis=0), 0.05, atol=0.02)
    assert np.mean(codes < 0.05) > 0.65


def recorded(given):
    def running_mean(self, mean, before):
        given.append(before)
        return mean

    return running_mean


def test_the_running_mean_goes_on(monkeypatch):
    """In minibatches, and from one call of partial_fit to the next."""
    with_code(monkeypatch, KLSparsity())
    params = {"code_activation": "logistic", "linear_path": False, "batch_size": 50}
    estimator = AutoencoderTransformer(5, **params, **quick)
    means = []
    for rows in np.array_split(DIGITS, 4):
        before = estimator._fitted.progress["code_mean"] if means else None
        given = []
        with monkeypatch.context() as patched:
            patched.setattr(KLSparsity, "running_mean", recorded(given))
            estimator.partial_fit(rows)
        assert_array_equal(given[0], before)
        means.append(estimator._fitted.progress["code_mean"])
    assert all(mean.shape == (5,) for mean in means)


def test_ordered_codes(monkeypatch):
    def score_cut_off(estimator, k):
        codes = estimator.transform(DIGITS)
        codes[:, k:] = 0
        error = DIGITS - estimator.inverse_transform(codes)
        return (
            1 - np.square(error).sum() / np.square(DIGITS - DIGITS.mean(axis=0)).sum()
        )

    params = quick | {"linear_path": False, "max_iter": 60}
    plain = AutoencoderTransformer(3, **params).fit(DIGITS)
    with_code(monkeypatch, Ordered())
    ordered = AutoencoderTransformer(3, **params).fit(DIGITS)
    for k in (1, 2):
        assert score_cut_off(ordered, k) > score_cut_off(plain, k) + 0.05
    assert ordered.score(DIGITS) > plain.score(DIGITS) - 0.1


def test_variational_codes(monkeypatch):
    with_code(monkeypatch, Gaussian())
    estimator = AutoencoderTransformer(3, max_iter=60, **quick).fit(DIGITS)
    assert estimator.transform(DIGITS).shape == (len(DIGITS), 3)
    # It starts as PCA: the encoder's first half are the codes.
    assert estimator.score(DIGITS) > 0.3
    # What is sampled looks like the data, which codes of another spread would not.
    sampled = estimator.inverse_transform(
        np.random.RandomState(0).normal(size=(500, 3))
    )
    assert_allclose(sampled.mean(axis=0), DIGITS.mean(axis=0), atol=4)


class Gappy(Rows):
    """NaN stands for what is not known: it is taken as the mean, and weighs nothing."""

    fill = 0.0

    def known(self):
        return ~np.isnan(super().array())

    def array(self, buffer=None):
        X = super().array(buffer)
        return np.where(np.isnan(X), np.asarray(self.fill, self.dtype), X)

    def cell_weights(self):
        weights, known = super().cell_weights(), self.known().astype(self.dtype)
        return known if weights is None else weights * known

    def mapped(self, function):
        mapped = super().mapped(function).array()
        mapped[~self.known()] = np.nan
        result = Gappy(mapped, self.weights())
        result.fill = function(np.full((1, self.n_features), self.fill, self.dtype))[0]
        return result

    def cells_per_row(self):
        known = self.known().sum(axis=1)
        return float(np.average(known, weights=self.weights()))


def test_rows_with_gaps():
    rng = np.random.RandomState(0)
    rows = some_rows()
    X = rows.array().copy()
    X[:, 1:][rng.uniform(size=(len(X), 4)) < 0.3] = np.nan
    gappy = Gappy(X, rows.weights())
    known = ~np.isnan(X)
    weights = known * rows.weights()[:, None]
    means = gappy.mean(lambda X: X)
    assert_allclose(
        means, np.nansum(weights * np.nan_to_num(X), axis=0) / weights.sum(axis=0)
    )
    for block_rows in (0, 7):
        options = {"block_rows": block_rows, "cells_per_row": gappy.cells_per_row()}
        objective, theta = make_objective(Code(), **options)
        assert relative_error(objective, theta, gappy) < 1e-6
        model = objective.model
        raw = model.raw(model.network.views(theta), gappy)
        expected = (weights * np.square(raw - np.nan_to_num(X))).sum() / weights.sum()
        assert_allclose(objective.mean_loss(theta, gappy), expected)
    # Each row's loss is the mean over what is known of it.
    losses = model.losses(model.network.views(theta), gappy)
    assert np.all(losses[~known] == 0)
    errors = np.where(known, np.square(raw - np.nan_to_num(X)), 0)
    assert_allclose(losses.mean(axis=1), errors.sum(axis=1) / known.sum(axis=1))


def accept(monkeypatch, kind, **options):
    """Let estimators take another kind of rows."""
    monkeypatch.setattr(_input, "refuse_sparse_and_masked", lambda X: None)
    monkeypatch.setattr(
        _input, "validate_data", partial(_input.validate_data, **options)
    )
    monkeypatch.setattr(_input, "Rows", kind)


def test_estimators_take_gaps(monkeypatch):
    accept(monkeypatch, Gappy, ensure_all_finite="allow-nan")
    rng = np.random.RandomState(0)
    hidden = rng.uniform(size=IRIS.shape) < 0.2
    X = np.where(hidden, np.nan, IRIS)
    monkeypatch.setattr(Gappy, "fill", np.nanmean(X, axis=0))
    estimator = AutoencoderTransformer(2, max_iter=100, **quick).fit(X)
    assert_allclose(estimator.mean_, np.nanmean(X, axis=0))
    filled = estimator.reconstruct(X)
    by_mean = np.square(IRIS - estimator.mean_)[hidden].mean()
    assert np.square(IRIS - filled)[hidden].mean() < 0.6 * by_mean
    assert 0.9 < estimator.score(X) < 1
    assert np.isfinite(estimator.score_samples(X)).all()
    monkeypatch.undo()
    plain = AutoencoderTransformer(2, max_iter=20, **quick).fit(IRIS)
    accept(monkeypatch, Gappy, ensure_all_finite="allow-nan")
    same = AutoencoderTransformer(2, max_iter=20, **quick).fit(IRIS)
    assert_allclose(same.transform(IRIS), plain.transform(IRIS), rtol=1e-6)


class SparseRows(Rows):
    """The rows of a CSR array, made dense block by block."""

    def array(self, buffer=None):
        X = self._X if self._indices is None else self._X[self._indices]
        return in_dtype(X.toarray(out=buffer), self.dtype)


def test_estimators_take_sparse_rows(monkeypatch):
    results = []
    for X in (DIGITS, csr_array(DIGITS)):
        estimator = AutoencoderTransformer(5, max_iter=5, noise=0.1, **quick).fit(X)
        scores = estimator.score_samples(X), estimator.score(X)
        results.append([estimator._fitted.theta, estimator.transform(X), *scores])
        accept(monkeypatch, SparseRows, accept_sparse="csr")
    for dense, sparse in zip(*results, strict=True):
        assert_array_equal(dense, sparse)


class OnWorkers(Rows):
    """Rows whose sums are made in other processes."""

    def sum(self, function, length, map=map):
        def on_workers(function, pieces):
            return Parallel(2)(delayed(function)(piece) for piece in pieces)

        return super().sum(function, length, on_workers)


def test_estimators_take_rows_of_workers(monkeypatch):
    X = np.random.RandomState(0).normal(size=(3000, 4)) @ IRIS[:4]
    for solver, sizes in (("svd", ()), ("lbfgs", (16,))):
        params = {"solver": solver, "hidden_layer_sizes": sizes, "max_iter": 9}
        params |= {"n_components": 2, "noise": None if solver == "svd" else 0.3}
        params |= {"tol": 0.5, "n_iter_no_change": 1}
        results = []
        for kind in (Rows, OnWorkers):
            with monkeypatch.context() as patched:
                patched.setattr(_input, "Rows", kind)
                patched.setattr("sklearn_ae._rows.BLOCK_BYTES", 2**16)
                estimator = AutoencoderTransformer(**params, random_state=0).fit(X)
                results.append([estimator._fitted.theta, estimator.score(X)])
        assert_array_equal(results[0][0], results[1][0])
        assert results[0][1] == results[1][1]


@dataclass(repr=False, eq=False)
class Convolution(Layer):
    """Windows of positions, each with some channels, times a matrix; or the way back.

    Rows are the channels of the first position, then those of the next.
    """

    channels: int
    width: int = 3
    stride: int = 2
    before: int = 1
    length: int | None = None
    back: bool = False

    @property
    def windows(self):
        starts = np.arange(0, self.length - self.width + 1, self.stride) * self.before
        return starts[:, None] + np.arange(self.width * self.before)

    @property
    def sizes(self):
        sizes = self.length * self.before, len(self.windows) * self.channels
        return sizes[::-1] if self.back else sizes

    n_inputs = property(lambda self: self.sizes[0])
    n_outputs = property(lambda self: self.sizes[1])
    weight_shapes = property(lambda self: ((self.width * self.before, self.channels),))
    bias_shapes = property(
        lambda self: ((self.before if self.back else self.channels,),)
    )

    def after(self, n_inputs):
        return replace(self, length=n_inputs // self.before)

    def mirrored(self):
        return replace(self, back=True)

    def initial(self, rng, rectifier, n_more=0):
        return [rng.normal(scale=0.4, size=self.weight_shapes[0])]

    def scatter(self, columns):
        out = np.zeros((len(columns), self.length * self.before))
        for position, window in enumerate(self.windows):
            out[:, window] += columns[:, position]
        return out

    def down(self, weight, x):
        return (x[:, self.windows] @ weight).reshape(len(x), -1)

    def up(self, weight, x):
        return self.scatter(x.reshape(len(x), -1, self.channels) @ weight.T)

    def forward_calls(self, parameters, x, out, scratch):
        def forward():
            weight, bias = parameters
            result = (self.up if self.back else self.down)(weight, x)
            out[...] = (result.reshape(-1, len(bias)) + bias).reshape(out.shape)

        return [forward]

    def backward_calls(self, parameters, x, delta, gradients, delta_x, scratch):
        def backward():
            (weight, bias), (by_weight, by_bias) = parameters, gradients
            by_bias[...] = delta.reshape(-1, len(bias)).sum(axis=0)
            wide, narrow = (delta, x) if self.back else (x, delta)
            narrow = narrow.reshape(len(x), -1, self.channels)
            np.einsum("npw,npc->wc", wide[:, self.windows], narrow, out=by_weight)
            if delta_x is not None:
                delta_x[...] = (self.down if self.back else self.up)(weight, delta)

        return [backward]


def test_convolutions():
    layers = Convolution(2), Convolution(3, before=2, stride=1)
    network = Network.mirrored(11, layers, 3)
    scaling = Scaling(np.zeros(11), np.ones(()))
    units = Units.of(scaling, SquaredError(), False)
    objective = Objective(Model(network, SquaredError(), units), None, np.float64)
    rng = np.random.RandomState(0)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert relative_error(objective, theta, Rows(rng.normal(size=(20, 11)))) < 1e-6
    params = {"hidden_layer_sizes": (Convolution(4, width=16, stride=8), 32)}
    estimator = AutoencoderTransformer(8, max_iter=30, random_state=0, **params)
    # Without a linear path, and with weights that are shared.
    assert estimator.fit(DIGITS).score(DIGITS) > 0.4


class Tied(Objective):
    """The decoder's weights are the encoder's, transposed, once they have started so.

    Both get the gradient of the one array that they stand for, so solvers move them
    alike.
    """

    @staticmethod
    def pairs(network, theta):
        encoder, decoder = network.views(theta)
        backwards = zip(encoder, reversed(decoder), strict=True)
        return [(there[0], back[0]) for there, back in backwards]

    def value_and_gradient(self, theta, rows, mean_weight=None, gradient=True):
        sums = super().value_and_gradient(theta, rows, mean_weight, gradient)
        for there, back in self.pairs(self.model.network, sums[1]) if gradient else ():
            there += back.T
            back[...] = there.T
        return sums


def tied_start(network, rng, dtype, initial_theta=Network.initial_theta):
    theta = initial_theta(network, rng, dtype)
    for there, back in Tied.pairs(network, theta):
        back[...] = there.T
    return theta


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_tied_weights(monkeypatch, solver):
    monkeypatch.setattr(Network, "initial_theta", tied_start)
    monkeypatch.setattr("sklearn_ae._fitting.Objective", Tied)
    params = {"linear_path": False, "solver": solver, "max_iter": 60}
    estimator = AutoencoderTransformer(8, **params, **quick).fit(DIGITS)
    network, theta = estimator._fitted.model.network, estimator._fitted.theta
    for there, back in Tied.pairs(network, theta):
        assert_array_equal(back, there.T)
    assert estimator.score(DIGITS) > 0.4
    # Moving one shared weight changes the loss by its gradient.
    units = estimator._fitted.model.units.of_scaled_rows()
    model = replace(estimator._fitted.model, units=units)
    objective, rows = Tied(model, ElasticNet(0.01), np.float64), Rows(DIGITS[:50] / 16)
    _, gradient = objective.value_and_gradient(theta, rows)
    gradient, values = gradient.copy(), []
    for step in (1e-6, -1e-6):
        moved = theta.copy()
        there, back = Tied.pairs(network, moved)[0]
        there[20, 3] += step
        back[3, 20] += step
        values.append(objective.value(moved, rows))
    numeric = (values[0] - values[1]) / 2e-6
    assert_allclose(Tied.pairs(network, gradient)[0][0][20, 3], numeric, rtol=1e-5)
