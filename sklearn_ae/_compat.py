"""What is used of scikit-learn beyond its public names, in one place to repair."""

from sklearn.base import _fit_context
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
)
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import _check_feature_names_in, _check_sample_weight

__all__ = [
    "Interval",
    "InvalidParameterError",
    "RealNotInt",
    "StrOptions",
    "_check_sample_weight",
    "_fit_context",
    "in_output_container",
]


def in_output_container(estimator, rows, X):
    """Return rows like X as `set_output` has it, with the names of X's features."""
    kind = _get_output_config("transform", estimator)["dense"]
    if kind == "default":
        return rows
    columns = _check_feature_names_in(estimator)
    return ADAPTERS_MANAGER.adapters[kind].create_container(rows, X, columns=columns)
