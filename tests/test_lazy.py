"""Lazy results for Dask collections."""

import inspect

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.utils import gen_batches

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoder,
)
from sklearn_ae._lazy import RESULTS

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

DIGITS, IRIS = load_digits().data, load_iris().data
NAMES = ["a", "b", "c", "d"]
FRAME = pd.DataFrame(IRIS, columns=NAMES, index=np.arange(150) * 2)
PARAMS = {"max_iter": 3, "random_state": 0}
CLASSES = [AutoencoderTransformer, AutoencoderOutlierDetector, VariationalAutoencoder]
CASES = [(cls, name) for cls in CLASSES for name in sorted(RESULTS) if name in dir(cls)]


def fitted(cls, X=IRIS):
    return cls(**PARAMS).fit(X)


def rows_for(method, estimator, X):
    return estimator.transform(X) if method == "inverse_transform" else X


def of_partitions(estimator, method, parts):
    return np.concatenate([getattr(estimator, method)(part) for part in parts])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("cls, method", CASES)
def test_results_are_those_of_the_partitions_in_memory(cls, method, dtype):
    estimator = fitted(cls, DIGITS.astype(dtype))
    X = rows_for(method, estimator, DIGITS.astype(dtype))
    lazy = getattr(estimator, method)(da.from_array(X, chunks=(500, 7)))
    whole = getattr(estimator, method)(X)
    assert isinstance(lazy, da.Array)
    assert lazy.shape == whole.shape
    result = lazy.compute()
    assert lazy.dtype == result.dtype == whole.dtype
    parts = [X[few] for few in gen_batches(len(X), 500)]
    assert_array_equal(result, of_partitions(estimator, method, parts))


@pytest.mark.parametrize("cls, method", CASES)
def test_data_frames_in_arrays_out(cls, method):
    frame = pd.DataFrame(np.tile(IRIS, (2, 1)), columns=NAMES)
    estimator = fitted(cls, frame)
    if method == "inverse_transform":
        frame = pd.DataFrame(estimator.transform(frame))
    lazy = getattr(estimator, method)(dd.from_pandas(frame, npartitions=4))
    parts = dd.from_pandas(frame, npartitions=4).to_delayed()
    expected = of_partitions(estimator, method, [part.compute() for part in parts])
    assert isinstance(lazy, da.Array)
    assert_array_equal(lazy.compute(), expected)


def test_sparse_partitions():
    estimator = fitted(AutoencoderOutlierDetector, DIGITS)
    X = da.from_array(DIGITS, chunks=(500, 64))
    for method in ("transform", "score_samples", "predict"):
        lazy = getattr(estimator, method)(X.map_blocks(csr_array))
        assert_array_equal(lazy.compute(), getattr(estimator, method)(X).compute())


@pytest.mark.parametrize("kind", ["array", "frame"])
@pytest.mark.parametrize("method", ["transform", "reconstruct", "score_contributions"])
def test_set_output(method, kind):
    estimator = fitted(AutoencoderOutlierDetector, FRAME)
    estimator.set_output(transform="pandas")
    expected = getattr(estimator, method)(FRAME)
    X = dd.from_pandas(FRAME, npartitions=3)
    if kind == "array":
        estimator = fitted(AutoencoderOutlierDetector, IRIS)
        estimator.set_output(transform="pandas")
        expected = getattr(estimator, method)(IRIS)
        X = da.from_array(IRIS, chunks=(50, 4))
    lazy = getattr(estimator, method)(X)
    assert isinstance(lazy, dd.DataFrame)
    result = lazy.compute()
    assert_array_equal(lazy.columns, expected.columns)
    assert_array_equal(result.columns, expected.columns)
    np.testing.assert_allclose(result.to_numpy(), expected.to_numpy(), atol=1e-12)
    if kind == "frame":
        assert_array_equal(result.index, FRAME.index)
    estimator.set_output(transform="polars")
    with pytest.raises(ValueError, match="must be 'default' or 'pandas' for Dask"):
        getattr(estimator, method)(X)


def test_fit_transform_and_fit_predict_are_lazy():
    X = dd.from_pandas(FRAME, npartitions=3)
    transformer = AutoencoderTransformer(2, **PARAMS)
    codes = transformer.fit_transform(X)
    assert_array_equal(codes.compute(), transformer.transform(X).compute())
    transformer.set_output(transform="pandas")
    assert isinstance(transformer.fit_transform(X), dd.DataFrame)
    assert isinstance(transformer.fit_transform(FRAME), pd.DataFrame)
    detector = AutoencoderOutlierDetector(**PARAMS)
    assert set(np.unique(detector.fit_predict(X).compute())) <= {-1, 1}


def test_empty_partitions():
    frame = dd.from_pandas(FRAME, npartitions=3)
    few = frame[frame["a"] > 7]
    estimator = fitted(AutoencoderTransformer, FRAME)
    n_rows = int((FRAME["a"] > 7).sum())
    assert estimator.transform(few).compute().shape == (n_rows, 1)
    assert estimator.score_samples(few).compute().shape == (n_rows,)


def test_results_stay_those_of_the_fit_that_was_asked():
    estimator, X = fitted(AutoencoderTransformer), da.from_array(IRIS, chunks=50)
    lazy, before = estimator.transform(X), estimator.transform(X).compute()
    estimator.set_params(random_state=1).fit(IRIS[:70])
    assert_array_equal(lazy.compute(), before)


def test_nothing_is_computed_before_it_is_asked_for():
    def fail(block):
        raise AssertionError("computed")

    X = da.from_array(DIGITS, chunks=(500, 64))
    X = X.map_blocks(fail, dtype=DIGITS.dtype, meta=DIGITS[:0])
    estimator = fitted(AutoencoderOutlierDetector, DIGITS)
    for method in set(RESULTS) - {"inverse_transform"}:
        getattr(estimator, method)(X)


def test_what_is_refused_is_so_at_once():
    X = da.from_array(IRIS, chunks=50)
    with pytest.raises(NotFittedError):
        AutoencoderTransformer().transform(X)
    estimator = fitted(AutoencoderTransformer, FRAME)
    frame = dd.from_pandas(FRAME.rename(columns={"a": "z"}), npartitions=2)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.transform(frame)
    estimator = fitted(AutoencoderTransformer)
    with pytest.raises(ValueError, match="X has 3 features, but"):
        estimator.reconstruct(X[:, :3])
    with pytest.raises(ValueError, match="inverse_transform expects n_components_=1"):
        estimator.inverse_transform(X)
    with pytest.raises(ValueError, match="must have two dimensions"):
        estimator.score_samples(X[:, 0])
    with pytest.raises(ValueError, match="p_values needs rows"):
        fitted(AutoencoderOutlierDetector).p_values(X)


def test_methods_look_as_they_did():
    signature = inspect.signature(AutoencoderTransformer.transform)
    assert list(signature.parameters) == ["self", "X"]
    assert "Return the codes" in AutoencoderTransformer.transform.__doc__
