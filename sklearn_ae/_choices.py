"""What parameters become, given the rows: every "auto" turns into something."""

from copy import deepcopy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from math import ceil, inf
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._code import Code
from ._code_penalties import CodePenalty
from ._corruption import GaussianNoise
from ._input import check_feature_weight, check_values
from ._layers import Dense, Layer
from ._linear import principal_axes
from ._losses import Loss, SquaredError, as_loss
from ._model import Model
from ._network import Network
from ._parameters import AUTO_SIZES, SOLVERS, AutoencoderParameters
from ._scaling import Units
from ._stored import Stored

# n_components="auto" is not more than this.
WIDEST_CODE = 128

# To explain a share of rows set aside, ordered codes have up to so many times as many
# numbers as PCA needs for that share of all.
MORE_THAN_PCA = 1.25

# noise="auto"
AUTO_NOISE = GaussianNoise(low=0.1, high=1.0)

# alpha="auto" is this divided by the number of cells. With the squared error that is a
# normal prior: residuals have half the standard deviation of weights.
AUTO_ALPHA = 0.5

# early_stopping="auto" sets no rows aside, and noise="auto" is no noise, below this.
LEAST_TO_HOLD_OUT = 64

# Nor does it for a threshold, below so many rows set aside: a p-value can then be below
# 0.05.
LEAST_ASIDE = 20

# activation="auto" is "tanh" below this: on small tables others ended below PCA more
# often, as few rows set aside do not show it.
LEAST_FOR_RECTIFIER = 1000

# What has to stay where training goes on.
ARCHITECTURE = ["n_components", "hidden_layer_sizes", "activation", "linear_path"]
ARCHITECTURE += ["tied_weights", "code_activation", "output_activation", "scaling"]
ARCHITECTURE += ["code"]


@dataclass(repr=False, eq=False)
class Choices(AutoencoderParameters, Stored):
    """The parameters, with nothing left open: what each has become, given the rows.

    They cannot be changed any more. What differs from `AutoencoderTransformer`, besides
    that there is no "auto":

    Attributes
    ----------
    n_features : int
    calibrates : bool
        Whether rows aside are for a threshold, so that nothing else may see them.
    activation : str or None
        None without hidden layers.
    linear_path : bool
        Whether there is one, if the layers can have it.
    feature_weight : ndarray of shape (n_features,) or None
        With the mean 1; None also where all are the same.
    noise : Corruption or None
        None also where its strength is 0.
    code_penalty : tuple of CodePenalty
        Those whose strength is not 0.
    code : Code or None
        What happens between encoder and decoder, if anything does.
    loss, unbound_loss : str or Loss
        Bound to the rows that were fitted first, and as it was given.
    solver : str or Solver
        "svd", or what minimises.
    learning_rate_init : float or None
        None where the solver has no rate.
    early_stopping : bool
        Whether rows aside decide when to stop.
    validation_fraction : float
        Of the rows, to set aside; 0 if none are.
    """

    n_features: int = 0
    calibrates: bool = False
    code: Code | None = None
    unbound_loss: Any = None

    def __setattr__(self, name, value):
        if name in vars(self):
            raise AttributeError(f"{name} has been chosen, and cannot be changed.")
        super().__setattr__(name, value)

    @property
    def solver_name(self):
        """What the parameter `solver` calls it, or the name of its class."""
        kind: Any = type(self.solver)
        names = {SOLVERS[name]: name for name in SOLVERS}
        return self.solver if kind is str else names.get(kind, kind.__name__)

    @property
    def used_code(self):
        """The code, be it one that changes nothing."""
        return self.code or Code()

    @cached_property
    def network(self):
        # A loss with an activation of its own takes what comes before it.
        bounded = self.output_activation != as_loss(self.loss).output_activation
        output = self.output_activation if bounded else "identity"
        sizes = self.n_features, self.hidden_layer_sizes, self.n_components
        activations = self.activation, self.code_activation, output
        code, n_components = self.used_code, self.n_components
        return Network.mirrored(
            *sizes,
            activations,
            linear_path=self.linear_path,
            encoder_width=code.encoder_width(n_components),
            decoder_width=code.decoder_width(n_components),
            tied=self.tied_weights,
            n_of_loss=as_loss(self.loss).n_parameters,
        )

    def model(self, scaling):
        """Return the autoencoder for data with this scaling."""
        loss, output = as_loss(self.loss), self.network.decoder.activations[-1]
        units = Units.of(scaling, loss, bounded_output=output.name != "identity")
        return Model(self.network, loss, units, self.used_code, self.feature_weight)

    @property
    def have_exact_solution(self):
        """Whether the network and its loss are those of PCA."""
        sizes: Any = self.hidden_layer_sizes
        return (
            all(stack.is_affine for stack in self.network.stacks)
            and not any(isinstance(size, Layer) for size in sizes)
            and (self.code is None or self.code.keeps_pca)
            and not self.code_penalty
            and type(as_loss(self.loss)) is SquaredError
            and self.feature_weight is None
            and (self.alpha == 0 or (self.l1_ratio == 0 and not sizes))
        )


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
    choices = _what_is_minimised(params, rows, scaling, n_rows, before)
    _check_together(choices, before)
    endless = n_rows == inf
    solver = _solver(choices, rows.has_gaps, endless)
    rate: Any = params.learning_rate_init
    if rate == "auto":
        rate = getattr(solver, "default_rate", None)
    fraction, stops = _aside(choices, solver, n_rows, has_validation)
    n_training = len(rows) - ceil(fraction * len(rows))
    return replace(
        choices,
        solver=solver,
        batch_size=_batch_size(choices, n_training),
        # Where there is no last epoch, nothing can fall until then.
        learning_rate="constant" if endless else params.learning_rate,
        learning_rate_init=rate,
        early_stopping=stops,
        validation_fraction=fraction,
    )


def _what_is_minimised(params, rows, scaling, n_rows, before):
    """Return the choices that `choose` starts with: all but how to minimise."""
    known = {f.name: getattr(params, f.name) for f in fields(AutoencoderParameters)}
    noise, sizes = _noise(params, n_rows), _hidden_layer_sizes(params, before)
    unbound = deepcopy(params._loss_for(rows.n_features))
    loss = _loss(unbound, params, rows, scaling, before)
    activation = _activation(params, sizes, len(rows), before)
    chosen = dict(
        n_features=rows.n_features,
        calibrates=params._calibrates,
        code=deepcopy(params._code),
        random_state=None,
        n_components=_n_components(params, rows, scaling, noise, n_rows, before),
        hidden_layer_sizes=sizes,
        activation=activation,
        linear_path=bool(params.linear_path and sizes and activation != "identity"),
        output_activation=_output_activation(params, rows.n_features),
        loss=loss,
        unbound_loss=unbound,
        feature_weight=check_feature_weight(params, rows),
        noise=noise,
        code_penalty=_code_penalty(params),
        alpha=_alpha(params, noise, n_rows * rows.n_features),
    )
    return Choices(**known | chosen)


def _check_together(choices, before):
    """Raise ValueError if the network's parameters mean something else than before.

    Or if what has been chosen does not go together.
    """
    wide = before is None and choices.n_components > choices.n_features
    apart = choices.code and choices.code.may_be_wider
    if wide and not (choices.noise or choices.code_penalty or apart):
        raise ValueError(
            "n_components must not be larger than the number of features, unless noise "
            "or a code_penalty keeps the network from copying (one of strength 0 does "
            f"not), got n_components={choices.n_components} with "
            f"n_features={choices.n_features}."
        )
    for term in (choices.code, *choices.code_penalty):
        if term is not None:
            term.check(choices)
    if choices.tied_weights:
        _check_tied(choices)
    changes = ", ".join(
        f"{name} must stay {_lasting(before, name)!r}, got {_lasting(choices, name)!r}"
        for name in ARCHITECTURE
        if before is not None and _lasting(choices, name) != _lasting(before, name)
    )
    if changes:
        raise ValueError(
            f"Training cannot go on with another architecture: {changes}. To start "
            "over, call fit with warm_start=False."
        )


def _lasting(choices, name):
    value = getattr(choices, name)
    return value.lasting() if isinstance(value, Code) else value


def _check_tied(choices):
    layers = [size for size in choices.hidden_layer_sizes if isinstance(size, Layer)]
    apart = [layer for layer in layers if not layer.affine]
    if apart:
        raise ValueError(
            "tied_weights must be False with layers that are not affine: there is no "
            f"way back with the same weights, got {apart[0]} in hidden_layer_sizes."
        )
    code, n_components = choices.used_code, choices.n_components
    if code.encoder_width(n_components) != code.decoder_width(n_components):
        raise ValueError(
            f"tied_weights must be False with the code {code}: the encoder does not "
            "return what the decoder gets."
        )


def _loss(unbound, params, rows, scaling, before):
    loss = unbound
    if before is not None and unbound == before.unbound_loss:
        loss = before.loss
    elif isinstance(unbound, Loss):
        loss = unbound.bind(scaling, rows, getattr(params, "feature_names_in_", None))
    check_values(rows, as_loss(loss))
    return loss


def _noise(params, n_rows):
    noise = params.noise
    if noise == "auto":
        few = n_rows < LEAST_TO_HOLD_OUT or params.solver == "svd"
        noise = None if few else AUTO_NOISE
    if isinstance(noise, Real):
        noise = GaussianNoise(float(noise))
    if noise is None or not noise.changes():
        return None
    if params.solver == "svd":
        raise ValueError(
            "noise with solver='svd' must be None, 0 or 'auto': the exact solution is "
            f"that without noise. Got noise={params.noise!r}."
        )
    return deepcopy(noise)


def _code_penalty(params):
    penalties = params.code_penalty
    if not isinstance(penalties, list | tuple):
        penalties = [] if penalties is None else [penalties]
    if not all(isinstance(penalty, CodePenalty) for penalty in penalties):
        raise ValueError(
            "code_penalty must be None, an object like KLSparsity(), or a list of "
            f"such, got {params.code_penalty!r}."
        )
    return tuple(deepcopy(penalty) for penalty in penalties if penalty.changes())


def _alpha(params, noise, n_cells):
    prior = 0.0 if noise is None else AUTO_ALPHA / n_cells
    return prior if params.alpha == "auto" else float(params.alpha)


def _n_components(params, rows, scaling, noise, n_rows, before):
    wanted, n_features = params.n_components, rows.n_features
    if isinstance(wanted, Integral):
        return int(wanted)
    if before is not None:
        return before.n_components
    nested = params._code is not None and params._code.nested
    if wanted != "auto":
        n_pca = principal_axes(rows, scaling).n_for_variance(wanted)
        # Of rows set aside it may take more.
        return min(ceil(MORE_THAN_PCA * n_pca), n_features) if nested else n_pca
    drawn = params._code is not None and not nested
    if noise is None or drawn:
        # Of ordered codes a size is chosen afterwards; distributions cost by width.
        share = 2 if nested else 4
        return min(ceil(n_features / share), WIDEST_CODE, n_rows - 1)
    # What removes noise cannot just copy, and may have as many.
    return min(n_features, WIDEST_CODE)


def _hidden_layer_sizes(params, before):
    if isinstance(params.hidden_layer_sizes, str):
        return before.hidden_layer_sizes if before else AUTO_SIZES
    sizes = np.atleast_1d(np.asarray(params.hidden_layer_sizes, dtype=object))
    for size in sizes:
        whole = isinstance(size, Integral) and int(size) > 0
        if not (whole or isinstance(size, Layer)):
            raise ValueError(
                "hidden_layer_sizes must be an integer or a sequence of integers, each "
                f"at least 1, or of layers, got {params.hidden_layer_sizes!r}."
            )
    return tuple(map(_as_chosen, sizes))


def _as_chosen(size):
    """Return a number, also for a dense layer without peculiarities, or a layer."""
    if type(size) is Dense and size == Dense(size.n_outputs):
        size = size.n_outputs
    return deepcopy(size) if isinstance(size, Layer) else int(size)


def _activation(params, sizes, n_rows, before):
    if not sizes:
        return None
    if params.activation != "auto":
        return params.activation
    if before is not None:
        return before.activation
    return "tanh" if n_rows < LEAST_FOR_RECTIFIER else "leaky_relu"


def _output_activation(params, n_features):
    loss = as_loss(params._loss_for(n_features))
    output = params.output_activation
    own = loss.output_activation
    if own != "identity" and type(loss).predict is Loss.predict:
        raise TypeError(
            f"The loss {type(loss).__name__} has output_activation={own!r}, so it must "
            "define predict, which applies it."
        )
    if output in ("auto", own):
        return own
    if own == "identity" and output != "exp":
        return output
    known = f"'auto' or {own!r}" if own != "identity" else "no 'exp', as with 'poisson'"
    raise ValueError(
        f"output_activation with loss={params.loss!r} must be {known}, got {output!r}."
    )


def _solver(choices, has_gaps, endless):
    solver, exact = choices.solver, choices.have_exact_solution and not has_gaps
    if solver == "svd" and not exact:
        raise ValueError(
            "solver='svd' needs a linear network (activation='identity' or "
            "hidden_layer_sizes=()), loss='squared_error', no code_penalty or "
            "feature_weight, X without gaps, and alpha=0 or, without "
            f"hidden layers, l1_ratio=0; got activation={choices.activation!r}, "
            f"hidden_layer_sizes={choices.hidden_layer_sizes!r}, loss="
            f"{choices.loss!r}, alpha={choices.alpha}, l1_ratio={choices.l1_ratio}."
        )
    if solver == "auto":
        solver = "svd" if exact and choices.noise is None and not endless else "adam"
    if solver == "svd":
        return solver
    solver = SOLVERS[solver]() if isinstance(solver, str) else deepcopy(solver)
    for term in (choices.noise, choices.code):
        if term and term.needs_fresh_draws and not solver.draws_anew:
            raise ValueError(
                f"{term} has to draw anew in every pass over the rows, but solver="
                f"{choices.solver!r} minimises one fixed function; use 'adam' or 'sgd'."
            )
    return solver


def _batch_size(choices, n_rows):
    batch_size = choices.batch_size
    if batch_size == "auto":
        # A step of Adam takes as long as some fifty rows, however few there are.
        few_steps = choices.network.n_gradients // 10_000
        batch_size = min(max(32, n_rows // 30, few_steps), 256)
    return min(batch_size, n_rows)


def _aside(choices, solver, n_rows, has_validation):
    """Return the fraction of rows to set aside, and whether they decide to stop."""
    wanted, fraction = choices.early_stopping, choices.validation_fraction
    if n_rows == inf:
        return 0.0, False
    auto = isinstance(wanted, str)
    stops = bool(not choices.calibrates if auto else wanted) and solver != "svd"
    if has_validation:
        if not (wanted or choices.calibrates):
            raise ValueError(
                "X_val decides when to stop, so early_stopping must be True or 'auto', "
                f"got early_stopping={wanted!r}."
            )
        return 0.0, stops
    if auto:
        least = LEAST_ASIDE / fraction if choices.calibrates else 0
        wanted = n_rows >= max(LEAST_TO_HOLD_OUT, least)
    if not wanted or solver == "svd":
        return 0.0, False
    if ceil(fraction * n_rows) >= n_rows:
        raise ValueError(
            f"validation_fraction={fraction} leaves none of {n_rows} rows to train on."
        )
    return fraction, stops
