"""From an estimator's parameters and rows to a trained vector.

Each function takes the estimator as `params` and only reads constructor parameters of
it; what is fitted is passed and returned.
"""

from copy import deepcopy
from functools import partial
from math import ceil, inf
from numbers import Real
from time import perf_counter

import numpy as np
from sklearn.model_selection import train_test_split

from ._corruption import GaussianNoise
from ._linear import principal_axes, write_linear_solution
from ._losses import LOSSES, Loss, SquaredError
from ._network import Network
from ._objective import Objective, gradient_block_length
from ._penalties import ElasticNet
from ._rows import Rows
from ._solvers import (
    SGD,
    Adam,
    Outcome,
    Schedule,
    Solution,
    Stopping,
    minimize_lbfgs,
    minimize_minibatch,
    run_epoch,
)
from ._threads import LARGE_BLOCK, Sharing, choose_for_decomposition

# learning_rate_init="auto", by solver
LEARNING_RATES = {"adam": 0.003, "sgd": 0.05}

# Data up to this size are scaled before training, in a copy.
SCALED_AHEAD_BYTES = 16 * 2**20

# n_components="auto" is not more than this.
WIDEST_CODE = 128

# noise="auto"
AUTO_NOISE = (0.1, 1.0)

# alpha="auto" is this divided by the number of cells. With the squared error that is a
# normal prior: residuals have half the standard deviation of weights.
AUTO_ALPHA = 0.5

# early_stopping="auto" sets no rows aside, and noise="auto" is no noise, below this.
LEAST_TO_SPLIT = 64

# activation="auto" is "tanh" below this: on small tables others ended below PCA more
# often, as few rows set aside do not show it.
LEAST_FOR_RECTIFIER = 1000

# A pass has diverged if it multiplies the loss by this, and if it ends so many times
# above what predicting the mean costs (of the rows looked at, which may be the mean).
DIVERGED = 1000
NO_RESIDUAL = 1e-3

# clip_norm="auto", by solver: without it "sgd" diverges where units are unbounded.
CLIP_NORMS = {"adam": None, "sgd": 0.3}


def make_loss(params):
    """Return the loss object that the parameter `loss` stands for."""
    loss = params.loss
    if isinstance(loss, str):
        return LOSSES[loss]()
    missing = [name for name in dir(Loss) if name[0] != "_" and not hasattr(loss, name)]
    if missing or isinstance(loss, type):
        raise TypeError(
            "loss must be a name or an object with all attributes of sklearn_ae.Loss, "
            f"got {loss!r}" + (f" without {', '.join(missing)}." if missing else ".")
        )
    own_predict = getattr(type(loss), "predict", None) is not Loss.predict
    if loss.output_activation != "identity" and not own_predict:
        raise TypeError(
            f"The loss {type(loss).__name__} has output_activation="
            f"{loss.output_activation!r}, so it must define predict, which applies it."
        )
    # A copy, so that what is fitted does not change with the parameter.
    return deepcopy(loss)


def choose_n_components(params, rows, scaling, noise, n_rows):
    """Return the latent size that the parameter `n_components` stands for.

    `n_rows` is how many there will be in all, `rows` are those of now.
    """
    n_features = rows.n_features
    if params.n_components == "auto":
        if noise is None:
            return min(ceil(n_features / 4), WIDEST_CODE, n_rows - 1)
        # What removes noise cannot just copy, and may have as many.
        return min(n_features, WIDEST_CODE)
    if params.n_components < 1:
        return principal_axes(rows, scaling).n_for_variance(params.n_components)
    if params.n_components > n_features:
        raise ValueError(
            "n_components must not be larger than the number of features, got "
            f"n_components={params.n_components} with n_features={n_features}."
        )
    return int(params.n_components)


def choose_activation(params, n_rows):
    """Return the name that the parameter `activation` stands for."""
    if params.activation == "auto":
        return "tanh" if n_rows < LEAST_FOR_RECTIFIER else "leaky_relu"
    return params.activation


def make_network(params, n_features, n_components, activation):
    """Return the network that the parameters describe, with these hidden units."""
    sizes = np.atleast_1d(params.hidden_layer_sizes)
    if len(sizes) and not (
        sizes.ndim == 1 and np.issubdtype(sizes.dtype, np.integer) and sizes.min() > 0
    ):
        raise ValueError(
            "hidden_layer_sizes must be an integer or a sequence of integers, each at "
            f"least 1, got {params.hidden_layer_sizes!r}."
        )
    output = params.output_activation
    own = make_loss(params).output_activation
    if output == "auto" or output == own:
        # A loss with an activation of its own takes what comes before it.
        output = "identity"
    elif output == "exp":
        raise ValueError(
            "output_activation='exp' is for losses that are made for it, such as "
            f"'poisson', got loss={params.loss!r}."
        )
    elif own != "identity":
        raise ValueError(
            f"output_activation with loss={params.loss!r} must be 'auto' or {own!r}, "
            f"got {output!r}."
        )
    return Network.mirrored(
        n_features,
        tuple(int(size) for size in sizes),
        n_components,
        activation=activation,
        code_activation=params.code_activation,
        output_activation=output,
        linear_path=params.linear_path and activation != "identity",
    )


def choose_alpha(params, noise, n_cells):
    """Return the strength of the penalty that the parameter `alpha` stands for."""
    if params.alpha == "auto":
        return 0.0 if noise is None else AUTO_ALPHA / n_cells
    return float(params.alpha)


def choose_solver(params, model, noise, alpha):
    """Return the solver that the parameter `solver` stands for."""
    layers = model.network.layers
    linear = (
        all(layer.activation.name == "identity" for layer in layers)
        and type(model.loss) is SquaredError
        and (alpha == 0 or (params.l1_ratio == 0 and len(layers) == 2))
    )
    if params.solver == "svd" and not linear:
        raise ValueError(
            "solver='svd' needs a linear network (activation='identity' or "
            "hidden_layer_sizes=()), loss='squared_error', and alpha=0 or, without "
            f"hidden layers, l1_ratio=0; got activation={params.activation!r}, "
            f"hidden_layer_sizes={params.hidden_layer_sizes!r}, loss={params.loss!r}, "
            f"alpha={alpha}, l1_ratio={params.l1_ratio}."
        )
    if params.solver != "auto":
        return params.solver
    return "svd" if linear and noise is None else "adam"


def choose_sharing(params, solver, model, rows):
    """Return what threads share out in a training, which has to be worth their trouble.

    On the way through a block threads wait for each other at every step that is done in
    Python, so blocks must be large; so must matrix products for BLAS to share them out.
    """
    if solver == "svd":
        return choose_for_decomposition(rows.n_features)
    network, block_rows = model.network, gradient_block_length(model)
    n_rows = len(rows)
    if solver != "lbfgs":
        n_rows = min(
            n_rows, choose_batch_size(params, network, rows) * params.n_accumulate
        )
    if n_rows >= 2 * block_rows and block_rows * network.n_weights > LARGE_BLOCK:
        return Sharing.ROWS
    if solver == "lbfgs":
        return Sharing.NOTHING
    large = n_rows * network.n_weights > LARGE_BLOCK
    return Sharing.BLAS if large else Sharing.NOTHING


def choose_noise(params, n_rows):
    """Return the range that the parameter `noise` stands for, or None."""
    noise = params.noise
    if noise is None or params.solver == "svd":
        return None
    if isinstance(noise, str):
        return AUTO_NOISE if n_rows >= LEAST_TO_SPLIT else None
    low, high = (noise, noise) if isinstance(noise, Real) else noise
    return float(low), float(high)


def check_noise(noise):
    """Raise ValueError if the parameter `noise` is not what it must be."""
    if noise is None or isinstance(noise, Real | str):
        return
    if not (
        np.shape(noise) == (2,)
        and all(isinstance(bound, Real) for bound in noise)
        and 0 < noise[0] <= noise[1] < inf
    ):
        raise ValueError(
            "noise must be None, 'auto', a number above 0 or a pair (low, high) with "
            f"0 < low <= high, got {noise!r}."
        )


def train(
    params,
    solver,
    model,
    theta,
    training,
    validation,
    rng,
    *,
    noise,
    alpha,
    map_parts,
):
    """Minimise the objective over some rows, starting at `theta`.

    Parameters
    ----------
    params : estimator
    solver : {"svd", "lbfgs", "adam", "sgd"}
    model : Model
    theta : ndarray of shape (n_parameters,)
        Not modified.
    training : Rows
    validation : Rows or None
        What decides when to stop.
    rng : RandomState
    noise : (float, float) or None
        As `GaussianNoise` takes it.
    alpha : float
        Strength of the penalty.
    map_parts : callable(function, items) -> iterable
        As `Objective` takes it.

    Returns
    -------
    solution : Solution
        Its values are those of the objective: on scaled data.
    objective_value : float
        The objective at the solution, over the rows trained on.
    """
    if solver != "svd":
        model, training, validation = _scaled_ahead(model, training, validation)
    objective = _objective(params, model, theta, rng, noise, alpha, map_parts)
    evaluate = partial(objective.value, rows=training)
    stopping = Stopping(
        max_iter=params.max_iter,
        tol=params.tol,
        n_iter_no_change=params.n_iter_no_change,
        validate=validation and partial(objective.mean_loss, rows=validation),
        callback=_reporter(params, model.unit) if params.verbose else None,
        # PCA is a result, if rows set aside say that nothing else is better.
        may_stay=validation is not None and model.starts_as_pca,
    )
    if solver == "svd":
        solution = _solve_linear(alpha, model, theta, training)
    elif solver == "lbfgs":
        fun = partial(objective.value_and_gradient, rows=training)
        solution = minimize_lbfgs(fun, theta, stopping)
    else:
        solution = minimize_minibatch(
            partial(_batches, params, objective, training, rng),
            theta,
            stopping,
            optimizer=make_optimizer(params, solver, theta),
            schedule=make_schedule(params, solver, n_epochs=params.max_iter),
            evaluate=evaluate,
            clip_norm=choose_clip_norm(params, solver),
        )
    return solution, evaluate(solution.theta)


def train_once(
    params, solver, model, theta, rows, rng, optimizer, *, noise, alpha, map_parts, mean
):
    """Take one pass over `rows`, which changes the state of `optimizer`.

    Parameters
    ----------
    params, solver, model, theta, rows, rng, noise, alpha, map_parts :
        As in `train`.
    optimizer : Adam or SGD
    mean : ndarray of shape (n_features,)
        Of the rows that the scaling comes from.

    Returns
    -------
    theta : ndarray of shape (n_parameters,)
    value : float
        The mean over the steps, each before it was taken; inf if they have diverged.
    """
    n_few = choose_batch_size(params, model.network, rows)
    few = rows.take(np.linspace(0, len(rows) - 1, n_few).astype(int))
    least = NO_RESIDUAL ** (model.loss.degree or 2)
    most = DIVERGED * max(model.mean_loss_of_predicting(mean, few.array()), least)
    model, rows, few = _scaled_ahead(model, rows, few)
    objective = _objective(params, model, theta, rng, noise, alpha, map_parts)
    before, theta = theta, theta.copy()
    value = run_epoch(
        _batches(params, objective, rows, rng),
        theta,
        optimizer,
        make_schedule(params, solver, n_epochs=None),
        clip_norm=choose_clip_norm(params, solver),
    )
    loss = objective.mean_loss(theta, few)
    if not (loss <= most or loss <= DIVERGED * objective.mean_loss(before, few)):
        value = inf
    return theta, value


def choose_batch_size(params, network, rows):
    """Return the batch size that the parameter `batch_size` stands for."""
    batch_size = params.batch_size
    if batch_size == "auto":
        # A step of Adam takes as long as some fifty rows, however few there are.
        few_steps = network.n_parameters // 10_000
        batch_size = min(max(32, len(rows) // 30, few_steps), 256)
    return min(batch_size, len(rows))


def choose_clip_norm(params, solver):
    """Return the bound on gradients that the parameter `clip_norm` stands for."""
    return CLIP_NORMS[solver] if params.clip_norm == "auto" else params.clip_norm


def make_optimizer(params, solver, theta):
    """Return an optimizer in its initial state."""
    kind = Adam if solver == "adam" else SGD
    return kind(theta.size, theta.dtype, *optimizer_parameters(params, solver))


def optimizer_parameters(params, solver):
    """Return the parameters that the meaning of an optimizer's state depends on."""
    if solver == "adam":
        return params.beta_1, params.beta_2, params.epsilon
    return params.momentum, params.nesterovs_momentum


def make_schedule(params, solver, n_epochs):
    """Return the learning-rate schedule; `n_epochs` is None if there is no last one."""
    kind, initial = params.learning_rate, params.learning_rate_init
    if n_epochs is None and kind == "cosine":
        kind = "constant"
    if initial == "auto":
        initial = LEARNING_RATES[solver]
    return Schedule(kind, initial, params.power_t, n_epochs)


def _objective(params, model, theta, rng, noise, alpha, map=map):
    corruption = noise and GaussianNoise(*noise)
    return Objective(
        model,
        ElasticNet(alpha, params.l1_ratio),
        theta.dtype,
        map=map,
        corruption=corruption,
        corruption_seed=int(rng.randint(2**31)) if corruption else 0,
    )


def _batches(params, objective, rows, rng):
    """Return the batches of one epoch."""
    n_rows = choose_batch_size(params, objective.model.network, rows)
    n_rows *= params.n_accumulate
    return objective.minibatches(rows, n_rows, rng if params.shuffle else None)


def _scaled_ahead(model, *parts):
    """Scale small data once instead of in every step; returns model and parts."""
    if not model.targets_are_inputs or parts[0].X.nbytes > SCALED_AHEAD_BYTES:
        return model, *parts
    scaled = (rows and _scaled(model, rows) for rows in parts)
    return model.on_scaled_rows(), *scaled


def _scaled(model, rows):
    X = np.ascontiguousarray(model.input_scaling.apply(rows.array()))
    return Rows(X, rows.weights())


def split(params, solver, rows, rng, least=LEAST_TO_SPLIT):
    """Return the rows to train on, and those set aside or None.

    ``early_stopping="auto"`` sets rows aside if there are `least` or more.
    """
    wanted = params.early_stopping
    if wanted == "auto":
        wanted = len(rows) >= least
    if not wanted or solver == "svd":
        return rows, None
    if ceil(params.validation_fraction * len(rows)) >= len(rows):
        raise ValueError(
            f"validation_fraction={params.validation_fraction} leaves none of "
            f"{len(rows)} rows to train on."
        )
    training, validation = train_test_split(
        np.arange(len(rows)), test_size=params.validation_fraction, random_state=rng
    )
    return rows.take(np.sort(training)), rows.take(np.sort(validation))


def _solve_linear(alpha, model, theta, rows):
    theta = np.empty_like(theta)
    axes = principal_axes(rows, model.input_scaling)
    write_linear_solution(model.network, theta, axes, alpha)
    return Solution(theta, Outcome.CONVERGED, 1, [], [], Outcome.CONVERGED.value)


def _reporter(params, unit):
    """Return a callback that prints every `verbose`-th iteration."""
    start = perf_counter()

    def report(n_iter, value, validation_value):
        if n_iter % params.verbose and n_iter != params.max_iter:
            return
        message = f"Iteration {n_iter}/{params.max_iter}"
        message += f" ({perf_counter() - start:.1f} s), loss = {unit * value:.6g}"
        if validation_value is not None:
            message += f", validation loss = {unit * validation_value:.6g}"
        print(message)

    return report
