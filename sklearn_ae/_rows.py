"""The rows a fit sees: an array, their weights, and which of them, without copies."""

import numpy as np
from sklearn import get_config

# Blocks of this size stay in a core's cache from one layer to the next.
BLOCK_BYTES = 4 * 2**20


def block_length(row_bytes, block_bytes=BLOCK_BYTES):
    """Return how many rows of `row_bytes` bytes make a block.

    A block has `block_bytes` bytes, or scikit-learn's "working_memory" if that is less.
    """
    budget = min(block_bytes, get_config()["working_memory"] * 2**20)
    return max(1, int(budget // row_bytes))


class Rows:
    """Some rows of a 2-D array, with weights.

    This is the one way in which training reads data; rows that live elsewhere (on disk,
    on other machines) have the same methods.

    Parameters
    ----------
    X : ndarray of shape (n_rows_in_all, n_features)
        Never modified or copied as a whole.

    sample_weight : ndarray of shape (n_rows_in_all,) or None
        None gives every row the weight 1.

    indices : ndarray of int or None
        Which rows, in which order; None stands for all, as they are.
    """

    def __init__(self, X, sample_weight=None, indices=None):
        self.X = X
        self.sample_weight = sample_weight
        self.indices = indices
        self.n_features = X.shape[1]

    @classmethod
    def with_positive_weight(cls, X, sample_weight):
        """Leave out the rows of weight zero, as if they were not there."""
        if sample_weight is None or sample_weight.all():
            return cls(X, sample_weight)
        return cls(X, sample_weight, np.flatnonzero(sample_weight))

    def __len__(self):
        return len(self.X) if self.indices is None else len(self.indices)

    def take(self, positions):
        """Return the rows at some positions among these."""
        if self.indices is not None:
            positions = self.indices[positions]
        return Rows(self.X, self.sample_weight, positions)

    def weights(self):
        """Return the weight of each row, or None if all are 1."""
        if self.sample_weight is None or self.indices is None:
            return self.sample_weight
        return self.sample_weight[self.indices]

    def weight_sum(self):
        """Return the sum of all weights."""
        weights = self.weights()
        return float(len(self)) if weights is None else float(weights.sum())

    def split(self, length):
        """Yield these rows in pieces of `length`; the last may have fewer."""
        for start in range(0, len(self), length):
            where = slice(start, start + length)
            if self.indices is not None:
                yield Rows(self.X, self.sample_weight, self.indices[where])
            elif self.sample_weight is None:
                yield Rows(self.X[where])
            else:
                yield Rows(self.X[where], self.sample_weight[where])

    def blocks(self, length, buffer=None):
        """Yield (rows, weights or None), arrays both, block by block.

        `buffer` is as in `array`.
        """
        for piece in self.split(length):
            yield piece.array(buffer), piece.weights()

    def array(self, buffer=None):
        """Return the rows as an array: a view, or gathered into `buffer` if given."""
        if self.indices is None:
            return self.X
        if buffer is None:
            return self.X[self.indices]
        # mode="clip" lets NumPy write to `out` directly; no index is outside.
        n = len(self.indices)
        out = buffer if n == len(buffer) else buffer[:n]
        if not self.X.flags.c_contiguous:
            # `take` would first copy all of it.
            np.copyto(out, self.X[self.indices])
            return out
        return self.X.take(self.indices, axis=0, out=out, mode="clip")
