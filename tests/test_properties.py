"""What docstrings promise of any rows: shapes, types, orders, weights, gaps, zeros."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csc_array, csr_array, csr_matrix
from sklearn.exceptions import ConvergenceWarning

from sklearn_ae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    HiddenCells,
    VariationalAutoencoder,
)

bounded = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

ESTIMATORS = [
    lambda **kw: AutoencoderTransformer(2, **kw),
    lambda **kw: AutoencoderTransformer(2, scaling="per_feature", **kw),
    lambda **kw: AutoencoderTransformer(2, noise=HiddenCells(0.3), **kw),
    lambda **kw: AutoencoderOutlierDetector(2, **kw),
    lambda **kw: AutoencoderOutlierDetector(2, score_parts="loss", **kw),
    lambda **kw: VariationalAutoencoder(2, **kw),
]
CONTAINERS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "list": lambda X: X.tolist(),
    "object": lambda X: X.astype(object),
    "pandas": pd.DataFrame,
    "polars": lambda X: pl.DataFrame(X, schema=[f"c{i}" for i in range(X.shape[1])]),
    "csr": csr_array,
    "csr_matrix": csr_matrix,
    "csc": csc_array,
    "coo": coo_array,
    "masked": np.ma.masked_invalid,
}


@st.composite
def tables(draw):
    """Rows of some structure; perhaps with gaps, zeros, a constant, an outlier."""
    n_rows, n_features = draw(st.integers(8, 40)), draw(st.integers(3, 7))
    rng = np.random.RandomState(draw(st.integers(0, 2**16)))
    X = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_features))
    X += 0.1 * rng.normal(size=X.shape)
    X = X * 10.0 ** rng.uniform(-3, 3, size=n_features) + rng.normal(size=n_features)
    if draw(st.booleans()):
        X[:, 0] = draw(st.sampled_from([0.0, -7.5, 1e6]))
    if draw(st.booleans()):
        X[rng.uniform(size=X.shape) < 0.5] = 0
    if draw(st.booleans()):
        X[rng.randint(n_rows)] *= 1e3
    if draw(st.booleans()):
        gaps = rng.uniform(size=X.shape) < draw(st.sampled_from([0.1, 0.5]))
        gaps[rng.permutation(n_rows)[:3]] = False
        X[gaps] = np.nan
    return X


def fit(make, X, weights=None, **params):
    """Fit quickly and quietly: convergence is not the point."""
    params = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0} | params
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return make(**params).fit(X, sample_weight=weights)


def assert_close(actual, expected, rtol=1e-6):
    """As far as rounding allows: numbers may cancel."""
    size = np.abs(expected).max(initial=0) if np.size(expected) else 0
    assert_allclose(actual, expected, rtol=rtol, atol=rtol * (size + 1e-300))


@bounded
@given(tables(), st.sampled_from(ESTIMATORS), st.sampled_from(sorted(CONTAINERS)))
def test_containers_do_not_matter_and_stay_as_they_are(X, make, kind):
    contained = CONTAINERS[kind](X)
    copy = CONTAINERS[kind](X.copy())
    expected, other = fit(make, X), fit(make, contained)
    for method in ("transform", "score_samples", "reconstruct"):
        result = getattr(other, method)(contained)
        assert_close(result, getattr(expected, method)(X))
    assert_close(other.score(contained), expected.score(X))
    for after, before in ((contained, copy),):
        if hasattr(after, "toarray"):
            after, before = after.toarray(), before.toarray()
        assert_array_equal(np.asarray(after, float), np.asarray(before, float))


@bounded
@given(tables(), st.sampled_from(ESTIMATORS), st.data())
def test_a_row_is_judged_by_itself(X, make, data):
    """Equal rows get equal scores; a subset scores as in the whole."""
    estimator = fit(make, X)
    whole = estimator.score_samples(X)
    assert np.isfinite(whole).all()
    some = data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=9))
    assert_close(estimator.score_samples(X[some]), whole[some])
    assert_close(estimator.transform(X[some]), estimator.transform(X)[some])
    twice = estimator.score_samples(np.repeat(X, 2, axis=0))
    assert_close(twice[::2], twice[1::2], rtol=1e-9)


@bounded
@given(tables(), st.integers(0, 2**16))
def test_weights_are_copies(X, seed):
    """Of what is added up over rows: means, scales, PCA, the loss, scores."""
    weights = np.random.RandomState(seed).randint(0, 3, size=len(X))
    weights[: len(X) // 2] += 1
    copies = np.repeat(X, weights, axis=0)
    if np.isnan(copies).all(axis=0).any():
        return
    params = {"solver": "lbfgs", "early_stopping": False, "activation": "tanh"}

    def make(**kw):
        return AutoencoderTransformer(2, **kw)

    weighted = fit(make, X, weights.astype(float), **params)
    repeated = fit(make, copies, **params)
    assert_close(weighted.mean_, repeated.mean_)
    assert_close(weighted.scale_, repeated.scale_)
    assert_close(weighted.score(X), repeated.score(X), rtol=1e-4)
    score = weighted.score(X, sample_weight=weights)
    assert_close(score, weighted.score(copies), rtol=1e-5)


@bounded
@given(tables(), st.integers(0, 2**16))
def test_order_does_not_matter(X, seed):
    """That of rows with a full batch; that of columns in the exact solution."""
    rng = np.random.RandomState(seed)
    order = rng.permutation(len(X))
    params = {"solver": "lbfgs", "early_stopping": False, "activation": "tanh"}

    def make(**kw):
        return AutoencoderTransformer(2, **kw)

    one, other = fit(make, X, **params), fit(make, X[order], **params)
    assert_close(one.mean_, other.mean_)
    assert_close(one.score(X), other.score(X), rtol=1e-4)
    if not np.isnan(X).any():
        columns = rng.permutation(X.shape[1])
        exact = {"solver": "svd", "activation": "identity"}
        permuted, plain = fit(make, X[:, columns], **exact), fit(make, X, **exact)
        assert_close(permuted.mean_, plain.mean_[columns])
        assert_close(permuted.score(X[:, columns]), plain.score(X))


@bounded
@given(tables(), st.sampled_from(ESTIMATORS[:2] + ESTIMATORS[4:]))
def test_float32_is_near_float64(X, make):
    X = X.astype(np.float32)
    double, single = fit(make, X.astype(np.float64)), fit(make, X)
    assert single.transform(X).dtype == np.float32
    assert_close(single.mean_, double.mean_, rtol=1e-4)
    assert_close(single.scale_, double.scale_, rtol=1e-2)
    assert np.isfinite(single.score_samples(X)).all()


@bounded
@given(tables(), st.sampled_from([None, *ESTIMATORS[:4]]))
def test_imputers_leave_what_is_known(X, make):
    params = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    estimator = None if make is None else make(**params)
    before = X.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Some columns vary")
        filled = AutoencoderImputer(estimator).fit_transform(X)
    known = ~np.isnan(X)
    assert_array_equal(X, before)
    assert_array_equal(filled[known], X[known])
    assert np.isfinite(filled).all()
