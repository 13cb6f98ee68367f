"""Sparse rows: the same results as for dense ones, block by block."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import (
    coo_array,
    coo_matrix,
    csc_array,
    csc_matrix,
    csr_array,
    csr_matrix,
)
from sklearn.datasets import load_digits
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics import roc_auc_score

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    GaussianNoise,
    HiddenCells,
    MaskingNoise,
    VariationalAutoencoder,
)
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._distances import Ellipsoid, References
from sklearn_ae._gaps import GappyRows
from sklearn_ae._input import as_rows
from sklearn_ae._linear import principal_axes
from sklearn_ae._projection import Projected, Projection
from sklearn_ae._scaling import Scaling, fit_scaling
from sklearn_ae._scores import Part

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS = load_digits().data[:300]
CLASSES = [AutoencoderTransformer, AutoencoderOutlierDetector, VariationalAutoencoder]
FORMATS = [csr_array, csr_matrix, csc_array, csc_matrix, coo_array, coo_matrix]
PER_ROW = ["transform", "reconstruct", "score_samples", "score"]

all_classes = pytest.mark.parametrize("cls", CLASSES)


def make(cls=AutoencoderTransformer, **params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 3, "random_state": 0}
    return cls(**{"n_components": 3} | defaults | params)


def state(X):
    parts = [X.data, *(getattr(X, n) for n in ("indices", "indptr") if hasattr(X, n))]
    return [part.copy() for part in parts]


@all_classes
@pytest.mark.parametrize("form", FORMATS)
def test_every_method_takes_every_format(cls, form):
    X, weights = form(DIGITS), np.linspace(0, 1, 300)
    before = state(X)
    dense = make(cls).fit(DIGITS, sample_weight=weights, X_val=DIGITS[:50])
    sparse = make(cls).fit(X, sample_weight=weights, X_val=csr_array(DIGITS[:50]))
    assert_array_equal(dense._fitted.theta, sparse._fitted.theta)
    for method in PER_ROW:
        expected = getattr(dense, method)(DIGITS)
        assert_array_equal(getattr(sparse, method)(X), expected)
        assert_array_equal(getattr(sparse, method)(DIGITS), expected)
    codes = dense.transform(DIGITS)
    assert_array_equal(
        sparse.inverse_transform(form(codes)), dense.inverse_transform(codes)
    )
    if cls is AutoencoderOutlierDetector:
        for method in ("predict", "decision_function", "score_contributions"):
            assert_array_equal(
                getattr(sparse, method)(X), getattr(dense, method)(DIGITS)
            )
    fitted = make(cls).partial_fit(X).partial_fit(X[:9] if form is csr_array else X)
    assert np.isfinite(fitted.score(X))
    for part, expected in zip(state(X), before, strict=True):
        assert_array_equal(part, expected)


@pytest.mark.parametrize(
    "params",
    [
        {"loss": "poisson"},
        {"loss": "binary_cross_entropy"},
        {"noise": MaskingNoise(0.3)},
        {"noise": GaussianNoise(0.3), "solver": "lbfgs"},
        {"noise": HiddenCells(0.2)},
        {"scaling": None},
        {"solver": "svd", "activation": "identity"},
        {"ordered": True},
        {"n_components": 0.8},
        {"hidden_layer_sizes": "auto"},
    ],
)
@pytest.mark.parametrize("ahead", [True, False])
def test_options(params, ahead, monkeypatch):
    """Scaled in a copy before, or block by block."""
    if not ahead:
        monkeypatch.setattr("sklearn_ae._fitting.SCALED_AHEAD_BYTES", 0)
    X = DIGITS[:, ::3] / 16
    dense, sparse = (make(**params).fit(form(X)) for form in (np.array, csr_array))
    assert_array_equal(dense._fitted.theta, sparse._fitted.theta)
    assert dense.score(X) == sparse.score(csr_array(X))


def test_duplicates_and_other_types():
    rows, columns = np.nonzero(DIGITS)
    values = DIGITS[rows, columns]
    halves = (np.r_[values, values] / 2, (np.r_[rows, rows], np.r_[columns, columns]))
    twice = coo_array(halves, shape=DIGITS.shape)
    expected = make().fit(DIGITS).transform(DIGITS)
    assert_array_equal(make().fit(twice).transform(twice), expected)
    order = np.argsort(np.r_[rows, rows], kind="stable")
    starts = np.searchsorted(np.sort(np.r_[rows, rows]), np.arange(301))
    raw = csr_array((halves[0][order], halves[1][1][order], starts), shape=DIGITS.shape)
    assert not raw.has_canonical_format
    n_stored = raw.nnz
    assert_array_equal(make().fit(raw).transform(raw), expected)
    assert raw.nnz == n_stored
    for dtype in (np.int64, np.uint8, bool):
        whole = (DIGITS > 8) if dtype is bool else DIGITS
        estimator = make().fit(csr_array(whole.astype(dtype)))
        dense = make().fit(whole.astype(float))
        assert_array_equal(estimator._fitted.theta, dense._fitted.theta)
    single = make().fit(csr_array(DIGITS.astype(np.float32)))
    assert single.transform(csr_array(DIGITS)).dtype == np.float32
    with pytest.raises(ValueError, match="too large for dtype"):
        single.transform(csr_array(DIGITS * 1e39))


@all_classes
def test_bad_values_are_found(cls):
    estimator = make(cls).fit(csr_array(DIGITS))
    wrong = csr_array(DIGITS)
    wrong.data[5] = np.inf
    for method in ("fit", "partial_fit", *PER_ROW):
        with pytest.raises(ValueError, match="infinity"):
            getattr(estimator, method)(wrong)
    with pytest.raises(ValueError, match="64 features"):
        estimator.transform(csr_array(DIGITS[:, :9]))
    with pytest.raises(ValueError, match="Negative values in data"):
        make(cls, loss="poisson").fit(csr_array(-DIGITS))


def test_gaps_in_sparse_rows():
    gaps = np.random.RandomState(0).uniform(size=DIGITS.shape) < 0.1
    dense = np.where(gaps, np.nan, DIGITS)
    sparse = csr_array(dense)
    assert type(as_rows(sparse, None)) is GappyRows
    for cls in CLASSES:
        one, other = make(cls).fit(dense), make(cls).fit(sparse)
        assert_array_equal(one.score_samples(dense), other.score_samples(sparse))
        assert_allclose(one.mean_, np.nanmean(dense, axis=0))


# Wide rows


@pytest.fixture(scope="module")
def wide():
    """Topics: each row has words of one of five hundred-word vocabularies."""
    rng = np.random.RandomState(0)
    topics = rng.randint(5, size=600)
    columns = topics[:, None] * 1200 + rng.randint(100, size=(600, 30)) * 3
    rows = np.repeat(np.arange(600), 30)
    values = (np.ones(columns.size), (rows, columns.ravel()))
    return csr_array(coo_array(values, shape=(600, 6000))), topics


def test_directions_of_wide_rows(wide):
    X, _ = wide
    rows = as_rows(X, None)
    _, scaling = fit_scaling(rows, None)
    axes = principal_axes(rows, scaling, 4)
    centred = X.toarray() - X.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False)[:4] ** 2 / 600
    assert_allclose(axes.variances, variances, rtol=1e-3)
    # As many as are asked for by a share, without a matrix of all features.
    assert AutoencoderTransformer(0.05, max_iter=1, random_state=0).fit(
        X
    ).n_components_ < len(axes.mean)


def test_distances_of_wide_rows(wide):
    X, _ = wide
    rows = as_rows(X, None)
    projection = Projection.fit(rows, Scaling(np.zeros(6000), np.ones(())))
    Z = X.toarray()
    coordinates = projection.coordinates(Z)
    assert coordinates.shape == (600, 256)
    # A rotation, so lengths and distances within are kept.
    assert_allclose(np.square(coordinates).sum(axis=1), np.square(Z).sum(axis=1))
    assert_allclose(projection.coordinates(np.stack([Z, Z]))[1], coordinates)
    rng = np.random.RandomState(0)
    for kind in (Ellipsoid, References):
        distance = Projected(kind.fit(coordinates, None, 1e-8, rng), projection)
        shares = distance.shares(Z)
        assert_allclose(shares.sum(axis=1), distance.measure(Z))
        known = rng.uniform(size=Z.shape) < 0.5
        part = Part(distance, 1.0, 1.0, False)
        assert_array_equal(part._shares(Z, known), known * shares)
    narrow = as_rows(X[:, :2000], None)
    assert Projection.fit(narrow, Scaling(np.zeros(2000), np.ones(()))) is None


def test_outliers_among_wide_rows(wide):
    X, topics = wide
    rng = np.random.RandomState(1)
    detector = AutoencoderOutlierDetector(max_iter=5, random_state=0)
    detector.fit(X[topics != 4])
    scores = detector.score_samples(X)
    assert roc_auc_score(topics == 4, -scores) > 0.95
    mixed = X[:1].tolil()
    words = 1200 * rng.randint(5, size=20) + 3 * rng.randint(100, size=20) + 1
    mixed[0, words] = 3
    contributions = detector.score_contributions(csr_array(mixed))[0]
    assert_allclose(contributions.sum(), detector.score_samples(csr_array(mixed))[0])
    assert np.isin(np.argsort(contributions)[:10], words).sum() >= 8
    dense = detector.score_samples(X[:50].toarray())
    assert_allclose(scores[:50], dense, rtol=1e-9)


def test_codes_of_wide_rows_tell_topics_apart(wide):
    X, topics = wide
    ours = AutoencoderTransformer(4, max_iter=3, random_state=0).fit(X)
    svd = TruncatedSVD(4, random_state=0).fit(X)
    explained = (
        1
        - np.square(X - svd.inverse_transform(svd.transform(X))).sum()
        / np.square(X - X.mean(axis=0)).sum()
    )
    assert ours.score(X) > explained - 0.01


def test_memory_is_that_of_blocks_and_weights():
    """Beside a table that would take 192 MB."""
    rng = np.random.RandomState(0)
    places = rng.randint(4000, size=24_000), rng.randint(6000, size=24_000)
    X = coo_array((rng.uniform(size=24_000), places), shape=(4000, 6000))
    params = {"hidden_layer_sizes": (16,), "max_iter": 1, "random_state": 0}
    for cls in (AutoencoderTransformer, AutoencoderOutlierDetector):
        estimator = cls(4, **params)
        tracemalloc.start()
        estimator.fit(X)
        estimator.transform(X)
        estimator.score_samples(X)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 120e6, peak


def test_rows_are_dense_in_blocks_alone():
    X = csr_array(DIGITS)
    rows = ArrayRows(X, None, np.array([7, 2, 2, 200, 0]))
    buffer = np.full((5, 64), 7.0)
    assert rows.array(buffer) is buffer
    assert_array_equal(buffer, DIGITS[[7, 2, 2, 200, 0]])
    assert_array_equal(rows.take(np.array([3, 0])).array(), DIGITS[[200, 7]])
    assert rows.nbytes == 5 * 64 * 8
