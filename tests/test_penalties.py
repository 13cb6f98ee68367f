import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import approx_fprime

from sklearn_ae._penalties import ElasticNet


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
def test_value_and_gradient(l1_ratio):
    weights = np.random.RandomState(0).normal(size=30)
    penalty = ElasticNet(alpha=0.7, l1_ratio=l1_ratio)
    expected = 0.7 * (
        l1_ratio * np.abs(weights).sum() + (1 - l1_ratio) / 2 * (weights**2).sum()
    )
    assert_allclose(penalty.value(weights), expected)
    gradient = np.ones(30)
    penalty.add_gradient(weights, gradient)
    numeric = approx_fprime(weights, penalty.value, 1e-7)
    assert_allclose(gradient - 1, numeric, atol=1e-6)
