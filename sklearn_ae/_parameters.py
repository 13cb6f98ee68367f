"""What the user chooses: each parameter, its default, and what it may be."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from difflib import get_close_matches
from itertools import chain
from numbers import Real
from typing import Any

import numpy as np

from ._activations import ACTIVATIONS
from ._code import Code
from ._code_penalties import CodePenalty, KLSparsity, L1Sparsity
from ._compat import Interval, InvalidParameterError, RealNotInt, StrOptions
from ._completion import HiddenCells
from ._corruption import (
    Corruption,
    FunctionNoise,
    GaussianNoise,
    MaskingNoise,
    SaltAndPepperNoise,
)
from ._layers import Layer
from ._lbfgs import LBFGS
from ._losses import LOSSES, Huber, Loss
from ._mixed_loss import MixedLoss
from ._options import AT_LEAST_1, NOT_NEGATIVE, POSITIVE, Option, Parameters, parameter
from ._stochastic import SGD, Adam
from ._stopping import Solver

# hidden_layer_sizes="auto", unless rows set aside say that others are better.
AUTO_SIZES = (64, 64)

SOLVERS: dict[str, type[Solver]] = {"lbfgs": LBFGS, "adam": Adam, "sgd": SGD}

# What a name or a number becomes where it is not enough.
OPTIONS: dict = {
    "loss": [Huber, MixedLoss],
    "noise": [
        GaussianNoise,
        MaskingNoise,
        SaltAndPepperNoise,
        HiddenCells,
        FunctionNoise,
    ],
    "code_penalty": [KLSparsity, L1Sparsity],
    "solver": SOLVERS.values(),
}

# What other libraries call it.
SYNONYMS = {
    "mse": "squared_error",
    "mae": "absolute_error",
    "bce": "binary_cross_entropy",
    "sigmoid": "logistic",
    "linear": "identity",
    "swish": "silu",
    "standard": "per_feature",
    "rmsprop": "adam",
    "invscaling": "cosine",
}


Sizes = int | str | Layer | Sequence[int | Layer]
Noise = float | str | Corruption | None
CodePenalties = CodePenalty | Sequence[CodePenalty] | None


def one_of(*names):
    """Return the constraint to be one of these names, which messages list as here."""
    return StrOptions(dict.fromkeys(names).keys())


@dataclass(repr=False, eq=False)
class AutoencoderParameters(Parameters):
    """What the user chooses; `AutoencoderTransformer` says what it means.

    Nothing is checked before `fit`, as scikit-learn has it.
    """

    n_components: int | float | str = parameter(
        "auto", AT_LEAST_1, Interval(RealNotInt, 0, 1, closed="neither"), one_of("auto")
    )
    _: KW_ONLY
    hidden_layer_sizes: Sizes = parameter(
        AUTO_SIZES, "array-like", AT_LEAST_1, Layer, one_of("auto")
    )
    activation: str = parameter("auto", one_of("auto", *ACTIVATIONS))
    linear_path: bool = parameter(True, "boolean")
    tied_weights: bool = parameter(False, "boolean")
    code_activation: str = parameter("identity", one_of(*ACTIVATIONS))
    output_activation: str = parameter("auto", one_of("auto", "exp", *ACTIVATIONS))
    loss: str | Loss = parameter("squared_error", one_of(*LOSSES), Loss)
    feature_weight: Any = parameter(None, "array-like", dict, None)
    noise: Noise = parameter(None, NOT_NEGATIVE, one_of("auto"), Corruption, None)
    code_penalty: CodePenalties = parameter(None, CodePenalty, list, tuple, None)
    alpha: float | str = parameter(0.0, NOT_NEGATIVE, one_of("auto"))
    l1_ratio: float = parameter(0.0, Interval(Real, 0, 1, closed="both"))
    scaling: str | None = parameter("global", one_of("global", "per_feature"), None)
    solver: str | Solver = parameter("auto", one_of("auto", "svd", *SOLVERS), Solver)
    batch_size: int | str = parameter("auto", AT_LEAST_1, one_of("auto"))
    learning_rate: str = parameter("cosine", one_of("constant", "adaptive", "cosine"))
    learning_rate_init: float | str = parameter("auto", POSITIVE, one_of("auto"))
    max_iter: int = parameter(200, AT_LEAST_1)
    tol: float = parameter(1e-4, NOT_NEGATIVE)
    early_stopping: bool | str = parameter("auto", "boolean", one_of("auto"))
    validation_fraction: float = parameter(0.1, Interval(Real, 0, 1, closed="neither"))
    n_iter_no_change: int = parameter(20, AT_LEAST_1)
    warm_start: bool = parameter(False, "boolean")
    shuffle: bool = parameter(True, "boolean")
    random_state: int | np.random.RandomState | None = parameter(None, "random_state")
    verbose: bool | int = parameter(0, "verbose")

    # Whether rows set aside are for a threshold rather than for stopping.
    _calibrates = False

    def _loss_for(self, n_features) -> str | Loss:
        """Return the loss that is minimised."""
        return self.loss

    @property
    def _code(self) -> Code | None:
        """What happens between encoder and decoder, if anything does."""
        return None

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
            several = value if isinstance(value, list | tuple) else []
            if nested and any(hasattr(item, nested) for item in several):
                raise ValueError(
                    f"{key} is a parameter of one object, but {name} is a sequence: "
                    f"set {name} as a whole, or to one object first."
                )
            if nested and hasattr(self, name) and not hasattr(value, "set_params"):
                known = [o for o in OPTIONS.get(name, []) if hasattr(o, nested)]
                first = f"{known[0].__name__}()" if known else f"<one with {nested}>"
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
        for several in (self.hidden_layer_sizes, self.code_penalty):
            values.extend(np.ravel(np.asarray(several, dtype=object)))
        for value in values:
            if isinstance(value, Option):
                value._validate_params()

    def _hint(self, parameter):
        allowed = self._parameter_constraints[parameter]
        names = [rule.options for rule in allowed if isinstance(rule, StrOptions)]
        options, value = [*chain(*names)], getattr(self, parameter)
        bases = tuple(rule for rule in allowed if isinstance(rule, type))
        kinds = (kind for kind in OPTIONS.get(parameter, []) if issubclass(kind, bases))
        objects = ", ".join(kind.__name__ for kind in kinds)
        if isinstance(value, type) and issubclass(value, Option):
            return f" It is a class: did you mean {value.__name__}()?"
        if not isinstance(value, str):
            return f" There are objects for this: {objects}." if objects else ""
        value = value.lower()
        known = [value, SYNONYMS.get(value), *get_close_matches(value, options)]
        meant = [name for name in known if name in options]
        if meant:
            return f" Did you mean {meant[0]!r}?"
        return f" There are objects for this: {objects}." if objects else ""
