"""From an estimator's parameters and rows to choices: every "auto" becomes something.

`params` is the estimator; only constructor parameters of it are read.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, fields
from functools import cached_property
from math import ceil, inf
from numbers import Integral, Real

from ._corruption import Corruption, GaussianNoise
from ._layers import Layer
from ._linear import principal_axes
from ._losses import Loss, SquaredError, as_loss
from ._model import Model
from ._network import Network
from ._parameters import SOLVERS
from ._scaling import Units
from ._stopping import Solver
from ._stored import Stored

# n_components="auto" is not more than this.
WIDEST_CODE = 128

# noise="auto"
AUTO_NOISE = GaussianNoise(low=0.1, high=1.0)

# alpha="auto" is this divided by the number of cells. With the squared error that is a
# normal prior: residuals have half the standard deviation of weights.
AUTO_ALPHA = 0.5

# early_stopping="auto" sets no rows aside, and noise="auto" is no noise, below this.
LEAST_TO_SPLIT = 64

# Nor does it for a threshold, below so many rows set aside: a p-value can then be below
# 0.05.
LEAST_ASIDE = 20

# activation="auto" is "tanh" below this: on small tables others ended below PCA more
# often, as few rows set aside do not show it.
LEAST_FOR_RECTIFIER = 1000


@dataclass(frozen=True)
class Architecture(Stored):
    """What the parameters that make the network have become.

    Attributes
    ----------
    n_features, n_components : int
    hidden_layer_sizes : tuple of int or Layer
    activation : str or None
        None without hidden layers.
    linear_path : bool
        Whether there is one.
    code_activation, output_activation : str
    raw_activation : str
        That of the last layer: "identity" where the loss takes what comes before the
        activation of the output.
    """

    n_features: int
    n_components: int
    hidden_layer_sizes: tuple
    activation: str | None
    linear_path: bool
    code_activation: str
    output_activation: str
    raw_activation: str

    @cached_property
    def network(self):
        return Network.mirrored(
            self.n_features,
            self.hidden_layer_sizes,
            self.n_components,
            activation=self.activation,
            code_activation=self.code_activation,
            output_activation=self.raw_activation,
            linear_path=self.linear_path,
        )

    @property
    def is_linear(self):
        """Whether the network is a matrix product in encoder and decoder each."""
        return self.network.encoder.is_affine and self.network.decoder.is_affine

    def changes_from(self, other):
        """Say in which of an estimator's parameters this differs from another network.

        Returns
        -------
        changes : str
            Empty if the parameters of the network mean the same in both.
        """
        names = [field.name for field in fields(self)][1:-1]
        return ", ".join(
            f"{name} must stay {getattr(other, name)!r}, got {getattr(self, name)!r}"
            for name in names
            if getattr(self, name) != getattr(other, name)
        )


@dataclass(frozen=True)
class Choices(Stored):
    """What all parameters have become, given the rows.

    Attributes
    ----------
    architecture : Architecture
    loss : str or Loss
    noise : Corruption or None
    alpha, l1_ratio : float
    scaling : str or None
    solver : str or Solver
        "svd", or what minimises.
    batch_size : int
    shuffle : bool
    learning_rate : str
    learning_rate_init : float or None
        None where the solver has no rate.
    max_iter : int
    tol : float
    n_iter_no_change : int
    verbose : int
    fraction_aside : float
        Of the rows, to set aside.
    stops : bool
        Whether rows aside decide when to stop.
    calibrates : bool
        Whether rows aside are for a threshold, so that nothing else may see them.
    """

    architecture: Architecture
    loss: str | Loss
    noise: Corruption | None
    alpha: float
    l1_ratio: float
    scaling: str | None
    solver: str | Solver
    batch_size: int
    shuffle: bool
    learning_rate: str
    learning_rate_init: float | None
    max_iter: int
    tol: float
    n_iter_no_change: int
    verbose: int
    fraction_aside: float
    stops: bool
    calibrates: bool

    @property
    def solver_name(self):
        """What the parameter `solver` calls it, or the name of its class."""
        if isinstance(self.solver, str):
            return self.solver
        names = {kind: name for name, kind in SOLVERS.items()}
        return names.get(type(self.solver), type(self.solver).__name__)

    def model(self, scaling):
        """Return the autoencoder for data with this scaling."""
        loss = as_loss(self.loss)
        bounded = self.architecture.raw_activation != "identity"
        units = Units.of(scaling, loss, bounded)
        return Model(self.architecture.network, loss, units)


def choose(params, rows, scaling, n_rows, before=None, has_validation=False):
    """Return the choices that parameters stand for.

    Parameters
    ----------
    params : AutoencoderParameters
    rows : Rows
    scaling : Scaling
        Of the rows.
    n_rows : int or inf
        How many there will be in all, which may be more than `rows`.
    before : Choices, optional
        Those of the fit that is to go on.
    has_validation : bool
        Whether there are rows of the user's own to validate on.

    Raises
    ------
    ValueError, TypeError
        If parameters do not fit together, or the rows.
    """
    noise = _noise(params, n_rows)
    alpha = _alpha(params, noise, n_rows * rows.n_features)
    n_components = _n_components(params, rows, scaling, noise, n_rows, before)
    architecture = _architecture(params, rows, n_components, before)
    if before is not None:
        _check_goes_on(params, architecture, before)
    solver = _solver(params, architecture, noise, alpha, endless=n_rows == inf)
    fraction_aside, stops = _aside(params, solver, n_rows, has_validation)
    n_training = len(rows) - ceil(fraction_aside * len(rows))
    learning_rate, rate = _learning_rate(params, solver, endless=n_rows == inf)
    return Choices(
        architecture=architecture,
        loss=deepcopy(params.loss),
        noise=noise,
        alpha=alpha,
        l1_ratio=float(params.l1_ratio),
        scaling=params.scaling,
        solver=solver,
        batch_size=_batch_size(params, architecture.network, n_training),
        shuffle=params.shuffle,
        learning_rate=learning_rate,
        learning_rate_init=rate,
        max_iter=params.max_iter,
        tol=params.tol,
        n_iter_no_change=params.n_iter_no_change,
        verbose=int(params.verbose),
        fraction_aside=fraction_aside,
        stops=stops,
        calibrates=params._calibrates,
    )


def _check_goes_on(params, architecture, before):
    if params.scaling != before.scaling:
        raise ValueError(
            f"scaling must stay {before.scaling!r}, as mean_ and scale_ do when "
            f"training goes on, got {params.scaling!r}."
        )
    if changes := architecture.changes_from(before.architecture):
        raise ValueError(
            f"Training cannot go on with another architecture: {changes}. To start "
            "over, call fit with warm_start=False."
        )


def _noise(params, n_rows):
    """Return the corruption that the parameter `noise` stands for, or None."""
    noise = params.noise
    if noise is None or noise == "auto":
        few = n_rows < LEAST_TO_SPLIT or params.solver == "svd"
        return None if noise is None or few else AUTO_NOISE
    if isinstance(noise, Real):
        noise = GaussianNoise(float(noise))
    if noise.strength == 0:
        return None
    if params.solver == "svd":
        raise ValueError(
            "noise with solver='svd' must be None, 0 or 'auto': the exact solution is "
            f"that without noise. Got noise={params.noise!r}."
        )
    return deepcopy(noise)


def _alpha(params, noise, n_cells):
    """Return the strength of the penalty that the parameter `alpha` stands for."""
    if params.alpha == "auto":
        return 0.0 if noise is None else AUTO_ALPHA / n_cells
    return float(params.alpha)


def _n_components(params, rows, scaling, noise, n_rows, before):
    """Return the latent size that the parameter `n_components` stands for."""
    wanted, n_features = params.n_components, rows.n_features
    if isinstance(wanted, Integral):
        if wanted > n_features:
            raise ValueError(
                "n_components must not be larger than the number of features, got "
                f"n_components={wanted} with n_features={n_features}."
            )
        return int(wanted)
    if before is not None:
        return before.architecture.n_components
    if wanted != "auto":
        return principal_axes(rows, scaling).n_for_variance(wanted)
    if noise is None:
        return min(ceil(n_features / 4), WIDEST_CODE, n_rows - 1)
    # What removes noise cannot just copy, and may have as many.
    return min(n_features, WIDEST_CODE)


def _architecture(params, rows, n_components, before):
    sizes = _hidden_layer_sizes(params)
    activation = params.activation
    if not sizes:
        activation = None
    elif activation == "auto" and before is not None:
        activation = before.architecture.activation
    elif activation == "auto":
        activation = "tanh" if len(rows) < LEAST_FOR_RECTIFIER else "leaky_relu"
    output, raw = _output_activations(params)
    return Architecture(
        rows.n_features,
        n_components,
        sizes,
        activation,
        bool(params.linear_path and sizes and activation != "identity"),
        params.code_activation,
        output,
        raw,
    )


def _hidden_layer_sizes(params):
    sizes = params.hidden_layer_sizes
    sizes = [sizes] if isinstance(sizes, Integral) else list(sizes)
    for size in sizes:
        whole = isinstance(size, Integral) and int(size) > 0
        if not (whole or isinstance(size, Layer)):
            raise ValueError(
                "hidden_layer_sizes must be an integer or a sequence of integers, each "
                f"at least 1, or of layers, got {params.hidden_layer_sizes!r}."
            )
    return tuple(
        deepcopy(size) if isinstance(size, Layer) else int(size) for size in sizes
    )


def _output_activations(params):
    """Return the activation of the output, and that of the last layer."""
    loss = as_loss(params.loss)
    output, own = params.output_activation, loss.output_activation
    if own != "identity" and type(loss).predict is Loss.predict:
        raise TypeError(
            f"The loss {type(loss).__name__} has output_activation={own!r}, so it must "
            "define predict, which applies it."
        )
    if output in ("auto", own):
        return own, "identity"
    if output == "exp":
        raise ValueError(
            "output_activation='exp' is for losses that are made for it, such as "
            f"'poisson', got loss={params.loss!r}."
        )
    if own != "identity":
        raise ValueError(
            f"output_activation with loss={params.loss!r} must be 'auto' or {own!r}, "
            f"got {output!r}."
        )
    return output, output


def _solver(params, architecture, noise, alpha, endless):
    """Return the solver that the parameter `solver` stands for."""
    solver = params.solver
    sizes = architecture.hidden_layer_sizes
    exact = (
        architecture.is_linear
        and not any(isinstance(size, Layer) for size in sizes)
        and type(as_loss(params.loss)) is SquaredError
        and (alpha == 0 or (params.l1_ratio == 0 and not sizes))
    )
    if solver == "svd" and not exact:
        raise ValueError(
            "solver='svd' needs a linear network (activation='identity' or "
            "hidden_layer_sizes=()), loss='squared_error', and alpha=0 or, without "
            f"hidden layers, l1_ratio=0; got activation={params.activation!r}, "
            f"hidden_layer_sizes={params.hidden_layer_sizes!r}, loss={params.loss!r}, "
            f"alpha={alpha}, l1_ratio={params.l1_ratio}."
        )
    if solver == "auto":
        solver = "svd" if exact and noise is None and not endless else "adam"
    if solver == "svd":
        return solver
    solver = SOLVERS[solver]() if isinstance(solver, str) else deepcopy(solver)
    if noise is not None and noise.needs_fresh_draws and not solver.draws_anew:
        raise ValueError(
            f"{noise} has to draw anew in every pass over the rows, but solver="
            f"{params.solver!r} minimises one fixed function; use 'adam' or 'sgd'."
        )
    return solver


def _learning_rate(params, solver, endless):
    """Return the schedule, and the rate that it starts with or None."""
    # Where there is no last epoch, nothing can fall until then.
    schedule = "constant" if endless else params.learning_rate
    rate = params.learning_rate_init
    return schedule, getattr(solver, "default_rate", None) if rate == "auto" else rate


def _batch_size(params, network, n_rows):
    """Return the batch size that the parameter `batch_size` stands for."""
    batch_size = params.batch_size
    if batch_size == "auto":
        # A step of Adam takes as long as some fifty rows, however few there are.
        few_steps = network.n_parameters // 10_000
        batch_size = min(max(32, n_rows // 30, few_steps), 256)
    return min(batch_size, n_rows)


def _aside(params, solver, n_rows, has_validation):
    """Return the fraction of rows to set aside, and whether they decide to stop."""
    wanted, fraction = params.early_stopping, params.validation_fraction
    if n_rows == inf:
        return 0.0, False
    stops = wanted is True or (wanted == "auto" and not params._calibrates)
    if has_validation:
        if not (stops or params._calibrates):
            raise ValueError(
                "X_val decides when to stop, so early_stopping must be True or 'auto', "
                f"got early_stopping={wanted!r}."
            )
        return 0.0, stops
    if wanted == "auto":
        least = LEAST_ASIDE / fraction if params._calibrates else 0
        wanted = n_rows >= max(LEAST_TO_SPLIT, least)
    if not wanted or solver == "svd":
        return 0.0, False
    if ceil(fraction * n_rows) >= n_rows:
        raise ValueError(
            f"validation_fraction={fraction} leaves none of {n_rows} rows to train on."
        )
    return fraction, stops
