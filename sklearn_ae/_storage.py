"""Cells as they are stored, dense or sparse: some rows at a time become an array."""

import sys
from typing import Any

import numpy as np
from scipy.sparse import csr_array, vstack


def with_nan(X: Any) -> Any:
    """Return X with NaN where it is masked, or objects have no value."""
    if isinstance(X, list | tuple) and any(np.ma.is_masked(row) for row in X):
        X = np.ma.stack(X)
    if isinstance(X, np.ma.MaskedArray) and X.dtype.kind in "biufO":
        dtype = np.result_type(X.dtype, np.float32)
        return np.ma.filled(X.astype(dtype), np.nan) if np.ma.is_masked(X) else X.data
    if hasattr(X, "notna") and any(kind.kind == "O" for kind in np.ravel(X.dtypes)):
        return X.astype(object).where(X.notna(), np.nan)
    # There is no pandas.NA without pandas.
    pandas = sys.modules.get("pandas")
    if pandas and isinstance(X, list | tuple | np.ndarray):
        cells = np.asarray(X)
        return np.where(pandas.isna(cells), np.nan, X) if cells.dtype == "O" else cells
    return X


def stored_values(X):
    """Return the values of an array, or those that a sparse one stores."""
    return X if isinstance(X, np.ndarray) else X.data


def gathered(X, indices):
    """Return rows as they are stored, in memory of their own.

    `indices` are as for `read`.
    """
    return X.copy() if indices is None else X[np.asarray(indices)]


def stacked(arrays, n_rows):
    """Return arrays, of so many rows in all, below each other; dense or sparse.

    All are of one kind. Each is needed until the next is asked for. If there are fewer
    rows, fewer are returned.
    """
    start, whole = 0, np.empty(0)
    for X in arrays:
        if X.shape[0] == n_rows:
            return X
        if not isinstance(X, np.ndarray):
            return vstack([X, *arrays], format="csr")
        if not start:
            whole = np.empty((n_rows, X.shape[1]), X.dtype)
        whole[start : start + len(X)] = X
        start += len(X)
    return whole[:start]


def read(X, indices, dtype, buffer=None):
    """Return rows as an array: a view where it can be, or gathered into `buffer`.

    All that is decided about rows goes by their shape, and not by how they are stored:
    results are the same.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_rows_in_all, n_features)
    indices : array-like of int or None
        Which rows; None stands for all.
    dtype : dtype
        What they are converted to.
    buffer : ndarray of shape (n_rows, n_features), optional
        Of this dtype. A view is returned all the same.
    """
    if indices is not None:
        indices = np.asarray(indices)
    if not isinstance(X, np.ndarray):
        few = X if indices is None else X[indices]
        if few.dtype != dtype:
            cells = in_dtype(few.data, dtype)
            few = csr_array((cells, few.indices, few.indptr), few.shape)
        # Duplicates are added up here.
        return few.toarray(out=buffer)
    if indices is None:
        return in_dtype(X, dtype)
    if buffer is None:
        return in_dtype(X[indices], dtype)
    simple = X.flags.c_contiguous and X.flags.aligned and X.dtype == dtype
    if not simple:
        # `take` would first copy all of it. What has come from another process need not
        # be aligned.
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
