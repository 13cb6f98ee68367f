"""Every loss against scikit-learn's metric of the same name, and its own promises."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    mean_poisson_deviance,
    mean_squared_error,
)

from sklearn_ae import Huber, Loss
from sklearn_ae._losses import LOSSES


def data_for(name, n_rows=20):
    """Return targets that the loss is defined for, and raw outputs."""
    rng = np.random.RandomState(0)
    target = rng.normal(size=(n_rows, 4))
    if name == "binary_cross_entropy":
        target = rng.uniform(size=target.shape)
    if name == "poisson":
        target = rng.poisson(2, size=target.shape).astype(float)
    return target, rng.normal(size=target.shape)


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("squared_error", mean_squared_error),
        ("absolute_error", mean_absolute_error),
        ("poisson", mean_poisson_deviance),
    ],
)
def test_mean_is_the_metric_of_that_name(name, metric):
    target, raw = data_for(name)
    loss = LOSSES[name]()
    expected = metric(target.ravel(), loss.predict(raw).ravel())
    assert_allclose(loss.elementwise(target, raw).mean(), expected)


def test_binary_cross_entropy_of_labels_is_log_loss():
    target, raw = data_for("binary_cross_entropy")
    target = (target > 0.5).astype(float)
    loss = LOSSES["binary_cross_entropy"]()
    assert_allclose(
        loss.elementwise(target, raw).mean(),
        log_loss(target.ravel(), loss.predict(raw).ravel()),
    )


def test_huber_is_squared_near_zero_and_linear_far_away():
    residual = np.array([[-5.0, -2.0, -0.5, 0.0, 1.0, 2.0, 7.0]])
    losses = Huber(delta=2).elementwise(np.zeros_like(residual), residual)
    assert_allclose(losses, [[8, 2, 0.125, 0, 0.5, 2, 12]])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("shape", [None, (20, 1), (20, 4)])
def test_sum_and_gradient(name, shape):
    target, raw = data_for(name)
    weight = np.random.RandomState(1).uniform(size=shape) if shape else None
    loss, step = LOSSES[name](), 1e-6
    value, gradient = loss.value_and_gradient(target, raw.copy(), weight)
    factor = 1.0 if weight is None else weight
    assert_allclose(value, (factor * loss.cells(target, raw)).sum())
    assert_allclose(value, loss.value(target, raw, weight))
    difference = loss.elementwise(target, raw + step) - loss.elementwise(
        target, raw - step
    )
    assert_allclose(gradient, factor * difference / (2 * step), rtol=1e-6, atol=1e-8)
    assert_allclose(gradient, factor * loss.gradient(target, raw))


@pytest.mark.parametrize("name", LOSSES)
def test_declared_symmetries_hold(name):
    target, raw = data_for(name)
    loss = LOSSES[name]()
    losses = loss.elementwise(target, raw)
    if loss.shift_invariant:
        assert_allclose(loss.elementwise(target + 3, raw + 3), losses)
    if loss.degree is not None and name != "huber":
        # Poisson's raw output is the logarithm of what is scaled.
        scaled = loss.link(10 * loss.predict(raw))
        assert_allclose(loss.elementwise(10 * target, scaled), 10**loss.degree * losses)


@pytest.mark.parametrize("name", LOSSES)
def test_saturated_is_the_minimum_and_link_inverts_predict(name):
    target, raw = data_for(name)
    loss = LOSSES[name]()
    assert_allclose(loss.link(loss.predict(raw)), raw)
    best = loss.elementwise(target, loss.link(target))
    assert_allclose(best, loss.saturated(target), atol=1e-6)
    assert (loss.elementwise(target, raw) >= loss.saturated(target) - 1e-12).all()


def test_binary_cross_entropy_does_not_overflow():
    loss = LOSSES["binary_cross_entropy"]()
    raw = np.array([[-1e5, 1e5, -1e5, 1e5]])
    target = np.array([[0.0, 1.0, 1.0, 0.0]])
    assert_allclose(loss.elementwise(target, raw), [[0, 0, 1e5, 1e5]])
    assert np.isfinite(loss.gradient(target, raw)).all()


@pytest.mark.parametrize("name", LOSSES)
def test_float32_is_kept(name):
    target, raw = (array.astype(np.float32) for array in data_for(name))
    loss = LOSSES[name]()
    for array in (
        loss.elementwise(target, raw),
        loss.gradient(target, raw),
        loss.predict(raw),
        loss.link(loss.predict(raw)),
        loss.saturated(target),
        loss.value_and_gradient(target, raw, np.ones((len(raw), 1), np.float32))[1],
    ):
        assert array.dtype == np.float32


def test_huber_shows_its_delta():
    assert repr(Huber(2.0)) == "Huber(delta=2.0)"
    assert Huber(2.0) == Huber(2.0) != Huber(1.0)


def test_a_loss_without_its_methods_says_which():
    class Incomplete(Loss):
        pass

    with pytest.raises(TypeError, match="Incomplete must define 'elementwise'"):
        Incomplete().elementwise(0, 0)
    with pytest.raises(TypeError, match="Incomplete must define 'gradient'"):
        Incomplete().gradient(0, 0)
