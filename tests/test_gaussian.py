"""Codes that are normal distributions."""

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._gaussian import Gaussian
from sklearn_ae._likelihoods import Normal
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._scaling import Scaling, Units


def test_divergence():
    mean, log_variance = (
        np.array([[0.0, 1.0], [0.5, -2.0]]),
        np.array([[0, -1], [1, 2]]),
    )

    def integrand(x, m, s):
        q = stats.norm(m, s)
        return q.pdf(x) * (q.logpdf(x) - stats.norm.logpdf(x))

    expected = [
        sum(
            integrate.quad(integrand, -30, 30, args=(m, np.exp(v / 2)))[0]
            for m, v in zip(*row, strict=True)
        )
        for row in zip(mean, log_variance, strict=True)
    ]
    both = np.hstack([mean, log_variance])
    assert_allclose(Gaussian().divergence(both), expected)


@pytest.mark.parametrize("loss", [SquaredError(), Normal()], ids=["squared", "normal"])
@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block_rows", [0, 7])
def test_gradient(loss, linear_path, weighted, block_rows):
    rng = np.random.RandomState(1)
    weights = rng.uniform(0.5, 2, size=40) if weighted else None
    rows = ArrayRows(rng.normal(size=(40, 5)), weights)
    network = Network.mirrored(
        5,
        (4,),
        3,
        linear_path=linear_path,
        encoder_width=6,
        n_of_loss=loss.n_parameters,
    )
    units = Units.of(Scaling(np.zeros(5), np.ones(())), loss, False)
    model = Model(network, loss, units, Gaussian(0.7))
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert network.of_loss(theta).size == loss.n_parameters
    objective = Objective(model, None, np.float64, block_rows=block_rows)
    assert relative_error(objective, theta, rows) < 1e-6
    whole = Objective(model, None, np.float64).value(theta, rows)
    assert_allclose(objective.value(theta, rows), whole)


def test_what_is_decoded():
    code, rng = Gaussian(2.0), np.random.default_rng(0)
    encoded, out = rng.normal(size=(5, 4)), np.empty((5, 2))
    drawn = code.draw((5, 2), rng)
    codes, costs = code.forward(encoded, drawn, out)
    assert_allclose(codes, encoded[:, :2] + np.exp(encoded[:, 2:] / 2) * drawn)
    assert_allclose(costs, 2 * code.divergence(encoded))
    assert_array_equal(code.center(encoded), encoded[:, :2])
    assert code.lasting() == Gaussian(1.0).lasting()


def test_ratio_of_densities():
    rng = np.random.default_rng(0)
    encoded, drawn = rng.normal(size=(5, 4)), rng.normal(size=(5, 2))
    codes = Gaussian().codes(encoded, drawn)
    given = stats.norm(encoded[:, :2], np.exp(encoded[:, 2:] / 2)).logpdf(codes)
    expected = (stats.norm.logpdf(codes) - given).sum(axis=1)
    assert_allclose(Gaussian().log_ratio(codes, encoded, drawn), expected)


def test_linear_start_is_the_posterior():
    """Of a linear model with normal codes and noise."""
    rng = np.random.RandomState(0)
    directions, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    variances = np.array([4.0, 2.0])
    for noise in (np.full(5, 0.5), np.array([0.1, 0.4, 0.5, 0.6, 0.9])):
        maps = Gaussian().linear_maps(directions.T, variances, noise)
        into, out_of, besides = maps
        assert_allclose((out_of**2).sum(axis=1) + 0.5, variances)
        together = out_of.T @ out_of + np.diag(noise)
        assert_allclose(into, out_of @ np.linalg.inv(together))
        covariance = np.eye(2) - into @ out_of.T
        assert_allclose(np.exp(besides), np.diag(covariance))
    # Noise as large as a direction's variance leaves nothing of it.
    assert not Gaussian().linear_maps(directions.T, variances, np.full(5, 9.0))[1].any()
