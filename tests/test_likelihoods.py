"""Losses that are logarithms of densities."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from scipy.optimize import approx_fprime

from sklearn_ae._likelihoods import (
    LEAST_VARIANCE,
    Bernoulli,
    Normal,
    PoissonCounts,
)
from sklearn_ae._variational import NAMES

RNG = np.random.RandomState(0)
RAW = RNG.normal(size=(6, 4))
NORMAL, BINARY = RNG.normal(size=(6, 4)), (RNG.uniform(size=(6, 4)) < 0.5) * 1.0
COUNTS = RNG.poisson(2, size=(6, 4)) * 1.0
VARIANCES = np.array([0.7, -0.5, -3.0, 2.0])
DEVIATIONS = np.sqrt(np.exp(VARIANCES) + LEAST_VARIANCE)
DEVIATION = DEVIATIONS[0]
CASES = [
    (Normal(1, VARIANCES[:1]), NORMAL, lambda mean: stats.norm(mean, DEVIATION).logpdf),
    (Normal(4, VARIANCES), NORMAL, lambda mean: stats.norm(mean, DEVIATIONS).logpdf),
    (Bernoulli(), BINARY, lambda mean: stats.bernoulli(mean).logpmf),
    (PoissonCounts(), COUNTS, lambda mean: stats.poisson(mean).logpmf),
]
each = pytest.mark.parametrize("likelihood, target, density", CASES, ids=lambda x: "")


@each
def test_density(likelihood, target, density):
    cells = likelihood.cells(target, RAW.copy()) + likelihood.left_out(target)
    assert_allclose(-cells, density(likelihood.predict(RAW))(target))


@each
@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 6)[:, None], "cells"])
def test_gradient(likelihood, target, density, weights):
    if isinstance(weights, str):
        weights = np.linspace(0, 2, 24).reshape(6, 4)
    results = likelihood.value_and_gradient(target, RAW.copy(), weights)
    expected = likelihood.value(target, RAW.copy(), weights)
    assert_allclose(results[0], expected)

    def value(raw):
        return likelihood.value(target, raw.reshape(RAW.shape), weights)

    numeric = approx_fprime(RAW.ravel(), value, 1e-6).reshape(RAW.shape)
    assert_allclose(results[1], numeric, atol=1e-4)
    assert len(results) == 2 + (likelihood.n_parameters > 0)
    if likelihood.n_parameters:
        numeric = approx_fprime(
            VARIANCES[: likelihood.n_parameters],
            lambda p: likelihood.at(p).value(target, RAW, weights),
            1e-6,
        )
        assert_allclose(results[2], numeric, rtol=1e-4)


@each
def test_draws_have_the_mean_of_the_density(likelihood, target, density):
    rng = np.random.RandomState(0)
    raw = np.repeat(RAW[:1], 20_000, axis=0)
    drawn = likelihood.draw(raw, rng)
    distribution = density(likelihood.predict(RAW[0])).__self__
    assert_allclose(drawn.mean(axis=0), distribution.mean(), atol=0.05)
    assert_allclose(drawn.var(axis=0), distribution.var(), rtol=0.1)
    assert likelihood.draw(raw.astype(np.float32), rng).dtype == np.float32


def test_names():
    assert NAMES == ["squared_error", "binary_cross_entropy", "poisson"]
    # A rate that overflows is still one that can be drawn from.
    assert np.isfinite(PoissonCounts().draw(np.full((1, 1), 1e3), RNG)).all()
