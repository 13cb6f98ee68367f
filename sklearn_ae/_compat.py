"""What is used of scikit-learn beyond its public names, in one place to repair."""

import sys

from sklearn.base import _fit_context as _fit_context
from sklearn.utils import _safe_indexing as _safe_indexing
from sklearn.utils._optional_dependencies import (
    check_matplotlib_support as check_matplotlib_support,
)
from sklearn.utils._param_validation import Interval as Interval
from sklearn.utils._param_validation import (
    InvalidParameterError as InvalidParameterError,
)
from sklearn.utils._param_validation import MissingValues as MissingValues
from sklearn.utils._param_validation import RealNotInt as RealNotInt
from sklearn.utils._param_validation import StrOptions as StrOptions
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import _check_feature_names_in as _check_feature_names_in
from sklearn.utils.validation import _check_sample_weight as _check_sample_weight
from sklearn.utils.validation import _num_samples as _num_samples


def in_container_like(X, cells):
    """Return an array as a data frame like X, with its names, if X is one."""
    for library, adapter in ADAPTERS_MANAGER.adapters.items():
        # Asked for its frames, an adapter imports its library.
        if library in sys.modules and adapter.is_supported_container(X):
            return adapter.create_container(cells, X, columns=X.columns)
    return cells


def in_output_container(estimator, rows, X, columns=None):
    """Return rows like X as `set_output` has it, by default with X's names."""
    kind = _get_output_config("transform", estimator)["dense"]
    if kind == "default":
        return rows
    if columns is None:
        columns = _check_feature_names_in(estimator)
    return ADAPTERS_MANAGER.adapters[kind].create_container(rows, X, columns=columns)
