"""Cells as they are stored, dense or sparse: some rows at a time become an array."""

import numpy as np
from scipy.sparse import csr_array


def stored_values(X):
    """Return the values of an array, or those that a sparse one stores."""
    return X if isinstance(X, np.ndarray) else X.data


def read(X, indices, dtype, buffer=None):
    """Return rows as an array: a view where it can be, or gathered into `buffer`.

    All that is decided about rows goes by their shape, and not by how they are stored:
    results are the same.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows_in_all, n_features)
    indices : ndarray of int or None
        Which rows; None stands for all.
    dtype : dtype
        What they are converted to.
    buffer : ndarray of shape (n_rows, n_features), optional
        Of this dtype. A view is returned all the same.
    """
    if not isinstance(X, np.ndarray):
        few = X if indices is None else X[indices]
        cells = in_dtype(few.data, dtype)
        # Duplicates are added up here.
        return csr_array((cells, few.indices, few.indptr), few.shape).toarray(
            out=buffer
        )
    if indices is None:
        return in_dtype(X, dtype)
    if buffer is None:
        return in_dtype(X[indices], dtype)
    if not X.flags.c_contiguous or X.dtype != dtype:
        # `take` would first copy all of it.
        buffer[...] = in_dtype(X[indices], dtype)
        return buffer
    # mode="clip" lets NumPy write to `out` directly; no index is outside.
    return X.take(indices, axis=0, out=buffer, mode="clip")


def in_dtype(X, dtype):
    """Convert numbers to another precision; ValueError if one does not fit."""
    if X.dtype == dtype:
        return X
    with np.errstate(over="ignore"):
        converted = X.astype(dtype)
    if dtype.itemsize < X.dtype.itemsize and np.isinf(converted).any():
        raise ValueError(
            f"Input X contains a value too large for dtype({str(dtype)!r})."
        )
    return converted
