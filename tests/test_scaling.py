import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._scaling import fit_scaling, mean_and_variance


def test_statistics_are_weighted_and_ignore_blocks(monkeypatch):
    rng = np.random.RandomState(0)
    X, weight = rng.normal(5, 3, size=(200, 4)), rng.randint(1, 4, size=200)
    repeated = np.repeat(X, weight, axis=0)
    expected = repeated.mean(axis=0), repeated.var(axis=0)
    assert_allclose(mean_and_variance(ArrayRows(X, weight.astype(float))), expected)
    monkeypatch.setattr("sklearn_ae._rows.block_length", lambda row_bytes: 7)
    assert_allclose(mean_and_variance(ArrayRows(X, weight.astype(float))), expected)


def test_a_constant_column_has_no_variance_however_large():
    X = np.full((50, 3), [1e8 / 3, 0.1, 0])
    X[:, 2] = np.arange(50)
    _, variance = mean_and_variance(ArrayRows(X))
    assert_allclose(variance, [0, 0, 208.25])


def test_overflow_is_an_error():
    X = np.array([[1e200, 0], [-1e200, 1]])
    with pytest.raises(ValueError, match="variance overflows float64"):
        mean_and_variance(ArrayRows(X))


@pytest.mark.parametrize("how", ["global", "per_feature", None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_invert_undoes_apply(how, dtype):
    rng = np.random.RandomState(0)
    X = (rng.normal(size=(30, 3)) * [1, 100, 0] + [0, 5, 7]).astype(dtype)
    _, scaling = fit_scaling(ArrayRows(X), how)
    scaled = scaling.apply(X)
    assert scaled.dtype == dtype
    assert_allclose(scaling.invert(scaled), X, rtol=1e-5)
    if how == "global":
        assert_allclose((scaled**2).mean(), 1, rtol=1e-5)
    if how == "per_feature":
        assert_allclose(scaled.std(axis=0), [1, 1, 0], rtol=1e-5)


def test_data_without_any_variance_are_only_centred():
    X = np.full((5, 2), 3.0)
    for how in ("global", "per_feature"):
        _, scaling = fit_scaling(ArrayRows(X), how)
        assert_allclose(scaling.apply(X), 0)
        assert_allclose(scaling.scale, 1)


@pytest.mark.parametrize("constant", [0.1, 1 / 3, 1e-5, 36.6, 1e8 / 7])
@pytest.mark.parametrize("n_rows", [1000, 20_000, 300_000])
def test_a_constant_has_no_variance_however_often(constant, n_rows):
    """The mean of many equal numbers is not quite that number."""
    X = np.random.RandomState(0).normal(size=(n_rows, 3))
    X[:, 1] = constant
    for weights in (None, np.random.RandomState(1).uniform(0.5, 1, size=n_rows)):
        rows = ArrayRows(X, weights)
        assert mean_and_variance(rows)[1][1] == 0
        assert fit_scaling(rows, "per_feature")[1].scale[1] == 1
