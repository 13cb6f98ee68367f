"""The parameters of the estimators: names, defaults, and what is allowed."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from difflib import get_close_matches
from numbers import Real

import numpy as np

from ._activations import ACTIVATIONS
from ._compat import Interval, InvalidParameterError, RealNotInt, StrOptions
from ._corruption import Corruption, GaussianNoise
from ._layers import Layer
from ._lbfgs import LBFGS
from ._losses import LOSSES, Huber, Loss
from ._options import (
    AT_LEAST_1,
    FRACTION,
    NOT_NEGATIVE,
    POSITIVE,
    Option,
    Parameters,
    parameter,
)
from ._stochastic import SGD, Adam
from ._stopping import Solver

SOLVERS: dict[str, type[Solver]] = {"lbfgs": LBFGS, "adam": Adam, "sgd": SGD}

# What a name or a number becomes where it is not enough.
OPTIONS: dict[str, list[type[Option]]] = {"loss": [Huber], "noise": [GaussianNoise]}
OPTIONS["solver"] = [*SOLVERS.values()]

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
    "invscaling": "cosine",
}


class Names(StrOptions):
    """The constraint to be one of these names, which messages list in this order."""

    def __init__(self, *names):
        super().__init__(set(names))
        self.names = names

    def __str__(self):
        return f"a str among {{{', '.join(map(repr, self.names))}}}"


@dataclass(repr=False, eq=False)
class AutoencoderParameters(Parameters):
    """What the user chooses; `AutoencoderTransformer` says what it means.

    Nothing is checked before `fit`, as scikit-learn has it.
    """

    n_components: int | float | str = parameter(
        "auto", AT_LEAST_1, Interval(RealNotInt, 0, 1, closed="neither"), Names("auto")
    )
    _: KW_ONLY
    hidden_layer_sizes: int | Sequence[int | Layer] = parameter(
        (64, 64), "array-like", AT_LEAST_1, Layer
    )
    activation: str = parameter("auto", Names("auto", *ACTIVATIONS))
    linear_path: bool = parameter(True, "boolean")
    code_activation: str = parameter("identity", Names(*ACTIVATIONS))
    output_activation: str = parameter("auto", Names("auto", "exp", *ACTIVATIONS))
    loss: str | Loss = parameter("squared_error", Names(*LOSSES), Loss)
    noise: float | str | Corruption | None = parameter(
        None, NOT_NEGATIVE, Names("auto"), Corruption, None
    )
    alpha: float | str = parameter(0.0, NOT_NEGATIVE, Names("auto"))
    l1_ratio: float = parameter(0.0, Interval(Real, 0, 1, closed="both"))
    scaling: str | None = parameter("global", Names("global", "per_feature"), None)
    solver: str | Solver = parameter("auto", Names("auto", "svd", *SOLVERS), Solver)
    batch_size: int | str = parameter("auto", AT_LEAST_1, Names("auto"))
    learning_rate: str = parameter("cosine", Names("constant", "adaptive", "cosine"))
    learning_rate_init: float | str = parameter("auto", POSITIVE, Names("auto"))
    max_iter: int = parameter(200, AT_LEAST_1)
    tol: float = parameter(1e-4, NOT_NEGATIVE)
    early_stopping: bool | str = parameter("auto", "boolean", Names("auto"))
    validation_fraction: float = parameter(0.1, FRACTION)
    n_iter_no_change: int = parameter(20, AT_LEAST_1)
    warm_start: bool = parameter(False, "boolean")
    shuffle: bool = parameter(True, "boolean")
    random_state: int | np.random.RandomState | None = parameter(None, "random_state")
    verbose: bool | int = parameter(0, "verbose")

    # Whether rows set aside are for a threshold rather than for stopping.
    _calibrates = False

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
            if nested and hasattr(self, name) and not hasattr(value, "set_params"):
                known = [o for o in OPTIONS.get(name, []) if hasattr(o, nested)]
                first = f"{known[0].__name__}()" if known else "an object that has it"
                raise ValueError(
                    f"{key} is a parameter of an object: {name}={first} has to come "
                    f"first, here {name} is {value!r}."
                )
        return super().set_params(**params)

    def _validate_params(self):
        """Check each parameter by itself; say what may have been meant by a name."""
        try:
            super()._validate_params()
        except InvalidParameterError as error:
            # The message begins with the name of the parameter, in quotes.
            hint = self._hint(str(error).split("'")[1])
            raise InvalidParameterError(f"{error}{hint}") from None
        values = [getattr(self, field.name) for field in fields(self)]
        layers = np.ravel(np.asarray(self.hidden_layer_sizes, dtype=object))
        for value in (*values, *layers):
            if isinstance(value, Option):
                value._validate_params()

    def _hint(self, parameter):
        allowed = self._parameter_constraints[parameter]
        options = [n for rule in allowed if isinstance(rule, Names) for n in rule.names]
        value = getattr(self, parameter)
        if not isinstance(value, str):
            return ""
        value = value.lower()
        known = [value, SYNONYMS.get(value), *get_close_matches(value, options)]
        meant = [name for name in known if name in options]
        return f" Did you mean {meant[0]!r}?" if meant else ""
