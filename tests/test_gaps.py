"""Cells that are not known: they count nowhere, and may be filled."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    FunctionNoise,
    GaussianNoise,
    HiddenCells,
    MaskingNoise,
    VariationalAutoencoder,
)
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._code import Code
from sklearn_ae._gaps import GappyRows
from sklearn_ae._input import check_rows
from sklearn_ae._linear import principal_axes
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._scaling import Scaling, Units, fit_scaling

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

CANCER, DIGITS = load_breast_cancer().data, load_digits().data
CLASSES = [AutoencoderTransformer, AutoencoderOutlierDetector, VariationalAutoencoder]
PER_ROW = ["transform", "reconstruct", "score_samples"]

all_classes = pytest.mark.parametrize("cls", CLASSES)


def make(cls=AutoencoderTransformer, **params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}
    return cls(3, **defaults | params)


def with_gaps(X, share=0.2, seed=0):
    gaps = np.random.RandomState(seed).uniform(size=X.shape) < share
    return np.where(gaps, np.nan, X)


GAPPY = with_gaps(CANCER)


def gappy_rows(n_rows=40, weighted=True, dtype=np.float64):
    rng = np.random.RandomState(1)
    X = with_gaps(rng.normal(size=(n_rows, 5)), 0.3).astype(dtype)
    weights = rng.uniform(0.5, 2, size=n_rows).astype(dtype) if weighted else None
    return X, weights, GappyRows(X, weights)


# Rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [True, False])
def test_statistics_are_of_known_cells(weighted, dtype, monkeypatch):
    X, weights, rows = gappy_rows(60, weighted, dtype)
    known = ~np.isnan(X)
    cells = known * (np.ones(60) if weights is None else weights)[:, None]
    expected = np.average(np.nan_to_num(X), axis=0, weights=cells)
    spread = np.average((np.nan_to_num(X) - expected) ** 2, axis=0, weights=cells)
    tolerance = {"rtol": 1e-5 if dtype == np.float32 else 1e-12, "atol": 1e-6}
    for length in (100, 7):
        monkeypatch.setattr("sklearn_ae._rows.block_length", lambda _, n=length: n)
        mean, scaling = fit_scaling(rows, "per_feature")
        assert_allclose(mean, expected, **tolerance)
        assert_allclose(scaling.scale**2, spread, **tolerance)
        assert_allclose(rows.cell_weight_sum(), cells.sum(), rtol=1e-6)
        of_features = np.arange(5.0)
        expected_sum = (cells @ of_features).sum()
        assert_allclose(rows.cell_weight_sum(of_features), expected_sum, rtol=1e-6)
    assert_allclose(scaling.apply(rows.array())[~known], 0, atol=1e-6)


def test_gaps_stay_where_they_are():
    X, _, rows = gappy_rows()
    before = X.copy()
    order = np.array([7, 2, 2, 39, 0])
    few = rows.take(order)
    buffer = np.empty((5, 5))
    assert few.array(buffer) is buffer
    assert_array_equal(few.array(), buffer)
    # Into a buffer, or not: the array is not written into.
    rows.array(np.empty_like(X))
    assert_array_equal(X, before)
    assert_array_equal(few.known(), ~np.isnan(X[order]))
    scaled = few.mapped(lambda X: 2 * X + 1)
    assert_array_equal(scaled.array(), 2 * few.array() + 1)
    assert_array_equal(scaled.known(), few.known())
    assert_array_equal(scaled.cell_weights(), few.cell_weights())


@pytest.mark.parametrize("noise", [None, GaussianNoise(0.3), MaskingNoise(0.5)])
def test_gradient_and_loss(noise):
    X, weights, rows = gappy_rows()
    network = Network.mirrored(5, (4,), 3)
    units = Units.of(Scaling(np.zeros(5), np.ones(())), SquaredError(), False)
    model = Model(network, SquaredError(), units, Code())
    theta = np.random.RandomState(0).normal(scale=0.5, size=network.n_parameters)
    known = ~np.isnan(X)
    cells = known * weights[:, None]
    values = []
    for block_rows in (0, 7):
        objective = Objective(
            model, None, np.float64, block_rows=block_rows, corruption=noise
        )
        assert relative_error(objective, theta, rows) < 1e-6
        values.append(objective.mean_loss(theta, rows))
    assert_allclose(values[0], values[1])
    if noise is None:
        raw = model.raw(network.views(theta), rows.array())
        expected = (cells * (raw - np.nan_to_num(X)) ** 2).sum() / cells.sum()
        assert_allclose(values[0], expected)
    # The gradient of all minibatches is that of all rows: one divisor for all.
    if noise is None:
        objective = Objective(model, None, np.float64)
        total = 0
        for fun, n_rows in objective.minibatches(rows, 8):
            total = total + n_rows / len(rows) * fun(theta)[1]
        assert_allclose(total, objective.value_and_gradient(theta, rows)[1])


def test_noise_does_not_reach_gaps():
    seen = []

    class Watched(GaussianNoise):
        def apply(self, X, rng, out):
            return super().apply(X, rng, out)

    X, weights, rows = gappy_rows()
    network = Network.mirrored(5, (4,), 3)
    units = Units.of(Scaling(np.zeros(5), np.ones(())), SquaredError(), False)
    model = Model(network, SquaredError(), units)
    objective = Objective(model, None, np.float64, corruption=Watched(1.0))
    block = objective.block
    objective.block = lambda theta, rows, *args: (
        seen.append(rows.inputs.copy()) or block(theta, rows, *args)
    )
    objective.value(np.zeros(network.n_parameters), rows)
    gaps = np.isnan(X)
    assert_array_equal(seen[0][gaps], rows.array()[gaps])
    assert not np.isclose(seen[0][~gaps], X[~gaps]).any()


def test_pca_of_rows_with_gaps():
    """Refilled, the directions are nearer to those of the whole rows."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(500, 2)) @ rng.normal(size=(2, 8))
    X += 0.1 * rng.normal(size=X.shape)
    directions = PCA(2).fit(X).components_
    rows = GappyRows(with_gaps(X, 0.3))
    _, scaling = fit_scaling(rows, "global")

    def distance(axes):
        cosines = np.linalg.svd(axes.directions[:2] @ directions.T)[1]
        return np.sqrt(np.square(np.arccos(np.minimum(cosines, 1))).sum())

    refilled, mean_filled = (distance(principal_axes(rows, scaling, k)) for k in (2, 8))
    assert refilled < mean_filled / 3
    # A few directions of many are found from a random start, the same.
    wide = GappyRows(np.tile(with_gaps(X, 0.3), (3, 150)))
    axes = principal_axes(wide, fit_scaling(wide, "global")[1], 2)
    full = PCA(2).fit(np.tile(X, (3, 150))).components_
    assert np.linalg.svd(axes.directions[:2] @ full.T)[1].min() > 0.999


# Estimators


@all_classes
def test_whatever_stands_for_a_gap(cls):
    names = [f"f{i}" for i in range(30)]
    frame = pd.DataFrame(GAPPY, columns=names)
    ints = GAPPY.round()
    nullable = pd.DataFrame(ints, columns=names).astype("Int64")
    assert nullable.isna().sum().sum() == np.isnan(GAPPY).sum()
    variants = [
        (GAPPY, frame),
        (GAPPY, np.ma.masked_invalid(GAPPY)),
        (GAPPY, pl.DataFrame(GAPPY, schema=names).fill_nan(None)),
        (ints, nullable),
        (ints, nullable.astype(object)),
        (ints, nullable.astype(object).to_numpy()),
        (ints[:50], nullable[:50].astype(object).to_numpy().tolist()),
        (ints, np.ma.masked_array(np.nan_to_num(ints).astype(int), np.isnan(ints))),
    ]
    for plain, other in variants:
        expected = make(cls).fit(plain).score_samples(plain)
        with pytest.MonkeyPatch.context():
            assert_array_equal(make(cls).fit(other).score_samples(other), expected)


@all_classes
@pytest.mark.parametrize("method", ["fit", "partial_fit", *PER_ROW, "score"])
def test_infinity_is_an_error(cls, method):
    estimator = make(cls, early_stopping=False).fit(CANCER)
    for value in (np.inf, -np.inf):
        X = GAPPY.copy()
        X[5, 2] = value
        with pytest.raises(ValueError, match="Input X contains infinity"):
            getattr(estimator, method)(X)
    assert np.isfinite(estimator.score(CANCER))


@all_classes
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_columns_without_a_value_are_named(cls, method):
    X = GAPPY.copy()
    X[:, [3, 8]] = np.nan
    frame = pd.DataFrame(X, columns=[f"f{i}" for i in range(30)])
    with pytest.raises(ValueError, match="but has none in 'f3', 'f8'. Leave such"):
        getattr(make(cls), method)(frame)
    X[4, [3, 8]] = 1
    weights = np.arange(len(X)) != 4
    with pytest.raises(ValueError, match="in a row of positive weight.*none in 3, 8"):
        getattr(make(cls), method)(X, sample_weight=weights)
    # Once there was one, it may be missing.
    estimator = getattr(make(cls), method)(X)
    X[4, [3, 8]] = np.nan
    assert np.isfinite(estimator.score(X))
    if method == "partial_fit":
        estimator.partial_fit(X)


@all_classes
@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
@pytest.mark.parametrize("noise", [None, "auto", HiddenCells(0.3)])
def test_gaps_count_nowhere(cls, scaling, noise):
    """What was in a cell cannot matter; all methods work, nothing is modified."""
    X, weights = GAPPY[:200] / CANCER.std(axis=0), np.linspace(0.1, 1, 200)
    before = X.copy()
    estimator = make(cls, scaling=scaling, noise=noise)
    estimator.fit(X, sample_weight=weights)
    known = ~np.isnan(X)
    cells = weights[:, None] * known
    expected = np.average(np.nan_to_num(X), axis=0, weights=cells)
    assert_allclose(estimator.mean_, expected)
    assert np.isfinite(estimator.loss_curve_).all()
    for method in PER_ROW:
        result = getattr(estimator, method)(X)
        assert np.isfinite(result).all()
        few = [150, 3]
        assert_allclose(getattr(estimator, method)(X[few]), result[few], rtol=1e-9)
        whole = getattr(estimator, method)(X[np.isnan(X).sum(axis=1) < 5])
        assert_allclose(whole, result[np.isnan(X).sum(axis=1) < 5], rtol=1e-9)
    assert_array_equal(X, before)
    same = clone(estimator).fit(X, sample_weight=weights)
    assert_array_equal(same.score_samples(X), estimator.score_samples(X))
    estimator.partial_fit(X[:50])
    assert np.isfinite(estimator.score(X, sample_weight=weights))


def test_scores_are_means_over_known_cells():
    for scaling in ("global", "per_feature"):
        estimator = make(scaling=scaling).fit(GAPPY)
        known = ~np.isnan(GAPPY)
        residual = np.where(known, estimator.reconstruct(GAPPY) - GAPPY, 0)
        unit = 1 if scaling == "global" else estimator.scale_
        losses = (residual / unit) ** 2
        by_mean = np.where(known, (GAPPY - estimator.mean_) / unit, 0) ** 2
        expected = -losses.sum(axis=1) / known.sum(axis=1)
        assert_allclose(estimator.score_samples(GAPPY), expected, rtol=1e-6)
        r2 = 1 - losses.sum() / by_mean.sum()
        assert_allclose(estimator.score(GAPPY), r2)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson", "huber"])
def test_other_losses(loss):
    X = with_gaps(DIGITS[:200] / 16)
    for cls in CLASSES:
        if cls is not VariationalAutoencoder or loss != "huber":
            estimator = make(cls, loss=loss).fit(X)
            assert np.isfinite(estimator.score_samples(X)).all()
            assert np.isfinite(estimator.reconstruct(X)).all()


def test_float32_is_kept():
    X = GAPPY.astype(np.float32)
    for noise in (None, HiddenCells(0.2)):
        estimator = make(noise=noise).fit(X)
        assert estimator.transform(X).dtype == np.float32
        double = make(noise=noise).fit(GAPPY)
        assert_allclose(estimator.score(X), double.score(GAPPY), atol=1e-3)
        # float64 rows for a float32 fit, and the other way round.
        assert_allclose(estimator.transform(GAPPY), estimator.transform(X), rtol=1e-5)
        double.transform(X)


def test_validation_rows_may_have_gaps_alone():
    estimator = make().fit(CANCER, X_val=GAPPY)
    assert len(estimator.validation_loss_curve_) == estimator.n_iter_
    expected = make().fit(CANCER, X_val=GAPPY.astype(object))
    assert estimator.validation_loss_curve_ == expected.validation_loss_curve_
    make().fit(GAPPY, X_val=CANCER)


def test_svd_is_for_whole_rows():
    linear = AutoencoderTransformer(3, activation="identity", random_state=0)
    assert linear.fit(CANCER).solver_ == "svd"
    assert linear.fit(GAPPY).solver_ == "adam"
    with pytest.raises(ValueError, match="X without gaps"):
        clone(linear).set_params(solver="svd").fit(GAPPY)


@all_classes
def test_a_row_without_values_is_a_typical_one(cls):
    X = GAPPY.copy()
    X[7] = np.nan
    for params in ({}, {"noise": HiddenCells(0.2)}):
        estimator = cls(4, random_state=0, max_iter=20, **params).fit(X)
        scores = estimator.score_samples(X)
        share_below = np.mean(scores < scores[7])
        assert 0.1 < share_below < 0.9
        assert_allclose(estimator.score_samples(X[[7]]), scores[7])
        assert np.isfinite(estimator.reconstruct(X[[7]])).all()
    if cls is AutoencoderOutlierDetector:
        assert_array_equal(estimator.score_contributions(X)[7], 0)
        assert estimator.predict(X[[7]]) == 1


@pytest.mark.parametrize("params", [{}, {"score_parts": "loss"}, {"noise": None}])
def test_contributions_of_gaps_are_nothing(params):
    detector = AutoencoderOutlierDetector(random_state=0, max_iter=10, **params)
    detector.fit(GAPPY)
    contributions = detector.score_contributions(GAPPY)
    assert_array_equal(contributions[np.isnan(GAPPY)], 0)
    assert_allclose(contributions.sum(axis=1), detector.score_samples(GAPPY))


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_gaps_alone_are_not_abnormal(share):
    """Half of the rows have gaps, in training as afterwards."""
    rng = np.random.RandomState(0)
    X = DIGITS[load_digits().target < 5][:, 10:54]
    gaps = (rng.uniform(size=X.shape) < share) & (rng.uniform(size=(len(X), 1)) < 0.5)
    X = np.where(gaps, np.nan, X)
    detector = AutoencoderOutlierDetector(random_state=0).fit(X[::2])
    abnormality = -detector.score_samples(X[1::2])
    assert 0.4 < roc_auc_score(gaps[1::2].any(axis=1), abnormality) < 0.6
    # A detector that has seen whole rows alone is not surprised either.
    detector.fit(DIGITS[load_digits().target < 5][:, 10:54][::2])
    abnormality = -detector.score_samples(X[1::2])
    assert 0.35 < roc_auc_score(gaps[1::2].any(axis=1), abnormality) < 0.65


def test_outliers_are_found_among_gaps():
    X, y = load_breast_cancer(return_X_y=True)
    benign = np.flatnonzero(y == 1)
    train, test = benign[::2], np.r_[benign[1::2], np.flatnonzero(y == 0)]
    for noise in ("auto", HiddenCells(0.2)):
        detector = AutoencoderOutlierDetector(noise=noise, random_state=0)
        detector.fit(GAPPY[train])
        assert roc_auc_score(y[test], detector.score_samples(GAPPY[test])) > 0.93


def test_density_of_what_is_known():
    """Beside that of the normal distribution that a linear one is."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2000, 2)) @ rng.normal(size=(2, 5))
    X += rng.normal(size=X.shape)
    linear = {"hidden_layer_sizes": (), "scaling": "global", "n_draws": 500}
    vae = VariationalAutoencoder(2, random_state=0, **linear).fit(X)
    weights = vae.coefs_[-1] * vae.scale_
    covariance = weights.T @ weights + vae.noise_variance_ * np.eye(5)
    mean = vae.inverse_transform(np.zeros((1, 2)))[0]
    for known, gap in (([0, 1, 2, 3, 4], 0), ([0, 2, 3], 0.2), ([1, 3, 4], 0.1)):
        some = np.full(X.shape, np.nan)
        some[:, known] = X[:, known]
        normal = multivariate_normal(mean[known], covariance[np.ix_(known, known)])
        exact, bound = normal.logpdf(X[:, known]).mean(), vae.score(some)
        # A bound: the encoder gets 0 for a gap, so its codes are not quite right.
        assert exact - gap - 0.01 < bound < exact + 0.01


def test_training_goes_on_with_gaps():
    for noise in (None, HiddenCells(0.2)):
        estimator = make(noise=noise, early_stopping=False).partial_fit(CANCER[:100])
        for start in range(100, 500, 100):
            estimator.partial_fit(GAPPY[start : start + 100])
        assert np.isfinite(estimator.score(GAPPY))
        warm = make(noise=noise, warm_start=True).fit(GAPPY).fit(GAPPY)
        assert np.isfinite(warm.score(GAPPY))


def test_ordered_codes_with_gaps():
    estimator = AutoencoderTransformer(ordered=True, random_state=0, max_iter=20)
    estimator.fit(with_gaps(DIGITS))
    assert (np.diff(estimator.latent_path_["score"][:5]) > 0).all()
    assert np.isfinite(estimator.truncated(2).transform(with_gaps(DIGITS))).all()


def test_own_noise_gets_means_for_gaps():
    def checked(X, random_state):
        assert np.isfinite(X).all()
        return X + random_state.normal(size=X.shape)

    make(noise=FunctionNoise(checked)).fit(GAPPY)


def test_rows_without_gaps_are_plain():
    estimator = AutoencoderTransformer()
    assert type(check_rows(estimator, CANCER)) is ArrayRows
    assert type(check_rows(estimator, GAPPY)) is GappyRows
    huge = np.where(np.arange(4) % 2, 1e308, -1e308) * np.ones((3, 1))
    assert type(check_rows(estimator, huge)) is ArrayRows


@all_classes
def test_rows_without_values_teach_nothing(cls):
    X, empty = GAPPY[:200], np.full((300, 30), np.nan)
    estimator = make(cls).fit(np.vstack([X, empty]))
    expected = make(cls).fit(X)
    assert_allclose(estimator.score_samples(X), expected.score_samples(X))
    before = estimator.score_samples(X)
    with pytest.raises(ValueError, match="At least 1 rows must have .* than NaN"):
        estimator.partial_fit(empty)
    weights = np.zeros(30)
    weights[0] = 1
    with pytest.raises(ValueError, match="feature_weight must not be 0 for all"):
        weighted = make(feature_weight=weights).partial_fit(X)
        weighted.partial_fit(np.where(np.arange(30) == 0, np.nan, X))
    assert_array_equal(estimator.score_samples(X), before)
    with pytest.raises(ValueError, match="At least 2 rows must have .* got 1"):
        make(cls).fit(np.vstack([CANCER[:1], empty]))


def test_typical_rows_are_weighted():
    """What is typical of rows with gaps is that of heavy rows."""
    rng = np.random.RandomState(0)
    near, far = rng.normal(size=(200, 6)), 10 * rng.normal(size=(200, 6))
    X, weights = np.vstack([near, far]), np.r_[np.ones(200), np.full(200, 1e-3)]
    params = {"max_iter": 5, "random_state": 0}
    detector = AutoencoderOutlierDetector(**params).fit(X, sample_weight=weights)
    alone = AutoencoderOutlierDetector(**params).fit(near)
    _, sizes = detector._score._found(detector._fitted)
    _, expected = alone._score._found(alone._fitted)
    assert sizes.shape == expected.shape
    assert_allclose(sizes[:, 1:-1], expected[:, 1:-1], rtol=0.35)


@pytest.mark.parametrize("parts", ["auto", "loss"])
@pytest.mark.parametrize("in_training", [False, True])
def test_gaps_alone_are_no_outliers(parts, in_training):
    """As many fresh rows are flagged whatever share of them is known."""
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(2, 30))
    X = rng.normal(size=(4000, 2)) @ factors + 0.3 * rng.normal(size=(4000, 30))
    train, fresh = X[:1500], X[1500:]
    if in_training:
        train = with_gaps(train, 0.2)
    params = {"contamination": 0.05, "score_parts": parts, "max_iter": 20}
    detector = AutoencoderOutlierDetector(random_state=0, **params).fit(train)
    for share in (0.2, 0.5, 0.8):
        flagged = np.mean(detector.predict(with_gaps(fresh, share)) == -1)
        assert flagged < 0.15, share
    # What is there is judged: outliers are still found.
    gappy = with_gaps(fresh, 0.5, seed=1)
    scores = detector.score_samples(gappy)
    assert np.mean(detector.score_samples(5 * gappy) < scores) > 0.8
    contributions = detector.score_contributions(gappy)
    assert_allclose(contributions.sum(axis=1), scores)
    assert_array_equal(contributions[np.isnan(gappy)], 0)


@pytest.mark.parametrize("cls", CLASSES[:2])
def test_what_fills_a_gap_need_not_suit_the_loss(cls):
    """A regression may expect less than nothing, or more than one."""
    rng = np.random.RandomState(0)
    z = rng.normal(size=(300, 1))
    counts = rng.poisson(np.exp(2 + 1.5 * z) * np.ones(3)).astype(float)
    shares = (rng.uniform(size=(300, 3)) < 1 / (1 + np.exp(-3 * z))).astype(float)
    params = {"noise": HiddenCells(), "max_iter": 10, "random_state": 0}
    if cls is AutoencoderOutlierDetector:
        params["score_parts"] = "loss"
    for loss, X in (("poisson", counts), ("binary_cross_entropy", shares)):
        gappy = with_gaps(X, 0.2)
        estimator = cls(2, loss=loss, **params).fit(gappy)
        assert np.isfinite(estimator.score_samples(gappy)).all()
        assert np.isfinite(estimator.score(gappy))


def test_equal_weights_are_none():
    fits = [
        make(AutoencoderOutlierDetector).fit(X, sample_weight=weights)
        for X, weights in (
            (GAPPY, None),
            (GAPPY, np.full(len(GAPPY), 0.3)),
            (np.vstack([GAPPY, CANCER[:5]]), np.r_[np.full(len(GAPPY), 2.0), [0] * 5]),
        )
    ]
    for fit in fits[1:]:
        assert_array_equal(fit.score_samples(GAPPY), fits[0].score_samples(GAPPY))


def test_gaps_of_rows_that_do_not_count():
    empty = np.full((1, 30), np.nan)
    linear = AutoencoderTransformer(3, hidden_layer_sizes=(), random_state=0)
    expected = clone(linear).fit(CANCER)
    X = np.vstack([CANCER, GAPPY[:5]])
    weights = np.r_[np.ones(len(CANCER)), np.zeros(5)]
    for fit in (linear.fit(X, sample_weight=weights), linear.fit([*CANCER, *empty])):
        assert fit.solver_ == "svd"
        assert_allclose(fit.score(CANCER), expected.score(CANCER))


def test_rows_of_which_nothing_counts():
    weight = np.ones(30)
    weight[:2] = 0
    params = {"score_parts": "loss", "feature_weight": weight}
    detector = make(AutoencoderOutlierDetector, **params).fit(GAPPY)
    row = CANCER[:1].copy()
    row[:, 2:] = np.nan
    scores = detector.score_samples(GAPPY)
    assert 0.1 < np.mean(scores < detector.score_samples(row)) < 0.9


def test_masked_rows_in_a_list():
    rows = [np.ma.masked_invalid(row) for row in GAPPY]
    expected = make().fit(GAPPY)
    assert_array_equal(make().fit(rows).transform(rows), expected.transform(GAPPY))
    with pytest.raises(ValueError, match="Complex data not supported"):
        make().fit(np.ma.masked_equal(CANCER * 1j, 0))


@all_classes
def test_a_column_without_values_when_training_goes_on(cls):
    estimator = make(cls, warm_start=True).fit(GAPPY)
    X = GAPPY.copy()
    X[:, 4] = np.nan
    with pytest.raises(ValueError, match="X must have a value in each column.*4"):
        estimator.fit(X)
    # Later batches may lack one.
    assert np.isfinite(estimator.partial_fit(X).transform(X)).all()


def test_what_equating_takes_is_found_when_it_is_needed():
    detector = make(AutoencoderOutlierDetector).fit(CANCER)
    detector.score_samples(CANCER)
    assert "found" not in vars(detector._score)
    again = pickle.loads(pickle.dumps(detector))
    expected = detector.score_samples(GAPPY)
    assert "found" in vars(detector._score)
    assert_array_equal(again.score_samples(GAPPY), expected)
    after = pickle.loads(pickle.dumps(detector))
    assert_array_equal(after.score_samples(GAPPY), expected)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_wide_rows_of_which_few_have_gaps():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(120, 3)) @ rng.normal(size=(3, 2100))
    X += 0.1 * rng.normal(size=X.shape)
    params = {"max_iter": 3, "hidden_layer_sizes": (8,), "random_state": 0}
    detector = AutoencoderOutlierDetector(**params).fit(X)
    rows = X.copy()
    rows[0, 0] = np.nan
    scores = detector.score_samples(rows)
    assert np.isfinite(scores).all()
    assert_allclose(scores[1:], detector.score_samples(X)[1:])
    assert np.isfinite(clone(detector).fit(rows).score_samples(rows)).all()


def test_scoring_changes_nothing():
    """What equating takes belongs to the network as it is."""
    detectors = [make(AutoencoderOutlierDetector).partial_fit(CANCER) for _ in "ab"]
    detectors[0].score_samples(GAPPY)
    for detector in detectors:
        for _ in range(20):
            detector.partial_fit(CANCER[:10])
    scores = [detector.score_samples(GAPPY) for detector in detectors]
    assert_array_equal(*scores)
    again = pickle.loads(pickle.dumps(detectors[0]))
    assert_array_equal(again.score_samples(GAPPY), scores[0])


def test_units_do_not_matter_to_equating():
    params = {"score_parts": "loss", "scaling": "global"}
    scores = []
    for unit in (1, 1e-6):
        detector = make(AutoencoderOutlierDetector, **params).fit(unit * GAPPY)
        rows = np.vstack([GAPPY[:50], np.full((1, 30), np.nan)])
        scores.append(detector.score_samples(unit * rows) / unit**2)
    assert_allclose(*scores, rtol=1e-4)


def test_far_rows_with_gaps():
    params = {"score_parts": "loss", "scaling": "per_feature"}
    detector = make(AutoencoderOutlierDetector, **params).fit(GAPPY)
    rows = CANCER[:3].copy()
    rows[0, 0], rows[0, 3], rows[1, 2] = 1e200, np.nan, 1e200
    contributions = detector.score_contributions(rows)
    assert not np.isnan(contributions).any()
    assert_array_equal(contributions.sum(axis=1)[:2], [-np.inf, -np.inf])
    assert contributions[0, 3] == 0


def test_shares_that_lie_between_levels():
    """Of four features three are known: 0.75 is as near to 0.7 as to 0.8."""
    X = np.random.RandomState(0).normal(size=(400, 4))
    detector = make(AutoencoderOutlierDetector).fit(X)
    levels, _ = detector._score._found(detector._fitted)
    assert {0.7, 0.8} <= set(levels.round(2))


def test_typical_losses_keep_up_with_training():
    plain = make(linear_path=False, scaling="per_feature")
    for _ in range(40):
        plain.partial_fit(CANCER)
    scores = plain.score_samples(CANCER)
    empty = plain.score_samples(np.full((1, 30), np.nan))
    assert 0.1 < np.mean(scores < empty) < 0.9


def test_one_dimensional_words():
    for X in (["a", "b"], "abc", np.array(["a", "b"])):
        with pytest.raises(ValueError, match="convert string to float|2D array"):
            make().fit(X)


def test_equal_weights_of_what_is_left():
    X = np.vstack([GAPPY, np.full((3, 30), np.nan)])
    fits = [
        make(AutoencoderOutlierDetector).fit(X, sample_weight=weights)
        for weights in (np.ones(len(X)), np.r_[np.ones(len(GAPPY)), [2.0] * 3])
    ]
    assert_array_equal(*(fit.score_samples(GAPPY) for fit in fits))
