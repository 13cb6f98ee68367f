import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn import config_context

from sklearn_ae import AutoencoderTransformer, _array_rows
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._input import check_rows
from sklearn_ae._rows import BLOCK_BYTES, block_length, streaming_length

X = np.arange(30.0).reshape(10, 3)


def test_blocks_cover_all_rows_without_copies():
    blocks = [block for block, _ in ArrayRows(X).blocks(4)]
    assert [len(block) for block in blocks] == [4, 4, 2]
    assert_array_equal(np.vstack(blocks), X)
    assert all(np.shares_memory(block, X) for block in blocks)


def test_chosen_rows_are_gathered_into_the_buffer():
    weight = np.arange(10.0)
    rows = ArrayRows(X, weight, np.array([7, 2, 2, 9, 0]))
    seen, weights = zip(*rows.blocks(2), strict=True)
    assert_array_equal(np.vstack(seen), X[[7, 2, 2, 9, 0]])
    assert_array_equal(np.concatenate(weights)[:, 0], [7, 2, 2, 9, 0])
    unaligned = np.frombuffer(b"." + X.tobytes(), X.dtype, X.size, 1).reshape(X.shape)
    assert not unaligned.flags.aligned
    for source in (X, np.asfortranarray(X), X.astype(np.float32), unaligned):
        buffer = np.empty((5, 3))
        gathered = ArrayRows(source, None, np.array([7, 2, 2, 9, 0]), X.dtype).array(
            buffer
        )
        assert gathered is buffer
        assert_array_equal(gathered, X[[7, 2, 2, 9, 0]])
    assert rows.cell_weight_sum() == 3 * 20


def test_a_mean_counts_the_weights_of_cells(monkeypatch):
    class Holes(ArrayRows):
        def cell_weights(self):
            return super().cell_weights() * (self.array() % 4 > 0)

    weight = np.arange(1.0, 11)
    cells = np.broadcast_to(weight[:, None], X.shape) * (X % 4 > 0)
    expected = np.average(X**2, axis=0, weights=cells)
    for length in (100, 3):
        monkeypatch.setattr("sklearn_ae._rows.block_length", lambda _, n=length: n)
        assert_allclose(Holes(X, weight).mean(np.square), expected)
        assert_allclose(ArrayRows(X).mean(np.square), np.square(X).mean(axis=0))


def test_apply_puts_results_together():
    rows = ArrayRows(X, None, np.array([7, 2, 2, 9, 0]))
    sums = rows.apply(lambda piece: piece.array().sum(axis=1), 2)
    assert_array_equal(sums, X[[7, 2, 2, 9, 0]].sum(axis=1))


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_large_tables_are_shuffled_in_parts_of_blocks(monkeypatch, kind):
    monkeypatch.setattr(_array_rows, "SHUFFLED_BYTES", 4000)
    monkeypatch.setattr(_array_rows, "SHUFFLED_BLOCK_BYTES", 400)
    cells = np.column_stack([np.arange(1, 1002.0), np.arange(1001) % 7])
    weight = np.arange(1, 1002.0)
    rows, rng = ArrayRows(kind(cells), weight), np.random.RandomState(0)
    batches = list(rows.batches(20, rng))
    seen = np.vstack([batch.array() for batch in batches])
    assert_array_equal(seen[seen[:, 0].argsort()], cells)
    assert_array_equal(np.concatenate([b.weights() for b in batches]), seen[:, 0])
    # A part is of nine blocks of 25 rows, which lie anywhere.
    first = seen[:225, 0]
    assert len(np.unique((first - 1) // 25)) == 9
    assert np.ptp(first) > 500
    # Rows are shuffled among all its blocks.
    assert len(np.unique((first[:20] - 1) // 25)) > 5
    assert (np.diff(first) < 0).mean() > 0.4


def test_a_fit_to_a_sorted_file_is_as_good_as_with_full_shuffling(
    tmp_path, monkeypatch
):
    rng = np.random.RandomState(0)
    X = np.tanh(rng.normal(size=(20_000, 3)) @ rng.normal(size=(3, 10)))
    X += 0.1 * rng.normal(size=X.shape)
    X, X_test = X[:18_000], X[18_000:]
    X = X[X[:, 0].argsort()]
    np.save(tmp_path / "X.npy", X)
    X_map = np.load(tmp_path / "X.npy", mmap_mode="r")
    estimator = AutoencoderTransformer(3, max_iter=20, tol=0, random_state=0)
    loss = -estimator.fit(X).score_samples(X_test).mean()
    monkeypatch.setattr(_array_rows, "SHUFFLED_BYTES", X.nbytes // 10)
    monkeypatch.setattr(_array_rows, "SHUFFLED_BLOCK_BYTES", X.nbytes // 320)
    in_parts = -estimator.fit(X_map).score_samples(X_test).mean()
    assert in_parts < 1.01 * loss
    # As all goes by shape, it does not matter where rows are.
    assert_array_equal(estimator.coefs_[0], estimator.fit(X).coefs_[0])


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, bool])
def test_whole_numbers_stay_as_they_are_stored(dtype):
    numbers = (np.arange(600).reshape(200, 3) % 7 % 5).astype(dtype)
    rows = check_rows(AutoencoderTransformer(), numbers)
    assert rows._X is numbers
    assert rows.array().dtype == rows.dtype == np.float64
    quick = {"max_iter": 2, "random_state": 0}
    kept = AutoencoderTransformer(1, **quick).fit(numbers)
    converted = AutoencoderTransformer(1, **quick).fit(numbers.astype(float))
    assert_array_equal(kept.transform(numbers), converted.transform(numbers))


def test_take_is_relative():
    rows = ArrayRows(X, None, np.array([5, 6, 7])).take(np.array([2, 0]))
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
