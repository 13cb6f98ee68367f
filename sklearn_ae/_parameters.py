"""The parameters of the estimators: names, defaults, and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from ._activations import ACTIVATIONS
from ._compat import Interval, InvalidParameterError, RealNotInt, StrOptions
from ._corruption import Corruption, GaussianNoise
from ._layers import Layer
from ._lbfgs import LBFGS
from ._losses import LOSSES, Huber, Loss
from ._options import Option
from ._stochastic import SGD, Adam
from ._stopping import Solver

SOLVERS: dict[str, type[Solver]] = {"lbfgs": LBFGS, "adam": Adam, "sgd": SGD}

# What a name or a number becomes where it is not enough.
OPTIONS: tuple[tuple[str, type[Option]], ...] = (
    ("loss", Huber),
    ("noise", GaussianNoise),
    ("solver", Adam),
    ("solver", SGD),
    ("solver", LBFGS),
)

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
    hidden_layer_sizes: int | Sequence[int | Layer]
    activation: str
    linear_path: bool
    code_activation: str
    output_activation: str
    loss: str | Loss
    noise: float | str | Corruption | None
    alpha: float | str
    l1_ratio: float
    scaling: str | None
    solver: str | Solver
    batch_size: int | str
    learning_rate: str
    learning_rate_init: float | str
    max_iter: int
    tol: float
    early_stopping: bool | str
    validation_fraction: float
    n_iter_no_change: int
    warm_start: bool
    shuffle: bool
    random_state: int | np.random.RandomState | None
    verbose: bool | int

    # Whether rows set aside are for a threshold rather than for stopping.
    _calibrates = False

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
        "loss": [Names(*LOSSES), Loss],
        "noise": [
            Interval(Real, 0, None, closed="left"),
            Names("auto"),
            Corruption,
            None,
        ],
        "alpha": [Interval(Real, 0, None, closed="left"), Names("auto")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "scaling": [Names("global", "per_feature"), None],
        "solver": [Names("auto", "svd", *SOLVERS), Solver],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Names("auto"),
        ],
        "learning_rate": [Names("constant", "adaptive", "cosine")],
        "learning_rate_init": [
            Interval(Real, 0, None, closed="neither"),
            Names("auto"),
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

    def set_params(self, **params):
        """Set parameters, also those of the objects among them.

        Parameters
        ----------
        **params : dict
            By name; those of an object as in ``solver__beta_1``.

        Returns
        -------
        self : object
            This estimator.

        Raises
        ------
        ValueError
            If there is no such parameter, or if it is that of an object where there is
            only a name.
        """
        for key in params:
            name, _, nested = key.partition("__")
            value = params.get(name, getattr(self, name, None))
            if nested and not isinstance(value, Option):
                self._refuse_nested(key, name, nested, value)
        return super().set_params(**params)

    def _refuse_nested(self, key, name, nested, value):
        for parameter, option in OPTIONS:
            if parameter == name and nested in option._get_param_names():
                raise ValueError(
                    f"{key} is a parameter of an object: {name}={option.__name__}() "
                    f"has to come first, here {name} is {value!r}."
                )

    def _validate_params(self):
        """Check each parameter by itself; say what may have been meant by a name."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            # The message begins with the name of the parameter, in quotes.
            hint = self._hint(str(error).split("'")[1])
            raise InvalidParameterError(f"{error}{hint}") from None
        sizes = self.hidden_layer_sizes
        layers = sizes if isinstance(sizes, Sequence) else ()
        for value in (*self.get_params(deep=False).values(), *layers):
            if isinstance(value, Option):
                value._validate_params()

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
