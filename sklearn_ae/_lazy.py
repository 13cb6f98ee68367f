"""Results for Dask collections: lazy ones, partition by partition."""

from copy import copy
from functools import partial, wraps
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._collections import is_collection, of_whole_rows, partitions
from ._compat import _get_output_config
from ._input import check_columns_of, check_is_table
from ._rounds import tasks_with


def _codes(estimator):
    return estimator.n_components_, estimator._fitted.dtype


def _rows(estimator):
    return estimator.n_features_in_, estimator._fitted.dtype


def _numbers(estimator):
    return None, np.dtype(np.float64)


def _p_values(estimator):
    estimator._check_calibrated()
    return _numbers(estimator)


# What a method returns for each row: how many columns, or None, and of which type.
RESULTS = {
    "transform": _codes,
    "inverse_transform": _rows,
    "reconstruct": _rows,
    "score_samples": _numbers,
    "decision_function": _numbers,
    "predict": lambda estimator: (None, np.dtype(np.int64)),
    "p_values": _p_values,
    "score_contributions": lambda estimator: (
        len(estimator._variables),
        np.dtype(np.float64),
    ),
}

# Those that `set_output` applies to, and what has the names of their columns.
NAMES = {
    "transform": lambda estimator: estimator.get_feature_names_out(),
    "reconstruct": lambda estimator: estimator._feature_names,
    "score_contributions": lambda estimator: [v.name for v in estimator._variables],
}


class LazyForCollections:
    """Methods that return lazy collections for Dask collections.

    Each is applied to every partition, so results are, to the bit, what they are for
    that partition in memory. Methods that return something for each row need not know
    of this.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        wrappers = dict.fromkeys(RESULTS, lazy) | {"explain": of_few_rows}
        for name in wrappers.keys() & vars(cls).keys():
            setattr(cls, name, wrappers[name](vars(cls)[name]))

    def fit_transform(self, X, y=None, **fit_params):
        """Fit to X, then transform it; lazily, if it is a Dask collection.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            The training rows, as of `fit`.

        y : Ignored
            Not used, present for API consistency by convention.

        **fit_params : dict
            Further parameters of `fit`.

        Returns
        -------
        codes : ndarray of shape (n_samples, n_components_)
        """
        estimator: Any = self
        others: Any = super()
        if is_collection(X):
            return estimator.fit(X, y, **fit_params).transform(X)
        return others.fit_transform(X, y, **fit_params)


def lazy(method):
    """Return a method that is applied to each partition of a Dask collection."""

    @wraps(method)
    def for_rows(self, X, *args, **kwargs):
        if not is_collection(X):
            return method(self, X, *args, **kwargs)
        check_is_fitted(self)
        return over_partitions(self, method.__name__, X)

    return for_rows


def of_few_rows(method):
    """Return a method that a Dask collection is brought to memory for."""

    @wraps(method)
    def for_rows(self, X, *args, **kwargs):
        return method(self, X.compute() if is_collection(X) else X, *args, **kwargs)

    return for_rows


def over_partitions(estimator, name, X):
    """Return the lazy result of a method for all partitions of X."""
    if name == "inverse_transform":
        check_is_table(X)
        n_expected, n = estimator.n_components_, X.shape[1]
        if n != n_expected:
            raise ValueError(
                f"X has {n} columns, but inverse_transform expects "
                f"n_components_={n_expected}."
            )
    else:
        check_columns_of(estimator, X)
    # Fitting it again changes no results that have been asked for.
    estimator = copy(estimator)
    width, dtype = RESULTS[name](estimator)
    empty = np.empty((0,) if width is None else (0, width), dtype)
    names = NAMES[name](estimator) if name in NAMES else None
    if not hasattr(X, "columns"):
        # Each block would say that it has none of these names.
        vars(estimator).pop("feature_names_in_", None)
    kind = "default"
    if name in NAMES:
        kind = _get_output_config("transform", estimator)["dense"]
    if kind not in ("default", "pandas"):
        raise ValueError(
            "set_output must be 'default' or 'pandas' for Dask collections, got "
            f"{kind!r}."
        )
    if kind == "pandas":
        return _frame(estimator, name, X, empty, names)
    return _array(partial(_of_block, estimator, name, empty), X, empty)


def _of_block(estimator, name, empty, block):
    if not block.shape[0]:
        return empty
    result = getattr(estimator, name)(block)
    if hasattr(empty, "columns"):
        result.columns = empty.columns
    return result


def _array(function, X, empty):
    """Return a Dask array of what a function makes of each partition."""
    import dask.array as da
    from dask import delayed

    width = empty.shape[1:]
    if hasattr(X, "chunks"):
        X, options = of_whole_rows(X), {"meta": empty, "dtype": empty.dtype}
        # One for all blocks: it carries the estimator.
        options |= {"function": delayed(function, pure=False, traverse=False)}
        if not width:
            return X.map_blocks(_of, drop_axis=1, **options)
        return X.map_blocks(_of, chunks=(X.chunks[0], width), **options)
    blocks = [
        da.from_delayed(block, (np.nan, *width), meta=empty)
        for block in tasks_with(function, [(part,) for part in partitions(X)])
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def _of(block, function):
    return function(block)


def _frame(estimator, name, X, empty, names):
    """Return a Dask data frame with names, and the index of X if it has one."""
    import dask.dataframe as dd
    import pandas as pd

    index = divisions = None
    if hasattr(X, "columns"):
        index, divisions = X._meta.index, X.divisions if X.known_divisions else None
    header = pd.DataFrame(empty, columns=[*names], index=index)
    function = partial(_of_block, estimator, name, header)
    frames = tasks_with(function, [(part,) for part in partitions(X)])
    return dd.from_delayed(frames, meta=header, divisions=divisions)
