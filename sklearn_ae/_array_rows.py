"""Rows of an array, which may be sparse or mapped from a file."""

from copy import copy
from functools import reduce
from math import ceil

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import gen_batches
from sklearn.utils.random import sample_without_replacement

from ._division import Division
from ._rows import Rows, added
from ._storage import gathered, read, stacked

# Sums over many blocks are made of so many pieces, which threads share out.
N_PIECES = 8

# Larger tables are shuffled in parts of this size, put together of blocks that lie
# anywhere: nothing ever reads single rows from all over a file.
SHUFFLED_BYTES, SHUFFLED_BLOCK_BYTES = 64 * 2**20, 2 * 2**20

# A part is so many batches at least.
SHUFFLED_BATCHES = 4

# More rows than this are divided without lists of their numbers.
MANY_ROWS = 2**20


class ArrayRows(Rows):
    """Some rows of a 2-D array, with weights.

    A subclass defines `array` if X is no array; `known`, `cell_weights`,
    `cell_weight_sum`, `with_values`, `filled_by` and `imputed` if some cells are not
    known. What it keeps besides, `take` hands on.

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

    def array(self, buffer=None):
        return read(self._X, self._indices, self.dtype, buffer)

    def pieces(self, length):
        for start in range(0, len(self), length):
            yield self.take(slice(start, start + length))

    def apply(self, function, length):
        start = 0
        for piece in self.pieces(length):
            part = function(piece)
            if start == 0:
                out = np.empty((len(self), *part.shape[1:]), part.dtype)
            out[start : start + len(part)] = part
            start += len(part)
        return out

    def sum(self, function, length, map=map):
        size = ceil(ceil(len(self) / length) / N_PIECES) * length
        starts = range(0, len(self), size)
        pieces = zip(starts, self.pieces(size), strict=True)
        results = map(lambda piece: function(*piece), pieces)
        return reduce(added, results)

    def train(self, objective, run, theta, state, batch_size, rng):
        return run(objective.minibatches(self, batch_size, rng), theta, state)

    def spread(self, n):
        return self.take(np.linspace(0, len(self) - 1, n).astype(int))

    def sample(self, n, rng):
        if len(self) <= n:
            return self
        chosen = sample_without_replacement(len(self), n, random_state=rng)
        return self.take(np.sort(chosen))

    def hold_out(self, fraction, rng):
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
        own = self.take(slice(None))
        own._X, own._sample_weight = gathered(self._X, self._indices), self.weights()
        own._indices = None
        return own

    def mapped(self, function):
        """Return rows, in memory, that a function has been applied to."""
        return ArrayRows(np.ascontiguousarray(function(self.array())), self.weights())

    @property
    def mean_weight(self):
        weights = self.weights()
        return 1.0 if weights is None else float(weights.mean())

    def weights(self):
        """Return the weight of each row, or None if all are 1."""
        if self._sample_weight is None or self._indices is None:
            return self._sample_weight
        return self._sample_weight[np.asarray(self._indices)]

    def cell_weights(self):
        """Return weights that broadcast to cells, or None if all are 1.

        Of rows, here, as (n_rows, 1); where single cells weigh more or less than others
        of their row, or nothing, the array has a column for each feature.
        """
        weights = self.weights()
        return None if weights is None else weights[:, None]

    def cell_weight_sum(self, feature_weight=None):
        weights = self.weights()
        of_rows = float(len(self)) if weights is None else float(weights.sum())
        if feature_weight is None:
            return of_rows * self.n_features
        return of_rows * float(feature_weight.sum(dtype=np.float64))


def joined(parts):
    """Return one object of several `ArrayRows`, in their order."""
    whole = copy(parts[0])
    whole._X = stacked((part._X for part in parts), sum(map(len, parts)))
    if whole._sample_weight is not None:
        whole._sample_weight = np.concatenate([part.weights() for part in parts])
    return whole.take(slice(None))
