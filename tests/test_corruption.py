import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    Corruption,
    GaussianNoise,
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_each_row_has_noise_of_its_own_size(dtype):
    X = np.ones((2000, 300), dtype)
    X.setflags(write=False)
    out = np.empty_like(X)
    noisy = GaussianNoise(low=0.1, high=1.0).apply(X, np.random.default_rng(0), out)
    assert noisy is out
    deviations = (noisy - X).std(axis=1)
    assert 0.08 < deviations.min() < 0.12 and 0.85 < deviations.max() < 1.15
    # Log-uniform: the median is the geometric mean of the bounds.
    assert_allclose(np.median(deviations), np.sqrt(0.1), rtol=0.1)
    rng = np.random.default_rng(0)
    again = GaussianNoise(low=0.1, high=1.0).apply(X, rng, out.copy())
    assert_array_equal(again, noisy)


def circle(n_rows, rng):
    angle = rng.uniform(0, 2 * np.pi, n_rows)
    return np.c_[np.cos(angle), np.sin(angle)].astype(np.float32)


def test_a_denoising_autoencoder_removes_noise():
    """Two code units for two features could copy; noise teaches the circle instead."""
    rng = np.random.RandomState(0)
    params = {"n_components": 2, "random_state": 0}
    denoiser = AutoencoderTransformer(noise=0.3, **params).fit(circle(2000, rng))
    clean = circle(500, rng)
    noisy = clean + rng.normal(scale=0.2, size=clean.shape).astype(np.float32)
    before = np.square(noisy - clean).sum(axis=1).mean()
    after = np.square(denoiser.reconstruct(noisy) - clean).sum(axis=1).mean()
    # Only the half of the noise that is across the circle can be removed.
    assert after < 0.7 * before
    copier = AutoencoderTransformer(**params).fit(circle(2000, rng))
    assert np.square(copier.reconstruct(noisy) - noisy).mean() < 0.01


@pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("early_stopping", [True, False])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_noise_is_reproducible_with_every_solver(solver, early_stopping):
    X = np.random.RandomState(0).normal(size=(300, 5))
    params = {"solver": solver, "max_iter": 10, "early_stopping": early_stopping}
    first, second = (
        AutoencoderTransformer(2, noise=0.5, random_state=3, **params).fit(X)
        for _ in range(2)
    )
    assert_array_equal(first._fitted.theta, second._fitted.theta)
    assert first.noise_ == GaussianNoise(0.5)


def test_auto_noise_needs_rows():
    X = np.random.RandomState(0).normal(size=(80, 6))
    many, few = (
        AutoencoderOutlierDetector(random_state=0, max_iter=20).fit(X[:n])
        for n in (80, 40)
    )
    assert (many.noise_, many.n_components_) == (GaussianNoise(low=0.1, high=1), 6)
    assert (few.noise_, few.n_components_) == (None, 2)


@pytest.mark.parametrize(
    "noise",
    [
        -1,
        (0.1, 1),
        "much",
        np.inf,
        GaussianNoise(-1),
        GaussianNoise("much"),
        GaussianNoise(low=1, high=0.1),
        GaussianNoise(low=0.4),
        GaussianNoise(low=0, high=1),
        GaussianNoise,
    ],
)
def test_bad_noise(noise):
    with pytest.raises(ValueError, match="noise|Noise"):
        AutoencoderTransformer(noise=noise).fit(np.eye(5))


def test_block_size_does_not_make_noise_repeat_itself():
    """Every step has noise of its own, in batches of several blocks too."""
    from sklearn import config_context

    rng = np.random.RandomState(0)
    rows = rng.normal(size=(600, 3)) @ rng.normal(size=(3, 60))
    params = {"noise": 0.5, "batch_size": 200, "early_stopping": False, "max_iter": 40}
    losses = []
    for working_memory in (0.05, 1024):
        denoiser = AutoencoderTransformer(60, random_state=0, **params)
        with config_context(working_memory=working_memory):
            denoiser.fit(rows)
        noisy = rows + 0.5 * denoiser.scale_ * rng.normal(size=rows.shape)
        losses.append(np.square(denoiser.reconstruct(noisy) - rows).mean())
    assert_allclose(losses[0], losses[1], rtol=0.1)


def test_warm_start_takes_the_noise_of_now():
    X = np.random.RandomState(0).normal(size=(100, 4))
    estimator = AutoencoderTransformer(2, noise=0.5, warm_start=True, max_iter=20)
    estimator.fit(X)
    assert estimator.set_params(noise=None).fit(X).noise_ is None
    assert estimator.set_params(noise=0.2).fit(X).noise_ == GaussianNoise(0.2)


def test_the_error_tells_architectures_apart():
    X = np.random.RandomState(0).normal(size=(100, 4))
    estimator = AutoencoderTransformer(2, warm_start=True, max_iter=20).fit(X)
    with pytest.raises(ValueError, match="linear_path must stay True, got False"):
        estimator.set_params(linear_path=False).fit(X)


class ToTheEdge(Corruption):
    """A tenth of the cells become the least value of their feature."""

    def bind(self, scaling, rows):
        bound = ToTheEdge()
        least = np.min([X.min(axis=0) for X, _ in rows.blocks(50)], axis=0)
        bound.least = scaling.apply(least[None])[0]
        return bound

    def apply(self, X, rng, out):
        assert (X >= self.least - 1e-9).all()
        return np.where(rng.uniform(size=X.shape) < 0.1, self.least, X)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_corruption_may_know_the_data(method):
    X = np.random.RandomState(0).uniform(5, 9, size=(200, 4)) * [1, 10, 100, 1000]
    estimator = AutoencoderTransformer(
        2, noise=ToTheEdge(), scaling="per_feature", early_stopping=False, max_iter=3
    )
    getattr(estimator, method)(X)
    assert "least" not in vars(estimator.noise)


def test_what_auto_means_is_nobodys_to_change():
    X = np.random.RandomState(0).normal(size=(80, 6))
    detector = AutoencoderOutlierDetector(random_state=0, max_iter=2).fit(X)
    detector.noise_.high = 7.0
    fresh = AutoencoderOutlierDetector(random_state=0, max_iter=2).fit(X)
    assert fresh.noise_ == GaussianNoise(low=0.1, high=1.0)
