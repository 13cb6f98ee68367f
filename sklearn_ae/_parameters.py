"""The parameters of the estimators: names, defaults, and what is allowed."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator

from ._activations import ACTIVATIONS
from ._compat import HasMethods, Interval, RealNotInt, StrOptions
from ._losses import LOSSES, Loss


class AutoencoderParameters(BaseEstimator):
    """What the user chooses; `AutoencoderTransformer` says what it means.

    Nothing is checked before `fit`, as scikit-learn has it.
    """

    _parameter_constraints: dict = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            StrOptions({"auto"}),
        ],
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions({"auto", *ACTIVATIONS})],
        "linear_path": ["boolean"],
        "code_activation": [StrOptions(set(ACTIVATIONS))],
        "output_activation": [StrOptions({"auto", "exp", *ACTIVATIONS})],
        "loss": [
            StrOptions(set(LOSSES)),
            HasMethods(["elementwise", "gradient"]),
        ],
        "noise": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            "array-like",
            None,
        ],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "scaling": [StrOptions({"global", "per_feature"}), None],
        "solver": [StrOptions({"auto", "svd", "lbfgs", "adam", "sgd"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "n_accumulate": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", "cosine"})],
        "learning_rate_init": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
        ],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "clip_norm": [
            Interval(Real, 0, None, closed="neither"),
            StrOptions({"auto"}),
            None,
        ],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components: int | float | str = "auto",
        *,
        hidden_layer_sizes: int | Sequence[int] = (64, 64),
        activation: str = "auto",
        linear_path: bool = True,
        code_activation: str = "identity",
        output_activation: str = "auto",
        loss: str | Loss = "squared_error",
        noise: float | tuple[float, float] | str | None = None,
        alpha: float | str = 0.0,
        l1_ratio: float = 0.0,
        scaling: str | None = "global",
        solver: str = "auto",
        batch_size: int | str = "auto",
        n_accumulate: int = 1,
        learning_rate: str = "cosine",
        learning_rate_init: float | str = "auto",
        power_t: float = 0.5,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        clip_norm: float | str | None = "auto",
        max_iter: int = 200,
        tol: float = 1e-4,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        warm_start: bool = False,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool | int = 0,
    ) -> None:
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.linear_path = linear_path
        self.code_activation = code_activation
        self.output_activation = output_activation
        self.loss = loss
        self.noise = noise
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.scaling = scaling
        self.solver = solver
        self.batch_size = batch_size
        self.n_accumulate = n_accumulate
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.clip_norm = clip_norm
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.shuffle = shuffle
        self.random_state = random_state
        self.verbose = verbose
