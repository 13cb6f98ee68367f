import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.covariance import EmpiricalCovariance

from sklearn_ae import _distances
from sklearn_ae._distances import Ellipsoid, References, ResidualEllipsoid

RNG = np.random.RandomState(0)
MIXING = RNG.normal(size=(4, 4))
Z = RNG.normal(size=(500, 4)) @ MIXING


@pytest.fixture
def plain(monkeypatch):
    """Neither trimming nor shrinkage."""
    monkeypatch.setattr(_distances, "TRIMMING_ROUNDS", 0)
    monkeypatch.setattr(_distances, "SHRINKAGE", 0)


def test_ellipsoid_is_the_mahalanobis_distance(plain):
    expected = EmpiricalCovariance().fit(Z).mahalanobis(Z)
    assert_allclose(Ellipsoid.fit(Z, None).measure(Z), expected, rtol=1e-8)


def test_integer_weights_are_repeated_rows():
    weights = RNG.randint(0, 4, size=len(Z))
    kept = weights > 0
    weighted = Ellipsoid.fit(Z[kept], weights[kept].astype(float))
    repeated = Ellipsoid.fit(Z.repeat(weights, axis=0), None)
    assert_allclose(weighted.measure(Z), repeated.measure(Z), rtol=1e-8)


def test_trimming_unmasks_a_cluster_of_outliers(monkeypatch):
    rows = np.r_[Z, RNG.normal(loc=8, scale=0.1, size=(100, 4)) @ MIXING]
    trimmed = Ellipsoid.fit(rows, None).measure(rows)
    assert trimmed[500:].min() > trimmed[:500].max()
    monkeypatch.setattr(_distances, "TRIMMING_ROUNDS", 0)
    plain = Ellipsoid.fit(rows, None).measure(rows)
    assert plain[500:].max() < plain[:500].max()


def test_many_features_share_a_variance_outside_the_leading_axes(plain, monkeypatch):
    """With equal variances outside, it is the Mahalanobis distance of all."""
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(20_000, 6)) * [5, 4, 1, 1, 1, 1]
    expected = Ellipsoid.fit(rows, None).measure(rows)
    monkeypatch.setattr(_distances, "MAX_AXES", 2)
    ellipsoid = Ellipsoid.fit(rows, None)
    assert ellipsoid.factor.shape == (6, 2)
    assert_allclose(ellipsoid.measure(rows), expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("kind", [Ellipsoid, ResidualEllipsoid])
@pytest.mark.parametrize("max_axes", [2, 4])
def test_shares_of_an_ellipsoid_add_up(kind, max_axes, monkeypatch):
    monkeypatch.setattr(_distances, "MAX_AXES", max_axes)
    ellipsoid = kind.fit(Z, None)
    assert_allclose(ellipsoid.shares(Z).sum(axis=1), ellipsoid.measure(Z), rtol=1e-9)
    assert_allclose(ellipsoid.shares(ellipsoid.center[None]), 0)


@pytest.mark.parametrize("max_axes", [2, 4])
def test_shares_of_residuals_are_what_one_feature_could_explain(max_axes, monkeypatch):
    monkeypatch.setattr(_distances, "MAX_AXES", max_axes)
    ellipsoid = ResidualEllipsoid.fit(Z, None)
    row = RNG.normal(size=(1, 4))
    gains = []
    for change in np.eye(4):
        # A parabola in the size of the change, known from three points.
        below, here, above = (
            ellipsoid.measure(row + t * change)[0] for t in (-1, 0, 1)
        )
        slope, curvature = (above - below) / 2, above - 2 * here + below
        gains.append(slope**2 / (2 * curvature))
    shares = ellipsoid.shares(row)[0]
    assert_allclose(shares / shares.sum(), np.array(gains) / np.sum(gains), rtol=1e-8)
    changed = ellipsoid.center + 3 * np.eye(4)
    assert_allclose(ellipsoid.shares(changed).argmax(axis=1), range(4))


def test_the_nearest_reference_is_another_row():
    references = References.fit(Z, None, 0.0, np.random.RandomState(0))
    distances = cdist(Z, Z, "sqeuclidean")
    np.fill_diagonal(distances, np.inf)
    assert_allclose(references.measure(Z), distances.min(axis=1), rtol=1e-8)
    fresh = RNG.normal(size=(50, 4))
    expected = cdist(fresh, Z, "sqeuclidean").min(axis=1)
    assert_allclose(references.measure(fresh), expected, rtol=1e-8)
    assert_allclose(references.shares(fresh).sum(axis=1), expected, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("spacing", [1.0, 1e-3, 1e-4])
@pytest.mark.parametrize("far", [1.0, 1e3, 1e100])
def test_the_nearest_is_found_where_single_precision_cannot_tell(spacing, far):
    """As near-copies, or beside references that are far away."""
    rng = np.random.RandomState(0)
    groups = rng.normal(size=(20, 8)).repeat(25, axis=0)
    rows = groups + spacing * rng.normal(size=groups.shape)
    rows[::100] *= far
    references = References.fit(rows, None, 0.0, rng)
    fresh = groups + spacing * rng.normal(size=groups.shape)
    expected = cdist(fresh, rows, "sqeuclidean")
    assert_allclose(references.measure(fresh), expected.min(axis=1), rtol=1e-6)
    assert_array_equal(
        references.shares(fresh), np.square(fresh - rows[expected.argmin(axis=1)])
    )
    distances = cdist(rows, rows, "sqeuclidean")
    np.fill_diagonal(distances, np.inf)
    near = np.abs(rows).max(axis=1) < 1e4
    found = references.measure(rows)
    assert_allclose(found[near], distances.min(axis=1)[near], rtol=1e-6)


@pytest.mark.parametrize("n_features", [2, 50])
@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_heavy_tails_and_units_make_no_difference(n_features, unit):
    rng = np.random.RandomState(0)
    rows, fresh = unit * rng.standard_t(2, size=(2, 600, n_features))
    references = References.fit(rows, None, 0.0, rng)
    expected = cdist(fresh, rows, "sqeuclidean")
    assert_allclose(references.measure(fresh), expected.min(axis=1), rtol=1e-9)
    distances = cdist(rows, rows, "sqeuclidean")
    np.fill_diagonal(distances, np.inf)
    assert_allclose(references.measure(rows), distances.min(axis=1), rtol=1e-9)


def test_an_offset_makes_no_difference():
    near = Z + 1e-4
    expected = References.fit(Z, None, 0.0, np.random.RandomState(0)).measure(near)
    moved = References.fit(Z + 1000, None, 0.0, np.random.RandomState(0))
    assert_allclose(moved.measure(near + 1000), expected, rtol=1e-6)


def test_two_references_and_one():
    for n in (1, 2):
        references = References.fit(Z[:n], None, 0.0, np.random.RandomState(0))
        expected = cdist(Z[:n], Z[:n], "sqeuclidean").max(axis=1)
        assert_allclose(references.measure(Z[:n]), expected)


def test_repetitions_are_one_reference():
    once = References.fit(Z, None, 0.0, np.random.RandomState(0))
    thrice = References.fit(Z.repeat(3, axis=0), None, 0.0, np.random.RandomState(0))
    assert_allclose(thrice.measure(Z), once.measure(Z))
    constant = References.fit(np.ones((5, 2)), None, 0.0, np.random.RandomState(0))
    assert_allclose(constant.measure(np.ones((3, 2))), 0)


def test_many_rows_are_sampled():
    rows = RNG.normal(size=(5000, 2))
    references = References.fit(rows, None, 0.0, np.random.RandomState(0))
    assert len(references.rows) == _distances.N_REFERENCES
