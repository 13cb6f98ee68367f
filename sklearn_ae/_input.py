"""What comes in: checked, and made into arrays and rows."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

from ._compat import _check_sample_weight
from ._losses import as_loss
from ._rows import Rows, block_length

FLOAT_DTYPES = [np.float64, np.float32]


def refuse_sparse_and_masked(X):
    if issparse(X):
        raise TypeError(
            "Sparse data was passed for X, but dense data is required: X.toarray(), or "
            "in a pipeline ColumnTransformer(sparse_threshold=0) or, without one, "
            "OneHotEncoder(sparse_output=False)."
        )
    if isinstance(X, np.ma.MaskedArray) and np.ma.is_masked(X):
        raise ValueError(
            "X has masked cells, but all values are required; X.filled(value) or "
            "sklearn.impute.SimpleImputer fills them."
        )


def check_floats(estimator, X, **kwargs):
    """Return X as an array of floats, which is X itself where it may be."""
    refuse_sparse_and_masked(X)
    return validate_data(estimator, X, dtype=FLOAT_DTYPES, **kwargs)


def check_weights(X, sample_weight, dtype, name="sample_weight"):
    """Return weights of the rows of X, of which the largest is 1, or None."""
    if sample_weight is None:
        return None
    weights = _check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if not weights.any():
        raise ValueError(f"{name} must not be 0 for all rows.")
    # Only ratios matter: equal ones make equal weights, but for the last digit, and no
    # sum overflows.
    return (weights / weights.max()).astype(dtype)


def check_training_rows(estimator, X, sample_weight, *, reset, least, dtype=None):
    """Return `Rows` to train or validate on.

    Parameters
    ----------
    estimator : AutoencoderParameters
        Its features are those of X, or with `reset` become them.
    X : array-like of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,) or None
    reset : bool
    least : int
        Rows that there must be.
    dtype : dtype, optional
        Of the fit, if it is not that of X.
    """
    X = check_floats(estimator, X, reset=reset, ensure_min_samples=least)
    weights = check_weights(X, sample_weight, dtype or X.dtype)
    rows = Rows.with_positive_weight(X, weights, dtype)
    loss = as_loss(estimator.loss)
    for block, _ in rows.blocks(block_length(X[:1].nbytes)):
        loss.check_data(block)
    if len(rows) < least:
        raise ValueError(
            f"At least {least} rows must have a positive sample_weight, got "
            f"{len(rows)} (n_samples = {len(X)})."
        )
    return rows
