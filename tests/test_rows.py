import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context

from sklearn_ae import AutoencoderTransformer
from sklearn_ae._input import check_rows
from sklearn_ae._rows import BLOCK_BYTES, Rows, block_length, streaming_length

X = np.arange(30.0).reshape(10, 3)


def test_blocks_cover_all_rows_without_copies():
    blocks = [block for block, _ in Rows(X).blocks(4)]
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert_array_equal(np.vstack(blocks), X)
    assert all(np.shares_memory(block, X) for block in blocks)


def test_chosen_rows_are_gathered_into_the_buffer():
    weight = np.arange(10.0)
    rows = Rows(X, weight, np.array([7, 2, 2, 9, 0]))
    seen, weights = zip(*rows.blocks(2), strict=True)
    assert_array_equal(np.vstack(seen), X[[7, 2, 2, 9, 0]])
    assert_array_equal(np.concatenate(weights)[:, 0], [7, 2, 2, 9, 0])
    for source in (X, np.asfortranarray(X), X.astype(np.float32)):
        buffer = np.empty((5, 3))
        gathered = Rows(source, None, np.array([7, 2, 2, 9, 0]), X.dtype).array(buffer)
        assert gathered is buffer
        assert_array_equal(gathered, X[[7, 2, 2, 9, 0]])
    assert rows.cell_weight_sum() == 3 * 20


def test_a_mean_counts_the_weights_of_cells(monkeypatch):
    class Holes(Rows):
        def cell_weights(self):
            return super().cell_weights() * (self.array() % 4 > 0)

    weight = np.arange(1.0, 11)
    cells = np.broadcast_to(weight[:, None], X.shape) * (X % 4 > 0)
    expected = np.average(X**2, axis=0, weights=cells)
    for length in (100, 3):
        monkeypatch.setattr("sklearn_ae._rows.block_length", lambda _, n=length: n)
        assert_allclose(Holes(X, weight).mean(np.square), expected)
        assert_allclose(Rows(X).mean(np.square), np.square(X).mean(axis=0))


def test_apply_puts_results_together():
    rows = Rows(X, None, np.array([7, 2, 2, 9, 0]))
    sums = rows.apply(lambda piece: piece.array().sum(axis=1), 2)
    assert_array_equal(sums, X[[7, 2, 2, 9, 0]].sum(axis=1))


def test_take_is_relative():
    rows = Rows(X, None, np.array([5, 6, 7])).take(np.array([2, 0]))
    assert_array_equal(next(rows.blocks(9))[0], X[[7, 5]])
    assert rows.cell_weight_sum() == 3 * len(rows) == 6


def test_rows_of_weight_zero_are_left_out():
    weight = np.array([1, 0, 2, 0, 0, 0, 0, 0, 0, 4.0])
    rows = check_rows(AutoencoderTransformer(), X, weight)
    assert_array_equal(next(rows.blocks(10))[0], X[[0, 2, 9]])
    assert_array_equal(rows.weights(), [0.25, 0.5, 1])
    rows = check_rows(AutoencoderTransformer(), X, weight + 1)
    assert np.shares_memory(rows.array(), X)


@pytest.mark.parametrize("row_bytes", [1, 1000, 10**9])
def test_block_length_is_bounded(row_bytes):
    length = block_length(row_bytes)
    assert length == max(1, BLOCK_BYTES // row_bytes)
    with config_context(working_memory=1):
        assert streaming_length(row_bytes) == max(1, 2**20 // row_bytes)
        assert block_length(row_bytes) == length
