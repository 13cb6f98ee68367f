"""Features that count more than others in the loss."""

import numpy as np
import pandas as pd
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer, Loss
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import LOSSES
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._scaling import Units, fit_scaling

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

IRIS = load_iris(as_frame=True).data
DIGITS = load_digits().data
NAMES = ["length", "width", "petal_length", "petal_width"]
quick = {"hidden_layer_sizes": (16,), "random_state": 0, "max_iter": 5}


class Summed(Loss):
    """The user's own, cell by cell."""

    shift_invariant = True

    def elementwise(self, target, raw):
        return (raw - target) ** 4

    def gradient(self, target, raw):
        return 4 * (raw - target) ** 3


@pytest.mark.parametrize("name", [*LOSSES, "own"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block_rows", [0, 5])
def test_gradient_and_value(name, weighted, block_rows):
    loss = Summed() if name == "own" else LOSSES[name]()
    rng = np.random.RandomState(0)
    X = rng.uniform(0.05, 0.95, size=(12, 5))
    rows = ArrayRows(X, rng.uniform(0.5, 2, size=12) if weighted else None)
    _, scaling = fit_scaling(rows, "global")
    weight = np.array([0, 0.5, 1, 1.5, 2])
    network = Network.mirrored(5, (4,), 2)
    units = Units.of(scaling, loss, False)
    model = Model(network, loss, units, feature_weight=weight)
    objective = Objective(model, None, np.float64, block_rows)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert relative_error(objective, theta, rows) < 1e-6
    raw = model.raw(network.views(theta), X)
    cells = weight * loss.cells(model.targets(X), raw)
    expected = np.average(cells.mean(axis=1), weights=rows.weights())
    assert_allclose(objective.value(theta, rows), expected)


@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_equal_weights_change_no_bit(kind, solver, dtype):
    X = IRIS.to_numpy(dtype)
    params = quick | {"n_components": 2, "solver": solver}
    plain, same, other = (
        kind(feature_weight=weight, **params).fit(X)
        for weight in (None, [3, 3, 3, 3], [3, 3, 1, 0])
    )
    assert_array_equal(same._fitted.theta, plain._fitted.theta)
    assert not np.array_equal(other._fitted.theta, plain._fitted.theta)
    assert other._fitted.theta.dtype == dtype
    assert other.transform(X).dtype == dtype


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_what_counts_is_reconstructed(solver):
    """The other half is as if it were not there: reconstructed, but at no price."""
    weight = np.repeat([1.0, 0.0], 32)
    params = quick | {"max_iter": 60, "solver": solver}
    plain, weighted = (
        AutoencoderTransformer(6, feature_weight=w, **params).fit(DIGITS)
        for w in (None, weight)
    )
    errors = [np.square(e.reconstruct(DIGITS) - DIGITS) for e in (plain, weighted)]
    assert errors[1][:, :32].mean() < 0.75 * errors[0][:, :32].mean()
    assert errors[1][:, 32:].mean() > errors[0][:, 32:].mean()
    # Scores are of what counts, too, and the mean of the weights is 1.
    assert_allclose(weighted.score_samples(DIGITS), -2 * errors[1][:, :32].sum(1) / 64)
    total = np.square(DIGITS - DIGITS.mean(axis=0))[:, :32].sum()
    assert_allclose(weighted.score(DIGITS), 1 - errors[1][:, :32].sum() / total)
    assert weighted.score(DIGITS) > 0.8


def test_only_ratios_matter():
    fits = [
        AutoencoderTransformer(2, feature_weight=weight, **quick).fit(IRIS)
        for weight in ([1, 2, 3, 4], np.array([1e200, 2e200, 3e200, 4e200]))
    ]
    assert_allclose(fits[0].transform(IRIS), fits[1].transform(IRIS), rtol=1e-9)


def test_weights_by_name():
    X = IRIS.set_axis(NAMES, axis=1)
    by_name = {"petal_width": 5, "length": 0.5}
    fits = [
        AutoencoderTransformer(2, feature_weight=weight, **quick).fit(X)
        for weight in (
            [0.5, 1, 1, 5],
            by_name,
            pd.Series(by_name),
            pd.Series([0.5, 1, 1, 5]),
        )
    ]
    for fit in fits[1:]:
        assert_array_equal(fit.transform(X), fits[0].transform(X))
    assert clone(fits[1]).feature_weight == by_name


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1, 2], "feature_weight must have a number for each of the n_features=4"),
        ([1, 2, 3, -1], "feature_weight must have .* none negative"),
        ([0, 0, 0, 0], "feature_weight must have .* not all 0"),
        ([[1, 2, 3, 4]], "feature_weight must have"),
        ([1, 2, 3, np.nan], "feature_weight must have .*nan"),
        ([], "feature_weight must have .* got \\[\\]"),
        (["a"] * 4, "feature_weight must have"),
        ({"length": None}, "feature_weight must have .* got {'length': None}"),
        (
            pd.Series([1.0, 2], index=["width"] * 2),
            "feature_weight must have each name",
        ),
        ("petal", "feature_weight"),
        (2.0, "feature_weight"),
        ({"petal": 2}, "by name must be for names .* got 'petal', but X has length, "),
        ({0: 2}, "by name must be for names that X has as columns, got 0"),
    ],
)
def test_bad_weights(weight, message):
    X = IRIS.set_axis(NAMES, axis=1)
    estimator = AutoencoderTransformer(2, **quick).fit(X)
    before = estimator.transform(X)
    with pytest.raises(ValueError, match=message):
        estimator.set_params(feature_weight=weight).fit(X)
    assert_array_equal(estimator.transform(X), before)


def test_weights_by_name_need_names():
    estimator = AutoencoderTransformer(2, feature_weight={"length": 2}, **quick)
    with pytest.raises(ValueError, match="got 'length', but X has none"):
        estimator.fit(IRIS.to_numpy())


def test_what_does_not_go_together():
    class Together(Summed):
        def cells(self, target, raw):
            return self.elementwise(target, raw)

    weight = {"feature_weight": [1, 2, 3, 4]}
    with pytest.raises(ValueError, match="feature_weight must be None with loss=Tog"):
        AutoencoderTransformer(2, loss=Together(), **weight).fit(IRIS)
    with pytest.raises(ValueError, match="no code_penalty or feature_weight"):
        AutoencoderTransformer(2, solver="svd", hidden_layer_sizes=(), **weight).fit(
            IRIS
        )
    linear = AutoencoderTransformer(2, hidden_layer_sizes=(), random_state=0, **weight)
    assert linear.fit(IRIS).solver_ == "adam"


def test_predictions_check_the_data():
    estimator = AutoencoderTransformer(
        2, loss="binary_cross_entropy", feature_weight=[1, 2, 1, 1], **quick
    ).fit(IRIS / 10)
    with pytest.raises(ValueError, match=r"X must be in \[0, 1\]"):
        estimator.score_samples(IRIS)


def test_passes_take_the_weights_of_now():
    X = IRIS.set_axis(NAMES, axis=1)
    params = {"n_components": 1, "hidden_layer_sizes": (8,), "random_state": 0}
    estimator = AutoencoderTransformer(**params)
    for _ in range(20):
        estimator.partial_fit(X)
    before = np.square(estimator.reconstruct(X) - X)["width"].mean()
    estimator.set_params(feature_weight={"width": 100.0})
    for _ in range(20):
        estimator.partial_fit(X, sample_weight=np.ones(len(X)))
    after = np.square(estimator.reconstruct(X) - X)["width"].mean()
    assert after < 0.7 * before
