"""The objective: its gradient, and that it is a sum over blocks of rows."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae import Huber
from sklearn_ae._activations import ACTIVATIONS
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import LOSSES
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Block, Objective, Workspace
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._scaling import Units, fit_scaling

PENALTIES = {
    "none": ElasticNet(),
    "l2": ElasticNet(0.1),
    "l1": ElasticNet(0.1, l1_ratio=1),
    "elastic_net": ElasticNet(0.1, l1_ratio=0.3),
}


def make_problem(
    loss="squared_error",
    activation="tanh",
    penalty="none",
    *,
    output_activation="identity",
    scaling="global",
    n_rows=12,
    dtype=np.float64,
    block_rows=0,
):
    """Return an objective, parameters and weighted rows."""
    rng = np.random.RandomState(0)
    X = rng.uniform(0.05, 0.95, size=(n_rows, 5)).astype(dtype)
    rows = ArrayRows(X, rng.uniform(0.5, 2, size=n_rows).astype(dtype))
    _, scaling = fit_scaling(rows, scaling)
    activations = activation, "identity", output_activation
    network = Network.mirrored(5, (4,), 2, activations)
    units = Units.of(scaling, LOSSES[loss](), output_activation != "identity")
    model = Model(network, LOSSES[loss](), units)
    theta = rng.normal(scale=0.5, size=network.n_parameters).astype(dtype)
    return Objective(model, PENALTIES[penalty], dtype, block_rows), theta, rows


def block_of(objective, rows, weights=None):
    """Return rows as a block, with weights of rows or of cells."""
    X, units = rows.array(), objective.model.units
    workspace = Workspace(objective.model, len(rows), X.dtype)
    weights = rows.cell_weights() if weights is None else weights
    scaled = units.inputs.apply(X), units.targets.apply(X)
    return Block(*scaled, rows.weights(), weights, workspace)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient(loss, activation, penalty):
    assert relative_error(*make_problem(loss, activation, penalty)) < 1e-6


@pytest.mark.parametrize("output_activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
def test_gradient_through_an_output_activation(loss, output_activation):
    problem = make_problem(loss, output_activation=output_activation)
    assert relative_error(*problem) < 1e-6


@pytest.mark.parametrize("scaling", ["global", "per_feature", None])
@pytest.mark.parametrize("loss", LOSSES)
def test_gradient_with_each_scaling(loss, scaling):
    assert relative_error(*make_problem(loss, scaling=scaling)) < 1e-6


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("block_rows", [1, 5, 12, 100])
def test_block_size_makes_no_difference(loss, block_rows):
    objective, theta, rows = make_problem(loss, "silu", "l2")
    value, gradient = objective.value_and_gradient(theta, rows)
    gradient = gradient.copy()
    split, _, _ = make_problem(loss, "silu", "l2", block_rows=block_rows)
    split_value, split_gradient = split.value_and_gradient(theta, rows)
    assert_allclose(split_value, value, rtol=1e-13)
    assert_allclose(split_gradient, gradient, rtol=1e-10, atol=1e-14)
    assert_allclose(split.value(theta, rows), value, rtol=1e-13)


def test_blocks_add_up_to_the_whole():
    objective, theta, rows = make_problem("huber", "elu")
    whole = objective.block(theta, block_of(objective, rows))
    parts = []
    for where in (slice(0, 7), slice(7, None)):
        block = block_of(objective, rows.take(where))
        loss, gradient = objective.block(theta, block)
        parts.append((loss, gradient.copy()))
        (alone,) = objective.block(theta, block, gradient=False)
        assert_allclose(alone, loss, rtol=1e-14)
    for total, part in zip(whole, zip(*parts, strict=True), strict=True):
        assert_allclose(sum(part), total, rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_of_cells(loss):
    """What weighs nothing does not count, and weight 2 counts twice."""
    objective, theta, rows = make_problem(loss)
    X = rows.array()
    weights = np.random.RandomState(1).randint(0, 3, size=X.shape).astype(float)
    block = block_of(objective, rows, weights)
    value, gradient = objective.block(theta, block)
    raw = objective.model.raw(objective.model.network.views(theta), X)
    cells = objective.model.loss.cells(objective.model.targets(X), raw)
    assert_allclose(value, (weights * cells).sum())
    gradient = gradient.copy()
    numeric = np.empty_like(theta)
    for i in range(len(theta)):
        step = 1e-6 * np.eye(1, len(theta), i)[0]
        ends = [objective.block(theta + s * step, block)[0] for s in (1, -1)]
        numeric[i] = (ends[0] - ends[1]) / 2e-6
    assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_integer_weights_are_repeated_rows(loss):
    objective, theta, rows = make_problem(loss)
    weight = np.array([0, 1, 2, 3] * 3, dtype=float)
    weighted = ArrayRows(rows.array(), weight)
    repeated = ArrayRows(np.repeat(rows.array(), weight.astype(int), axis=0))
    value, gradient = objective.value_and_gradient(theta, weighted)
    gradient = gradient.copy()
    other_value, other_gradient = objective.value_and_gradient(theta, repeated)
    assert_allclose(other_value, value, rtol=1e-12)
    assert_allclose(other_gradient, gradient, rtol=1e-9, atol=1e-14)


def test_row_order_and_weight_scale_make_no_difference():
    objective, theta, rows = make_problem()
    value = objective.value(theta, rows)
    shuffled = rows.take(np.random.RandomState(1).permutation(len(rows)))
    assert_allclose(objective.value(theta, shuffled), value, rtol=1e-13)
    heavier = ArrayRows(rows.array(), 7 * rows.weights())
    assert_allclose(objective.value(theta, heavier), value, rtol=1e-13)


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_stays_float32_and_inputs_unchanged(loss):
    objective, theta, rows = make_problem(loss, dtype=np.float32)
    before = theta.copy(), rows.array().copy()
    rows.array().setflags(write=False)
    value, gradient = objective.value_and_gradient(theta, rows)
    assert gradient.dtype == np.float32
    precise, theta64, rows64 = make_problem(loss)
    assert_allclose(value, precise.value(theta64, rows64), rtol=1e-5)
    assert_array_equal(theta, before[0])
    assert_array_equal(rows.array(), before[1])


def test_minibatches_cover_an_epoch_and_average_to_the_whole():
    objective, theta, rows = make_problem("absolute_error", n_rows=23)
    whole = objective.value(theta, rows)
    for batch_size, n_steps in [(5, 5), (10, 3), (23, 1)]:
        rng = np.random.RandomState(0)
        batches = list(objective.minibatches(rows, batch_size, rng))
        assert len(batches) == n_steps
        values = [n_rows * fun(theta)[0] for fun, n_rows in batches]
        assert sum(n_rows for _, n_rows in batches) == 23
        assert_allclose(sum(values) / 23, whole, rtol=1e-12)


@pytest.mark.parametrize("scaled", [False, True])
def test_an_objective_may_be_used_in_any_order(scaled):
    """What is kept from call to call never shows: memory, lists of calls."""
    rng = np.random.RandomState(1)
    objective, theta, rows = make_problem("huber", "silu", "l2", n_rows=23)
    if scaled:
        units = objective.model.units
        rows = rows.mapped(units.inputs.apply)
        model = replace(objective.model, units=units.of_scaled_rows())
        objective = Objective(model, objective.penalty, np.float64, block_rows=9)
    for _ in range(40):
        n = rng.randint(1, 24)
        some = [
            rows,
            ArrayRows(rows.array()[:n], rows.weights()[:n]),
            rows.take(rng.permutation(23)[:n]),
            ArrayRows(np.asfortranarray(rows.array())).take(np.arange(n)),
        ][rng.randint(4)]
        theta[...] = rng.normal(size=theta.shape)
        point = theta if rng.randint(2) else theta.copy()
        value, gradient = objective.value_and_gradient(point, some)
        fresh = Objective(objective.model, objective.penalty, np.float64, block_rows=9)
        expected = fresh.value_and_gradient(point.copy(), some)
        assert_allclose(value, expected[0], rtol=1e-12)
        assert_allclose(gradient, expected[1], rtol=1e-9, atol=1e-14)


def test_memory_goes_with_the_objective():
    objective, theta, rows = make_problem(n_rows=23, block_rows=9)
    objective.value_and_gradient(theta, rows)
    workspace = weakref.ref(objective._idle[9][0])
    gc.disable()
    try:
        del objective
        assert workspace() is None
    finally:
        gc.enable()


def test_huber_scales_with_the_data():
    """Delta is in units of the scale, so the loss in data units has degree 2."""
    rng = np.random.RandomState(0)
    X = rng.normal(size=(30, 5))
    losses = []
    for factor in (1, 100):
        rows = ArrayRows(factor * X)
        _, scaling = fit_scaling(rows, "global")
        network = Network.mirrored(5, (), 2)
        model = Model(network, Huber(0.5), Units.of(scaling, Huber(0.5), False))
        theta = network.initial_theta(np.random.RandomState(1), np.float64)
        losses.append(model.losses(network.views(theta), rows))
    assert_allclose(losses[1], 100**2 * losses[0])
