"""The exact linear solution against PCA, and against the theory of its penalty."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderTransformer
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._linear import principal_axes
from sklearn_ae._scaling import Scaling

UNSCALED = Scaling(np.zeros(64), np.ones(()))


def relative_difference(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.mark.parametrize("n_rows", [40, 500])
def test_principal_axes_are_those_of_pca(n_rows, monkeypatch):
    X = load_digits().data[:n_rows]
    monkeypatch.setattr("sklearn_ae._rows.block_length", lambda row_bytes: 33)
    axes = principal_axes(ArrayRows(X), UNSCALED)
    pca = PCA(svd_solver="full").fit(X)
    n = 30
    assert_allclose(axes.mean, pca.mean_)
    ratio = axes.variances[:n] / axes.variances.sum()
    assert_allclose(ratio, pca.explained_variance_ratio_[:n], rtol=1e-8)
    assert_allclose(axes.directions[:n], pca.components_[:n], atol=1e-8)


@pytest.mark.parametrize("shape", [(300, 400), (400, 300)])
def test_few_directions_of_large_data_are_those_of_pca(shape, monkeypatch):
    monkeypatch.setattr("sklearn_ae._linear.LARGE", 100)
    monkeypatch.setattr("sklearn_ae._rows.block_length", lambda row_bytes: 33)
    rng = np.random.RandomState(0)
    X = 5 + rng.normal(size=shape) * 0.9 ** np.arange(shape[1])
    weight = rng.randint(1, 4, size=shape[0])
    rows = ArrayRows(X, weight.astype(float))
    scaling = Scaling(np.zeros(shape[1]), np.ones(()))
    axes = principal_axes(rows, scaling, 8)
    exact = principal_axes(rows, scaling)
    assert axes.directions.shape == (8, shape[1])
    assert_allclose(axes.variances, exact.variances[:8], rtol=1e-4)
    assert_allclose(axes.directions @ axes.directions.T, np.eye(8), atol=1e-10)
    lost = exact.directions[:8] - (
        exact.directions[:8] @ axes.directions.T @ axes.directions
    )
    assert np.abs(lost[:5]).max() < 1e-3


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9, 0.999])
def test_n_for_variance_is_what_pca_takes(fraction):
    X = load_digits().data
    n = principal_axes(ArrayRows(X), UNSCALED).n_for_variance(fraction)
    assert n == PCA(fraction).fit(X).n_components_


@pytest.mark.parametrize("load", [load_iris, load_breast_cancer, load_digits])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (40,), (50, 30)])
def test_svd_is_pca(load, hidden_layer_sizes):
    X = load().data
    k = min(X.shape[1] // 2, 20)
    autoencoder = AutoencoderTransformer(
        k, activation="identity", hidden_layer_sizes=hidden_layer_sizes
    ).fit(X)
    pca = PCA(k, svd_solver="full").fit(X)
    assert autoencoder.solver_ == "svd"
    expected = pca.inverse_transform(pca.transform(X))
    assert relative_difference(autoencoder.reconstruct(X), expected) < 1e-6
    codes = autoencoder.transform(X) * autoencoder.scale_
    assert relative_difference(codes, pca.transform(X)) < 1e-6
    assert_allclose(
        autoencoder.score(X), pca.explained_variance_ratio_.sum(), rtol=1e-9
    )


def test_svd_per_feature_is_pca_behind_a_scaler():
    X = load_breast_cancer().data
    autoencoder = AutoencoderTransformer(
        5, activation="identity", scaling="per_feature"
    ).fit(X)
    scaler = StandardScaler().fit(X)
    pca = PCA(5, svd_solver="full").fit(scaler.transform(X))
    expected = scaler.inverse_transform(
        pca.inverse_transform(pca.transform(scaler.transform(X)))
    )
    assert relative_difference(autoencoder.reconstruct(X), expected) < 1e-6


def test_lbfgs_finds_pca():
    X = StandardScaler().fit_transform(load_iris().data)
    autoencoder = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(),
        solver="lbfgs",
        early_stopping=False,
        tol=1e-12,
        max_iter=5000,
        random_state=0,
    ).fit(X)
    pca = PCA(2).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    assert relative_difference(autoencoder.reconstruct(X), expected) < 1e-4


def test_narrow_hidden_layer_limits_the_rank():
    X = load_iris().data
    autoencoder = AutoencoderTransformer(
        3, activation="identity", hidden_layer_sizes=(2,)
    ).fit(X)
    pca = PCA(2).fit(X)
    expected = pca.inverse_transform(pca.transform(X))
    assert relative_difference(autoencoder.reconstruct(X), expected) < 1e-6


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 10.0])
def test_penalised_solution_is_the_minimum(alpha):
    """L-BFGS from a random start finds nothing better, and nothing worse."""
    X = StandardScaler().fit_transform(load_iris().data)
    common = {"hidden_layer_sizes": (), "alpha": alpha, "random_state": 0}
    exact = AutoencoderTransformer(2, **common).fit(X)
    found = AutoencoderTransformer(
        2, solver="lbfgs", early_stopping=False, tol=1e-12, max_iter=5000, **common
    ).fit(X)
    assert exact.solver_ == "svd"
    assert_allclose(exact.loss_, found.loss_, rtol=1e-6)
    assert_allclose(exact.reconstruct(X), found.reconstruct(X), atol=1e-3)


def test_weighted_svd_is_svd_of_repeated_rows():
    X = load_iris().data
    weight = np.random.RandomState(0).randint(0, 4, size=len(X))
    common = {"activation": "identity"}
    weighted = AutoencoderTransformer(2, **common).fit(X, sample_weight=weight)
    repeated = AutoencoderTransformer(2, **common).fit(np.repeat(X, weight, axis=0))
    assert_allclose(weighted.transform(X), repeated.transform(X), atol=1e-9)


def test_svd_where_it_does_not_apply():
    X = load_iris().data
    for params in (
        {},
        {"activation": "identity", "loss": "absolute_error"},
        {"activation": "identity", "alpha": 1.0},
        {"hidden_layer_sizes": (), "alpha": 1.0, "l1_ratio": 0.5},
        {"hidden_layer_sizes": (), "code_activation": "relu"},
    ):
        with pytest.raises(ValueError, match="solver='svd' needs a linear network"):
            AutoencoderTransformer(2, solver="svd", **params).fit(X)
        quick = AutoencoderTransformer(2, random_state=0, max_iter=50, **params).fit(X)
        assert quick.solver_ == "adam"


@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
@pytest.mark.parametrize("hidden_layer_sizes", [(8,), (8, 6)])
def test_training_starts_as_pca(hidden_layer_sizes, scaling):
    X = load_digits().data[:300, 10:30]
    weight = np.random.RandomState(0).uniform(0.5, 2, size=300)
    params = {"n_components": 5, "scaling": scaling, "random_state": 0}
    network = {"hidden_layer_sizes": hidden_layer_sizes, "max_iter": 1}
    # No step is so small that it improves a validation loss by half.
    start = AutoencoderTransformer(
        **params, **network, early_stopping=True, tol=0.5, learning_rate_init=1e-12
    ).fit(X, sample_weight=weight)
    pca = AutoencoderTransformer(**params, solver="svd", activation="identity")
    pca.fit(X, sample_weight=weight)
    assert_allclose(start.transform(X), pca.transform(X), atol=1e-6)
    assert_allclose(start.reconstruct(X), pca.reconstruct(X), atol=1e-5)


def test_validation_may_stay_at_pca_without_a_warning():
    X = np.random.RandomState(0).normal(size=(100, 6))
    stayed = AutoencoderTransformer(2, random_state=0).fit(X)
    pca = AutoencoderTransformer(2, solver="svd", activation="identity").fit(X)
    fresh = np.random.RandomState(1).normal(size=(1000, 6))
    assert stayed.score(fresh) > pca.score(fresh) - 0.01


def test_training_from_pca_ends_above_it():
    X = load_digits().data
    train, test = X[:1200], X[1200:]
    pca = AutoencoderTransformer(8, activation="identity").fit(train)
    assert AutoencoderTransformer(8, random_state=0).fit(train).score(test) > (
        pca.score(test) + 0.05
    )
