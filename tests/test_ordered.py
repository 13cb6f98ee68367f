"""Codes that are cut off."""

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._ordered import WHOLE, Ordered, marked_sizes, markers
from sklearn_ae._scaling import Scaling, Units


def test_sizes_that_are_marked():
    assert marked_sizes(1) == [1]
    assert marked_sizes(2) == [1, 2]
    assert marked_sizes(3) == [1, 2, 3]
    assert marked_sizes(12) == [1, 2, 3, 4, 6, 8, 12]
    assert marked_sizes(30) == [1, 2, 3, 4, 6, 8, 12, 16, 24, 30]


def test_marks_between_two_are_their_mean():
    marks = markers(12)
    assert marks.shape == (12, 7)
    marked = np.array(marked_sizes(12))
    assert_array_equal(marks[marked - 1], np.eye(7))
    assert_allclose(marks.sum(axis=1), 1)
    assert_allclose(marks @ marked, np.arange(1, 13))


def test_each_size_is_drawn_as_often_as_it_should_be():
    drawn = Ordered().draw((1000, 4), np.random.default_rng(0))
    assert drawn.shape == (1000, 1)
    counts = np.bincount(drawn[:, 0], minlength=5)
    shares = (1 - WHOLE) * np.arange(1, 5) ** -0.7 / (np.arange(1, 5) ** -0.7).sum()
    shares[-1] += WHOLE
    assert counts[0] == 0
    assert_allclose(counts[1:] / 1000, shares, atol=0.0011)


def test_what_is_decoded():
    code, rng = Ordered(), np.random.default_rng(0)
    encoded, out = rng.normal(size=(3, 3)), np.full((3, 6), np.nan)
    codes, costs = code.forward(encoded, np.array([[3], [1], [2]]), out)
    assert costs is None
    assert_array_equal(codes[0], [*encoded[0], 0, 0, 1])
    assert_array_equal(codes[1], [encoded[1, 0], 0, 0, 1, 0, 0])
    assert_array_equal(codes[2], [*encoded[2, :2], 0, 0, 1, 0])


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("block_rows", [0, 7])
@pytest.mark.parametrize("n_components", [1, 3])
def test_gradient(linear_path, block_rows, n_components):
    rng = np.random.RandomState(1)
    rows = ArrayRows(rng.normal(size=(40, 5)), rng.uniform(0.5, 2, size=40))
    code = Ordered()
    network = Network.mirrored(
        5,
        (4,),
        n_components,
        linear_path=linear_path,
        decoder_width=code.decoder_width(n_components),
    )
    units = Units.of(Scaling(np.zeros(5), np.ones(())), SquaredError(), False)
    model = Model(network, SquaredError(), units, code)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    objective = Objective(model, None, np.float64, block_rows=block_rows)
    assert relative_error(objective, theta, rows) < 1e-6
