import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_ae import _array_rows
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._division import TILE, Division


@pytest.mark.parametrize("n", [TILE - 1, TILE, 3 * TILE + 7, 5 * TILE])
@pytest.mark.parametrize("fraction", [0.1, 0.25, 1e-6, 1 - 1e-6])
def test_halves_are_all_rows_in_order(n, fraction):
    kept, aside = Division.halves(n, fraction, np.random.RandomState(0))
    assert len(kept) + len(aside) == n
    for half in (kept, aside):
        assert (np.diff(np.asarray(half)) > 0).all()
    assert_array_equal(np.union1d(kept, aside), np.arange(n))
    if 0.01 < fraction < 0.99:
        assert abs(len(aside) / n - fraction) < 1e-3


def test_some_numbers_are_those_of_the_whole():
    half, _ = Division.halves(4 * TILE + 11, 0.3, np.random.RandomState(0))
    numbers = np.asarray(half)
    for part in (slice(5, 9), slice(TILE - 3, 2 * TILE), slice(len(half) - 2, None)):
        assert_array_equal(half[part], numbers[part])
        assert_array_equal(half[part][1:], numbers[part][1:])
    chosen = np.array([0, 17, TILE, 2 * TILE + 5, len(half) - 1])
    assert_array_equal(half[chosen], numbers[chosen])
    assert len(half[9:5]) == len(np.asarray(half[9:5])) == 0


def test_other_draws_set_others_aside():
    first, second = (
        np.asarray(Division.halves(TILE, 0.5, np.random.RandomState(seed))[1])
        for seed in (0, 1)
    )
    assert 0.4 < np.isin(first, second).mean() < 0.6


def test_many_rows_are_divided_without_a_list(monkeypatch):
    monkeypatch.setattr(_array_rows, "MANY_ROWS", 1000)
    X = np.arange(50_000.0)[:, None]
    weight = 1 + np.arange(50_000) % 3
    kept, aside = ArrayRows(X, weight).hold_out(0.1, np.random.RandomState(0))
    assert isinstance(kept._indices, Division)
    assert len(aside) == 5000
    both = np.vstack([kept.array(), aside.array()])
    assert_array_equal(np.sort(both, axis=0), X)
    assert_array_equal(kept.weights(), weight[kept.array()[:, 0].astype(int)])
    pieces = [piece.array() for piece in kept.pieces(7777)]
    assert_array_equal(np.vstack(pieces), kept.array())
    seen = [batch.array() for batch in kept.batches(999, np.random.RandomState(0))]
    assert_array_equal(np.sort(np.vstack(seen), axis=0), kept.array())
