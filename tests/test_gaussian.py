"""Codes that are normal distributions."""

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from scipy import integrate, stats

from sklearn_ae._gaussian import Gaussian, divergence
from sklearn_ae._likelihoods import Normal
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._rows import Rows
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
    assert_allclose(divergence(mean, log_variance), expected)


@pytest.mark.parametrize("loss", [SquaredError(), Normal()], ids=["squared", "normal"])
@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("block_rows", [0, 7])
def test_gradient(loss, linear_path, weighted, block_rows):
    rng = np.random.RandomState(1)
    weights = rng.uniform(0.5, 2, size=40) if weighted else None
    rows = Rows(rng.normal(size=(40, 5)), weights)
    network = Network.mirrored(
        5,
        (4,),
        3,
        linear_path=linear_path,
        encoder_width=6,
        n_more=loss.n_parameters,
    )
    units = Units.of(Scaling(np.zeros(5), np.ones(())), loss, False)
    model = Model(network, loss, units, Gaussian(0.7, 3))
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    assert network.more(theta).size == loss.n_parameters
    objective = Objective(model, None, np.float64, block_rows=block_rows)
    assert relative_error(objective, theta, rows) < 1e-6
    whole = Objective(model, None, np.float64).value(theta, rows)
    assert_allclose(objective.value(theta, rows), whole)


def test_what_is_decoded():
    code, rng = Gaussian(2.0, 2), np.random.default_rng(0)
    encoded, out = rng.normal(size=(5, 4)), np.empty((5, 2))
    drawn = code.draw(5, rng)
    codes, costs = code.forward(encoded, drawn, out)
    assert_allclose(codes, encoded[:, :2] + np.exp(encoded[:, 2:] / 2) * drawn)
    assert_allclose(costs, 2 * divergence(encoded[:, :2], encoded[:, 2:]))
    assert_array_equal(code.center(encoded), encoded[:, :2])
    assert code.lasting() == Gaussian(1.0, 2).lasting() != Gaussian(1.0, 3).lasting()


def test_linear_start_is_probabilistic_pca():
    """What is decoded has the right variance, and so have codes given a row."""
    variances, rest = np.array([4.0, 1.0, 0.5]), 0.5
    into, out_of, besides = Gaussian(n_components=3).linear_factors(variances, rest)
    assert_allclose(out_of**2 + rest, variances)
    assert_allclose(into, out_of / variances)
    assert_allclose(np.exp(besides), rest / variances)
