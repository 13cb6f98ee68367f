"""What comes in: checked, and made into arrays and rows."""

from contextlib import contextmanager

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from ._array_rows import ArrayRows
from ._collections import is_collection, read_collection
from ._compat import _check_sample_weight, _num_samples
from ._gaps import GappyRows
from ._losses import Loss, as_loss
from ._rows import block_length, read_only
from ._statistics import relative
from ._storage import stored_values, with_nan

FLOAT_DTYPES = [np.float64, np.float32]

# What X may be, for scikit-learn's check.
ACCEPTED: dict = {"dtype": FLOAT_DTYPES, "accept_sparse": "csr"}

# Kinds of numbers that stay as they are stored until a block of them is read.
KEPT_KINDS = "iub"


def check_weights(X, sample_weight, dtype):
    """Return weights of the rows of X, of which the largest is 1, or None."""
    if sample_weight is None:
        return None
    weights = check_weights_of(X, sample_weight)
    if not weights.any():
        raise ValueError("sample_weight must not be 0 for all rows.")
    return relative(weights, weights.max(), dtype)


def check_weights_of(X, sample_weight):
    """Return a weight for each row of X, in float64; ValueError if one is negative."""
    options: dict = {"dtype": np.float64, "ensure_non_negative": True}
    return _check_sample_weight(sample_weight, X, **options)


def check_rows(estimator, X, sample_weight=None, like=None, least=1, again=False):
    """Return as `Rows` what is to be trained on, or what a fit is to be applied to.

    Parameters
    ----------
    estimator : AutoencoderParameters
    X : array-like of shape (n_samples, n_features)
    sample_weight : array-like of shape (n_samples,) or None
    like : Fitted or Rows, optional
        The fit that they belong to or, if there is none, its rows, whose features they
        must have. Without it they are the first, and decide what the features are.
    least : int, default=1
        Rows that X must have.
    again : bool, default=False
        Whether they will be read again and again.
    """
    if is_collection(X):
        rows = check_collection(estimator, X, sample_weight, like, again)
        if not (again or len(rows)):
            raise ValueError("X must have rows of positive weight and with a value.")
        return rows
    options = {"reset": like is None, "ensure_min_samples": least}
    X = as_numbers(estimator, X, options | number_options(X))
    dtype = fit_dtype(X) if like is None else like.dtype
    return as_rows(X, check_weights(X, sample_weight, dtype), like)


def check_collection(estimator, X, sample_weight, like, again):
    """Return as `Rows` what is in a Dask array or data frame.

    The parameters are those of `check_rows`.
    """
    check_columns_of(estimator, X, reset=like is None)
    kinds = [*X.dtypes] if hasattr(X, "columns") else [X.dtype]
    single = all(kind == np.float32 for kind in kinds)
    dtype = np.dtype(np.float32 if single else np.float64)
    if like is not None:
        dtype = like.dtype
    args = X, sample_weight, dtype, like, as_rows, again
    return read_collection(read_partition, *args)


def check_columns_of(estimator, X, reset=False):
    """Raise ValueError unless a Dask collection has the features of a fit."""
    check_is_table(X)
    # Without a look at its rows.
    header = X._meta if hasattr(X, "columns") else np.empty((0, X.shape[1]))
    validate_data(estimator, header, reset=reset, skip_check_array=True)


def check_is_table(X):
    """Raise ValueError unless a Dask collection has rows and columns."""
    n_dimensions = getattr(X, "ndim", None)
    if n_dimensions != 2:
        raise ValueError(
            "X must have two dimensions, as a Dask array or data frame, got "
            f"{type(X).__name__} with {n_dimensions}."
        )


def read_partition(block, weights):
    """Return a partition's rows of positive weight and with a value, and weights."""
    X = as_numbers(None, block, number_options(block) | {"ensure_min_samples": 0})
    values, kept = stored_values(X), np.ones(X.shape[0], bool)
    if values.size and np.isnan(values.min()):
        rows = GappyRows(X, location=np.zeros(X.shape[1]))
        length = block_length(8 * X.shape[1])
        kept = rows.apply(lambda few: few.known().any(axis=1), length)
    if weights is not None:
        weights = np.asarray(weights, dtype=np.float64)
        # Of a partition, other than of all rows, all may be 0.
        none = 0.0 if weights.any() else 1.0
        weights = check_weights_of(X, weights + none) - none
        kept &= weights > 0
    if not kept.all():
        X, weights = X[kept], None if weights is None else weights[kept]
    return X, weights


def check_training_rows(estimator, X, sample_weight=None, like=None, least=1):
    """Return what `check_rows` does, but for rows that have no value.

    Raises ValueError if fewer than `least` are left.
    """
    rows = check_rows(estimator, X, sample_weight, like, least, True).with_values()
    if len(rows) < least:
        # Of a collection nobody may know.
        n_samples = "?" if is_collection(X) else _num_samples(X)
        raise ValueError(
            f"At least {least} rows must have a positive sample_weight and a value "
            f"other than NaN, got {len(rows)} (n_samples = {n_samples})."
        )
    return rows


def check_values(rows, loss):
    """Raise ValueError if a loss is not defined for some value of rows."""
    kind = type(loss)
    if kind.check_data is Loss.check_data and kind.check_known is Loss.check_known:
        return

    def check(piece):
        loss.check_known(read_only(piece.array()), piece.known())
        return [0]

    rows.sum_blocks(check)


def fit_dtype(X):
    """Return the precision of a fit to an array."""
    return X.dtype if X.dtype in FLOAT_DTYPES else np.dtype(np.float64)


def number_options(X):
    """Return how scikit-learn is to check rows."""
    options = ACCEPTED | {"ensure_all_finite": "allow-nan"}
    if isinstance(X, np.ndarray) and X.dtype.kind in KEPT_KINDS:
        # A file of small numbers may fit no memory as float64.
        options["dtype"] = None
    return options


def as_numbers(estimator, X, options):
    """Return X as an array, or say in which columns there are words.

    `estimator` may be None, if its features have been checked.
    """
    try:
        if estimator is None:
            return check_array(with_nan(X), input_name="X", **options)
        return validate_data(estimator, with_nan(X), **options)
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        cells = np.asarray(X, dtype=object)
        if cells.ndim != 2:
            raise
        columns = getattr(X, "columns", range(cells.shape[1]))
        words = [
            repr(column)
            for column, values in zip(columns, cells.T, strict=True)
            if any(isinstance(value, str) for value in values)
        ]
        raise ValueError(
            f"{error}. There are words in columns {', '.join(words)}: a OneHotEncoder "
            "makes numbers of them, and MixedLoss one variable of these "
            "(docs/mixed_tables.md shows how)."
        ) from error


def as_rows(X, weights, like=None):
    """Return the kind of `Rows` that X needs; `like` is as in `check_rows`."""
    # Those of weight zero are left out, as if they were not there.
    kept = None if weights is None or weights.all() else np.flatnonzero(weights)
    if weights is not None and (weights[kept] == 1).all():
        weights = None
    dtype, values = fit_dtype(X) if like is None else like.dtype, stored_values(X)
    # The least number is NaN if any is.
    if values.size and np.isnan(values.min()):
        location = None if like is None else like.location
        return GappyRows(X, weights, kept, dtype, location)
    return ArrayRows(X, weights, kept, dtype)


def check_columns(estimator, rows):
    """Raise ValueError if rows to be fitted have columns without any value."""
    if not rows.has_gaps:
        return
    empty = np.flatnonzero(rows.weights_of_features == 0)
    if len(empty):
        names = getattr(estimator, "feature_names_in_", np.arange(rows.n_features))
        raise ValueError(
            "X must have a value in each column, in a row of positive weight, but has "
            f"none in {', '.join(map(repr, names[empty].tolist()))}. Leave such "
            "columns out, as AutoencoderImputer does."
        )


def check_feature_weight(estimator, rows):
    """Return the weights of the features of some rows, with the mean 1.

    Or None, if they are all the same.
    """
    weight = estimator.feature_weight
    if weight is None:
        return None
    if not as_loss(estimator.loss).goes_by_cells:
        raise ValueError(
            f"feature_weight must be None with loss={estimator.loss!r}, which takes "
            "features together and does not define value_and_gradient."
        )
    names = [*weight.keys()] if hasattr(weight, "keys") else []
    if isinstance(weight, dict) or any(isinstance(name, str) for name in names):
        weight = _by_name(weight, getattr(estimator, "feature_names_in_", None))
    must = (
        "feature_weight must have a number for each of the n_features="
        f"{rows.n_features} features, none negative and not all 0, or be a dict of "
        f"such by their names, got {estimator.feature_weight!r}."
    )
    try:
        weight = check_array(weight, ensure_2d=False, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(must) from error
    if weight.shape != (rows.n_features,) or weight.min() < 0 or weight.max() == 0:
        raise ValueError(must)
    if (weight == weight[0]).all():
        return None
    weight = weight / weight.max()
    return (weight / weight.mean()).astype(rows.dtype)


def _by_name(weights, names):
    """Return the weights of all features; those that are not named weigh 1."""
    given = [*weights.keys()]
    unknown = [name for name in given if names is None or name not in names]
    if len(set(given)) < len(given):
        raise ValueError(f"feature_weight must have each name once, got {given}.")
    if unknown:
        known = "has none" if names is None else f"has {', '.join(names)}"
        raise ValueError(
            "feature_weight by name must be for names that X has as columns, got "
            f"{', '.join(map(repr, unknown))}, but X {known}."
        )
    return [weights.get(name, 1.0) for name in names]


def check_codes(estimator, X, dtype):
    """Return as `Rows` codes that a fitted estimator is to decode."""
    if np.ma.is_masked(X):
        raise ValueError("X has masked cells, but all numbers of codes are required.")
    codes = check_array(X, input_name="X", **ACCEPTED)
    if codes.shape[1] != estimator.n_components_:
        raise ValueError(
            f"X has {codes.shape[1]} columns, but inverse_transform expects "
            f"n_components_={estimator.n_components_}."
        )
    return ArrayRows(codes, dtype=dtype)


def check_validation_rows(estimator, X_val, sample_weight_val, rows):
    """Return `Rows` of the user's own to validate on, or None."""
    if X_val is None and sample_weight_val is None:
        return None
    if X_val is None:
        raise ValueError("sample_weight_val is for rows of X_val, but X_val is None.")
    with named_validation_rows():
        return check_training_rows(estimator, X_val, sample_weight_val, rows)


@contextmanager
def named_validation_rows():
    """Say of errors that they are about the user's own rows to validate on."""
    try:
        yield
    except (TypeError, ValueError) as error:
        message = (
            f"X_val and sample_weight_val must be like X and sample_weight: {error}"
        )
        raise type(error)(message) from error
