"""The rows a fit sees: an array, their weights, and which of them, without copies."""

import numpy as np
from sklearn import get_config

# Blocks of this size stay in a core's cache from one layer to the next.
BLOCK_BYTES = 4 * 2**20


def block_length(row_bytes, block_bytes=BLOCK_BYTES):
    """Return how many rows of `row_bytes` bytes make a block of `block_bytes` bytes."""
    return max(1, int(block_bytes // row_bytes))


def streaming_length(row_bytes):
    """Return the length of blocks where scikit-learn's "working_memory" counts as well.

    Only in prediction: what is fitted must not depend on it, not even in its bits.
    """
    working_memory = get_config()["working_memory"] * 2**20
    return block_length(row_bytes, min(BLOCK_BYTES, working_memory))


def in_dtype(X, dtype):
    """Convert rows to another precision; ValueError if a number does not fit."""
    if X.dtype == dtype:
        return X
    with np.errstate(over="ignore"):
        converted = X.astype(dtype)
    if dtype.itemsize < X.dtype.itemsize and not np.isfinite(converted).all():
        raise ValueError(
            f"Input X contains a value too large for dtype({str(dtype)!r})."
        )
    return converted


def read_only(X):
    """Return a view that cannot be written into."""
    view = X.view()
    view.flags.writeable = False
    return view


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

    dtype : dtype, optional
        What blocks are converted to, if it is not that of X.
    """

    def __init__(self, X, sample_weight=None, indices=None, dtype=None):
        self.X = X
        self.sample_weight = sample_weight
        self.indices = indices
        self.dtype = np.dtype(dtype or X.dtype)
        self.n_features = X.shape[1]

    @classmethod
    def with_positive_weight(cls, X, sample_weight, dtype=None):
        """Leave out the rows of weight zero, as if they were not there."""
        if sample_weight is None or sample_weight.all():
            return cls(X, sample_weight, dtype=dtype)
        return cls(X, sample_weight, np.flatnonzero(sample_weight), dtype)

    def __len__(self):
        return len(self.X) if self.indices is None else len(self.indices)

    def take(self, positions):
        """Return the rows at some positions among these."""
        if self.indices is not None:
            positions = self.indices[positions]
        return Rows(self.X, self.sample_weight, positions, self.dtype)

    def sample(self, n, rng):
        """Return at most `n` of these rows, at random if there are more."""
        if len(self) <= n:
            return self
        return self.take(np.sort(rng.permutation(len(self))[:n]))

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
                yield Rows(self.X, self.sample_weight, self.indices[where], self.dtype)
            else:
                weights = self.sample_weight
                weights = None if weights is None else weights[where]
                yield Rows(self.X[where], weights, dtype=self.dtype)

    def blocks(self, length, buffer=None):
        """Yield (rows, weights or None), arrays both, block by block.

        `buffer` is as in `array`.
        """
        for piece in self.split(length):
            yield piece.array(buffer), piece.weights()

    def array(self, buffer=None):
        """Return the rows as an array: a view, or gathered into `buffer` if given."""
        if self.indices is None:
            return in_dtype(self.X, self.dtype)
        if buffer is None:
            return in_dtype(self.X[self.indices], self.dtype)
        # mode="clip" lets NumPy write to `out` directly; no index is outside.
        n = len(self.indices)
        out = buffer if n == len(buffer) else buffer[:n]
        if not self.X.flags.c_contiguous or self.X.dtype != self.dtype:
            # `take` would first copy all of it.
            np.copyto(out, in_dtype(self.X[self.indices], self.dtype))
            return out
        return self.X.take(self.indices, axis=0, out=out, mode="clip")
