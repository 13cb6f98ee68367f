"""The rows a fit sees: cells, their weights, and which of them, without copies."""

from functools import reduce
from math import ceil, inf
from operator import iadd

import numpy as np
from sklearn import get_config
from sklearn.model_selection import train_test_split
from sklearn.utils import gen_batches
from sklearn.utils.random import sample_without_replacement

from ._division import Division
from ._storage import gathered, read

# Blocks of this size stay in a core's cache from one layer to the next.
BLOCK_BYTES = 4 * 2**20

# Sums over many blocks are made of so many pieces, which threads share out.
N_PIECES = 8


# Larger tables are shuffled in parts of this size, put together of blocks that lie
# anywhere: nothing ever reads single rows from all over a file.
SHUFFLED_BYTES, SHUFFLED_BLOCK_BYTES = 64 * 2**20, 2 * 2**20

# A part is so many batches at least.
SHUFFLED_BATCHES = 4

# More rows than this are divided without lists of their numbers.
MANY_ROWS = 2**20


# Of fewer rows than this, products take as long as reading what they are multiplied by;
# so blocks of wide ones may be some times as large.
LEAST_ROWS, WIDE_BLOCKS = 32, 8


def block_length(row_bytes, block_bytes=BLOCK_BYTES):
    """Return how many rows of `row_bytes` bytes make a block of `block_bytes` bytes."""
    wide = min(LEAST_ROWS, WIDE_BLOCKS * block_bytes // row_bytes)
    return max(1, int(block_bytes // row_bytes), int(wide))


def streaming_length(row_bytes):
    """Return the length of blocks where scikit-learn's "working_memory" counts as well.

    Only in prediction: what is fitted must not depend on it, not even in its bits.
    """
    most = get_config()["working_memory"] * 2**20 // row_bytes
    return max(1, min(block_length(row_bytes), int(most)))


def read_only(X):
    """Return a view that cannot be written into."""
    view = X.view()
    view.flags.writeable = False
    return view


class Rows:
    """Some rows of a 2-D array, with weights.

    This is the one way in which training reads data, and nothing else touches the
    array: rows that live elsewhere (on disk, on other machines) have the same methods.

    A subclass defines `array` if X is no array; `known`, `cell_weights`,
    `cell_weight_sum`, `with_values`, `filled_by` and `imputed` if some cells are not
    known; and `sum`, `apply`, `hold_out` and `batches` if rows are elsewhere. What it
    keeps besides, `take` hands on.

    Attributes
    ----------
    n_features : int
    dtype : dtype
        Of what `array` returns.

    remote : bool, default=False
        Whether each look at them takes a while.

    on_workers : bool, default=False
        Whether others do what is to be done with them, each with one thread.

    has_gaps : bool, default=False
        Whether there are cells that are not known, and weigh nothing. PCA is then no
        exact solution.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows_in_all, n_features)
        Never modified or copied as a whole.

    sample_weight : ndarray of shape (n_rows_in_all,) or None
        None gives every row the weight 1.

    indices : ndarray of int or None
        Which rows, in which order; None stands for all, as they are.

    dtype : dtype, optional
        What blocks are converted to, if it is not that of X.
    """

    remote = on_workers = has_gaps = False

    def __init__(self, X, sample_weight=None, indices=None, dtype=None):
        self._X, self._sample_weight, self._indices = X, sample_weight, indices
        self.dtype, self.n_features = np.dtype(dtype or X.dtype), X.shape[1]

    def __len__(self):
        return self._X.shape[0] if self._indices is None else len(self._indices)

    @property
    def _source(self):
        """What other rows of the same array are made from."""
        names = {"X": self._X, "sample_weight": self._sample_weight}
        return names | {"indices": self._indices, "dtype": self.dtype}

    @property
    def location(self):
        """Weighted mean of each column: where a cell is that is not known."""
        return self.mean(lambda X: X).astype(self.dtype)

    def with_values(self):
        """Return the rows of which any cell is known."""
        return self

    def filled_by(self, filler):
        """Return rows in which a gap reads as ``filler(X, known)`` has it.

        It weighs nothing all the same. `filler` may be None: gaps are the mean.
        """
        return self

    def imputed(self, filler):
        """Return the same, with what has been filled in weighing like the rest."""
        return self

    @property
    def nbytes(self):
        """Memory of all these rows as an array, in bytes."""
        return len(self) * self._row_bytes

    @property
    def _row_bytes(self):
        return self.n_features * max(self.dtype.itemsize, self._X.dtype.itemsize)

    def take(self, positions):
        """Return the rows at some positions among these, numbers or a slice."""
        taken = object.__new__(type(self))
        taken.__dict__ = self.__dict__.copy()
        if self._indices is not None:
            taken._indices = self._indices[positions]
        elif not isinstance(positions, slice):
            taken._indices = positions
        else:
            taken._X = self._X[positions]
            if self._sample_weight is not None:
                taken._sample_weight = self._sample_weight[positions]
        return taken

    def extremes(self):
        """Return the least and the greatest value of each column that are read."""
        least, greatest = inf, -inf
        for X, _ in self.blocks(block_length(self._row_bytes)):
            least = np.minimum(least, X.min(axis=0))
            greatest = np.maximum(greatest, X.max(axis=0))
        return least, greatest

    def at_hand(self):
        """Return those of the rows that can be read at once."""
        return self

    def spread(self, n):
        """Return `n` of these rows, at equal distances."""
        return self.take(np.linspace(0, len(self) - 1, n).astype(int))

    def sample(self, n, rng):
        """Return at most `n` of these rows, at random if there are more."""
        if len(self) <= n:
            return self
        chosen = sample_without_replacement(len(self), n, random_state=rng)
        return self.take(np.sort(chosen))

    def hold_out(self, fraction, rng):
        """Divide the rows at random; returns the others and a `fraction` of them."""
        if len(self) > MANY_ROWS:
            division = Division.halves(len(self), fraction, rng)
            return [self.take(numbers) for numbers in division]
        where = np.arange(len(self))
        halves = train_test_split(where, test_size=fraction, random_state=rng)
        return [self.take(np.sort(half)) for half in halves]

    def batches(self, size, rng=None):
        """Yield these rows in batches, shuffled by `rng` if it is given."""
        for part in self._parts(size, rng):
            n_rows = len(part)
            order = np.arange(n_rows) if rng is None else rng.permutation(n_rows)
            for few in gen_batches(n_rows, size):
                yield part.take(order[few])
            # Two of them would take twice the memory.
            del part

    def _parts(self, size, rng):
        """Yield rows in parts that are read at once.

        To be shuffled, those are of blocks that lie anywhere.
        """
        n_rows = max(SHUFFLED_BYTES // self._row_bytes, SHUFFLED_BATCHES * size)
        if len(self) <= n_rows:
            # What numbers they have is found out once.
            yield self.gathered() if isinstance(self._indices, Division) else self
        elif rng is None:
            yield from self.pieces(n_rows // size * size)
        else:
            length = max(1, SHUFFLED_BLOCK_BYTES // self._row_bytes)
            starts = length * rng.permutation(ceil(len(self) / length))
            # None is a small rest, of rows from one place.
            for few in np.array_split(starts, ceil(len(self) / n_rows)):
                blocks = [np.arange(i, i + length) for i in np.sort(few)]
                where = np.concatenate(blocks)
                yield self.take(where[where < len(self)]).gathered()

    def gathered(self):
        """Return the same rows, and nothing besides, as they are stored."""
        own = self.take(slice(None))
        own._X, own._sample_weight = gathered(self._X, self._indices), self.weights()
        own._indices = None
        return own

    def mapped(self, function):
        """Return rows, in memory, that a function has been applied to."""
        return Rows(np.ascontiguousarray(function(self.array())), self.weights())

    def train(self, objective, run, theta, state, batch_size, rng):
        """Take one step for each batch, changing `theta` and `state` in place.

        Parameters
        ----------
        objective : Objective
        run : callable(batches, theta, state) -> float
            Takes the steps; returns the mean of the loss before each.
        theta : ndarray
        state : dict
            What a solver moves along with them.
        batch_size : int
        rng : RandomState or None
            What shuffles the rows.
        """
        return run(objective.minibatches(self, batch_size, rng), theta, state)

    @property
    def mean_weight(self):
        """The mean of the weights of rows."""
        weights = self.weights()
        return 1.0 if weights is None else float(weights.mean())

    def weights(self):
        """Return the weight of each row, or None if all are 1."""
        if self._sample_weight is None or self._indices is None:
            return self._sample_weight
        return self._sample_weight[np.asarray(self._indices)]

    def known(self):
        """Return which cells are known, as (n_rows, n_features), or None if all are."""
        return None

    def cell_weights(self):
        """Return weights that broadcast to cells, or None if all are 1.

        Of rows, here, as (n_rows, 1); where single cells weigh more or less than others
        of their row, or nothing, the array has a column for each feature.
        """
        weights = self.weights()
        return None if weights is None else weights[:, None]

    def cell_weight_sum(self, feature_weight=None):
        """Return the sum of the weights of all cells, each times that of its feature.

        `feature_weight` has one number for each feature; None is 1 for all.
        """
        weights = self.weights()
        of_rows = float(len(self)) if weights is None else float(weights.sum())
        if feature_weight is None:
            return of_rows * self.n_features
        return of_rows * float(feature_weight.sum(dtype=np.float64))

    def pieces(self, length):
        """Yield these rows in pieces of `length`; the last may have fewer."""
        for start in range(0, len(self), length):
            yield self.take(slice(start, start + length))

    def blocks(self, length):
        """Yield (X, weights), arrays both, for `length` rows at a time.

        Weights are those of `cell_weights`; X is only to be read.
        """
        for piece in self.pieces(length):
            yield read_only(piece.array()), piece.cell_weights()

    def apply(self, function, length):
        """Return in one array what ``function(rows)`` returns for `length` at a time.

        That is an array with a row for each of the rows that it is given.
        """
        start = 0
        for piece in self.pieces(length):
            part = function(piece)
            if start == 0:
                out = np.empty((len(self), *part.shape[1:]), part.dtype)
            out[start : start + len(part)] = part
            start += len(part)
        return out

    def sum(self, function, length, map=map):
        """Add up what a function returns for pieces of these rows.

        Parameters
        ----------
        function : callable(start, rows) -> list of float or ndarray
            Gets the position of a piece's first row, and the piece.
        length : int
            Pieces are of whole blocks of this length.
        map : callable(function, items) -> iterable, default=the built-in
            Applies a function to pieces, one after the other or on threads. The pieces
            do not depend on it, so neither does their sum.
        """
        size = ceil(ceil(len(self) / length) / N_PIECES) * length
        starts = range(0, len(self), size)
        pieces = zip(starts, self.pieces(size), strict=True)
        results = map(lambda piece: function(*piece), pieces)
        return reduce(added, results)

    def sum_blocks(self, function, length=None):
        """Add up the lists that ``function(rows)`` returns for `length` rows at a time.

        By default, as many as fit a cache in float64.
        """
        length = length or block_length(8 * self.n_features)
        return self.sum(
            lambda _, piece: reduce(added, map(function, piece.pieces(length))), length
        )

    def mean(self, *functions):
        """Return the weighted mean of what functions make of cells, for each column.

        Parameters
        ----------
        *functions : callable(X) -> ndarray
            From a block to an array of its shape.

        Returns
        -------
        mean : ndarray of shape (n_features,), or (n_functions, n_features), of float64
        """

        def sums(rows):
            X, weights, results = rows.array(), rows.cell_weights(), []
            for function in functions:
                values = function(X).astype(np.float64, copy=False)
                weighted = values if weights is None else weights * values
                results.append(weighted.sum(axis=0))
            if weights is None:
                return [*results, float(len(rows))]
            return [*results, weights.sum(axis=0, dtype=np.float64)]

        *totals, weight_sum = self.sum_blocks(sums)
        means = np.array([total / weight_sum for total in totals])
        return means if len(functions) > 1 else means[0]

    def array(self, buffer=None):
        """Return the rows as an array: a view, or gathered into `buffer` if given."""
        return read(self._X, self._indices, self.dtype, buffer)


def added(total, sums):
    """Add up lists of numbers and arrays, these in place."""
    return [iadd(*pair) for pair in zip(total, sums, strict=True)]
