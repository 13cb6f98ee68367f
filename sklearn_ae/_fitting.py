"""From choices and rows to what is fitted."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import isfinite, nan
from time import perf_counter

import numpy as np

from ._choices import Choices, choose
from ._linear import principal_axes, write_linear_solution, write_linear_start
from ._objective import Objective, objective_block_length
from ._penalties import ElasticNet
from ._rows import Rows
from ._scaling import Scaling, fit_scaling
from ._stochastic import Schedule
from ._stopping import Outcome, Problem, Solution, Stopping
from ._stored import Stored
from ._threads import LARGE_BLOCK, Sharing, choose_for_decomposition

# Data up to this size are scaled before training, in a copy.
SCALED_AHEAD_BYTES = 16 * 2**20

# A pass has diverged if it multiplies the loss by this, and if it ends so many times
# above what predicting the mean costs (of the rows looked at, which may be the mean).
DIVERGED = 1000
NO_RESIDUAL = 1e-3


@dataclass(frozen=True, eq=False)
class Fitted(Stored):
    """What training has found: all that prediction and further training need.

    Attributes
    ----------
    choices : Choices
    mean : ndarray of shape (n_features,)
        Of the training rows.
    scaling : Scaling
        Of the training rows.
    theta : ndarray of shape (n_parameters,)
    state : dict or None
        What the solver moves along with theta, after `train_once`.
    n_iter : int
    loss : float
        In the units of the data, as are the curves.
    loss_curve : list of float
    validation_loss_curve : list of float or None
    """

    choices: Choices
    mean: np.ndarray
    scaling: Scaling
    theta: np.ndarray
    state: dict | None = None
    n_iter: int = 0
    loss: float = nan
    loss_curve: list = field(default_factory=list)
    validation_loss_curve: list | None = None

    @cached_property
    def model(self):
        """The autoencoder as a function of parameters and rows."""
        return self.choices.model(self.scaling)

    @property
    def views(self):
        """The parameters of encoder and decoder."""
        return self.model.network.views(self.theta)


@dataclass(frozen=True)
class Start:
    """Where training starts from, and which rows it sees.

    Attributes
    ----------
    fitted : Fitted
        With initial parameters.
    training : Rows
    aside : Rows or None
        What is not trained on: set aside, or the user's own.
    """

    fitted: Fitted
    training: Rows
    aside: Rows | None


def prepare(params, rows, aside, rng, n_rows, before=None):
    """Choose, set rows aside, and make initial parameters or take over fitted ones.

    Parameters
    ----------
    params : AutoencoderParameters
    rows : Rows
    aside : Rows or None
        The user's own rows to validate on.
    rng : RandomState
    n_rows : int or inf
        How many rows there will be in all, which may be more than `rows`.
    before : Fitted, optional
        What training goes on from.

    Returns
    -------
    start : Start
    """
    if before is None:
        mean, scaling = fit_scaling(rows, params.scaling, rng)
        choices = choose(params, rows, scaling, n_rows, None, aside is not None)
        model = choices.model(scaling)
        fitted = Fitted(choices, mean, scaling, model.initial_theta(mean, rng))
    else:
        choices = choose(
            params, rows, before.scaling, n_rows, before.choices, aside is not None
        )
        same_solver = choices.solver == before.choices.solver
        state = before.state if same_solver else None
        fitted = replace(before, choices=choices, state=state)
        fitted.model.check_targets_stay(before.model)
    if not isinstance(choices.loss, str):
        fitted.model.check_loss(rows.take(np.arange(min(2, len(rows)))).array())
    training = rows
    if choices.fraction_aside:
        training, aside = rows.hold_out(choices.fraction_aside, rng)
    if before is None and fitted.model.network.has_linear_path:
        # PCA is that of all rows if it may be, lest few make a worse one; validation
        # then leans towards it.
        _start_as_pca(fitted, training if choices.calibrates else rows)
    return Start(fitted, training, aside)


def _start_as_pca(fitted, rows):
    """Let a network with a linear path begin where PCA ends."""
    model, theta = fitted.model, fitted.theta
    n_components = fitted.choices.architecture.n_components
    axes = principal_axes(rows, fitted.scaling, n_components)
    write_linear_start(model.network, theta, axes, model.units.targets_are_inputs)


def train(start, rng, map_pieces):
    """Minimise the objective over some rows.

    Parameters
    ----------
    start : Start
    rng : RandomState
    map_pieces : callable(function, items) -> iterable
        As `Objective` takes it.

    Returns
    -------
    fitted : Fitted
    solution : Solution
        Why training has stopped.

    Raises
    ------
    ValueError
        If the loss is not finite at the parameters that it starts from.
    """
    fitted, training = start.fitted, start.training
    choices, unit = fitted.choices, fitted.model.units.of_loss
    validation = start.aside if choices.stops else None
    if choices.solver == "svd":
        validation = None
    model, training, validation = _scaled_ahead(fitted, training, validation)
    objective = _objective(choices, model, fitted.theta.dtype, rng, map_pieces)
    problem = Problem(
        partial(objective.value, rows=training),
        partial(objective.value_and_gradient, rows=training),
        partial(_batches, choices, objective, training, rng),
    )
    if choices.solver == "svd":
        solution = _solve_exactly(fitted, start.training)
    else:
        stopping = Stopping(
            max_iter=choices.max_iter,
            tol=choices.tol,
            n_iter_no_change=choices.n_iter_no_change,
            validate=validation and partial(objective.mean_loss, rows=validation),
            callback=_reporter(choices, unit) if choices.verbose else None,
            # PCA is a result, if rows set aside say that nothing else is better.
            may_stay=validation is not None and fitted.model.starts_as_pca,
        )
        solution = choices.solver.minimize(
            problem, fitted.theta, stopping, _schedule(choices)
        )
    value = problem.value(solution.theta)
    if not isfinite(value):
        raise ValueError(
            "The loss is not finite even before training: either X has values too "
            f"large for it, or loss={choices.loss!r} is not right."
        )
    validated = [float(unit * value) for value in solution.validation_history]
    fitted = replace(
        fitted,
        theta=solution.theta,
        state=None,
        n_iter=solution.n_iter,
        loss=float(unit * value),
        loss_curve=[float(unit * value) for value in solution.history],
        validation_loss_curve=validated or None,
    )
    return fitted, solution


def train_once(start, rng, map_pieces):
    """Take one pass over the rows.

    The parameters are those of `train`.

    Returns
    -------
    fitted : Fitted or None
        None if the steps have diverged. Its loss is the mean over the steps, each
        before it was taken.
    """
    fitted, rows = start.fitted, start.training
    choices, model = fitted.choices, fitted.model
    few = rows.spread(choices.batch_size)
    least = NO_RESIDUAL ** (model.loss.degree or 2)
    mean_loss = model.mean_loss_of_predicting(fitted.mean, few.array())
    most = DIVERGED * max(mean_loss, least)
    model, rows, few = _scaled_ahead(fitted, rows, few)
    objective = _objective(choices, model, fitted.theta.dtype, rng, map_pieces)
    theta, state = fitted.theta.copy(), deepcopy(fitted.state)
    if state is None:
        state = choices.solver.start(theta)
    batches = _batches(choices, objective, rows, rng)
    rate = choices.learning_rate_init
    value = choices.solver.run_epoch(batches, theta, state, rate)
    loss = objective.mean_loss(theta, few)
    if not (loss <= most or loss <= DIVERGED * objective.mean_loss(fitted.theta, few)):
        return None
    if not (isfinite(value) and np.isfinite(theta).all()):
        return None
    loss = float(model.units.of_loss * value)
    return replace(
        fitted,
        theta=theta,
        state=state,
        n_iter=fitted.n_iter + 1,
        loss=loss,
        loss_curve=[*fitted.loss_curve, loss],
    )


def choose_sharing(start):
    """Return what threads share out in a training, which has to be worth their trouble.

    On the way through a block threads wait for each other at every step that is done in
    Python, so blocks must be large; so must matrix products for BLAS to share them out.
    """
    choices, model = start.fitted.choices, start.fitted.model
    if choices.solver == "svd":
        return choose_for_decomposition(start.training.n_features)
    n_weights, block_rows = model.network.n_weights, objective_block_length(model)
    n_rows = len(start.training)
    if choices.solver.draws_anew:
        n_rows = min(n_rows, choices.batch_size)
    if n_rows >= 2 * block_rows and block_rows * n_weights > LARGE_BLOCK:
        return Sharing.ROWS
    large = choices.solver.draws_anew and n_rows * n_weights > LARGE_BLOCK
    return Sharing.BLAS if large else Sharing.NOTHING


def _objective(choices, model, dtype, rng, map_pieces):
    return Objective(
        model,
        ElasticNet(choices.alpha, choices.l1_ratio),
        dtype,
        map=map_pieces,
        corruption=choices.noise,
        seed=int(rng.randint(2**31)) if choices.noise else 0,
    )


def _batches(choices, objective, rows, rng):
    """Return the batches of one epoch."""
    return objective.minibatches(
        rows, choices.batch_size, rng if choices.shuffle else None
    )


def _schedule(choices):
    rate = choices.learning_rate_init
    return Schedule(choices.learning_rate, rate, n_epochs=choices.max_iter)


def _scaled_ahead(fitted, *parts):
    """Scale small data once instead of in every step; returns a model and the rows."""
    model = fitted.model
    if not model.units.targets_are_inputs or parts[0].nbytes > SCALED_AHEAD_BYTES:
        return model, *parts
    scaled = (rows and rows.mapped(model.units.inputs.apply) for rows in parts)
    return replace(model, units=model.units.of_scaled_rows()), *scaled


def _solve_exactly(fitted, rows):
    theta = np.empty_like(fitted.theta)
    axes = principal_axes(rows, fitted.scaling)
    write_linear_solution(fitted.model.network, theta, axes, fitted.choices.alpha)
    return Solution(theta, Outcome.CONVERGED, 1, [], [], Outcome.CONVERGED.value)


def _reporter(choices, unit):
    """Return a callback that prints every `verbose`-th iteration."""
    start = perf_counter()

    def report(n_iter, value, validation_value):
        if n_iter % choices.verbose and n_iter != choices.max_iter:
            return
        message = f"Iteration {n_iter}/{choices.max_iter}"
        message += f" ({perf_counter() - start:.1f} s), loss = {unit * value:.6g}"
        if validation_value is not None:
            message += f", validation loss = {unit * validation_value:.6g}"
        print(message)

    return report
