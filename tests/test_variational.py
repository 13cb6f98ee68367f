"""The density."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import poisson
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from sklearn_ae import AutoencoderTransformer, VariationalAutoencoder

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris(as_frame=True).data
TRAIN, TEST = train_test_split(DIGITS, random_state=0)
quick = {"hidden_layer_sizes": (16,), "max_iter": 5, "random_state": 0}


@pytest.fixture(scope="module")
def digits():
    return VariationalAutoencoder(8, random_state=0).fit(TRAIN)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_linear_bound_is_probabilistic_pca(scale):
    params = {"hidden_layer_sizes": (), "scaling": "global", "random_state": 0}
    params |= {"n_draws": 50}
    for k in (2, 8):
        vae = VariationalAutoencoder(k, **params).fit(scale * TRAIN)
        pca = PCA(k).fit(scale * TRAIN)
        assert abs(vae.score(scale * TEST) - pca.score(scale * TEST)) < 0.01 * 64
        assert_allclose(vae.noise_variance_, pca.noise_variance_, rtol=0.05)
        # The divergence is worth what the codes say.
        assert vae.elbo_["kl"] > 1


def test_linear_bound_with_a_variance_for_each_feature_is_factor_analysis():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(2000, 3)) @ rng.normal(size=(3, 10))
    X = (X + rng.normal(size=X.shape) * np.linspace(0.2, 2, 10)) * np.arange(1, 11)
    params = {"hidden_layer_sizes": (), "random_state": 0, "n_draws": 100}
    vae = VariationalAutoencoder(3, scaling="per_feature", **params).fit(X)
    factors = FactorAnalysis(3).fit(X)
    assert abs(vae.score(X) - factors.score(X)) < 0.01 * 10
    assert_allclose(vae.noise_variance_[1:], factors.noise_variance_[1:], rtol=0.2)


def test_training_starts_as_probabilistic_pca():
    for rows, k in ((TRAIN, 8), (TRAIN[:30], 4)):
        vae = VariationalAutoencoder(k, scaling="global", max_iter=1)
        vae.set_params(early_stopping=False, random_state=0, n_draws=3000)
        vae.set_params(learning_rate_init=1e-12).fit(rows)
        pca = PCA(k).fit(rows)
        if len(rows) > 64:
            # (With fewer rows PCA takes directions without variance for none.)
            assert abs(vae.score(rows) - pca.score(rows)) < 0.002 * 64
        codes, expected = vae.transform(rows), pca.transform(rows)
        both = zip(codes.T, expected.T, strict=True)
        correlations = [np.corrcoef(*pair)[0, 1] for pair in both]
        assert_allclose(correlations, 1, atol=1e-6)


def test_better_than_pca_and_than_its_start(digits):
    assert digits.score(TEST) > PCA(8).fit(TRAIN).score(TEST) + 10
    assert digits.active_units_.all() and digits.active_units_.shape == (8,)
    bound = digits.elbo_["reconstruction"] - digits.elbo_["kl"]
    one = VariationalAutoencoder(8, random_state=0, n_draws=1).fit(TRAIN)
    assert abs(one.score(TRAIN) - bound) < 3
    assert_array_equal(one.transform(TEST), digits.transform(TEST))


def test_bound_rises_with_draws(digits):
    scores = []
    for n_draws in (1, 10, 100):
        digits.set_params(n_draws=n_draws)
        scores.append(digits.score(TEST))
    digits.set_params(n_draws=10)
    assert scores[0] < scores[1] < scores[2]


def test_bound_of_one_number_is_below_the_density():
    """And near it: with one number in the code it can be integrated."""
    X = IRIS.to_numpy()
    vae = VariationalAutoencoder(1, scaling="global", random_state=0, n_draws=2000)
    vae.fit(X)
    grid = np.linspace(-8, 8, 4001)
    decoded = vae.inverse_transform(grid[:, None])
    distances = ((X[:, None] - decoded) ** 2).sum(axis=2)
    variance = vae.noise_variance_
    log_p = -distances / (2 * variance) - 2 * np.log(2 * np.pi * variance)
    weights = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0])
    density = np.log((np.exp(log_p) * weights).sum(axis=1))
    bound = vae.score_samples(X)
    assert_allclose(bound, density, atol=0.3)
    assert bound.mean() < density.mean() + 0.01


def test_a_row_scores_the_same_whatever_it_comes_with(digits):
    scores = digits.score_samples(TEST)
    assert scores.dtype == np.float64
    assert_allclose(digits.score_samples(TEST[7:9]), scores[7:9])
    assert_allclose(digits.score_samples(TEST), scores, rtol=0, atol=0)
    weights = np.arange(len(TEST))
    expected = np.average(scores, weights=weights)
    assert_allclose(digits.score(TEST, sample_weight=weights), expected)
    assert_allclose(digits.score(TEST), scores.mean())


def test_units_of_the_density():
    """Other units change the density by what they change a volume by."""
    params = {"scaling": "per_feature", **quick}
    units = np.array([1.0, 10, 100, 1000])
    vae = VariationalAutoencoder(2, **params).fit(IRIS)
    other = VariationalAutoencoder(2, **params).fit(IRIS * units)
    expected = vae.score_samples(IRIS) - np.log(units).sum()
    assert_allclose(other.score_samples(IRIS * units), expected, rtol=1e-4)
    assert_allclose(other.noise_variance_, vae.noise_variance_ * units**2, rtol=1e-4)
    total = other.elbo_["reconstruction"] - vae.elbo_["reconstruction"]
    assert_allclose(total, -np.log(units).sum(), rtol=1e-3)


def test_rows_drawn_are_like_those_trained_on(digits):
    drawn, codes = digits.sample(4000, random_state=1)
    assert drawn.shape == (4000, 64) and codes.shape == (4000, 8)
    assert_allclose(drawn.mean(axis=0), TRAIN.mean(axis=0), atol=1.2)
    varies = TRAIN.var(axis=0) > 4
    assert_allclose(drawn.std(axis=0)[varies], TRAIN.std(axis=0)[varies], rtol=0.5)
    rng = np.random.RandomState(0)
    # Beside rows whose columns have been shuffled, they look like digits.
    shuffled = np.column_stack([rng.permutation(column) for column in TEST.T])
    assert digits.score(drawn) > digits.score(TEST) - 30 > digits.score(shuffled)
    # They are around what is decoded.
    residual = drawn - digits.inverse_transform(codes)
    assert_allclose(residual.var(axis=0), digits.noise_variance_, rtol=0.15)
    assert_allclose(codes.std(axis=0), 1, atol=0.05)


def test_draws_of_sample():
    vae = VariationalAutoencoder(2, **quick).fit(IRIS)
    shared = check_random_state(None)
    state = shared.get_state()[1].copy()
    first, second = vae.sample(3)[0], vae.sample(3)[0]
    assert_array_equal(first, second)
    assert_array_equal(shared.get_state()[1], state)
    assert not np.array_equal(vae.sample(3, random_state=1)[0], first)
    assert vae.sample()[0].shape == (1, 4)
    for n_samples in (0, -1, 1.5, "2", None):
        with pytest.raises(ValueError, match="n_samples must be a whole number"):
            vae.sample(n_samples)


@pytest.mark.parametrize("loss", ["binary_cross_entropy", "poisson"])
def test_other_likelihoods(loss):
    rng = np.random.RandomState(0)
    rate = np.exp(rng.normal(size=(1500, 2)) @ rng.normal(size=(2, 12)) / 2)
    X = rng.poisson(rate).astype(float)
    if loss == "binary_cross_entropy":
        X = (X > 0) * 1.0
    train, test = X[:1000], X[1000:]
    params = {"loss": loss, "random_state": 0, "hidden_layer_sizes": (32,)}
    vae = VariationalAutoencoder(4, **params).fit(train)
    mean = train.mean(axis=0)
    if loss == "poisson":
        independent = poisson(mean).logpmf(test).sum(axis=1)
    else:
        independent = np.log(np.where(test > 0, mean, 1 - mean)).sum(axis=1)
    assert vae.score(test) > independent.mean() + 0.1
    drawn, codes = vae.sample(3000, random_state=0)
    values = {0.0, 1.0} if loss != "poisson" else set(np.arange(drawn.max() + 1))
    assert set(np.unique(drawn)) <= values
    assert_allclose(drawn.mean(axis=0), mean, rtol=0.3)
    assert np.corrcoef(drawn.T)[0, 1] * np.corrcoef(train.T)[0, 1] > 0
    assert not hasattr(vae, "noise_variance_")
    # The marginals of what is drawn are those of rows, and so are probabilities.
    assert_allclose(vae.inverse_transform(codes).mean(axis=0), mean, rtol=0.3)


def test_float32_is_kept():
    for loss in ("squared_error", "binary_cross_entropy", "poisson"):
        X = (TRAIN > 8).astype(np.float32)
        vae = VariationalAutoencoder(4, loss=loss, **quick).fit(X)
        drawn, codes = vae.sample(3)
        for array in (drawn, codes, vae.transform(X), vae.reconstruct(X)):
            assert array.dtype == np.float32
        double = clone(vae).fit(X.astype(float))
        assert_allclose(vae.score(X), double.score(X.astype(float)), rtol=1e-2)


def test_collapse_is_said():
    vae = VariationalAutoencoder(4, beta=1000.0, random_state=0)
    with pytest.warns(ConvergenceWarning, match="codes have collapsed.*beta"):
        vae.fit(TRAIN)
    assert not vae.active_units_.any()
    assert vae.elbo_["kl"] < 0.5
    # What is left is one normal distribution around the mean.
    assert np.ptp(vae.reconstruct(TEST), axis=0).max() < 2


def test_beta_weighs_what_codes_say():
    kl = [
        VariationalAutoencoder(4, beta=beta, random_state=0).fit(TRAIN).elbo_["kl"]
        for beta in (0.1, 1.0, 4.0)
    ]
    assert kl[0] > kl[1] > kl[2]


def test_passes_with_a_beta_that_rises():
    vae = VariationalAutoencoder(4, **quick)
    scores = []
    for beta in (0.0, 0.5, 1.0, 1.0, 1.0):
        vae.set_params(beta=beta).partial_fit(TRAIN, sample_weight=np.ones(len(TRAIN)))
        scores.append(vae.score(TEST))
    assert scores[-1] > scores[0]
    assert set(vae.elbo_) == {"reconstruction", "kl"}
    with pytest.raises(ValueError, match="n_components must stay 4, got 5"):
        vae.set_params(n_components=5).partial_fit(TRAIN)


def test_rows_to_validate_on_and_weights():
    vae = VariationalAutoencoder(4, **quick).fit(TRAIN, X_val=TEST)
    assert len(vae.validation_loss_curve_) == 5
    # In nats per feature, of scaled rows.
    volume = np.log(vae.scale_).sum()
    one = VariationalAutoencoder(4, **quick, n_draws=1).fit(TRAIN, X_val=TEST)
    bound = -64 * vae.validation_loss_curve_[-1] - volume
    assert abs(one.score(TEST) - bound) < 3
    weights = np.where(TRAIN[:, 20] > 8, 1.0, 1e-3)
    weighted = VariationalAutoencoder(4, random_state=0, max_iter=50)
    weighted.fit(TRAIN, sample_weight=weights)
    mean = np.average(TRAIN, axis=0, weights=weights)
    assert_allclose(weighted.sample(2000)[0].mean(axis=0), mean, atol=1.5)


def test_a_step_of_a_pipeline_and_a_search():
    search = GridSearchCV(
        make_pipeline(StandardScaler(), VariationalAutoencoder(**quick)),
        {"variationalautoencoder__n_components": [1, 3]},
        cv=3,
    )
    search.fit(IRIS)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    vae = VariationalAutoencoder(2, **quick).set_output(transform="pandas").fit(IRIS)
    assert [*vae.transform(IRIS)] == [
        "variationalautoencoder0",
        "variationalautoencoder1",
    ]


def test_outliers():
    """Its score, with a threshold from rows set aside, finds them."""
    X, y = load_breast_cancer(return_X_y=True)
    benign, others = X[y == 1], X[y == 0]
    train, aside = train_test_split(benign, random_state=0)
    vae = VariationalAutoencoder(8, scaling="per_feature", random_state=0).fit(train)
    rows = np.vstack([aside, others])
    labels = np.r_[np.ones(len(aside)), np.zeros(len(others))]
    assert roc_auc_score(labels, vae.score_samples(rows)) > 0.93
    threshold = np.quantile(vae.score_samples(train), 0.05)
    assert np.mean(vae.score_samples(others) < threshold) > 0.7
    # Far away, it is minus infinity at last, and nothing overflows aloud.
    assert vae.score_samples(np.full((1, 30), 1e300))[0] == -np.inf


@pytest.mark.parametrize(
    "params, message",
    [
        ({"solver": "lbfgs"}, "has to draw anew .* solver='lbfgs'"),
        ({"solver": "svd"}, "solver must be 'adam', 'sgd' or 'auto' where codes are"),
        ({"tied_weights": True}, "tied_weights must be False"),
        ({"code_activation": "tanh"}, "code_activation must be 'identity' in a"),
        ({"output_activation": "tanh"}, "output_activation must be 'auto' in a"),
        ({"feature_weight": [1, 2, 3, 4]}, "feature_weight must be None in a"),
        ({"feature_weight": np.ones(4)}, "feature_weight must be None in a"),
        (
            {"loss": "huber"},
            r"must be a str among .*huber' instead.*objects for this: MixedLoss\.$",
        ),
        ({"beta": -1}, "The 'beta' parameter"),
        ({"n_draws": 0}, "The 'n_draws' parameter"),
    ],
)
def test_bad_parameters(params, message):
    fitted = VariationalAutoencoder(2, **quick).fit(IRIS)
    before = fitted.transform(IRIS)
    with pytest.raises(ValueError, match=message):
        fitted.set_params(**params).fit(IRIS)
    assert_array_equal(fitted.transform(IRIS), before)


def test_bad_values():
    for loss, match in (("poisson", "Negative"), ("binary_cross_entropy", "in .0, 1.")):
        vae = VariationalAutoencoder(2, loss=loss, **quick).fit(np.abs(IRIS) / 10)
        for method in (vae.fit, vae.score_samples, vae.score):
            with pytest.raises(ValueError, match=match):
                method(-IRIS)


def test_same_seed_same_bits(digits):
    again = clone(digits).fit(TRAIN)
    assert_array_equal(again.score_samples(TEST), digits.score_samples(TEST))
    plain = AutoencoderTransformer(8, random_state=0).fit(TRAIN)
    assert plain.transform(TEST).shape == digits.transform(TEST).shape


def test_noise_does_not_widen_the_code():
    """Nor does training start without noise in the density."""
    params = {"max_iter": 60, "random_state": 0}
    plain = VariationalAutoencoder(**params).fit(TRAIN)
    noisy = VariationalAutoencoder(noise=0.1, **params).fit(TRAIN)
    assert noisy.n_components_ == plain.n_components_ == 16
    assert noisy.score(TEST) > plain.score(TEST) - 40
    wide = VariationalAutoencoder(64, **params).fit(TRAIN)
    assert wide.score(TEST) > plain.score(TEST) - 60


def test_a_row_of_weight_zero_does_not_count(digits):
    far = TEST.copy()
    far[0] = 1e200
    weights = np.r_[0.0, np.ones(len(TEST) - 1)]
    expected = digits.score_samples(TEST[1:]).mean()
    assert_allclose(digits.score(far, sample_weight=weights), expected)
    assert digits.score(far) == -np.inf


def test_log_probabilities_of_large_counts():
    rng = np.random.RandomState(0)
    X = rng.poisson(1e6 * np.exp(rng.normal(size=(300, 1)) / 9), size=(300, 4))
    X = X.astype(np.float32)
    vae = VariationalAutoencoder(1, loss="poisson", **quick).fit(X)
    model = vae._fitted.model
    raw = np.log(X + 1)
    got = model.loss.log_density(X, raw).sum(axis=1)
    expected = poisson(np.exp(raw.astype(float))).logpmf(X.astype(float)).sum(axis=1)
    assert_allclose(got, expected, rtol=0, atol=1e-3)


def test_n_draws_is_checked_where_it_counts(digits):
    digits.set_params(n_draws=0)
    with pytest.raises(ValueError, match="The 'n_draws' parameter"):
        digits.score_samples(TEST)
    digits.set_params(n_draws=10)


def test_columns_of_different_units_count_alike():
    X, _ = load_breast_cancer(return_X_y=True)
    vae = VariationalAutoencoder(8, random_state=0).fit(X)
    drawn, _ = vae.sample(2000)
    assert_allclose(drawn.mean(axis=0), X.mean(axis=0), rtol=0.3)
    assert_allclose(drawn.std(axis=0), X.std(axis=0), rtol=0.4)
    gap = np.abs(np.corrcoef(drawn.T) - np.corrcoef(X.T))
    assert gap.mean() < 0.1
