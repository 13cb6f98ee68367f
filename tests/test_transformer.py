"""The transformer among scikit-learn's other parts."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer

FRAME = load_iris(as_frame=True).data
LABELS = load_iris().target


def make(n_components=2, **params):
    defaults = {"hidden_layer_sizes": (8,), "max_iter": 50, "random_state": 0}
    return AutoencoderTransformer(n_components, **defaults | params)


@pytest.mark.parametrize(
    ("library", "frame"),
    [("pandas", FRAME), ("polars", pl.DataFrame(FRAME.to_dict("list")))],
)
def test_data_frames_in_and_named_output(library, frame):
    estimator = make().set_output(transform=library).fit(frame)
    codes = estimator.transform(frame)
    names = ["autoencodertransformer0", "autoencodertransformer1"]
    assert isinstance(codes, pd.DataFrame if library == "pandas" else pl.DataFrame)
    assert list(codes.columns) == names == list(estimator.get_feature_names_out())
    assert_array_equal(estimator.feature_names_in_, FRAME.columns)
    # The memory order of the two differs, and so does rounding.
    assert_allclose(codes, make().fit_transform(FRAME.to_numpy()), rtol=1e-5)
    assert_allclose(estimator.inverse_transform(codes), estimator.reconstruct(frame))


def test_other_column_names_are_an_error():
    with pytest.raises(ValueError, match="feature names should match"):
        make().fit(FRAME).transform(FRAME.rename(columns=str.upper))


def test_column_order_is_checked():
    with pytest.raises(ValueError, match="same order"):
        make().fit(FRAME).transform(FRAME[FRAME.columns[::-1]])


def test_grid_search_over_latent_size_in_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), make(), LogisticRegression())
    grid = {"autoencodertransformer__n_components": [1, 3]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(FRAME, LABELS)
    assert search.best_score_ > 0.85
    codes = search.best_estimator_[:-1].transform(FRAME)
    assert codes.shape == (150, search.best_params_[next(iter(grid))])


def test_grid_search_by_score_prefers_the_better_reconstruction():
    X = load_digits().data[:500]
    search = GridSearchCV(make(), {"n_components": [1, 5]}, cv=3).fit(X)
    assert search.best_params_ == {"n_components": 5}


def test_in_a_column_transformer():
    columns = ColumnTransformer(
        [("codes", make(), list(FRAME.columns[:3]))], remainder="passthrough"
    ).set_output(transform="pandas")
    out = columns.fit_transform(FRAME)
    assert list(out.columns)[-1] == "remainder__petal width (cm)"
    assert out.shape == (150, 3)


def test_held_out_reconstruction_beats_pca():
    from sklearn.decomposition import PCA

    X = load_digits().data
    train, test = X[::2], X[1::2]
    pca = PCA(8).fit(train)
    residual = test - pca.inverse_transform(pca.transform(test))
    r2 = 1 - (residual**2).sum() / ((test - train.mean(axis=0)) ** 2).sum()
    estimator = AutoencoderTransformer(8, max_iter=50, random_state=0).fit(train)
    assert estimator.score(test) > r2 + 0.05


def test_a_scaler_in_front_is_the_same_as_scaling_per_feature():
    X = FRAME.to_numpy() * [1, 10, 100, 1000]
    behind = make_pipeline(StandardScaler(), make(scaling="global")).fit(X)
    alone = make(scaling="per_feature").fit(X)
    assert_allclose(behind.transform(X), alone.transform(X), atol=1e-6)
    assert_allclose(behind.score(X), alone.score(X), atol=1e-6)


def test_integers_and_lists_are_data_too():
    X = np.arange(40).reshape(10, 4) % 7
    codes = make().fit_transform(X)
    assert codes.dtype == np.float64
    assert_array_equal(make().fit_transform(X.tolist()), codes)
