"""Minimisers of a function of one flat vector.

They know nothing of networks: they take ``fun(theta) -> (value, gradient)`` or a stream
of such functions, and return one `Solution`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from math import cos, inf, isfinite, pi, sqrt

import numpy as np
from scipy.optimize import minimize

# So many parameters, with their gradient and moments, fit into a core's own cache.
ADAM_CHUNK = 32_768

# 200 steps take a moment that only decays down by 0.9^200, about 1e-9.
FLUSH_INTERVAL = 200


class Outcome(Enum):
    """Why a solver stopped, with advice."""

    CONVERGED = "The loss has stopped improving."
    ANNEALED = "All epochs of the schedule that lowers the learning rate to 0 are done."
    EARLY_STOPPED = "The validation loss has stopped improving."
    MAX_ITER = (
        "Stopped after max_iter={max_iter} iterations before convergence. Increase "
        "max_iter or tol."
    )
    NON_FINITE = (
        "The loss became infinite or NaN in iteration {n_iter}; the best parameters "
        "before that are kept. Lower learning_rate_init, set clip_norm, or look for "
        "extreme values in X."
    )
    NO_PROGRESS = (
        "The loss never fell below its starting value; the initial parameters are "
        "kept. Lower learning_rate_init or set clip_norm."
    )
    INTERRUPTED = (
        "Training was interrupted in iteration {n_iter}; the best parameters so far "
        "are kept."
    )

    @property
    def converged(self):
        return self in (Outcome.CONVERGED, Outcome.ANNEALED, Outcome.EARLY_STOPPED)


@dataclass(frozen=True)
class Stopping:
    """When to stop, and whom to tell about each iteration.

    Attributes
    ----------
    max_iter : int
        Most iterations (epochs, for a minibatch solver).

    tol : float
        Least relative improvement that counts.

    n_iter_no_change : int
        So many iterations in a row without such an improvement end the training.

    validate : callable(theta) -> float, optional
        If given, this value decides what is best and when to stop.

    callback : callable(n_iter, value, validation_value), optional
        Called after each iteration.

    may_stay : bool
        Whether the initial parameters are a result like any other. If not, not to get
        below their value is a failure.
    """

    max_iter: int
    tol: float
    n_iter_no_change: int
    validate: Callable | None = None
    callback: Callable | None = None
    may_stay: bool = False


@dataclass
class Solution:
    """What a solver returns.

    Attributes
    ----------
    theta : ndarray
        The best parameters found.
    outcome : Outcome
    n_iter : int
    history, validation_history : list of float
        Values after each iteration.
    message : str
        The outcome in words.
    """

    theta: np.ndarray
    outcome: Outcome
    n_iter: int
    history: list
    validation_history: list
    message: str


@dataclass
class _Tracker:
    """Follows a run: what was best, what was seen, whether to go on."""

    rule: Stopping
    best_theta: np.ndarray
    best: float = inf
    initial: float = inf
    history: list = field(default_factory=list)
    validation_history: list = field(default_factory=list)
    _reference: float = inf
    _n_stalled: int = 0

    def start(self, theta, value):
        """Take note of the parameters before the first iteration.

        With validation `value` may be None.
        """
        self.initial = self.best = self._reference = self._score(theta, value)
        self.validation_history.clear()

    def update(self, theta, value):
        """Take note of an iteration; return an Outcome if it should be the last."""
        self.history.append(value)
        score = self._score(theta, value)
        if self.rule.callback:
            self.rule.callback(
                len(self.history),
                value,
                self.validation_history[-1] if self.rule.validate else None,
            )
        if not (isfinite(value) and isfinite(score)):
            return Outcome.NON_FINITE
        if score < self.best:
            self.best, self.best_theta = score, theta.copy()
        if score < self._reference - self.rule.tol * abs(self._reference):
            self._reference, self._n_stalled = score, 0
        else:
            self._n_stalled += 1
        if self._n_stalled < self.rule.n_iter_no_change:
            return None
        return Outcome.EARLY_STOPPED if self.rule.validate else Outcome.CONVERGED

    def interrupted(self):
        """Return the Outcome after Ctrl-C; call while handling KeyboardInterrupt."""
        if not self.history:
            raise
        return Outcome.INTERRUPTED

    def be_patient_again(self):
        """Forget the iterations without improvement."""
        self._n_stalled = 0

    def solution(self, outcome):
        n_iter = len(self.history)
        message = outcome.value.format(max_iter=self.rule.max_iter, n_iter=n_iter)
        return Solution(
            self.best_theta,
            outcome,
            n_iter,
            self.history,
            self.validation_history,
            message,
        )

    def _score(self, theta, value):
        if self.rule.validate is None:
            return value
        self.validation_history.append(self.rule.validate(theta))
        return self.validation_history[-1]


def minimize_lbfgs(fun, theta, stopping):
    """Minimise a smooth function by L-BFGS-B, as SciPy has it.

    Parameters
    ----------
    fun : callable(theta) -> (value, gradient)
        Deterministic. The gradient may be in memory that the next call overwrites.
    theta : ndarray
        Where to start; not modified. SciPy works in float64, `fun` gets theta's dtype.
    stopping : Stopping

    Returns
    -------
    solution : Solution
    """
    tracker = _Tracker(stopping, theta)
    outcome = Outcome.MAX_ITER
    fun = _in_float64(fun, theta.size, theta.dtype)

    def iterated(intermediate_result):
        nonlocal outcome
        x = intermediate_result.x.astype(theta.dtype)
        outcome = tracker.update(x, float(intermediate_result.fun)) or outcome
        if outcome is not Outcome.MAX_ITER:
            raise StopIteration

    try:
        value, _ = fun(theta)
        tracker.start(theta, value)
        if not isfinite(value):
            return tracker.solution(Outcome.NON_FINITE)
        result = minimize(
            fun,
            theta.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            callback=iterated,
            options={
                "maxiter": stopping.max_iter,
                "maxfun": 20 * stopping.max_iter,
                "maxcor": 20,
                "ftol": 0,
                "gtol": 0,
            },
        )
        if outcome is Outcome.MAX_ITER and result.status != 1:
            # Not a limit, but no lower point that could be told apart any more.
            outcome = Outcome.CONVERGED
    except KeyboardInterrupt:
        outcome = tracker.interrupted()
    return tracker.solution(outcome)


def _in_float64(fun, n_parameters, dtype):
    """Return `fun` for SciPy: float64 in and out, and always finite after a start."""
    last_value = inf
    # Always the same array: what `fun` prepares for it stays valid.
    point = np.empty(n_parameters, dtype)

    def fun64(x):
        nonlocal last_value
        np.copyto(point, x, casting="same_kind")
        value, gradient = fun(point)
        if isfinite(value) and np.isfinite(gradient).all():
            last_value = value
            return value, gradient.astype(np.float64)
        # A value far above makes the line search step back from here.
        return last_value + 10 * max(1.0, abs(last_value)), np.zeros_like(x)

    return fun64


class Adam:
    """Adaptive moment estimation.

    Source: Kingma & Ba (2015), "Adam: a method for stochastic optimization",
    algorithm 1, in the order of computation of its section 2.

    Parameters
    ----------
    n_parameters : int
    dtype : dtype
    beta_1, beta_2 : float
        Decay rates of the first and second moment.
    epsilon : float
        Added to the root of the second moment.
    """

    def __init__(self, n_parameters, dtype, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.n_steps = 0
        # The paper's moments, divided by 1 - beta: two passes less over the memory.
        self._first = np.zeros(n_parameters, dtype)
        self._second = np.zeros(n_parameters, dtype)
        # Below this, a moment (of a unit that has died) decays into denormal numbers,
        # with which processors are ten times slower; it moves nothing any more.
        self._tiny = 1e10 * np.finfo(dtype).tiny

    def step(self, theta, gradient, learning_rate):
        """Move `theta` in place; `gradient` is overwritten."""
        self.n_steps += 1
        first_share = (1 - self.beta_1) / (1 - self.beta_1**self.n_steps)
        second_share = (1 - self.beta_2) / (1 - self.beta_2**self.n_steps)
        rate = learning_rate * first_share / sqrt(second_share)
        epsilon = self.epsilon / sqrt(second_share)
        # Piece by piece, so that ten passes read from the cache and not from memory.
        for start in range(0, len(theta), ADAM_CHUNK):
            where = slice(start, start + ADAM_CHUNK)
            p, g = theta[where], gradient[where]
            first, second = self._first[where], self._second[where]
            if self.n_steps % FLUSH_INTERVAL == 0:
                first[np.abs(first) < self._tiny] = 0
            first *= self.beta_1
            first += g
            np.multiply(g, g, out=g)
            second *= self.beta_2
            second += g
            np.sqrt(second, out=g)
            g += epsilon
            np.divide(first, g, out=g)
            g *= rate
            p -= g


class SGD:
    """Stochastic gradient descent with momentum, plain or Nesterov's.

    Source: Sutskever, Martens, Dahl & Hinton (2013), "On the importance of
    initialization and momentum in deep learning", eq. 1 to 4, the latter for the
    parameters at which the gradient is taken.

    Parameters
    ----------
    n_parameters : int
    dtype : dtype
    momentum : float
    nesterov : bool
    """

    def __init__(self, n_parameters, dtype, momentum=0.9, nesterov=True):
        self.momentum, self.nesterov = momentum, nesterov
        self.n_steps = 0
        self._velocity = np.zeros(n_parameters, dtype)

    def step(self, theta, gradient, learning_rate):
        """Move `theta` in place; `gradient` is overwritten."""
        self.n_steps += 1
        gradient *= -learning_rate
        self._velocity *= self.momentum
        self._velocity += gradient
        if self.nesterov:
            theta += gradient
            theta += self.momentum * self._velocity
        else:
            theta += self._velocity


@dataclass
class Schedule:
    """The learning rate over time.

    Attributes
    ----------
    kind : {"constant", "invscaling", "adaptive", "cosine"}
        "invscaling" divides by ``step ** power_t``; "adaptive" divides by 5 whenever
        training stalls, until 1e-6 is reached; "cosine" falls along half a period to 0
        after `n_epochs` (Loshchilov & Hutter 2017, "SGDR", eq. 5, without restarts),
        and is not cut short when training stalls.

    initial : float
        The rate at the start.

    power_t : float
        The exponent of "invscaling".

    n_epochs : int
        The length of "cosine".
    """

    kind: str
    initial: float
    power_t: float = 0.5
    n_epochs: int = 1

    @property
    def anneals(self):
        """Whether the rate falls to 0 in a fixed number of epochs."""
        return self.kind == "cosine"

    def rate(self, n_steps, epoch):
        """Return the rate after `n_steps` steps, in this epoch (both from 0)."""
        if self.kind == "invscaling":
            return self.initial * float(n_steps + 1) ** -self.power_t
        if self.anneals:
            return self.initial * (1 + cos(pi * epoch / self.n_epochs)) / 2
        return self.initial

    def lower(self):
        """Lower an adaptive rate; return whether there is a point in going on."""
        if self.kind != "adaptive" or self.initial <= 1e-6:
            return False
        self.initial /= 5
        return True


def run_epoch(batches, theta, optimizer, schedule, epoch=0, clip_norm=None):
    """Take one step for each batch, changing `theta` in place.

    Parameters
    ----------
    batches : iterable of (fun, weight)
        Each `fun(theta)` returns value and gradient over one batch, `weight` is its
        share in the mean over the epoch.
    theta : ndarray
    optimizer : Adam or SGD
    schedule : Schedule
    epoch : int
    clip_norm : float, optional
        Gradients of a larger Euclidean norm are shortened to it.

    Returns
    -------
    value : float
        The weighted mean over the batches, each before its step; the first that is not
        finite ends the epoch and is returned.
    """
    total = weight_sum = 0.0
    for fun, weight in batches:
        value, gradient = fun(theta)
        if not isfinite(value):
            return value
        if clip_norm is not None:
            norm = float(np.linalg.norm(gradient))
            if norm > clip_norm:
                gradient *= clip_norm / norm
        optimizer.step(theta, gradient, schedule.rate(optimizer.n_steps, epoch))
        total += weight * value
        weight_sum += weight
    return total / weight_sum


def minimize_minibatch(
    batches, theta, stopping, *, optimizer, schedule, evaluate, clip_norm=None
):
    """Minimise an average over batches by stochastic steps.

    Parameters
    ----------
    batches : callable() -> iterable of (fun, weight)
        The batches of one epoch, anew at each call.
    theta : ndarray
        Where to start; not modified.
    stopping : Stopping
    optimizer : Adam or SGD
    schedule : Schedule
    evaluate : callable(theta) -> float
        The function to be minimised, over all batches; not needed with validation.
    clip_norm : float, optional
        As in `run_epoch`.

    Returns
    -------
    solution : Solution
    """
    tracker = _Tracker(stopping, theta)
    theta = theta.copy()
    outcome = Outcome.ANNEALED if schedule.anneals else Outcome.MAX_ITER
    try:
        # A pass over all rows, needed only where its result decides.
        tracker.start(theta, None if stopping.validate else evaluate(theta))
        for epoch in range(stopping.max_iter):
            # An epoch's value says most about the parameters that it started from.
            seen = theta if stopping.validate else theta.copy()
            value = run_epoch(batches(), theta, optimizer, schedule, epoch, clip_norm)
            reason = tracker.update(seen, value)
            if reason is Outcome.CONVERGED and schedule.anneals:
                # Noise of a rate still high hides the progress that is to come.
                continue
            if reason and reason.converged and schedule.lower():
                tracker.be_patient_again()
            elif reason:
                outcome = reason
                break
    except KeyboardInterrupt:
        outcome = tracker.interrupted()
    return tracker.solution(_settle(tracker, theta, evaluate, outcome))


def _settle(tracker, last, evaluate, outcome):
    """Choose between the last and the best parameters; return the final outcome.

    Without validation the epochs' values are averages over parameters that move: good
    enough to follow a run, not to decide what it returns.
    """
    if tracker.rule.validate:
        value = (tracker.validation_history or [tracker.best])[-1]
    else:
        value = evaluate(last)
        if isfinite(value) and value <= evaluate(tracker.best_theta):
            tracker.best_theta = last
    # Below 1e-6 of what predicting the mean costs, differences are rounding errors.
    margin = max(tracker.rule.tol * abs(tracker.initial), 1e-6)
    worse = value > tracker.initial + margin and tracker.initial > margin
    stuck = worse and tracker.best >= tracker.initial
    if outcome.converged and stuck and not tracker.rule.may_stay:
        return Outcome.NO_PROGRESS
    return outcome
