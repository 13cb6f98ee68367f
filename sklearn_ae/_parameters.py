"""The parameters of the estimators: names, defaults, and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from ._activations import ACTIVATIONS
from ._compat import (
    HasMethods,
    Interval,
    InvalidParameterError,
    RealNotInt,
    StrOptions,
)
from ._losses import LOSSES, Loss

# What other libraries call it.
SYNONYMS = {
    "mse": "squared_error",
    "l2": "squared_error",
    "mae": "absolute_error",
    "l1": "absolute_error",
    "bce": "binary_cross_entropy",
    "sigmoid": "logistic",
    "linear": "identity",
    "swish": "silu",
    "standard": "per_feature",
    "rmsprop": "adam",
}


class Names(StrOptions):
    """The constraint to be one of these names, which messages list in this order."""

    def __init__(self, *names):
        super().__init__(set(names))
        self.names = names

    def __str__(self):
        return f"a str among {{{', '.join(map(repr, self.names))}}}"


class AutoencoderParameters(BaseEstimator):
    """What the user chooses; `AutoencoderTransformer` says what it means.

    Each estimator has a constructor of its own, with its own defaults. Nothing is
    checked before `fit`, as scikit-learn has it.
    """

    n_components: int | float | str
    hidden_layer_sizes: int | Sequence[int]
    activation: str
    linear_path: bool
    code_activation: str
    output_activation: str
    loss: str | Loss
    noise: float | tuple[float, float] | str | None
    alpha: float | str
    l1_ratio: float
    scaling: str | None
    solver: str
    batch_size: int | str
    n_accumulate: int
    learning_rate: str
    learning_rate_init: float | str
    power_t: float
    momentum: float
    nesterovs_momentum: bool
    beta_1: float
    beta_2: float
    epsilon: float
    clip_norm: float | str | None
    max_iter: int
    tol: float
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    shuffle: bool
    random_state: int | np.random.RandomState | None
    verbose: bool | int

    _parameter_constraints: dict = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            Names("auto"),
        ],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [Names("auto", *ACTIVATIONS)],
        "linear_path": ["boolean"],
        "code_activation": [Names(*ACTIVATIONS)],
        "output_activation": [Names("auto", "exp", *ACTIVATIONS)],
        "loss": [
            Names(*LOSSES),
            HasMethods(["elementwise", "gradient"]),
        ],
        "noise": [
            Interval(Real, 0, None, closed="neither"),
            Names("auto"),
            "array-like",
            None,
        ],
        "alpha": [Interval(Real, 0, None, closed="left"), Names("auto")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "scaling": [Names("global", "per_feature"), None],
        "solver": [Names("auto", "svd", "lbfgs", "adam", "sgd")],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Names("auto"),
        ],
        "n_accumulate": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Names("constant", "invscaling", "adaptive", "cosine")],
        "learning_rate_init": [
            Interval(Real, 0, None, closed="neither"),
            Names("auto"),
        ],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "clip_norm": [
            Interval(Real, 0, None, closed="neither"),
            Names("auto"),
            None,
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean", Names("auto")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _validate_params(self):
        """Check each parameter by itself; say what may have been meant by a name."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            # The message begins with the name of the parameter, in quotes.
            hint = self._hint(str(error).split("'")[1])
            raise InvalidParameterError(f"{error}{hint}") from None

    def _hint(self, parameter):
        options = [
            name
            for constraint in self._parameter_constraints[parameter]
            if isinstance(constraint, Names)
            for name in constraint.names
        ]
        value = getattr(self, parameter)
        if not isinstance(value, str):
            return ""
        value = value.lower()
        known = [value, SYNONYMS.get(value), *get_close_matches(value, options)]
        meant = [name for name in known if name in options]
        return f" Did you mean {meant[0]!r}?" if meant else ""
