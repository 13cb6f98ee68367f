"""Networks of all sizes out of one."""

import pickle
import warnings
from operator import attrgetter

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sklearn_ae import AutoencoderTransformer, Dense, MaskingNoise
from sklearn_ae._latent_path import _chosen, cut

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris(as_frame=True).data
TRAIN, TEST = train_test_split(DIGITS, train_size=1300, random_state=0)
quick = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return AutoencoderTransformer(32, ordered=True, random_state=0).fit(TRAIN)


def explained(estimator, X):
    return r2_score(X, estimator.reconstruct(X), multioutput="variance_weighted")


def test_beginnings_of_codes_are_codes(digits):
    codes = digits.transform(TEST)
    for k in (1, 2, 5, 16, 32):
        cut = digits.truncated(k)
        assert (cut.n_components_, cut.n_components, cut.ordered) == (k, k, False)
        assert_allclose(cut.transform(TEST), codes[:, :k], atol=1e-12)
        assert cut.inverse_transform(codes[:, :k]).shape == TEST.shape
    assert_array_equal(cut.reconstruct(TEST), digits.reconstruct(TEST))
    assert cut.score(TEST) == digits.score(TEST)
    assert cut.n_parameters_ == digits.n_parameters_


def test_path_is_as_good_as_said(digits):
    path = digits.latent_path_
    sizes = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]
    assert_array_equal(path["n_components"], sizes)
    pca = [PCA(k).fit(TRAIN) for k in sizes]
    pca = [r2_score(TEST, p.inverse_transform(p.transform(TEST)),
                    multioutput="variance_weighted") for p in pca]  # fmt: skip
    ours = [digits.truncated(k).score(TEST) for k in sizes]
    # Rows set aside are 130, of which the other half of the table may differ.
    assert_allclose(path["score"], ours, atol=0.05)
    assert_allclose(path["pca_score"], pca, atol=0.05)
    assert np.all(np.diff(ours) > 0)
    # Far above PCA where codes are small, and nowhere far below it.
    assert_array_equal(np.subtract(ours, pca)[:6] > 0.1, True)
    assert np.subtract(ours, pca).min() > -0.02
    # Those between are as good as their neighbours let one expect.
    for k in (5, 10, 20):
        low, high = np.interp([0.9 * k, k], sizes, ours) - [0, -0.01]
        assert low - 0.03 < digits.truncated(k).score(TEST) < high + 0.03


def test_a_size_alone_is_little_better(digits):
    for k, allowed in ((2, 0.1), (4, 0.06), (8, 0.03), (16, 0.03)):
        alone = AutoencoderTransformer(k, random_state=0).fit(TRAIN)
        assert digits.truncated(k).score(TEST) > alone.score(TEST) - allowed


def test_the_rule():
    sizes, scores = np.array([1, 2, 3, 4, 6]), np.array([0.5, 0.7, 0.82, 0.85, 0.9])
    assert _chosen("auto", sizes, scores, 10) == 3
    assert _chosen("auto", sizes, scores, 8) == 2
    assert _chosen(0.8, sizes, scores, 10) == 3
    assert _chosen(0.82, sizes, scores, 10) == 3
    assert _chosen(0.99, sizes, scores, 10) == 6
    assert _chosen(6, sizes, scores, 10) == 6


def test_structure_is_found():
    rng = np.random.RandomState(0)
    X = np.tanh(rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 20)))
    X += 0.1 * rng.normal(size=X.shape)
    estimator = AutoencoderTransformer(ordered=True, random_state=0).fit(X)
    assert estimator.n_components_ == 3
    assert estimator.latent_path_["n_components"][-1] == 10
    assert estimator.transform(X).shape == (2000, 3)
    assert len(estimator.get_feature_names_out()) == 3
    # Larger codes are still there.
    assert estimator.truncated(8).transform(X).shape == (2000, 8)


def test_a_share_of_rows_not_seen():
    params = {"ordered": True, "random_state": 0}
    estimator = AutoencoderTransformer(0.8, **params).fit(TRAIN)
    path, k = estimator.latent_path_, estimator.n_components_
    position = [*path["n_components"]].index(k)
    assert path["score"][position] >= 0.8 > path["score"][position - 1]
    n_pca = AutoencoderTransformer(0.8).fit(TRAIN).n_components_
    assert n_pca < path["n_components"][-1] <= np.ceil(1.25 * n_pca)
    # The user's own.
    seen = AutoencoderTransformer(0.8, **params).fit(TRAIN, X_val=TEST)
    position = [*seen.latent_path_["n_components"]].index(seen.n_components_)
    assert_allclose(seen.latent_path_["score"][position], seen.score(TEST))
    noise = np.random.RandomState(0).normal(size=(70, 60))
    with pytest.warns(UserWarning, match="No size explains n_components=0.95 of"):
        AutoencoderTransformer(0.95, **quick | params).fit(noise)


def test_without_rows_set_aside():
    estimator = AutoencoderTransformer(ordered=True, **quick)
    fits = [
        clone(estimator).set_params(early_stopping=False).fit(TRAIN),
        clone(estimator).fit(IRIS[:50]),
        clone(estimator).partial_fit(TRAIN),
    ]
    for fitted in fits:
        assert not hasattr(fitted, "latent_path_")
        with pytest.raises(AttributeError, match="fit with X_val, or early_stopping"):
            attrgetter("latent_path_")(fitted)
        assert fitted.n_components_ == fitted.n_features_in_ // 2
        assert fitted.truncated(1).n_components_ == 1


def test_what_is_not_ordered_has_no_path():
    plain = AutoencoderTransformer(2, **quick).fit(IRIS)
    assert not hasattr(plain, "latent_path_") and not hasattr(plain, "truncated")
    with pytest.raises(AttributeError, match="fit with ordered=True"):
        attrgetter("latent_path_")(plain)
    # What counts is what has been fitted.
    plain.set_params(ordered=True)
    assert not hasattr(plain, "truncated")


@pytest.mark.parametrize("k", [0, 5, -1, 2.0, "2", None])
def test_sizes_there_are_not(k):
    estimator = AutoencoderTransformer(4, ordered=True, **quick).fit(IRIS)
    with pytest.raises(ValueError, match="n_components must be a whole number from 1"):
        estimator.truncated(k)


def test_one_training_starts_as_pca_of_all_sizes():
    ordered = AutoencoderTransformer(16, ordered=True, random_state=0)
    ordered.set_params(max_iter=1, learning_rate_init=1e-12, early_stopping=False)
    whole = ordered.fit(TRAIN)._fitted.whole
    for k in (1, 3, 5, 16):
        pca = PCA(k).fit(TRAIN)
        expected = pca.inverse_transform(pca.transform(TEST))
        plain = cut(whole, k)
        got = plain.model.reconstruct(plain.views, TEST)
        assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("solver", ["svd", "auto"])
def test_linear_codes_are_pca_of_every_size(solver):
    params = {"hidden_layer_sizes": (), "solver": solver}
    estimator = AutoencoderTransformer(8, ordered=True, **params)
    estimator.fit(TRAIN, X_val=TEST)
    assert estimator.solver_ == "svd"
    for k in (1, 5, 8):
        expected = AutoencoderTransformer(k, **params).fit(TRAIN)
        cut = estimator.truncated(k)
        assert_allclose(cut.transform(TEST), expected.transform(TEST))
        assert_allclose(cut.reconstruct(TEST), expected.reconstruct(TEST))
    path = estimator.latent_path_
    assert_allclose(path["score"], path["pca_score"])


def test_what_can_be_ordered():
    X = IRIS.to_numpy()
    variants = [
        {"noise": 0.1},
        {"noise": MaskingNoise(), "n_components": 6},
        {"loss": "absolute_error"},
        {"linear_path": False},
        {"alpha": 0.01},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": (Dense(16), 8)},
        {"code_activation": "tanh"},
        {"solver": "sgd"},
        {"feature_weight": [1, 2, 3, 4]},
        {"scaling": "per_feature"},
    ]
    for variant in variants:
        params = {"n_components": 3, **quick, "ordered": True} | variant
        estimator = AutoencoderTransformer(**params)
        estimator.fit(X, sample_weight=np.linspace(1, 2, len(X)))
        codes = estimator.transform(X)
        for k in (1, 2):
            cut = estimator.truncated(k)
            assert_allclose(cut.transform(X), codes[:, :k])
            assert np.isfinite(cut.reconstruct(X)).all()
    counts = np.random.RandomState(0).poisson(3, size=(200, 6))
    for loss, rows in (("poisson", counts), ("binary_cross_entropy", counts > 2)):
        estimator = AutoencoderTransformer(3, ordered=True, loss=loss, **quick)
        path = estimator.fit(rows.astype(float)).latent_path_
        assert np.isfinite(path["score"]).all() and np.isnan(path["pca_score"]).all()


def test_what_cannot():
    with pytest.raises(ValueError, match="has to draw anew .* solver='lbfgs'"):
        AutoencoderTransformer(2, ordered=True, solver="lbfgs").fit(IRIS)
    with pytest.raises(ValueError, match="tied_weights must be False with the code"):
        AutoencoderTransformer(2, ordered=True, tied_weights=True).fit(IRIS)
    with pytest.raises(ValueError, match="n_components must not be larger"):
        AutoencoderTransformer(5, ordered=True).fit(IRIS)


def test_float32_is_kept():
    estimator = AutoencoderTransformer(8, ordered=True, **quick)
    estimator.fit(TRAIN.astype(np.float32))
    assert estimator.transform(TEST).dtype == np.float32
    assert estimator.truncated(3).reconstruct(TEST).dtype == np.float32


def test_training_goes_on():
    params = quick | {"ordered": True, "max_iter": 10}
    estimator = AutoencoderTransformer(**params, warm_start=True).fit(TRAIN)
    first = estimator.loss_
    width = estimator.latent_path_["n_components"][-1]
    estimator.fit(TRAIN)
    assert estimator.loss_ < first
    assert estimator.latent_path_["n_components"][-1] == width
    passes = AutoencoderTransformer(6, **params)
    for _ in range(3):
        passes.partial_fit(TRAIN)
    codes = passes.transform(TEST)[:, :2]
    assert_allclose(passes.truncated(2).transform(TEST), codes, atol=1e-12)
    with pytest.raises(ValueError, match="code must stay Ordered.., got None"):
        passes.set_params(ordered=False).partial_fit(TRAIN)
    # A size that was chosen stays.
    chosen = AutoencoderTransformer(**params | {"max_iter": 30}).fit(TRAIN)
    size = chosen.n_components_
    assert size < chosen.latent_path_["n_components"][-1]
    assert chosen.partial_fit(TRAIN).n_components_ == size
    assert not hasattr(chosen, "latent_path_")
    chosen.set_params(warm_start=True).fit(TRAIN)
    assert chosen.n_components_ == size and hasattr(chosen, "latent_path_")
    # What is cut off is a network like any other.
    cut = estimator.truncated(2).partial_fit(TRAIN)
    assert cut.n_components_ == 2 and not hasattr(cut, "truncated")


def test_what_is_cut_off_keeps_names_and_output():
    estimator = AutoencoderTransformer(3, ordered=True, **quick)
    estimator.set_output(transform="pandas").fit(IRIS)
    codes = estimator.truncated(2).transform(IRIS)
    assert [*codes] == ["autoencodertransformer0", "autoencodertransformer1"]
    assert [*estimator.truncated(2).feature_names_in_] == [*IRIS]


def test_same_seed_same_bits_in_pickles_too(digits):
    again = clone(digits).fit(TRAIN)
    restored = pickle.loads(pickle.dumps(digits))
    for other in (again, restored):
        assert_array_equal(other.transform(TEST), digits.transform(TEST))
        for name, values in digits.latent_path_.items():
            assert_array_equal(other.latent_path_[name], values)
        assert_array_equal(
            other.truncated(5).reconstruct(TEST), digits.truncated(5).reconstruct(TEST)
        )


def test_weights_count_as_copies_do():
    """Of the output's least squares, given the same codes."""
    weights = np.random.RandomState(0).randint(1, 4, size=len(TRAIN))
    params = {"ordered": True, **quick, "shuffle": False, "learning_rate_init": 1e-12}
    fits = [
        AutoencoderTransformer(4, **params).fit(
            TRAIN, sample_weight=weights, X_val=TEST
        ),
        AutoencoderTransformer(4, **params).fit(
            TRAIN.repeat(weights, axis=0), X_val=TEST
        ),
    ]
    first, second = (fit.truncated(4).reconstruct(TEST) for fit in fits)
    assert_allclose(first, second, atol=1e-5)
    for name in ("score", "pca_score"):
        assert_allclose(fits[0].latent_path_[name], fits[1].latent_path_[name])


def test_quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AutoencoderTransformer(ordered=True, random_state=0).fit(TRAIN)


@pytest.mark.filterwarnings("ignore:The loss became infinite")
def test_values_too_large_for_products():
    X = (1e17 * TRAIN).astype(np.float32)
    estimator = AutoencoderTransformer(4, ordered=True, scaling=None, **quick).fit(X)
    assert np.isfinite(estimator.reconstruct(X)).all()
