"""From choices and rows to what is fitted."""

from copy import copy, deepcopy
from dataclasses import replace
from functools import partial
from math import inf, isfinite
from time import perf_counter

import numpy as np

from ._choices import choose
from ._code_penalties import check_code_penalty
from ._corruption import Corruption
from ._draws import Draws
from ._fitted import Fitted
from ._input import check_values, named_validation_rows
from ._latent_path import with_path
from ._linear import principal_axes, write_linear_solution, write_linear_start
from ._model import check_loss
from ._objective import Objective, objective_block_length
from ._options import tried
from ._penalties import ElasticNet
from ._rows import of_reachable, read_only
from ._scaling import fit_scaling
from ._stopping import ENDINGS, Outcome, Problem, Solution, Stopping
from ._threads import LARGE_BLOCK, Sharing, choose_for_decomposition, threads

# What hidden_layer_sizes="auto" tries beside AUTO_SIZES, until one is better.
OTHER_SIZES = [(64, 64, 64), (64,)]

# Data up to this size are scaled before training, in a copy.
SCALED_AHEAD_BYTES = 16 * 2**20

# Threads that share out rows have a gradient each, unless it is larger than this.
MOST_GRADIENT_BYTES = 32 * 2**20

# A pass has diverged if it multiplies the loss by this: the loss of scaled rows, or 1,
# which is about what predicting the mean costs, if targets are scaled.
DIVERGED = 1000


def fit(params, rows, aside, rng, before=None):
    """Train until a solver stops.

    Parameters
    ----------
    params : AutoencoderParameters
    rows : Rows
    aside : Rows or None
        The user's own rows to validate on.
    rng : RandomState
    before : Fitted, optional
        What training goes on from.

    Returns
    -------
    fitted : Fitted
    solution : Solution
        Why training has stopped.
    training : Rows
    aside : Rows or None
        What is not trained on: set aside, or the user's own. In both, gaps are filled
        as in prediction.

    Raises
    ------
    ValueError
        If parameters do not fit together or the rows, or the loss is not finite at the
        parameters that training starts from.
    """
    found = _fit_one(params, rows, aside, rng, before)
    judged = found[0].choices.early_stopping and before is None
    if isinstance(params.hidden_layer_sizes, str) and judged:
        found = _try_other_layers(found, params, rows, aside, rng)
    fitted, solution, *divided = found
    # From here on gaps are what they are in prediction.
    training, aside = (few and few.filled_by(fitted.filler) for few in divided)
    if fitted.choices.used_code.nested:
        wanted = params.n_components if before is None else before.path.n_components
        with threads(choose_for_decomposition(rows.n_features)):
            cut = partial(with_path, fitted, wanted)
            fitted, reason = of_reachable(cut, training, aside)
        solution = solution.with_loss(reason)
    return fitted, solution, training, aside


def _try_other_layers(found, params, rows, aside, rng):
    """Return what `_fit_one` does for the first layers that are better, if any are.

    By the loss of the same rows set aside.
    """
    for sizes in OTHER_SIZES:
        fitted, solution, *divided = found
        if solution.outcome.cut_short:
            break
        if params.verbose:
            print(f"Now hidden_layer_sizes={sizes}")
        other = copy(params)
        other.hidden_layer_sizes = sizes
        try:
            rival = _fit_one(other, rows, aside, rng, divided=divided)
        except ENDINGS as error:
            # Before it had anything to show.
            ended = {"outcome": Outcome.of(error), "reason": str(error)}
            return fitted, replace(solution, **ended), *divided
        if rival[1].best < solution.best - params.tol * abs(solution.best):
            return rival
        if rival[1].outcome.cut_short:
            found = fitted, rival[1], *divided
        elif rival[1].best == solution.best:
            # Neither has left PCA.
            break
    return found


def _fit_one(params, rows, aside, rng, before=None, divided=None):
    """Train one network; parameters and results are those of `fit`, and `_prepare`."""
    args = params, rows, aside, rng, len(rows), before, divided
    with threads(choose_for_decomposition(rows.n_features)):
        fitted, training, aside = _prepare(*args)
    with threads(_choose_sharing(fitted, training)) as map_pieces:
        fitted, solution = _train(fitted, training, aside, rng, map_pieces)
    return fitted, solution, training, aside


def fit_once(params, rows, rng, before=None):
    """Take one pass over some rows, of which more may follow.

    The parameters are those of `fit`.

    Returns
    -------
    start : Fitted
        What the pass starts from.
    fitted : Fitted or None
        None if the steps have diverged. Its loss is the mean over the steps, each
        before it was taken.
    """
    with threads(choose_for_decomposition(rows.n_features)):
        start, *_ = _prepare(params, rows, None, rng, inf, before)
    with threads(_choose_sharing(start, rows)) as map_pieces:
        fitted = _train_once(start, rows, rng, map_pieces)
    if start.choices.used_code.nested:
        known = before and before.path.n_components
        wanted = known or start.choices.n_components
        start, fitted = (r and with_path(r, wanted) for r in (start, fitted))
    return start, fitted


def _prepare(params, rows, aside, rng, n_rows, before=None, divided=None):
    """Choose, set rows aside, and let parameters that are drawn start as PCA.

    `n_rows` is how many there will be in all, which may be more than `rows`; `divided`
    those trained on and those aside, if that is known.
    """
    fitted = _start(params, rows, rng, n_rows, before, aside is not None)
    choices = fitted.choices
    if not isinstance(choices.loss, str):
        check_loss(choices.loss, fitted.model.targets(rows.spread(2).array()))
    if aside is not None and divided is None:
        with named_validation_rows():
            check_values(aside, fitted.model.loss)
    training = rows
    if divided is not None:
        training, aside = divided
    elif choices.validation_fraction:
        training, aside = rows.hold_out(choices.validation_fraction, rng)
    for few in (training, aside):
        if few is not None and not fitted.model.cell_weight_sum(few):
            raise ValueError("feature_weight must not be 0 for all cells that X has.")
    completion = None
    if choices.noise:
        args = fitted.scaling, training, rng, fitted.completion
        completion = choices.noise.completion(*args)
    if completion is not fitted.completion:
        fitted = replace(fitted, completion=completion)
    if before is None and fitted.model.starts_linear:
        # PCA is that of all rows if it may be, lest few make a worse one; validation
        # then leans towards it. What they are to judge apart from that they must not
        # have made.
        judged = choices.calibrates or choices.used_code.nested
        seen = training if judged else rows
        axes = principal_axes(seen, fitted.scaling, choices.n_components)
        write_linear_start(fitted.model, fitted.theta, axes)
    return fitted, training, aside


def _start(params, rows, rng, n_rows, before, has_validation):
    """Return choices with parameters that are drawn, or those fitted before."""
    # A fit that goes on draws as one from scratch, lest it set other rows aside.
    draws = before is None or n_rows < inf
    if draws:
        mean, scaling = fit_scaling(rows, params.scaling, rng)
    if before is not None:
        mean, scaling = before.mean, before.scaling
    known = before and before.choices
    choices = choose(params, rows, scaling, n_rows, known, has_validation)
    model = choices.model(scaling)
    if draws:
        theta = model.initial_theta(mean, rng)
    if before is None:
        return Fitted(choices, mean, scaling, theta)
    model.check_targets_stay(before.model)
    progress = before.progress.copy()
    if choices.solver != before.choices.solver:
        progress.pop("state", None)
    if choices.code_penalty != before.choices.code_penalty:
        progress.pop("code_means", None)
    # A solver of the user's own might change what has been fitted.
    theta = before.theta.copy()
    return replace(before, choices=choices, progress=progress, theta=theta)


def _train(fitted, training, aside, rng, map_pieces):
    """Minimise the objective over the training rows."""
    choices, draws = fitted.choices, Draws(int(rng.randint(2**31)), training.n_features)
    validation = aside if choices.early_stopping else None
    shuffler = rng if choices.shuffle else None
    model, rows, validation = _scaled_ahead(fitted, training, validation)
    objective = _objective(fitted, model, training, draws, map_pieces)
    problem = Problem(
        partial(objective.value, rows=rows),
        partial(objective.value_and_gradient, rows=rows),
        partial(rows.train, objective, batch_size=choices.batch_size, rng=shuffler),
    )
    if choices.solver == "svd":
        theta, n_components = fitted.theta.copy(), choices.n_components
        axes = principal_axes(training, fitted.scaling, n_components, exact=True)
        write_linear_solution(fitted.model.network, theta, axes, choices.alpha)
        solution = Solution(theta, Outcome.CONVERGED, 1, [], [])
    else:
        stopping = _stopping(fitted, objective, validation, len(training))
        solution = choices.solver.minimize(problem, fitted.theta, stopping)
    value, reason = of_reachable(partial(objective.value, solution.theta), rows)
    return _with_results(fitted, solution, value), solution.with_loss(reason)


def _stopping(fitted, objective, validation, n_rows):
    choices, unit = fitted.choices, fitted.model.units.of_loss
    limits = choices.max_iter, choices.tol, choices.n_iter_no_change
    return Stopping(
        *limits,
        validate=validation and partial(objective.mean_loss, rows=validation),
        callback=_reporter(choices, unit, n_rows) if choices.verbose else None,
        # PCA is a result, if rows set aside say that nothing else is better; and so is
        # the regression that fills hidden cells.
        may_stay=fitted.model.starts_as_pca
        and (validation is not None or fitted.completion is not None),
        rate=choices.learning_rate_init,
        schedule=choices.learning_rate,
    )


def _with_results(fitted, solution, value):
    if not isfinite(value):
        raise ValueError(
            "The loss is not finite even before training: either X has values too "
            f"large for it, or loss={fitted.choices.loss!r} is not right."
        )
    unit = fitted.model.units.of_loss
    validated = [float(unit * value) for value in solution.validation_history]
    return replace(
        fitted,
        theta=solution.theta,
        n_iter=solution.n_iter,
        loss=float(unit * value),
        loss_curve=[float(unit * value) for value in solution.history],
        validation_loss_curve=validated or None,
        # `fit_once` starts anew from here.
        progress={},
    )


def _train_once(fitted, rows, rng, map_pieces):
    """Step through the rows; return what comes out, or None if it has diverged."""
    choices = fitted.choices
    progress = fitted.progress or {"seed": int(rng.randint(2**31))}
    before, since = fitted.theta, perf_counter()
    draws = Draws(progress["seed"], rows.n_features, progress.get("places"))
    model, scaled, few = _scaled_ahead(fitted, rows, rows.spread(choices.batch_size))
    objective = _objective(fitted, model, rows, draws, map_pieces)
    objective.code_means = progress.get("code_means")
    most = DIVERGED * max(1.0, objective.mean_loss(before, few))
    theta = before.copy()
    state = deepcopy(progress.get("state")) or choices.solver.start(theta)
    shuffler = rng if choices.shuffle else None
    run = partial(choices.solver.run_epoch, rate=choices.learning_rate_init)
    args = objective, run, theta, state, choices.batch_size, shuffler
    value = scaled.train(*args)
    sound = isfinite(value) and objective.mean_loss(theta, few) <= most
    if not (sound and np.isfinite(theta).all()):
        return None
    loss, n_iter = float(model.units.of_loss * value), fitted.n_iter + 1
    moved = {"places": draws.places(), "state": state}
    moved["code_means"] = objective.code_means
    if choices.verbose and n_iter % choices.verbose == 0:
        took = f"{len(rows)} rows ({perf_counter() - since:.2g} s)"
        print(f"Pass {n_iter} over {took}, loss = {loss:.6g}")
    return replace(
        fitted,
        theta=theta,
        n_iter=n_iter,
        loss=loss,
        loss_curve=[*fitted.loss_curve, loss],
        progress=progress | moved,
    )


def _choose_sharing(fitted, rows):
    """Return what threads share out in a training, which has to be worth their trouble.

    On the way through a block threads wait for each other at every step that is done in
    Python, so blocks must be large; so must matrix products for BLAS to share them out.
    """
    solver, model = fitted.choices.solver, fitted.model
    if rows.on_workers:
        return Sharing.NOTHING
    if solver == "svd":
        return choose_for_decomposition(rows.n_features)
    n_weights = model.network.n_multiplications
    block_rows = objective_block_length(model)
    n_rows = fitted.choices.batch_size if solver.draws_anew else len(rows)
    wide = model.network.n_gradients * fitted.dtype.itemsize > MOST_GRADIENT_BYTES
    several = n_rows >= 2 * block_rows and not wide
    if several and block_rows * n_weights > LARGE_BLOCK:
        return Sharing.ROWS
    large = n_rows * n_weights > LARGE_BLOCK
    return Sharing.BLAS if large and (solver.draws_anew or wide) else Sharing.NOTHING


def _objective(fitted, model, rows, draws, map_pieces):
    choices = fitted.choices
    penalty = ElasticNet(choices.alpha, choices.l1_ratio) if choices.alpha else None
    options = {"corruption": _bound_corruption(fitted, rows), "draws": draws}
    options["code_penalties"] = choices.code_penalty
    codes = np.linspace(0.2, 0.8, 2 * choices.n_components, dtype=fitted.dtype)
    for code_penalty in choices.code_penalty:
        check_code_penalty(code_penalty, read_only(codes.reshape(2, -1)))
    return Objective(model, penalty, fitted.dtype, map=map_pieces, **options)


def _bound_corruption(fitted, rows):
    noise = fitted.choices.noise
    if noise is None:
        return None
    bound = noise.bind(fitted.scaling, rows)
    if not isinstance(bound, Corruption):
        raise TypeError(f"bind of {noise} must return a Corruption, got {bound!r}.")
    bound = bound.filling(fitted.filled_scaled, [*fitted.model.loss.groups.values()])
    if type(bound).corrupt is not Corruption.corrupt:
        return bound
    # One of the user's own might not make rows of rows.
    X = fitted.scaling.apply(rows.spread(2).array())
    args = read_only(X), np.random.default_rng(0), np.full_like(X, np.nan)
    got = tried(bound, "apply", *args)
    got = np.asarray(args[-1] if got is None else got)
    are_rows = got.shape == X.shape and got.dtype.kind in "fiu"
    if not (are_rows and np.isfinite(got).all()):
        raise ValueError(
            f"apply of {noise} must write finite numbers into out, or return them in "
            f"the shape of X, {X.shape} when tried with a few rows, got {got}."
        )
    return bound


def _scaled_ahead(fitted, rows, others):
    """Scale small data once instead of in every step; returns a model and the rows."""
    model, nbytes = fitted.model, rows.nbytes + (others.nbytes if others else 0)
    remote = rows.remote or (others is not None and others.remote)
    small = nbytes <= SCALED_AHEAD_BYTES and not remote
    if not (small and model.units.targets_are_inputs):
        return model, rows, others
    scale = model.units.inputs.apply
    model = replace(model, units=model.units.of_scaled_rows())
    return model, rows.mapped(scale), others and others.mapped(scale)


def _reporter(choices, unit, n_rows):
    """Return a callback that prints every `verbose`-th iteration."""
    start = perf_counter()

    def report(n_iter, value, validation_value):
        if n_iter % choices.verbose and n_iter != choices.max_iter:
            return
        took, n_left = perf_counter() - start, choices.max_iter - n_iter
        message = f"Iteration {n_iter}/{choices.max_iter} ({took:.1f} s, "
        message += f"{n_iter * n_rows / took:.3g} rows/s, at most "
        message += f"{n_left * took / n_iter:.0f} s left), loss = {unit * value:.6g}"
        if validation_value is not None:
            message += f", validation loss = {unit * validation_value:.6g}"
        print(message)

    return report
