import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.decomposition import PCA

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    Corruption,
    FunctionNoise,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
)
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._scaling import fit_scaling

DIGITS, IRIS = load_digits().data, load_iris().data


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


def blur(X, random_state):
    images = np.pad(X.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(1, 2))
    return windows.mean(axis=(3, 4)).reshape(len(X), -1)


def shuffle_columns(X, random_state):
    """Overwrites what it gets, and draws."""
    X[:, ::2] += random_state.normal(size=(len(X), 32))
    return X


KINDS = {
    "number": 0.6,
    "masking": MaskingNoise(0.3),
    "salt": SaltAndPepperNoise(0.3),
    "function": FunctionNoise(blur),
    "drawing": FunctionNoise(shuffle_columns),
}


def corrupted(noise, X, scaling="global", seed=0):
    """Return rows of the user's as a corruption leaves them."""
    noise = GaussianNoise(noise) if isinstance(noise, float) else noise
    rows = ArrayRows(X)
    _, scaling = fit_scaling(rows, scaling)
    scaled = scaling.apply(X).copy()
    scaled.setflags(write=False)
    bound, out = noise.bind(scaling, rows), np.full_like(X, np.nan)
    bound.apply(scaled, np.random.default_rng(seed), out)
    return scaling.invert(out)


@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_masked_cells_are_means(scaling, dtype):
    X = np.random.RandomState(0).normal([5, -300], [1, 20], size=(4000, 2))
    X = X.astype(dtype)
    noisy = corrupted(MaskingNoise(0.25), X, scaling)
    value = 0 if scaling is None else X.mean(axis=0)
    masked = np.isclose(noisy, np.broadcast_to(value, X.shape), rtol=1e-4)
    assert_allclose(masked.mean(axis=0), 0.25, atol=0.03)
    assert_allclose(noisy[~masked], X[~masked], rtol=1e-4)
    same = corrupted(MaskingNoise(0.25), X.astype(np.float64), scaling)
    assert_allclose(noisy, same, rtol=1e-4)
    assert_allclose(
        corrupted(MaskingNoise(1.0), X, scaling), np.full_like(X, value), rtol=1e-4
    )


@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
def test_salt_and_pepper_are_the_ends_of_each_feature(scaling):
    X = np.random.RandomState(0).normal([5, -300], [1, 20], size=(4000, 2))
    noisy = corrupted(SaltAndPepperNoise(0.5), X, scaling)
    salt = np.isclose(noisy, X.max(axis=0), rtol=1e-12)
    pepper = np.isclose(noisy, X.min(axis=0), rtol=1e-12)
    assert_allclose(salt.mean(axis=0), 0.25, atol=0.03)
    assert_allclose(pepper.mean(axis=0), 0.25, atol=0.03)
    rest = ~(salt | pepper)
    assert_allclose(noisy[rest], X[rest], rtol=1e-9)


def test_a_function_sees_the_units_of_the_data():
    seen = []

    def doubled(X, random_state):
        seen.append(X.copy())
        X *= 2
        return X

    assert_allclose(corrupted(FunctionNoise(doubled), DIGITS), 2 * DIGITS, atol=1e-9)
    assert_allclose(seen[0], DIGITS, atol=1e-12)
    drawn = [corrupted(FunctionNoise(shuffle_columns), DIGITS, seed=s) for s in (0, 1)]
    assert np.abs(drawn[0] - drawn[1])[:, ::2].min() > 0
    assert_allclose(drawn[0][:, 1::2], DIGITS[:, 1::2], atol=1e-12)


@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_noise_changes_no_bit(kind, solver, dtype):
    """Of strength 0, or a function that returns what it gets."""
    X = 100 + IRIS.astype(dtype)
    params = {"max_iter": 5, "solver": solver, "random_state": 0, "n_components": 2}
    plain = kind(noise=None, alpha=0.0, **params).fit(X)
    for noise in (
        0,
        MaskingNoise(0),
        SaltAndPepperNoise(0.0),
        GaussianNoise(0),
        FunctionNoise(lambda X, random_state: X),
    ):
        fit = kind(noise=noise, alpha=0.0, **params).fit(X)
        assert_array_equal(fit._fitted.theta, plain._fitted.theta)


@pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_noise_with_every_solver(noise, solver):
    weights = np.random.RandomState(0).uniform(0.5, 2, size=len(DIGITS))
    params = {"max_iter": 30, "solver": solver, "random_state": 0}
    for X in (DIGITS, DIGITS.astype(np.float32)):
        fit = AutoencoderTransformer(32, noise=noise, **params)
        fit.fit(X, sample_weight=weights)
        assert fit.transform(X).dtype == X.dtype
        again = clone(fit).fit(X, sample_weight=weights)
        assert_array_equal(fit._fitted.theta, again._fitted.theta)
        noisy = corrupted(noise, X)
        before, after = (
            np.square(A - X).mean() for A in (noisy, fit.reconstruct(noisy))
        )
        # A twentieth of the pixels' variance is what the drawing function changes.
        assert after < before or noise is KINDS["drawing"]


@pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("kind", [AutoencoderTransformer, AutoencoderOutlierDetector])
def test_every_noise_in_passes(noise, kind):
    estimator = kind(16, noise=noise, random_state=0)
    for _ in range(3):
        for rows in np.array_split(DIGITS, 3):
            estimator.partial_fit(rows)
    error = np.square(estimator.reconstruct(corrupted(noise, DIGITS)) - DIGITS).mean()
    assert error < 0.7 * DIGITS.var(axis=0).mean()
    restored = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(restored.transform(DIGITS), estimator.transform(DIGITS))
    restored.partial_fit(DIGITS)


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"drawing"}))
def test_digits_lose_their_noise(name):
    """At least 1 dB better than PCA at its best size, and than leaving them alone."""
    train, test = DIGITS[:1300], DIGITS[1300:]
    noise, params = KINDS[name], {"random_state": 0, "max_iter": 100}
    denoiser = AutoencoderTransformer(noise=noise, **params).fit(train)
    noisy = corrupted(noise, test)
    results = [noisy]
    for n in range(4, 64, 4):
        pca = PCA(n).fit(train)
        results.append(pca.inverse_transform(pca.transform(noisy)))
    best = min(np.square(result - test).mean() for result in results)
    ours = np.square(denoiser.reconstruct(noisy) - test).mean()
    assert 10 * np.log10(best / ours) > 1


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (MaskingNoise(1.5), "'fraction' parameter of MaskingNoise"),
        (SaltAndPepperNoise(-0.1), "'fraction' parameter of SaltAndPepperNoise"),
        (FunctionNoise("blur"), "'func' parameter of FunctionNoise"),
        (FunctionNoise(lambda X, rng: None), r"func .* must return rows in the shape"),
        (
            FunctionNoise(lambda X, rng: X[:, :2]),
            r"\(2, 4\) here, and numbers, got \(2, 2\)",
        ),
        (
            FunctionNoise(lambda X, rng: X * np.nan),
            r"of FunctionNoise\(func=[^,]*\) must write finite",
        ),
        (FunctionNoise(lambda X, rng: X.astype(str)), "and numbers, got"),
        (FunctionNoise(lambda X, rng: X * 1j), "and numbers, got"),
        (FunctionNoise(lambda X: X), "takes 1 positional argument"),
    ],
)
def test_bad_objects(noise, message):
    with pytest.raises((ValueError, TypeError), match=message):
        AutoencoderTransformer(2, noise=noise).fit(IRIS)


@pytest.mark.parametrize("noise", KINDS.values(), ids=KINDS)
def test_nothing_is_left_in_what_the_user_made(noise):
    estimator = AutoencoderTransformer(2, noise=noise, max_iter=2, random_state=0)
    before = dict(vars(noise)) if not isinstance(noise, float) else {}
    X = DIGITS.copy()
    estimator.fit(X)
    assert isinstance(noise, float) or vars(noise) == before == vars(estimator.noise_)
    assert_array_equal(X, DIGITS)
