import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer

from sklearn_ae import AutoencoderTransformer, HiddenCells
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._completion import Completion
from sklearn_ae._gaps import GappyRows
from sklearn_ae._scaling import fit_scaling


def normal_rows(n_rows=2000, seed=0):
    rng = np.random.RandomState(seed)
    factor = rng.normal(size=(6, 6))
    mean, scale = rng.normal(size=6), np.array([1, 10, 0.1, 1, 100, 1])
    X = (rng.normal(size=(n_rows, 6)) @ factor + mean) * scale
    return X, mean * scale, (factor * scale).T @ (factor * scale)


@pytest.mark.parametrize("share", [0.2, 0.5])
@pytest.mark.parametrize("kind", ["global", "per_feature", None])
def test_expected_values_are_those_of_a_regression(kind, share):
    """Beside the conditional mean of the distribution that rows are drawn from."""
    X, mean, covariance = normal_rows()
    known = np.random.RandomState(1).uniform(size=X.shape) >= share
    rows = GappyRows(np.where(known, X, np.nan))
    _, scaling = fit_scaling(rows, kind)
    completion = Completion.fit(rows, scaling, np.random.RandomState(0))
    got = scaling.invert(completion.fill(scaling.apply(rows.array()), known))
    assert_array_equal(got[known], rows.array()[known]) if kind is None else None
    expected = X.copy()
    for row, here in zip(expected, known, strict=True):
        slopes = np.linalg.pinv(covariance[np.ix_(here, here)])
        slopes = covariance[np.ix_(~here, here)] @ slopes
        row[~here] = mean[~here] + slopes @ (row[here] - mean[here])
    unit = X.std(axis=0)
    error = np.square((got - X) / unit)[~known].mean()
    least = np.square((expected - X) / unit)[~known].mean()
    assert 0.99 * least < error < 1.1 * least
    # Mean-filled cells have an error of 1.
    assert error < 0.8


def test_a_row_is_filled_the_same_whatever_it_comes_with():
    X, *_ = normal_rows(300)
    known = np.random.RandomState(1).uniform(size=X.shape) > 0.4
    known[5] = False
    rows = GappyRows(np.where(known, X, np.nan))
    _, scaling = fit_scaling(rows, "per_feature")
    completion = Completion.fit(rows, scaling, np.random.RandomState(0))
    scaled = scaling.apply(rows.array())
    together = completion.fill(scaled, known)
    for few in ([3], [5, 7], np.arange(250)):
        alone = completion.fill(scaled[few], known[few])
        assert_allclose(alone, together[few], rtol=1e-9, atol=1e-12)
    assert_allclose(together[5], completion.mean)
    # Precise, and in float32 too.
    centred = np.where(known, scaled - completion.mean, 0)
    for row, here, result in zip(centred[:50], known, together, strict=False):
        matrix = completion.precision[np.ix_(~here, ~here)]
        right = -completion.precision[np.ix_(~here, here)] @ row[here]
        expected = np.linalg.solve(matrix, right) + completion.mean[~here]
        assert_allclose(result[~here], expected, atol=0.01)
    single = completion.fill(scaled.astype(np.float32), known)
    assert single.dtype == np.float32
    assert_allclose(single, together, atol=0.01)


def test_of_many_features_gaps_are_the_mean():
    X = np.random.RandomState(0).normal(3, 1, size=(80, 300))
    X[::2, 1] = np.nan
    params = {"noise": HiddenCells(), "max_iter": 2, "random_state": 0}
    estimator = AutoencoderTransformer(3, **params).fit(X)
    assert estimator._fitted.completion is None
    filled = np.where(np.isnan(X), np.nanmean(X, axis=0), X)
    assert_allclose(estimator.transform(X), estimator.transform(filled), atol=1e-9)


def test_weights_are_repetitions():
    X, *_ = normal_rows(200)
    known = np.random.RandomState(1).uniform(size=X.shape) > 0.3
    X = np.where(known, X, np.nan)
    weights = np.random.RandomState(2).randint(1, 4, size=200)
    results = []
    for rows in (
        GappyRows(X, weights.astype(float)),
        GappyRows(np.repeat(X, weights, axis=0)),
    ):
        _, scaling = fit_scaling(rows, "per_feature")
        completion = Completion.fit(rows, scaling, np.random.RandomState(0))
        results.append(completion.precision)
    # Draws and cells that are judged by differ.
    assert_allclose(*results, atol=0.15 * np.abs(results[0]).max())


def test_hidden_cells():
    X, *_ = normal_rows(3000)
    known = np.random.RandomState(1).uniform(size=X.shape) > 0.2
    rows = GappyRows(np.where(known, X, np.nan))
    _, scaling = fit_scaling(rows, "per_feature")
    completion = Completion.fit(rows, scaling, np.random.RandomState(0))
    scaled, out = scaling.apply(rows.array()), np.full(X.shape, np.nan)
    scaled.setflags(write=False)
    noise = HiddenCells(0.3).filling(completion.fill, [])
    counts = noise.corrupt(scaled, known, np.random.default_rng(0), out)
    changed = out != scaled
    assert changed[~known].all()
    assert_allclose(changed[known].mean(), 0.3, atol=0.01)
    # All known cells count together what they do without hidden ones.
    assert_array_equal(counts, (changed & known) / 0.3)
    assert_allclose(counts.sum(), known.sum(), rtol=0.03)
    # What is hidden is not used: neither for itself nor for the gaps beside it.
    hidden = changed & known
    again = np.where(hidden, 1e6, scaled)
    assert_allclose(completion.fill(again, known & ~hidden)[changed], out[changed])


def test_categories_are_hidden_as_a_whole():
    X, group = np.random.RandomState(0).normal(size=(500, 6)), np.array([1, 3, 4])
    out = np.full(X.shape, np.nan)

    def fill(X, known):
        return np.where(known, X, 99)

    noise = HiddenCells(0.3).filling(fill, [group])
    counts = noise.corrupt(X, None, np.random.default_rng(0), out)
    of_group = (out == 99)[:, group]
    assert_array_equal(of_group, np.repeat(of_group[:, :1], 3, axis=1))
    assert_allclose(of_group[:, 0].mean(), 0.3, atol=0.05)
    assert_array_equal(counts > 0, out == 99)


def test_only_hidden_cells_count():
    X = load_breast_cancer().data
    params = {"scaling": "per_feature", "random_state": 0, "max_iter": 5}
    estimator = AutoencoderTransformer(noise=HiddenCells(0.2), **params).fit(X)
    completion = estimator._fitted.completion
    # The start is a regression: that is what the loss begins with.
    start = AutoencoderTransformer(
        noise=HiddenCells(0.2), learning_rate_init=1e-9, early_stopping=False, **params
    ).fit(X)
    rows = ArrayRows(X)
    _, scaling = fit_scaling(rows, "per_feature")
    hidden = np.random.RandomState(0).uniform(size=X.shape) < 0.2
    scaled = scaling.apply(X)
    filled = start._fitted.completion.fill(scaled, ~hidden)
    expected = np.square(filled - scaled)[hidden].mean()
    assert_allclose(start.loss_, expected, rtol=0.2)
    assert estimator.validation_loss_curve_[-1] <= estimator.validation_loss_curve_[0]
    # Nothing changes where no cell is hidden.
    plain = AutoencoderTransformer(**params).fit(X)
    never = AutoencoderTransformer(noise=HiddenCells(0.0), **params).fit(X)
    assert_array_equal(plain.transform(X), never.transform(X))
    assert completion is not None and never._fitted.completion is None


def test_gaps_are_filled_as_the_noise_has_it():
    """Also where the noise changes between calls: training and prediction agree."""
    X = load_breast_cancer().data
    gappy = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.2, np.nan, X)
    params = {"scaling": "per_feature", "random_state": 0, "max_iter": 3}
    estimator = AutoencoderTransformer(5, noise=HiddenCells(), **params).fit(gappy)
    completion = estimator._fitted.completion
    estimator.set_params(noise=HiddenCells(0.4)).partial_fit(gappy)
    assert estimator._fitted.completion is completion
    estimator.set_params(noise=None).partial_fit(gappy)
    assert estimator._fitted.completion is None
    filled = np.where(np.isnan(gappy), estimator.mean_, gappy)
    assert_allclose(estimator.transform(gappy), estimator.transform(filled))


def test_sizes_are_chosen_by_what_prediction_sees():
    X = load_breast_cancer().data
    gappy = np.where(np.random.RandomState(0).uniform(size=X.shape) < 0.2, np.nan, X)
    params = {"scaling": "per_feature", "random_state": 0, "max_iter": 3}
    fit, aside = gappy[:400], gappy[400:]
    ordered = AutoencoderTransformer(4, ordered=True, noise=HiddenCells(), **params)
    ordered.fit(fit, X_val=aside)
    path = ordered.latent_path_
    scores = [ordered.truncated(k).score(aside) for k in path["n_components"]]
    assert_allclose(scores, path["score"], atol=1e-6)
