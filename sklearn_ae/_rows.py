"""What a fit asks of its rows, wherever they are."""

from abc import ABC, abstractmethod
from functools import reduce
from math import inf
from operator import iadd

import numpy as np
from sklearn import get_config

from ._stopping import RowsLost

# Blocks of this size stay in a core's cache from one layer to the next.
BLOCK_BYTES = 4 * 2**20

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


class Rows(ABC):
    """Some rows of a table, with weights.

    This is the one way in which training reads data, and nothing else touches the
    table: rows in memory (`ArrayRows`, `GappyRows`) and those that live elsewhere
    (`DaskRows`) have the same methods. What is added up over rows goes through `sum`,
    what is made of each through `apply`; what these hand to their functions are rows in
    memory, whatever the whole is.

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
    """

    n_features: int
    dtype: np.dtype
    remote = on_workers = has_gaps = False

    @abstractmethod
    def __len__(self):
        """Return the number of rows."""

    # What is done with all of them.

    @abstractmethod
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

    @abstractmethod
    def apply(self, function, length):
        """Return in one array what ``function(rows)`` returns for `length` at a time.

        That is an array with a row for each of the rows that it is given.
        """

    @abstractmethod
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

    def extremes(self):
        """Return the least and the greatest value of each column that are read."""
        least, greatest = inf, -inf
        for X, _ in self.blocks(block_length(self._row_bytes)):
            least = np.minimum(least, X.min(axis=0))
            greatest = np.maximum(greatest, X.max(axis=0))
        return least, greatest

    # Looking at them.

    @abstractmethod
    def array(self, buffer=None):
        """Return the rows as an array: a view, or gathered into `buffer` if given."""

    @abstractmethod
    def pieces(self, length):
        """Yield these rows in pieces of `length`; the last may have fewer."""

    def blocks(self, length):
        """Yield (X, weights), arrays both, for `length` rows at a time.

        Weights are those of `cell_weights`; X is only to be read.
        """
        for piece in self.pieces(length):
            yield read_only(piece.array()), piece.cell_weights()

    def known(self):
        """Return which cells are known, as (n_rows, n_features), or None if all are."""
        return None

    @property
    def nbytes(self):
        """Memory of all these rows as an array, in bytes."""
        return len(self) * self._row_bytes

    @property
    def _row_bytes(self):
        return self.n_features * self.dtype.itemsize

    @property
    def location(self):
        """Weighted mean of each column: where a cell is that is not known."""
        return self.mean(lambda X: X).astype(self.dtype)

    @property
    @abstractmethod
    def mean_weight(self):
        """The mean of the weights of rows."""

    @abstractmethod
    def cell_weight_sum(self, feature_weight=None):
        """Return the sum of the weights of all cells, each times that of its feature.

        `feature_weight` has one number for each feature; None is 1 for all.
        """

    # Some of them.

    @abstractmethod
    def gathered(self):
        """Return the same rows in memory, and nothing besides, as they are stored."""

    def at_hand(self):
        """Return those of the rows that can be read at once."""
        return self

    @abstractmethod
    def spread(self, n):
        """Return `n` of these rows, at equal distances."""

    @abstractmethod
    def sample(self, n, rng):
        """Return at most `n` of these rows, at random if there are more."""

    @abstractmethod
    def hold_out(self, fraction, rng):
        """Divide the rows at random; returns the others and a `fraction` of them."""

    # The same ones, where cells may be unknown.

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


def of_reachable(function, *rows):
    """Apply a function to rows or, if they are lost, to those of them at hand.

    Returns
    -------
    result : object
    reason : str
        Why it is of those at hand, or "".
    """
    try:
        return function(*rows), ""
    except RowsLost as error:
        return function(*(few and few.at_hand() for few in rows)), str(error)


def added(total, sums):
    """Add up lists of numbers and arrays, these in place."""
    return [iadd(*pair) for pair in zip(total, sums, strict=True)]
