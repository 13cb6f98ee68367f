"""What scikit-learn asks of its own imputers, and how well gaps are filled."""

import builtins
import pickle
import re
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # lets IterativeImputer be imported
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_ae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    HiddenCells,
    MaskingNoise,
    MixedLoss,
    VariationalAutoencoder,
)

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

CANCER, TARGET = load_breast_cancer(return_X_y=True)
GAPS = np.random.RandomState(0).uniform(size=CANCER.shape) < 0.2
GAPPY = np.where(GAPS, np.nan, CANCER)


def quick(**params):
    estimator = AutoencoderTransformer(
        hidden_layer_sizes=(8,),
        max_iter=3,
        scaling="per_feature",
        noise=HiddenCells(),
        early_stopping=False,
        random_state=0,
    )
    return AutoencoderImputer(estimator, **params)


def transformer(*args, **params):
    quick = {"scaling": "per_feature", "max_iter": 5, "random_state": 0}
    return AutoencoderTransformer(*args, **quick | params)


def error(filled, X, gaps):
    return np.sqrt(np.square((filled - X) / X.std(axis=0))[gaps].mean())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("load", [load_breast_cancer, load_diabetes])
def test_fills_better_than_others(load):
    X = load().data
    gaps = np.random.RandomState(0).uniform(size=X.shape) < 0.3
    with_gaps = np.where(gaps, np.nan, X)
    ours = error(AutoencoderImputer().fit_transform(with_gaps), X, gaps)
    for other in (SimpleImputer(), KNNImputer(), IterativeImputer(max_iter=10)):
        filled = other.fit_transform(with_gaps)
        assert ours < 0.98 * error(filled, X, gaps)


def test_known_cells_stay():
    before = GAPPY.copy()
    filled = quick().fit_transform(GAPPY)
    assert_array_equal(filled[~GAPS], CANCER[~GAPS])
    assert np.isfinite(filled).all()
    assert_array_equal(GAPPY, before)
    whole = quick().fit(GAPPY)
    assert_array_equal(whole.transform(CANCER), CANCER)
    assert whole.transform(CANCER) is not CANCER
    # Rows that were not trained on, one by one.
    few = whole.transform(GAPPY[:5])
    for row, expected in zip(GAPPY, few, strict=False):
        assert_allclose(whole.transform(row[None])[0], expected, rtol=1e-9)
    assert_array_equal(quick().fit(GAPPY).transform(GAPPY), filled)


@pytest.mark.parametrize(
    "estimator",
    [
        None,
        transformer(4, noise=MaskingNoise(0.3)),
        transformer(ordered=True),
        AutoencoderOutlierDetector(max_iter=5, random_state=0),
        VariationalAutoencoder(4, max_iter=5, random_state=0),
    ],
)
def test_any_estimator_fills(estimator):
    imputer = AutoencoderImputer(estimator).fit(GAPPY)
    filled = imputer.transform(GAPPY)
    reconstructed = imputer.estimator_.reconstruct(GAPPY)
    assert_array_equal(filled[GAPS], reconstructed[GAPS])
    assert imputer.estimator_ is not estimator
    assert_array_equal(clone(imputer).fit_transform(GAPPY), filled)
    assert_array_equal(pickle.loads(pickle.dumps(imputer)).transform(GAPPY), filled)


def test_a_gap_that_was_not_there_in_fit():
    imputer = quick(add_indicator=True).fit([[1], [2]])
    result = imputer.transform([[3], [np.nan]])
    assert result.shape == (2, 1)
    assert result[0] == 3 and np.isfinite(result[1])


@pytest.mark.parametrize("marker", [np.nan, -1, 0])
def test_indicator(marker):
    X = np.array(
        [
            [marker, 1, 5, marker, 1],
            [2, marker, 1, marker, 2],
            [6, 3, marker, marker, 3],
            [1, 2, 9, marker, 4],
        ]
    )
    expected = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 0, 0, 1]])
    imputer = quick(missing_values=marker, add_indicator=True)
    with pytest.warns(UserWarning, match="no value in x3: left out"):
        result = imputer.fit_transform(X)
    assert_array_equal(result[:, -4:], expected)
    assert_array_equal(imputer.indicator_.features_, [0, 1, 2, 3])
    assert result.shape == (4, 8)
    imputer.set_params(add_indicator=False)
    with pytest.warns(UserWarning, match="left out"):
        assert_array_equal(imputer.fit_transform(X), result[:, :-4])
    assert imputer.indicator_ is None
    names = quick(missing_values=marker, add_indicator=True, keep_empty_features=True)
    names = names.fit(X).get_feature_names_out()
    assert [*names[:6]] == ["x0", "x1", "x2", "x3", "x4", "missingindicator_x0"]


@pytest.mark.parametrize("kind", ["Int64", "Float64", "object"])
def test_pandas_na(kind):
    frame = pd.DataFrame({"a": [1, None, 2, 4], "b": [3, 1, None, 2]}).astype("Int64")
    expected = quick().fit_transform(frame.to_numpy(float, na_value=np.nan))
    assert_array_equal(quick().fit_transform(frame.astype(kind)), expected)


@pytest.mark.parametrize("keep", [True, False])
def test_empty_features(keep):
    X = GAPPY[:50].copy()
    X[:, [0, 7]] = np.nan
    imputer = quick(keep_empty_features=keep)
    if keep:
        filled = imputer.fit_transform(X)
        assert_array_equal(filled[:, [0, 7]], 0)
        assert filled.shape == X.shape
        # A value that is there after all stays.
        row = CANCER[:1].copy()
        assert_array_equal(imputer.transform(row), row)
    else:
        with pytest.warns(UserWarning, match="X has no value in x0, x7: left out"):
            filled = imputer.fit_transform(X)
        assert filled.shape == (50, 28)
        assert len(imputer.get_feature_names_out()) == 28
    nothing = np.full((3, 2), np.nan)
    if keep:
        assert_array_equal(imputer.fit_transform(nothing), np.zeros((3, 2)))
    else:
        with pytest.warns(UserWarning, match="x0, x1: left out"):
            assert imputer.fit_transform(nothing).shape == (3, 0)


def test_names_and_containers():
    names = [f"f{i}" for i in range(30)]
    frame = pd.DataFrame(GAPPY, columns=names, index=np.arange(len(GAPPY))[::-1])
    imputer = quick(add_indicator=True).set_output(transform="pandas").fit(frame)
    filled = imputer.transform(frame)
    assert [*filled.columns[:31]] == [*names, "missingindicator_f0"]
    assert filled.index.equals(frame.index)
    other = quick().set_output(transform="polars").fit(pl.DataFrame(GAPPY, names))
    assert isinstance(other.transform(pl.DataFrame(GAPPY, names)), pl.DataFrame)
    assert_array_equal(imputer.get_feature_names_out(names)[:30], names)
    single = quick().fit(GAPPY.astype(np.float32)).transform(GAPPY.astype(np.float32))
    assert single.dtype == np.float32


def test_at_home_in_pipelines():
    pipeline = make_pipeline(quick(), LogisticRegression(max_iter=10_000))
    name = "autoencoderimputer__estimator__noise__fraction"
    search = GridSearchCV(pipeline, {name: [0.1, 0.3]}, cv=3).fit(GAPPY, TARGET)
    assert search.best_score_ > 0.9
    with config_context(enable_metadata_routing=True):
        imputer = quick().set_fit_request(sample_weight=True)
        weights = np.arange(len(GAPPY)) % 2
        routed = make_pipeline(imputer).fit(GAPPY, sample_weight=weights)
        expected = quick().fit(GAPPY, sample_weight=weights).transform(GAPPY)
        assert_array_equal(routed.transform(GAPPY), expected)
    half = quick().fit(GAPPY[1::2])
    assert_allclose(half.estimator_.mean_, imputer.estimator_.mean_)


@pytest.mark.parametrize(
    ("params", "X", "message"),
    [
        ({"missing_values": "?"}, GAPPY, "'missing_values' parameter"),
        ({"add_indicator": 2}, GAPPY, "'add_indicator' parameter"),
        ({"estimator": SimpleImputer()}, GAPPY, "'estimator' parameter"),
        ({"missing_values": -1}, GAPPY, "NaN"),
        ({}, np.where(GAPS, np.inf, CANCER), "infinity"),
        ({}, GAPPY[:1], "minimum of 2 is required"),
    ],
)
def test_errors_leave_a_fitted_imputer_alone(params, X, message):
    imputer = quick().fit(GAPPY)
    expected = imputer.transform(GAPPY)
    other = clone(imputer).set_params(**params)
    with pytest.raises(ValueError, match=message):
        other.fit(X)
    with pytest.raises(NotFittedError):
        other.transform(GAPPY)
    imputer.set_params(**params)
    with pytest.raises(ValueError, match=message):
        imputer.fit(X)
    imputer.set_params(**quick().get_params(deep=False))
    assert_array_equal(imputer.transform(GAPPY), expected)


def test_docstring_lists_every_attribute():
    imputer = quick().fit(GAPPY)
    for name in [*imputer.get_params(deep=False), *vars(imputer)]:
        if not name.startswith("_") and name != "feature_names_in_":
            assert re.search(rf"\b{name}(,| :)", AutoencoderImputer.__doc__), name


def test_values_in_rows_of_weight_zero_are_none():
    X, weights = GAPPY[:60].copy(), np.r_[0.0, np.ones(59)]
    X[1:, 3] = np.nan
    X[0, 3] = 5
    with pytest.warns(UserWarning, match="no value in x3"):
        imputer = quick().fit(X, sample_weight=weights)
    assert imputer.transform(X).shape == (60, 29)
    with pytest.warns(UserWarning, match="no value in x3"):
        without = quick().fit(X[1:])
    assert_allclose(without.transform(X[1:]), imputer.transform(X[1:]))


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame])
def test_names_and_numbers_of_columns_stay(container):
    """Also beside a column without any value."""
    X = container({f"f{i}": GAPPY[:80, i] for i in range(8)})
    empty = container({"empty": np.full(80, np.nan)})
    concat = pd.concat if container is pd.DataFrame else pl.concat
    how = {"axis": 1} if container is pd.DataFrame else {"how": "horizontal"}
    X = concat([empty, X], **how)
    for params in (
        {"feature_weight": {"f2": 3.0}},
        {"feature_weight": [1.0, 1, 1, 3, 1, 1, 1, 1, 1]},
        {"loss": MixedLoss(counts=["f2"]), "scaling": "per_feature"},
        {"loss": MixedLoss(counts=[3]), "scaling": "per_feature"},
    ):
        imputer = quick(keep_empty_features=True)
        imputer.estimator.set_params(**params)
        filled = imputer.fit_transform(X)
        assert filled.shape == (80, 9) and np.isfinite(filled).all()
        assert [*imputer.estimator_.feature_names_in_] == [*X.columns]
        assert_array_equal(filled[:, 0], 0)


@pytest.mark.parametrize(
    "X",
    [
        np.array([[1, pd.NA], [2, 3], [pd.NA, 4], [5, 1]], dtype=object),
        [[1, pd.NA], [2, 3], [pd.NA, 4], [5, 1]],
        np.ma.masked_equal([[1, 9], [2, 3], [9, 4], [5, 1]], 9),
    ],
)
def test_no_other_gaps_beside_a_number(X):
    plain = [[1, np.nan], [2, 3], [np.nan, 4], [5, 1]]
    assert_array_equal(quick().fit_transform(X), quick().fit_transform(plain))
    with pytest.raises(ValueError, match="missing_values=-1 that stands for a gap"):
        quick(missing_values=-1).fit(X)


def test_one_scale_for_columns_of_different_units():
    with pytest.warns(UserWarning, match="scaling='per_feature' of the estimator"):
        AutoencoderImputer(transformer(noise=HiddenCells(), scaling="global")).fit(
            GAPPY
        )


def test_words_are_named():
    frame = pd.DataFrame({"size": [1.0, 2, 3], "kind": ["a", "b", "a"]})
    with pytest.raises(ValueError, match=r"words in columns 'kind'.*mixed_tables"):
        quick().fit(frame)


@pytest.mark.parametrize("absent", [["pandas"], ["polars"], ["pandas", "polars"]])
def test_needs_no_library_of_frames(absent, monkeypatch):
    for library in absent:
        monkeypatch.setitem(sys.modules, library, None)
        monkeypatch.delitem(sys.modules, library)
    real = builtins.__import__

    def guarded(name, *args, **kwargs):
        if name.partition(".")[0] in absent:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", guarded)
    assert np.isfinite(quick().fit_transform(GAPPY)).all()
