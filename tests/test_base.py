"""What both estimators promise, beyond scikit-learn's own checks."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from sklearn_ae import (
    LBFGS,
    SGD,
    Adam,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    Corruption,
    GaussianNoise,
    Huber,
    Loss,
)
from sklearn_ae._array_rows import ArrayRows

IRIS = load_iris().data
CLASSES = [AutoencoderTransformer, AutoencoderOutlierDetector]
METHODS = ["transform", "reconstruct", "score_samples", "score"]

both = pytest.mark.parametrize("cls", CLASSES)
solvers = pytest.mark.parametrize("solver", ["svd", "lbfgs", "adam", "sgd"])


def make(cls=AutoencoderTransformer, **params):
    """Return a small and quick estimator: the plain network, trained on all rows."""
    if params.get("solver") == "svd":
        params["activation"] = "identity"
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    defaults |= {"linear_path": False, "early_stopping": False}
    if cls is AutoencoderOutlierDetector:
        defaults |= {"noise": None, "score_parts": "loss"}
    return cls(2, **defaults | params)


def fit_quietly(estimator, X, **kwargs):
    """Fit where convergence is not the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, **kwargs)


# Fitting


@both
@solvers
def test_fit_beats_the_mean_and_reports_its_loss(cls, solver):
    estimator = fit_quietly(make(cls, solver=solver, max_iter=100), IRIS)
    assert estimator.solver_ == solver
    assert estimator.score(IRIS) > 0.8
    assert_allclose(estimator.loss_, -estimator.score_samples(IRIS).mean())
    if solver != "svd":
        assert len(estimator.loss_curve_) == estimator.n_iter_
        assert estimator.loss_curve_[-1] < estimator.loss_curve_[0]
    assert estimator.validation_loss_curve_ is None


@both
def test_parameters_are_views_of_one_array(cls):
    estimator = make(cls).fit(IRIS)
    arrays = estimator.coefs_ + estimator.intercepts_
    assert [w.shape for w in estimator.coefs_] == [(4, 8), (8, 2), (2, 8), (8, 4)]
    assert estimator.n_parameters_ == sum(array.size for array in arrays)
    assert all(np.shares_memory(array, estimator._fitted.theta) for array in arrays)


@solvers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_seed_same_bits(solver, dtype):
    X = IRIS.astype(dtype)
    first, second = (fit_quietly(make(solver=solver), X) for _ in range(2))
    assert first._fitted.theta.dtype == dtype
    assert_array_equal(first._fitted.theta, second._fitted.theta)


def test_other_seed_other_start():
    first, other = make().fit(IRIS), make(random_state=1).fit(IRIS)
    assert (first._fitted.theta != other._fitted.theta).any()


def test_a_seed_leaves_the_global_random_state_alone():
    shared = check_random_state(None)
    before = shared.get_state()[1].copy()
    make(early_stopping=True).fit(IRIS)
    assert_array_equal(shared.get_state()[1], before)


@both
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson"])
def test_float32_in_float32_out(cls, loss):
    X = IRIS.astype(np.float32)
    estimator = make(cls, loss=loss).fit(X)
    for array in (
        estimator._fitted.theta,
        estimator.mean_,
        estimator.scale_,
        estimator.transform(X),
        estimator.reconstruct(X),
        estimator.inverse_transform(estimator.transform(X)),
    ):
        assert array.dtype == np.float32
    assert estimator.transform(IRIS).dtype == np.float32


def test_float32_data_are_never_copied_to_float64():
    """Peak memory of a fit stays far below one float64 copy."""
    import tracemalloc

    X = np.random.RandomState(0).normal(size=(400_000, 20)).astype(np.float32)
    for params in ({"solver": "svd"}, {"max_iter": 1, "batch_size": 5000}):
        estimator = make(**params)
        tracemalloc.start()
        estimator.fit(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 0.8 * X.nbytes


@solvers
@pytest.mark.parametrize("loss", ["squared_error", "binary_cross_entropy"])
def test_read_only_memory_map_is_fine_and_unchanged(solver, loss, tmp_path):
    if solver == "svd" and loss != "squared_error":
        pytest.skip("no exact solution")
    X = load_digits().data[:200] / 16
    np.save(tmp_path / "X.npy", X)
    X_map = np.load(tmp_path / "X.npy", mmap_mode="r")
    estimator = fit_quietly(make(solver=solver, loss=loss), X_map)
    assert_array_equal(
        estimator._fitted.theta, fit_quietly(clone(estimator), X)._fitted.theta
    )
    for method in METHODS:
        getattr(estimator, method)(X_map)
    assert_array_equal(X_map, X)


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_order_makes_no_difference(order):
    X = np.asarray(IRIS, order=order)
    assert_allclose(make().fit(X).transform(X), make().fit(IRIS).transform(IRIS))


@both
def test_clones_and_pickles_score_identically(cls):
    estimator = make(cls).fit(IRIS)
    scores = estimator.score_samples(IRIS)
    assert_array_equal(clone(estimator).fit(IRIS).score_samples(IRIS), scores)
    restored = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(restored.score_samples(IRIS), scores)
    assert np.shares_memory(restored.coefs_[0], restored._fitted.theta)


def test_changed_parameters_do_not_change_a_fitted_model():
    estimator = make().fit(IRIS)
    codes = estimator.transform(IRIS)
    estimator.set_params(activation="relu", loss="poisson", n_components=1)
    assert_array_equal(estimator.transform(IRIS), codes)
    loss = Huber(0.1)
    estimator = make(loss=loss).fit(IRIS)
    scores = estimator.score_samples(IRIS)
    loss.delta = 10
    assert_array_equal(estimator.score_samples(IRIS), scores)


# Scale


@pytest.mark.parametrize("factor", [1e-8, 1e8])
@pytest.mark.parametrize("scaling", ["global", "per_feature"])
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_units_of_the_data_make_no_difference(loss, scaling, factor):
    params = {"loss": loss, "scaling": scaling}
    reference = make(**params).fit(IRIS)
    scaled = make(**params).fit(factor * IRIS)
    assert_allclose(scaled.score(factor * IRIS), reference.score(IRIS), rtol=1e-6)
    assert_allclose(
        scaled.reconstruct(factor * IRIS), factor * reference.reconstruct(IRIS), 1e-5
    )
    if scaling == "global":
        unit = factor if loss == "absolute_error" else factor**2
        assert_allclose(scaled.loss_, unit * reference.loss_, rtol=1e-6)
    else:
        assert_allclose(scaled.loss_, reference.loss_, rtol=1e-6)


def test_an_offset_makes_no_difference():
    reference = make().fit(IRIS)
    moved = make().fit(IRIS + 1e6)
    assert_allclose(moved.score(IRIS + 1e6), reference.score(IRIS), rtol=1e-5)


@pytest.mark.parametrize("factor", [1e-8, 1.0, 1e8])
def test_poisson_counts_of_any_size(factor):
    counts = np.random.RandomState(0).poisson(5, size=(100, 4)) * factor
    estimator = make(loss="poisson", max_iter=50).fit(counts)
    assert 0 < estimator.score(counts) < 1
    reference = make(loss="poisson", max_iter=50).fit(counts / factor)
    assert_allclose(estimator.score(counts), reference.score(counts / factor), 1e-5)


@both
@solvers
@pytest.mark.parametrize(
    "X",
    [
        np.full((20, 3), 7.0),
        np.c_[np.full(20, 7.0), np.arange(20.0), np.arange(20.0) ** 2],
        np.repeat(IRIS[:3], 10, axis=0),
        np.random.RandomState(0).normal(size=(5, 40)),
        np.random.RandomState(0).normal(size=(2, 3)),
        np.random.RandomState(0).normal(size=(30, 2)) * [1e-8, 1e8],
        (1e30 * np.random.RandomState(0).normal(size=(30, 3))).astype(np.float32),
        1e30 * np.random.RandomState(0).normal(size=(30, 3)),
    ],
    ids=[
        "constant",
        "constant column",
        "duplicate rows",
        "more features than rows",
        "two rows",
        "mixed scales",
        "1e30 in float32",
        "1e30",
    ],
)
def test_awkward_data_fit(cls, solver, X):
    estimator = fit_quietly(make(cls, solver=solver, max_iter=100), X)
    assert np.isfinite(estimator._fitted.theta).all()
    assert np.isfinite(estimator.score_samples(X)).all()
    assert np.isfinite(estimator.transform(X)).all()
    assert np.isfinite(estimator.reconstruct(X)).all()
    assert estimator.score(X) >= -1e-6


@both
@solvers
def test_one_feature(cls, solver):
    X = np.random.RandomState(0).normal(size=(30, 1))
    estimator = make(cls, solver=solver, max_iter=100).set_params(n_components=1)
    fit_quietly(estimator, X)
    assert estimator.score(X) > 0.5


def test_scaling_none_leaves_the_data_as_they_are():
    estimator = make(scaling=None).fit(IRIS)
    assert_array_equal(estimator.scale_, 1)
    hidden = np.tanh(IRIS @ estimator.coefs_[0] + estimator.intercepts_[0])
    codes = hidden @ estimator.coefs_[1] + estimator.intercepts_[1]
    assert_allclose(estimator.transform(IRIS), codes)


# Scores


@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "binary_cross_entropy", "poisson"]
)
def test_score_is_zero_for_the_mean_and_one_for_perfection(loss):
    X = load_digits().data[:100] / 16
    X = X[:, X.std(axis=0) > 0]
    estimator = make(loss=loss).fit(X)
    assert 0 < estimator.score(X) < 1
    losses = estimator._fitted.model.loss
    weights = np.zeros(100)
    weights[:3] = [1, 2, 3]
    repeated = X[[0, 1, 1, 2, 2, 2]]
    assert_allclose(
        estimator.score(X, sample_weight=weights), estimator.score(repeated)
    )
    # A model whose output ignores its input and is the mean has score 0.
    estimator._fitted.theta[:] = 0
    estimator.intercepts_[-1][:] = losses.link(
        estimator._fitted.model.units.targets.apply(estimator.mean_)
    )
    assert_allclose(estimator.score(X), 0, atol=1e-5)


def test_score_is_r2_of_all_cells():
    estimator = make().fit(IRIS)
    residual = ((IRIS - estimator.reconstruct(IRIS)) ** 2).sum()
    total = ((IRIS - IRIS.mean(axis=0)) ** 2).sum()
    assert_allclose(estimator.score(IRIS), 1 - residual / total)
    assert_allclose(
        estimator.score_samples(IRIS),
        -((IRIS - estimator.reconstruct(IRIS)) ** 2).mean(axis=1),
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("constant", [7.0, 0.1, 1e8 / 3, -1e-3])
def test_score_of_rows_that_do_not_vary_is_no_matter_of_rounding(constant, dtype):
    X = np.full((30, 3), constant, dtype)
    for params in ({"solver": "svd"}, {"solver": "adam"}):
        assert fit_quietly(make(**params), X).score(X) in (0, 1)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
@pytest.mark.parametrize(
    ("constant", "dtype"), [(1.7e9, np.float32), (1.7e18, np.float64)]
)
def test_score_is_not_that_of_a_large_constant_column(loss, scaling, constant, dtype):
    """Such as a date, whose rounding is larger than the deviance of all others."""
    X = (IRIS - IRIS.mean(axis=0)).astype(dtype)
    dated = np.c_[X, np.full(len(X), constant)].astype(dtype)
    estimator = make(loss=loss, scaling=scaling, max_iter=5).fit(dated)
    noise = np.random.RandomState(0).normal(size=dated.shape).astype(dtype)
    noise[:, -1] = constant
    assert estimator.score(dated) < 0.99
    assert estimator.score(noise) < 0.9


@pytest.mark.parametrize("offset", [0, 0.919])
def test_score_of_a_loss_that_is_never_zero(offset):
    class Likelihood(Loss):
        shift_invariant = True

        def elementwise(self, target, raw):
            return (raw - target) ** 2 + offset

        def gradient(self, target, raw):
            return 2 * (raw - target)

    estimator = make(loss=Likelihood(), scaling=None).fit(IRIS)
    residual = (IRIS - estimator.reconstruct(IRIS)) ** 2
    total = (IRIS - IRIS.mean(axis=0)) ** 2
    expected = 1 - (residual + offset).sum() / (total + offset).sum()
    assert_allclose(estimator.score(IRIS), expected)


@pytest.mark.parametrize("offset", [1e6, 1e4])
def test_score_with_a_large_offset_is_that_without(offset):
    X = IRIS.astype(np.float32 if offset == 1e4 else np.float64)
    moved = X + X.dtype.type(offset)
    estimator = make().fit(moved)
    residual = (moved - estimator.reconstruct(moved)).astype(float) ** 2
    total = (moved - moved.mean(axis=0, dtype=float)) ** 2
    assert_allclose(estimator.score(moved), 1 - residual.sum() / total.sum(), rtol=0.01)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "loss", ["squared_error", "absolute_error", "binary_cross_entropy", "poisson"]
)
def test_score_of_the_mean_is_no_matter_of_rounding(loss, dtype):
    X = (IRIS / 10).astype(dtype)
    estimator = make(loss=loss, max_iter=3).fit(X)
    mean = np.tile(estimator.mean_, (5, 1))
    for nudged in (mean, mean * (1 + np.finfo(dtype).eps)):
        assert estimator.score(nudged) == 0
    with np.errstate(all="raise"):
        for seed in range(20):
            row = np.random.RandomState(seed).uniform(size=4).astype(dtype)
            X = np.tile(row, (64, 1))
            assert make(loss=loss, max_iter=2).fit(X).score(X) in (0, 1)
    # What does vary is not taken for rounding.
    assert 0 < make(loss=loss, max_iter=50).fit(IRIS / 10).score(IRIS / 10) < 1


def test_reconstruct_is_decode_after_encode():
    estimator = make().fit(IRIS)
    assert_array_equal(
        estimator.reconstruct(IRIS),
        estimator.inverse_transform(estimator.transform(IRIS)),
    )


@both
def test_prediction_in_blocks_is_prediction_at_once(cls, monkeypatch):
    estimator = make(cls).fit(IRIS)
    whole = [getattr(estimator, method)(IRIS) for method in METHODS]
    monkeypatch.setattr("sklearn_ae._base.streaming_length", lambda row_bytes: 11)
    blocks = [getattr(estimator, method)(IRIS) for method in METHODS]
    for one, other in zip(whole, blocks, strict=True):
        assert_allclose(one, other, rtol=1e-12)


@both
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_eight_threads_give_the_bits_of_one(cls, dtype):
    X = np.random.RandomState(0).normal(size=(3000, 30)).astype(dtype)
    estimator = cls(5, hidden_layer_sizes=(40,), max_iter=1, random_state=0).fit(X)
    # BLAS with threads of its own rounds as its load allows.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(8) as pool:
        for method in ("transform", "reconstruct", "score_samples"):
            expected = getattr(estimator, method)(X)
            for result in pool.map(getattr(estimator, method), [X] * 32):
                assert_array_equal(result, expected)


@both
@pytest.mark.parametrize("params", [{"loss": "poisson"}, {"activation": "softplus"}])
def test_rounding_is_nobodys_error(cls, params):
    """Even where NumPy is told to raise."""
    with np.errstate(all="raise"):
        estimator = make(cls, **params).fit(IRIS)
        for factor in (1, 1e-200, 1e3):
            for method in METHODS:
                getattr(estimator, method)(factor * IRIS)
        estimator.inverse_transform([[-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4]])


@both
def test_what_is_fitted_does_not_depend_on_working_memory(cls):
    X = np.random.RandomState(0).normal(size=(3000, 40))
    params = {"noise": 0.3, "max_iter": 2, "batch_size": 500}
    expected = make(cls, **params).fit(X)
    with config_context(working_memory=0.01):
        assert_array_equal(
            make(cls, **params).fit(X)._fitted.theta, expected._fitted.theta
        )


@pytest.mark.parametrize("method", [*METHODS, "partial_fit", "fit"])
def test_float64_on_disk_is_converted_block_by_block(method, tmp_path):
    import tracemalloc

    X = np.random.RandomState(0).normal(size=(200_000, 20))
    np.save(tmp_path / "X.npy", X)
    X_map = np.load(tmp_path / "X.npy", mmap_mode="r")
    params = {"warm_start": True, "max_iter": 1, "batch_size": 5000}
    estimator = make(**params).fit(X[:1000].astype(np.float32))
    single = pickle.loads(pickle.dumps(estimator))
    tracemalloc.start()
    result = getattr(estimator, method)(X_map)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - getattr(result, "nbytes", 0) < 0.4 * X.nbytes
    expected = getattr(single, method)(X.astype(np.float32))
    if "fit" in method:
        assert estimator._fitted.theta.dtype == np.float32
        result, expected = estimator._fitted.theta, expected._fitted.theta
    assert_array_equal(result, expected)
    with pytest.raises(ValueError, match="too large for dtype.'float32'"):
        getattr(estimator, method)(X[:10] * 1e300)


@both
@pytest.mark.parametrize("activation", ["identity", "relu", "tanh", "silu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_at_the_end_of_the_number_line(cls, activation, dtype):
    rng = np.random.RandomState(0)
    X = (0.1 * rng.normal(size=(100, 4))).astype(dtype)
    estimator = make(cls, activation=activation).fit(X)
    extreme = np.array([[-1] * 4, [1, -1, 1, -1], [0, 0, 0, 1]], dtype)
    extreme *= np.finfo(dtype).max
    assert np.isfinite(estimator.transform(extreme)).all()
    assert (estimator.score_samples(extreme) < -1e30).all()
    assert estimator.score(extreme) == -np.inf
    if cls is AutoencoderOutlierDetector:
        assert_array_equal(estimator.predict(extreme), -1)
        assert (estimator.score_contributions(extreme)[2].argmin()) == 3


# Frames


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_is_for_all_that_is_like_the_input(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({name: IRIS[:, i] for i, name in enumerate("abcd")})
    detector = make(AutoencoderOutlierDetector).fit(frame)
    methods = ["transform", "reconstruct", "score_contributions"]
    arrays = [getattr(detector, method)(frame) for method in methods]
    detector.set_output(transform=library)
    for method, array in zip(methods, arrays, strict=True):
        result = getattr(detector, method)(frame)
        assert type(result) is frames.DataFrame
        assert_array_equal(result.to_numpy(), array)
        if method != "transform":
            assert list(result.columns) == list("abcd")
    codes = detector.transform(frame)
    assert isinstance(detector.inverse_transform(codes.to_numpy()), np.ndarray)
    unnamed = make().set_output(transform=library).fit(IRIS).reconstruct(IRIS)
    assert list(unnamed.columns) == ["x0", "x1", "x2", "x3"]


def test_set_output_keeps_the_index():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(IRIS, columns=list("abcd"), index=np.arange(150) * 2 + 7)
    detector = make(AutoencoderOutlierDetector).fit(frame)
    detector.set_output(transform="pandas")
    for method in ("reconstruct", "score_contributions"):
        assert_array_equal(getattr(detector, method)(frame).index, frame.index)


def test_a_wrong_keyword_names_the_class_that_was_called():
    for cls in CLASSES:
        with pytest.raises(TypeError, match=rf"^{cls.__name__}\.__init__\(\) got"):
            cls(latent_size=2)


def test_inverse_transform_takes_its_own_codes_as_a_frame():
    pytest.importorskip("pandas")
    estimator = make().set_output(transform="pandas").fit(IRIS)
    assert_array_equal(
        estimator.inverse_transform(estimator.transform(IRIS)),
        estimator.reconstruct(IRIS),
    )


# Sample weights


@both
@pytest.mark.parametrize("solver", ["svd", "lbfgs"])
def test_integer_weights_are_repeated_rows(cls, solver):
    weight = np.random.RandomState(0).randint(0, 4, size=len(IRIS))
    weighted = fit_quietly(make(cls, solver=solver), IRIS, sample_weight=weight)
    repeated = fit_quietly(make(cls, solver=solver), np.repeat(IRIS, weight, axis=0))
    assert_allclose(weighted.score_samples(IRIS), repeated.score_samples(IRIS), 1e-6)
    assert_allclose(weighted.loss_, repeated.loss_, rtol=1e-9)


@pytest.mark.parametrize("batch_size", [8, 32])
def test_weights_mean_the_same_in_minibatches(batch_size):
    """A few heavy rows pull as hard as their copies, whichever batch they are in."""
    rng = np.random.RandomState(0)
    X = np.r_[
        rng.normal(size=(300, 2)) * [1, 0.1],
        rng.normal(size=(15, 2)) * [0.1, 1],
    ]
    weight = np.r_[np.ones(300), np.full(15, 50)]
    params = {"hidden_layer_sizes": (), "batch_size": batch_size, "max_iter": 300}
    params |= {"solver": "adam", "early_stopping": False, "random_state": 0}
    estimator = AutoencoderTransformer(1, **params)
    estimator.fit(X, sample_weight=weight)
    exact = clone(estimator).set_params(solver="svd").fit(X, sample_weight=weight)
    assert_allclose(estimator.loss_, exact.loss_, rtol=0.02)


@pytest.mark.parametrize("params", [{}, {"noise": 0.3}, {"loss": "huber"}])
def test_a_large_batch_is_accumulated_in_bounded_memory(params):
    """Blocks bound the memory of a step, whatever `batch_size` is."""
    import tracemalloc

    X = np.random.RandomState(0).normal(size=(60_000, 50)).astype(np.float32)
    peaks = {}
    for batch_size in (10_000, 60_000):
        estimator = make(batch_size=batch_size, max_iter=1, **params)
        tracemalloc.start()
        estimator.fit(X)
        _, peaks[batch_size] = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # A single block of all rows would take 60,000 * 2 * (50 + 8 + 2 + 8 + 50) floats.
    assert peaks[60_000] < peaks[10_000] + 0.2 * 60_000 * 236 * 4


def test_a_batch_of_many_blocks_is_that_of_one(monkeypatch):
    whole = make(batch_size=150, solver=SGD(momentum=0)).fit(IRIS)
    monkeypatch.setattr("sklearn_ae._objective.LEAST_BLOCK_BYTES", 2000)
    blocks = make(batch_size=150, solver=SGD(momentum=0)).fit(IRIS)
    assert_allclose(blocks._fitted.theta, whole._fitted.theta, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1e-300, 1e-50, 1e50, 1e300])
def test_only_ratios_of_weights_matter(dtype, factor):
    X = IRIS.astype(dtype)
    weight = np.random.RandomState(0).randint(1, 4, size=len(X)).astype(float)
    reference = make().fit(X, sample_weight=weight)
    scaled = make().fit(X, sample_weight=factor * weight)
    assert_allclose(scaled.loss_, reference.loss_, rtol=1e-4)
    assert_allclose(
        reference.score(X, sample_weight=factor * weight),
        reference.score(X, sample_weight=weight),
        rtol=1e-5,
    )


def test_metadata_routing_of_sample_weight():
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    weight = np.random.RandomState(0).randint(0, 3, size=len(IRIS))
    with config_context(enable_metadata_routing=True):
        estimator = make().set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=True)
        pipeline = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=True), estimator
        )
        pipeline.fit(IRIS, sample_weight=weight)
        direct = make().fit(
            pipeline[0].transform(IRIS), sample_weight=weight.astype(float)
        )
        assert_array_equal(pipeline[-1]._fitted.theta, direct._fitted.theta)
        search = GridSearchCV(estimator, {"n_components": [1, 2]}, cv=2)
        search.fit(IRIS, sample_weight=weight)
        expected = clone(search.best_estimator_).fit(IRIS, sample_weight=weight)
        assert_array_equal(search.best_estimator_._fitted.theta, expected._fitted.theta)
        held_out = slice(75, None)
        fold = clone(search.best_estimator_).fit(IRIS[:75], sample_weight=weight[:75])
        assert_allclose(
            search.cv_results_["split1_test_score"][search.best_index_],
            fold.score(IRIS[held_out], sample_weight=weight[held_out]),
        )


# Stopping


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "softplus"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_default_rates_train_every_kind_of_unit(solver, activation):
    rng = np.random.RandomState(0)
    X = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    estimator = AutoencoderTransformer(
        2, solver=solver, activation=activation, random_state=0
    )
    assert estimator.fit(X).score(X) > 0.65


def test_adaptive_rate_adapts_with_early_stopping_too():
    params = {"solver": "sgd", "early_stopping": True, "max_iter": 2000}
    constant = make(learning_rate="constant", **params).fit(IRIS)
    adaptive = make(learning_rate="adaptive", **params).fit(IRIS)
    assert adaptive.n_iter_ > constant.n_iter_


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_early_stopping_returns_the_best_on_held_out_rows(solver):
    X = np.random.RandomState(0).normal(size=(60, 10))
    estimator = make(
        solver=solver,
        early_stopping=True,
        validation_fraction=0.3,
        max_iter=1000,
        hidden_layer_sizes=(100,),
        learning_rate="constant",
        learning_rate_init=0.01,
    ).fit(X)
    curve = estimator.validation_loss_curve_
    assert len(curve) == estimator.n_iter_ < 1000
    best = int(np.argmin(curve))
    assert best < len(curve) - 1
    short = fit_quietly(clone(estimator).set_params(max_iter=best + 1), X)
    assert_array_equal(short._fitted.theta, estimator._fitted.theta)


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "adam", "learning_rate_init": 1e10},
        {"solver": "sgd", "learning_rate_init": 1e10},
        {"solver": "sgd", "learning_rate_init": 1e10, "early_stopping": True},
        {"solver": "adam", "learning_rate_init": 1e3, "loss": "poisson"},
    ],
)
def test_divergence_warns_and_keeps_finite_parameters(params):
    estimator = make(activation="identity", hidden_layer_sizes=(), **params)
    with pytest.warns(ConvergenceWarning, match="learning_rate_init"):
        estimator.fit(IRIS)
    assert np.isfinite(estimator._fitted.theta).all()
    assert np.isfinite(estimator.loss_)


@both
@pytest.mark.parametrize("truth", [True, np.True_, 1 == 1])
def test_early_stopping_in_any_type_of_truth(cls, truth):
    assert make(cls, early_stopping=truth).fit(IRIS).validation_loss_curve_


def test_weights_that_are_no_normal_numbers_are_zeros():
    weight = np.full(150, 1e-315)
    weight[np.random.RandomState(0).permutation(150)[:50]] = 1
    light = make().fit(IRIS, sample_weight=weight)
    without = make().fit(IRIS, sample_weight=np.floor(weight))
    assert_array_equal(light._fitted.theta, without._fitted.theta)


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_divergence_warns_where_pca_may_stay(rate):
    X = load_digits().data
    with pytest.warns(ConvergenceWarning, match="never fell below its starting value"):
        AutoencoderTransformer(8, learning_rate_init=rate, random_state=0).fit(X)


def test_max_iter_warns_and_names_itself():
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        make(solver="lbfgs", max_iter=3).fit(IRIS)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        make(learning_rate="constant", max_iter=3).fit(IRIS)


def test_ctrl_c_before_the_first_iteration_is_ctrl_c():
    loss = Interrupting()
    loss.n_calls = 59
    for solver in ("lbfgs", "adam"):
        estimator = make(solver=solver, loss=loss)
        with pytest.raises(KeyboardInterrupt):
            estimator.fit(IRIS)
        assert "_fitted" not in vars(estimator)


class Interrupting(Loss):
    """Squared error until Ctrl-C comes."""

    shift_invariant = True
    degree = 2
    n_calls = 0

    def elementwise(self, target, raw):
        return (raw - target) ** 2

    def gradient(self, target, raw):
        self.n_calls += 1
        if self.n_calls == 60:
            raise KeyboardInterrupt
        return 2 * (raw - target)


@both
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_ctrl_c_leaves_a_usable_model(cls, solver, monkeypatch):
    monkeypatch.setattr("sklearn_ae._safety._last_interrupt", -np.inf)
    estimator = make(cls, solver=solver, loss=Interrupting(), max_iter=1000)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        estimator.fit(IRIS)
    assert estimator.score(IRIS) > 0
    assert estimator.n_iter_ > 0


def test_ctrl_c_twice_is_ctrl_c(monkeypatch):
    monkeypatch.setattr("sklearn_ae._safety._last_interrupt", -np.inf)
    with pytest.warns(ConvergenceWarning, match="interrupted"):
        make(loss=Interrupting(), max_iter=1000).fit(IRIS)
    estimator = make(loss=Interrupting(), max_iter=1000)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(IRIS)
    assert "_fitted" not in vars(estimator)


def test_verbose_n_prints_every_nth(capsys):
    make(verbose=8).fit(IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["8/20", "16/20", "20/20"]


def test_quiet_unless_asked(capsys):
    make().fit(IRIS)
    assert capsys.readouterr().out == ""
    estimator = make(verbose=1, early_stopping=True).fit(IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == estimator.n_iter_
    assert lines[0].startswith("Iteration 1/20 (")
    assert f"validation loss = {estimator.validation_loss_curve_[0]:.6g}" in lines[0]


# Going on


def test_warm_start_goes_on_from_where_it_was():
    estimator = make(warm_start=True).fit(IRIS)
    first, mean = estimator.loss_, estimator.mean_
    estimator.fit(IRIS)
    assert estimator.loss_ < first
    assert estimator.mean_ is mean
    for change in ({"n_components": 3}, {"hidden_layer_sizes": (9,)}):
        estimator.set_params(**change)
        with pytest.raises(ValueError, match="cannot go on with another architecture"):
            estimator.fit(IRIS)
    estimator.set_params(warm_start=False).fit(IRIS)
    assert estimator.coefs_[0].shape == (4, 9)


@both
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_warm_start_sets_the_same_rows_aside(cls, solver, monkeypatch):
    """Others have been trained on, and say nothing of what is new."""
    seen = []
    hold_out = ArrayRows.hold_out

    def recorded(self, fraction, rng):
        halves = hold_out(self, fraction, rng)
        seen.append([half.array() for half in halves])
        return halves

    monkeypatch.setattr(ArrayRows, "hold_out", recorded)
    X = np.random.RandomState(0).normal(size=(12_000, 3))
    params = {"warm_start": True, "early_stopping": True, "solver": solver}
    estimator = make(cls, hidden_layer_sizes=(4,), max_iter=2, **params)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X).fit(X).fit(X)
    for halves in seen[1:]:
        for first, later in zip(seen[0], halves, strict=True):
            assert_array_equal(first, later)


def test_warm_start_keeps_the_precision():
    estimator = make(warm_start=True).fit(IRIS.astype(np.float32))
    assert estimator.fit(IRIS)._fitted.theta.dtype == np.float32


def test_warm_start_takes_the_columns_it_knows():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    estimator = make(warm_start=True).fit(frame)
    before = estimator._fitted.theta
    for columns in (list("badc"), list("abce")):
        other = frame.set_axis(columns, axis=1)[sorted(columns)[::-1]]
        with pytest.raises(ValueError, match="feature names should match"):
            estimator.fit(other)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.fit(frame[["a", "b", "c"]])
    assert estimator._fitted.theta is before
    estimator.fit(frame)


@both
def test_partial_fit_learns(cls):
    estimator = make(cls)
    scores = []
    for _ in range(30):
        for start in range(0, 150, 50):
            estimator.partial_fit(IRIS[start::3])
        scores.append(estimator.score(IRIS))
    assert scores[-1] > 0.8 > scores[0]
    assert estimator.n_iter_ == len(estimator.loss_curve_) == 90


def test_partial_fit_survives_pickling_bit_by_bit():
    estimator = make().partial_fit(IRIS)
    restored = pickle.loads(pickle.dumps(estimator))
    estimator.partial_fit(IRIS)
    restored.partial_fit(IRIS)
    assert_array_equal(restored._fitted.theta, estimator._fitted.theta)


def test_partial_fit_goes_on_after_fit():
    estimator = make().fit(IRIS)
    n_iter = estimator.n_iter_
    estimator.partial_fit(IRIS[:1])
    assert estimator.n_iter_ == n_iter + 1 == len(estimator.loss_curve_)


def test_partial_fit_takes_weights():
    weight = np.r_[np.ones(75), np.zeros(75)]
    weighted = make(batch_size=75).partial_fit(IRIS, sample_weight=weight)
    half = make(batch_size=75).partial_fit(IRIS[:75])
    assert_allclose(weighted._fitted.theta, half._fitted.theta)


@pytest.mark.parametrize("solver", ["lbfgs", "svd"])
def test_partial_fit_needs_a_minibatch_solver(solver):
    assert not hasattr(make(solver=solver), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit"):
        make(solver=solver).partial_fit(IRIS)


def assert_unchanged(estimator, before):
    """Compare all that an estimator holds with what it held, draws included."""
    assert vars(estimator) == before[0]
    state = estimator._rng.get_state()
    assert_array_equal(state[1], before[1][1])
    assert state[2:] == before[1][2:]


def held_by(estimator):
    return dict(vars(estimator)), estimator._rng.get_state()


@both
@pytest.mark.parametrize("rate", [1e200, 1e9])
@pytest.mark.parametrize("batch_size", [1, 150])
def test_partial_fit_that_diverges_changes_nothing(cls, rate, batch_size):
    """Be it in the only step, after which no other would notice."""
    params = {"solver": SGD(clip_norm=None), "learning_rate_init": 1e-3}
    params["batch_size"] = batch_size
    estimator = make(cls, hidden_layer_sizes=(), **params).partial_fit(IRIS)
    expected = pickle.loads(pickle.dumps(estimator)).partial_fit(IRIS)
    estimator.set_params(learning_rate_init=rate)
    before = held_by(estimator)
    with pytest.warns(ConvergenceWarning, match="infinite or NaN in iteration 2"):
        estimator.partial_fit(IRIS)
    assert_unchanged(estimator, before)
    estimator.set_params(learning_rate_init=1e-3).partial_fit(IRIS)
    assert estimator.n_iter_ == 2
    assert_array_equal(estimator._fitted.theta, expected._fitted.theta)


@both
def test_partial_fit_that_is_interrupted_changes_nothing(cls):
    estimator = make(cls, loss=Interrupting(), batch_size=10).partial_fit(IRIS)
    before = held_by(estimator)
    estimator.loss.n_calls = 50
    with pytest.raises(KeyboardInterrupt):
        estimator.partial_fit(IRIS)
    assert_unchanged(estimator, before)


def test_first_partial_fit_that_fails_gives_back_its_draws():
    rng = np.random.RandomState(0)
    loss = Interrupting()
    loss.n_calls = 55
    with pytest.raises(KeyboardInterrupt):
        make(loss=loss, batch_size=10, random_state=rng).partial_fit(IRIS)
    assert rng.uniform() == np.random.RandomState(0).uniform()


def test_what_is_hard_or_was_easy_is_not_divergence():
    estimator = make().partial_fit(IRIS)
    far = IRIS.copy()
    far[-5:] *= 1e4
    estimator.partial_fit(far)
    assert estimator.n_iter_ == 2


def test_a_pass_from_an_excellent_model_is_not_divergence():
    rng = np.random.RandomState(0)
    t = rng.uniform(-3, 3, size=600)
    curve = np.c_[t, np.sin(t), t**2 / 3, np.cos(t)]
    estimator = AutoencoderTransformer(1, max_iter=100, random_state=0)
    estimator.fit(curve[:500])
    for row in curve[500:]:
        pickle.loads(pickle.dumps(estimator)).partial_fit(row[None])
    # Data that PCA, where training starts, reproduces exactly, and others after them
    plane = rng.normal(size=(64, 2)) @ rng.normal(size=(2, 20))
    for dtype in (np.float32, np.float64):
        estimator = AutoencoderTransformer(2, random_state=0)
        estimator.partial_fit(plane.astype(dtype))
        estimator.partial_fit(np.r_[plane, rng.normal(size=(300, 20))].astype(dtype))
        assert estimator.n_iter_ == 2


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_chunks_that_start_with_the_mean_are_not_divergence(loss):
    rng = np.random.RandomState(0)
    idle = np.full((60, 10), 5.0)
    estimator = AutoencoderTransformer(2, loss=loss, random_state=0)
    estimator.partial_fit(idle)
    for _ in range(5):
        busy = rng.normal(size=(400, 2)) @ np.ones((2, 10)) + rng.normal(size=(400, 10))
        estimator.partial_fit(np.r_[idle, 5 + busy])
        estimator.partial_fit(estimator.mean_[None])
    assert estimator.n_iter_ == 11


def test_first_partial_fit_that_diverges_leaves_the_start():
    params = {"solver": SGD(clip_norm=None), "batch_size": 1}
    estimator = make(hidden_layer_sizes=(), learning_rate_init=1e200, **params)
    with pytest.warns(ConvergenceWarning, match="infinite or NaN"):
        estimator.partial_fit(IRIS)
    assert np.isfinite(estimator.transform(IRIS)).all()
    assert estimator.n_iter_ == 0 == len(estimator.loss_curve_)


def test_partial_fit_follows_changed_parameters():
    estimator = make().partial_fit(IRIS)
    estimator.set_params(solver="sgd", loss="huber", noise=0.3, alpha=0.1)
    estimator.partial_fit(IRIS)
    assert estimator.solver_ == "sgd"
    assert type(estimator._fitted.model.loss) is Huber
    assert estimator.noise_ == GaussianNoise(0.3)
    assert estimator.alpha_ == 0.1
    estimator.set_params(noise=None).partial_fit(IRIS)
    assert estimator.noise_ is None


@pytest.mark.parametrize(
    ("solver", "change"),
    [
        ("sgd", {"solver": SGD(momentum=0.5)}),
        ("sgd", {"solver": SGD(nesterov=False)}),
        ("adam", {"solver": Adam(beta_1=0.5)}),
        ("adam", {"solver": Adam(beta_2=0.5)}),
        ("adam", {"solver": Adam(epsilon=1.0)}),
        ("adam", {"learning_rate_init": 0.1}),
        ("adam", {"solver": Adam(clip_norm=1e-3)}),
        ("adam", {"batch_size": 7}),
        ("adam", {"l1_ratio": 1.0}),
        ("adam", {"shuffle": False}),
        ("adam", {"solver": "sgd"}),
    ],
)
def test_what_may_change_has_an_effect(solver, change):
    estimator = make(solver=solver, alpha=0.1, batch_size=32).partial_fit(IRIS)
    same = pickle.loads(pickle.dumps(estimator)).partial_fit(IRIS)
    estimator.set_params(**change).partial_fit(IRIS)
    assert (estimator._fitted.theta != same._fitted.theta).any()


@both
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_layer_sizes": (9,)}, r"hidden_layer_sizes must stay \(8,\), got \(9"),
        ({"n_components": 3}, "another architecture: n_components must stay 2, got 3."),
        ({"activation": "relu"}, ": activation must stay 'tanh', got 'relu'. To start"),
        ({"code_activation": "relu"}, "code_activation must stay 'identity', got 're"),
        ({"output_activation": "relu"}, "output_activation must stay 'identity', got"),
        ({"linear_path": True}, "linear_path must stay False, got True"),
        ({"loss": "poisson"}, "output_activation must stay 'identity', got 'exp'"),
        ({"scaling": None}, "scaling must stay '.*', got None"),
    ],
)
def test_training_goes_on_only_with_what_was_fitted(cls, method, change, message):
    estimator = make(cls, warm_start=True).partial_fit(IRIS)
    estimator.set_params(**change)
    expected = dict(vars(estimator))
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(IRIS)
    assert vars(estimator) == expected


def test_training_goes_on_only_with_targets_in_the_same_units():
    class Centred(Loss):
        shift_invariant = True

        def elementwise(self, target, raw):
            return np.abs(raw - target)

        def gradient(self, target, raw):
            return np.sign(raw - target)

    class AsTheyAre(Centred):
        shift_invariant = False

    estimator = make(loss=Centred()).partial_fit(IRIS)
    estimator.set_params(loss=AsTheyAre())
    with pytest.raises(ValueError, match="loss must stay one that scales them alike"):
        estimator.partial_fit(IRIS)
    estimator.set_params(loss=Centred()).partial_fit(IRIS)


def test_partial_fit_keeps_its_stream_of_draws():
    rng = np.random.RandomState(0)
    for state, other in ((0, 1), (0, None), (0, rng), (rng, 0)):
        estimator = make(random_state=state).partial_fit(IRIS)
        estimator = pickle.loads(pickle.dumps(estimator)).partial_fit(IRIS)
        estimator.set_params(random_state=other)
        with pytest.raises(ValueError, match="random_state must stay the same"):
            estimator.partial_fit(IRIS)
    # After `fit` another stream begins.
    make().fit(IRIS).set_params(random_state=1).partial_fit(IRIS)


@both
@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate_init": -1.0},
        {"solver": "newton"},
        {"alpha": -5},
        {"solver": SGD(momentum=5)},
        {"batch_size": -3},
        {"max_iter": 0},
        {"noise": np.array(2.0)},
    ],
)
def test_every_partial_fit_checks_the_parameters(cls, change):
    estimator = make(cls).partial_fit(IRIS)
    estimator.set_params(**change)
    before = held_by(estimator)
    with pytest.raises(ValueError, match=r"momentum|" + next(iter(change))):
        estimator.partial_fit(IRIS)
    assert_unchanged(estimator, before)


def test_partial_fit_skips_the_checks_if_told_to():
    estimator = make().partial_fit(IRIS)
    with config_context(skip_parameter_validation=True):
        estimator.set_params(max_iter=0).partial_fit(IRIS)


@pytest.mark.parametrize("n_rows", [20, 100])
def test_noise_auto_of_partial_fit_does_not_depend_on_the_first_rows(n_rows):
    estimator = AutoencoderOutlierDetector(random_state=0).partial_fit(IRIS[:n_rows])
    assert estimator.noise_ == GaussianNoise(low=0.1, high=1.0)
    assert estimator.n_components_ == 4
    few = AutoencoderOutlierDetector(max_iter=2, random_state=0).fit(IRIS[:20])
    assert few.noise_ is None
    assert few.partial_fit(IRIS).noise_ == GaussianNoise(low=0.1, high=1.0)


def test_partial_fit_says_something_if_asked(capsys):
    estimator = make(verbose=2)
    for _ in range(4):
        estimator.partial_fit(IRIS)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" (")[0] for line in lines] == [
        "Pass 2 over 150 rows",
        "Pass 4 over 150 rows",
    ]
    assert lines[1].endswith(f"loss = {estimator.loss_:.6g}")


# Latent size


def test_n_components():
    X = load_digits().data[:300]
    assert make().set_params(n_components="auto").fit(X).n_components_ == 16
    from sklearn.decomposition import PCA

    for fraction in (0.3, 0.8):
        estimator = make().set_params(n_components=fraction).fit(X)
        assert estimator.n_components_ == PCA(fraction).fit(X).n_components_
        assert estimator.transform(X).shape[1] == estimator.n_components_


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((100, 30), 8), ((5, 30), 4), ((20, 600), 19), ((200, 600), 128)],
)
def test_n_components_auto_looks_at_the_rows_too(shape, expected):
    X = np.random.RandomState(0).normal(size=shape)
    estimator = make(max_iter=1).set_params(n_components="auto")
    assert fit_quietly(estimator, X).n_components_ == expected
    # More rows may come.
    first = clone(estimator).partial_fit(X).n_components_
    assert first == min(128, -(-shape[1] // 4))


def test_wide_data_take_little_memory():
    import tracemalloc

    X = np.random.RandomState(0).normal(size=(100, 20_000))
    estimator = AutoencoderTransformer(max_iter=1, random_state=0)
    tracemalloc.start()
    estimator.fit(X)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**30


# Losses and activations


def test_default_activations():
    assert AutoencoderTransformer().activation == "auto"
    # Rectified units find fewer of the outliers that are among the training rows.
    assert AutoencoderOutlierDetector().activation == "tanh"


@both
def test_activation_auto_is_bounded_for_few_rows_and_stays_with_the_network(cls):
    X = np.tile(IRIS, (7, 1))[:1000]
    few = make(cls, activation="auto", max_iter=1, solver="sgd").fit(X[:999])
    assert few.activation_ == "tanh"
    assert fit_quietly(few.set_params(warm_start=True), X).activation_ == "tanh"
    assert few.partial_fit(X).activation_ == "tanh"
    many = make(cls, activation="auto", max_iter=1, solver="sgd").fit(X)
    assert many.activation_ == "leaky_relu"
    assert many.partial_fit(X[:10]).activation_ == "leaky_relu"
    before = many._fitted.theta
    with pytest.raises(ValueError, match="another architecture"):
        many.set_params(activation="relu").partial_fit(X)
    assert many.activation_ == "leaky_relu"
    assert_array_equal(many._fitted.theta, before)
    weight = np.ones(1000)
    weight[0] = 0
    weighted = make(cls, activation="auto", max_iter=1, solver="sgd")
    assert weighted.fit(X, sample_weight=weight).activation_ == "tanh"
    named = make(cls, activation="relu", max_iter=1, solver="sgd").fit(X)
    assert named.activation_ == "relu"


def test_output_activation():
    X = load_digits().data[:200] / 16
    estimator = make(loss="binary_cross_entropy", max_iter=50).fit(X)
    assert estimator.reconstruct(X).min() > 0
    assert estimator.reconstruct(X).max() < 1
    same = make(
        loss="binary_cross_entropy", output_activation="logistic", max_iter=50
    ).fit(X)
    assert_array_equal(same._fitted.theta, estimator._fitted.theta)
    squashed = make(output_activation="logistic", max_iter=200).fit(X)
    assert squashed.reconstruct(X).min() > 0
    assert squashed.score(X) > 0.2
    counts = load_digits().data[:200]
    assert make(loss="poisson").fit(counts).reconstruct(counts).min() > 0


def test_a_loss_object_is_as_good_as_its_name():
    named = make(loss="huber").fit(IRIS)
    assert_array_equal(make(loss=Huber()).fit(IRIS)._fitted.theta, named._fitted.theta)
    assert (make(loss=Huber(0.1)).fit(IRIS)._fitted.theta != named._fitted.theta).any()


def test_nothing_of_the_users_own_can_write_into_the_data():
    class Checks(Loss):
        def check_data(self, X):
            X -= X.min()

    class Binds(Corruption):
        def bind(self, scaling, rows):
            for X, _ in rows.blocks(10):
                X -= X.mean()

    X = IRIS.copy()
    for params in ({"loss": Checks()}, {"noise": Binds()}):
        with pytest.raises(ValueError, match="read-only"):
            make(**params).partial_fit(X)
    assert_array_equal(X, IRIS)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("scaling", [None, "global"])
def test_a_loss_cannot_write_into_the_data(solver, scaling):
    class Careless(Loss):
        def elementwise(self, target, raw):
            target -= raw
            return target**2

        def gradient(self, target, raw):
            return 2 * (raw - target)

    X = IRIS.copy()
    with pytest.raises(ValueError, match=r"of Careless\(\) must not write into"):
        make(loss=Careless(), solver=solver, scaling=scaling).fit(X)
    assert_array_equal(X, IRIS)


def test_losses_that_are_unusual_but_right():
    class Pairwise(Loss):
        """Needs two rows, returns lists, and a view that cannot be written into."""

        shift_invariant = True

        def elementwise(self, target, raw):
            if len(target) < 2:
                raise ValueError("two rows, please")
            return ((raw - target) ** 2).tolist()

        def gradient(self, target, raw):
            return (2 * (raw - target)).tolist()

        def saturated(self, target):
            return np.broadcast_to(0.0, target.shape)

    X = IRIS[:120]
    ours = make(loss=Pairwise(), scaling=None, batch_size=30).fit(X)
    expected = make(scaling=None, batch_size=30).fit(X)
    assert_allclose(ours.transform(X), expected.transform(X), rtol=1e-6)
    assert_allclose(ours.score(X), expected.score(X), rtol=1e-6)


def test_a_loss_may_have_an_activation_of_its_own():
    class Rooted(Loss):
        output_activation = "square"

        def elementwise(self, target, raw):
            return (raw**2 - target) ** 2

        def gradient(self, target, raw):
            return 4 * raw * (raw**2 - target)

        def predict(self, raw):
            return raw**2

        def link(self, prediction):
            return np.sqrt(np.maximum(prediction, 0))

    estimator = make(loss=Rooted(), max_iter=200).fit(IRIS)
    assert estimator.reconstruct(IRIS).min() >= 0
    assert estimator.score(IRIS) > 0.5


def test_a_loss_in_another_precision_is_fine():
    class Careless(Loss):
        shift_invariant = True

        def elementwise(self, target, raw):
            return np.float64(0.5) * (raw - target) ** 2

        def gradient(self, target, raw):
            return np.float64(1) * (raw - target)

    X = IRIS.astype(np.float32)
    assert make(loss=Careless(), max_iter=200).fit(X).score(X) > 0.8


def test_rectified_output_starts_alive():
    X = np.clip(np.abs(np.random.RandomState(0).normal(size=(50, 4))), 0, 3) / 3
    estimator = make(activation="relu", output_activation="relu", max_iter=200).fit(X)
    assert estimator.score(X) > 0.4


# Bad input


BAD_PARAMETERS = [
    ({"n_components": 0}, "n_components"),
    ({"n_components": -1}, "n_components"),
    ({"n_components": 1.5}, "n_components"),
    ({"n_components": 1.0}, "n_components"),
    ({"n_components": 5}, "n_components must not be larger"),
    ({"n_components": "mle"}, "n_components"),
    ({"n_components": None}, "n_components"),
    ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": (3, 2.5)}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": -1}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": "wide"}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": [[3], [4]]}, "hidden_layer_sizes"),
    ({"activation": "sigmoid"}, "Did you mean 'logistic'?"),
    ({"code_activation": "exp"}, "code_activation"),
    ({"output_activation": "softmax"}, "output_activation"),
    ({"output_activation": "exp"}, "squared_error. must be no .exp., as with"),
    (
        {"output_activation": "tanh", "loss": "poisson"},
        "output_activation with loss='poisson' must be 'auto' or 'exp', got 'tanh'",
    ),
    ({"loss": "mse"}, "Did you mean 'squared_error'?"),
    ({"loss": "Poisson"}, "Did you mean 'poisson'?"),
    ({"loss": "mse", "batch_size": 0}, "'batch_size' .* Got 0 instead.$"),
    ({"loss": "squared_eror"}, "Did you mean 'squared_error'?"),
    ({"solver": "rmsprop"}, "Did you mean 'adam'?"),
    ({"solver": SGD}, "instance of 'sklearn_ae.*Solver'"),
    ({"solver": object()}, "{'auto', 'svd', 'lbfgs', 'adam', 'sgd'} or an instance of"),
    (
        {"noise": np.array(2.0)},
        "'noise' .* instance of 'sklearn_ae.Corruption' or None",
    ),
    ({"noise": (0.1, 0.2)}, "'noise' .* instance of 'sklearn_ae.Corruption' or None"),
    ({"noise": "much"}, "'noise'"),
    ({"noise": GaussianNoise(low=0.4)}, "low of GaussianNoise must be above 0 and"),
    ({"noise": GaussianNoise(low=2, high=1)}, "low=2 and high=1"),
    ({"noise": GaussianNoise(-1)}, "'scale' parameter of GaussianNoise"),
    ({"loss": object()}, "loss"),
    ({"loss": Huber}, "'loss' parameter .* or an instance of 'sklearn_ae.Loss'"),
    ({"loss": Huber("wide")}, r"'delta' parameter of Huber must .* Got 'wide' instead"),
    (
        {"early_stopping": True, "validation_fraction": 0.999},
        "validation_fraction=0.999 leaves none of 150 rows",
    ),
    ({"loss": Huber(0)}, "delta"),
    ({"loss": Huber(-1.0)}, "delta"),
    ({"alpha": -1}, "alpha"),
    ({"l1_ratio": 2}, "l1_ratio"),
    ({"scaling": "minmax"}, "scaling"),
    ({"solver": "newton"}, "solver"),
    ({"batch_size": 0}, "batch_size"),
    ({"learning_rate": "step"}, "learning_rate"),
    ({"learning_rate_init": 0}, "learning_rate_init"),
    ({"solver": SGD(momentum=1)}, "'momentum' parameter of SGD"),
    ({"solver": Adam(beta_1=1.0)}, "'beta_1' parameter of Adam"),
    ({"solver": Adam(clip_norm=0)}, "'clip_norm' parameter of Adam"),
    ({"solver": LBFGS(0)}, "'maxcor' parameter of LBFGS"),
    ({"noise": 0.3, "solver": "svd", "activation": "identity"}, "noise with solver="),
    ({"max_iter": 0}, "max_iter"),
    ({"tol": -1}, "tol"),
    ({"validation_fraction": 1.0}, "validation_fraction"),
    ({"n_iter_no_change": 0}, "n_iter_no_change"),
    ({"random_state": "seed"}, "random_state"),
]

NOT_SQUARE = "must return an array of the shape of what it gets"


class OneForEachRow(Loss):
    def elementwise(self, target, raw):
        return ((raw - target) ** 2).mean(axis=1)

    def gradient(self, target, raw):
        return raw - target


class OneForAll(OneForEachRow):
    def elementwise(self, target, raw):
        return (raw - target) ** 2

    def gradient(self, target, raw):
        return (raw - target).mean()


class WithoutPredict(OneForEachRow):
    output_activation = "foo"


BAD_PARAMETERS += [
    ({"loss": OneForEachRow()}, f"elementwise of OneForEachRow.. {NOT_SQUARE}"),
    ({"loss": OneForAll()}, f"gradient of OneForAll.. {NOT_SQUARE}"),
    ({"loss": WithoutPredict()}, "output_activation='foo', so it must define predict"),
]

BAD_DATA = [
    (np.where(np.arange(4) == 2, np.nan, IRIS), {}, "has none in 2. Leave"),
    (np.where(IRIS > 7, np.inf, IRIS), {}, "infinity"),
    (IRIS.astype(str).astype(object) + "x", {}, "could not convert"),
    (IRIS[0], {}, "Expected 2D array"),
    (IRIS[:0], {}, "Found array with 0 sample"),
    (IRIS[:, :0], {}, "0 feature"),
    (IRIS[:1], {}, "minimum of 2 is required"),
    (IRIS, {"loss": "binary_cross_entropy"}, r"X must be in \[0, 1\], got"),
    (-IRIS, {"loss": "poisson"}, "Negative values in data.*got values down to -"),
    (IRIS * 1e200, {}, "overflows"),
]


@both
@pytest.mark.parametrize(("params", "message"), BAD_PARAMETERS)
def test_bad_parameters(cls, params, message):
    estimator = make(cls).fit(IRIS)
    expected = vars(estimator) | params
    estimator.set_params(**params)
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(IRIS[:, :4])
    assert vars(estimator) == expected
    estimator.score_samples(IRIS)


@both
@pytest.mark.parametrize(("X", "params", "message"), BAD_DATA)
def test_bad_data(cls, X, params, message):
    estimator = make(cls).fit(IRIS)
    scores = estimator.score_samples(IRIS)
    estimator.set_params(**params)
    expected = dict(vars(estimator))
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(X)
    assert vars(estimator) == expected
    assert_array_equal(estimator.score_samples(IRIS), scores)


@both
@pytest.mark.parametrize(
    ("sample_weight", "message"),
    [
        (np.zeros(150), "(?i)sample.weights? must"),
        (np.r_[-1, np.ones(149)], "[Nn]egative values in data"),
        (np.ones(3), "sample_weight.shape"),
        (np.full(150, np.nan), "NaN"),
        (np.r_[np.zeros(149), 1], "At least 2 rows must have a positive"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_bad_weights(cls, method, sample_weight, message):
    estimator = make(cls)
    with pytest.raises(ValueError, match=message):
        getattr(estimator, method)(IRIS, sample_weight=sample_weight)
    assert "n_features_in_" not in vars(estimator)
    fitted = make(cls).fit(IRIS)
    if "2 rows" not in message:
        with pytest.raises(ValueError, match=message):
            fitted.score(IRIS, sample_weight=sample_weight)


@both
@pytest.mark.parametrize("method", [*METHODS, "inverse_transform"])
def test_bad_input_after_fit(cls, method):
    with pytest.raises(NotFittedError):
        getattr(make(cls), method)(IRIS)
    estimator = make(cls).fit(IRIS)
    wrong = "n_components_=2" if method == "inverse_transform" else "4 features"
    with pytest.raises(ValueError, match=wrong):
        getattr(estimator, method)(IRIS[:, :3])
    with pytest.raises(ValueError, match="infinity"):
        getattr(estimator, method)(np.full((3, 4), np.inf))


def test_masked_codes_are_not_codes():
    with pytest.raises(ValueError, match="masked cells"):
        make().fit(IRIS).inverse_transform(np.ma.masked_less(np.eye(2), 1))


def test_fitted_attributes_need_a_fit():
    for name in ("coefs_", "intercepts_", "scale_", "n_parameters_"):
        with pytest.raises(NotFittedError):
            getattr(make(), name)


def test_scores_check_the_range_of_the_data():
    X = load_digits().data[:100] / 16
    estimator = make(loss="binary_cross_entropy").fit(X)
    for method in ("score", "score_samples"):
        with pytest.raises(ValueError, match="X must be in"):
            getattr(estimator, method)(2 * X)


def test_loss_that_starts_infinite_is_an_error():
    class Overflowing(Loss):
        def elementwise(self, target, raw):
            return np.full_like(raw, np.inf)

        def gradient(self, target, raw):
            return np.zeros_like(raw)

    with pytest.raises(ValueError, match="not finite even before training"):
        make(loss=Overflowing()).fit(IRIS)
