"""When a minimiser stops, what it returns, and what it is told about the function."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf, isfinite

import numpy as np

from ._options import Option


class RowsLost(RuntimeError):
    """Rows on other machines can't be reached any more."""


# What may end a training from outside, which keeps what it has found.
ENDINGS = (KeyboardInterrupt, RowsLost)


@dataclass(frozen=True)
class Problem:
    """The function that is to be minimised.

    Attributes
    ----------
    value : callable(theta) -> float
    value_and_gradient : callable(theta) -> (float, ndarray)
        Deterministic. The gradient may be in memory that the next call overwrites.
    epoch : callable(run, theta, state) -> float
        Goes once over all batches, and returns the mean of the value before each step.
        ``run(batches, theta, state)`` takes these steps, changing both in place; it may
        be sent elsewhere. Batches are (fun, weight): ``fun(theta)`` returns value and
        gradient over one, which counts by `weight` in the mean.
    """

    value: Callable[[np.ndarray], float]
    value_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]]
    epoch: Callable[[Callable, np.ndarray, dict], float]


class Solver(Option):
    """Base class of the minimisers: descriptions without a state of their own.

    Attributes
    ----------
    draws_anew : bool, default=False
        Whether it goes by `Problem.epoch`, where what is drawn is drawn anew, and not
        by one fixed function.
    """

    draws_anew = False

    def minimize(self, problem, theta, stopping):
        """Minimise a function.

        Parameters
        ----------
        problem : Problem
        theta : ndarray
            Where to start; not modified.
        stopping : Stopping

        Returns
        -------
        solution : Solution
        """
        raise TypeError(f"{type(self).__name__} must define 'minimize'.")


class Outcome(Enum):
    """Why a solver stopped, with advice."""

    CONVERGED = "The loss has stopped improving."
    ANNEALED = "All epochs of the schedule that lowers the learning rate to 0 are done."
    EARLY_STOPPED = "The validation loss has stopped improving."
    MAX_ITER = (
        "Stopped after max_iter={max_iter} iterations before convergence. Increase "
        "max_iter or tol."
    )
    DIVERGED = (
        "The loss became infinite or NaN in iteration {n_iter}, or far higher than "
        "before it; what was best before is kept. Lower learning_rate_init, set the "
        "solver's clip_norm, or look for extreme values in X."
    )
    NO_PROGRESS = (
        "The loss never fell below its starting value; the initial parameters are "
        "kept. Lower learning_rate_init or set the solver's clip_norm."
    )
    INTERRUPTED = (
        "Training was interrupted in iteration {n_iter}; the best parameters so far "
        "are kept."
    )

    LOST = (
        "Training ended in iteration {n_iter}, as {reason}; the best parameters so far "
        "are kept."
    )

    @classmethod
    def of(cls, error):
        """Return what one of `ENDINGS` is."""
        return cls.LOST if isinstance(error, RowsLost) else cls.INTERRUPTED

    @property
    def cut_short(self):
        """Whether something from outside ended the training."""
        return self in (Outcome.INTERRUPTED, Outcome.LOST)

    @property
    def converged(self):
        return self in (Outcome.CONVERGED, Outcome.ANNEALED, Outcome.EARLY_STOPPED)


@dataclass(frozen=True)
class Stopping:
    """How fast to go, when to stop, and whom to tell about each iteration.

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

    rate : float or None
        The learning rate at the start, for solvers that have one.

    schedule : {"constant", "adaptive", "cosine"}
        What becomes of it: "adaptive" divides by 5 whenever training stalls; "cosine"
        falls along half a period to 0 after `max_iter` epochs (Loshchilov & Hutter
        2017, "SGDR", eq. 5, without restarts), and is not cut short when training
        stalls.
    """

    max_iter: int
    tol: float
    n_iter_no_change: int
    validate: Callable | None = None
    callback: Callable | None = None
    may_stay: bool = False
    rate: float | None = None
    schedule: str = "constant"


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
    best : float, default=inf
        What was best by: the value of the parameters found, on rows set aside if there
        are any.
    reason : str, default=""
        What happened, if it was not the solver that stopped.
    """

    theta: np.ndarray
    outcome: Outcome
    n_iter: int
    history: list
    validation_history: list
    best: float = inf
    reason: str = ""

    def with_loss(self, reason):
        """Return the same, but that rows were lost if there is a reason to say so."""
        return replace(self, outcome=Outcome.LOST, reason=reason) if reason else self


@dataclass
class Tracker:
    """Follows a run: what was best, what was seen, whether to go on."""

    rule: Stopping
    best_theta: np.ndarray
    best: float = inf
    initial: float = inf
    history: list = field(default_factory=list)
    validation_history: list = field(default_factory=list)
    _reference: float = inf
    n_stalled: int = 0
    _reason: str = ""

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
            validated = self.validation_history[-1] if self.rule.validate else None
            self.rule.callback(len(self.history), value, validated)
        if not (isfinite(value) and isfinite(score)):
            return Outcome.DIVERGED
        if score < self.best:
            self.best, self.best_theta = score, theta.copy()
        if score < self._reference - self.rule.tol * abs(self._reference):
            self._reference, self.n_stalled = score, 0
        else:
            self.n_stalled += 1
        if self.n_stalled < self.rule.n_iter_no_change:
            return None
        return Outcome.EARLY_STOPPED if self.rule.validate else Outcome.CONVERGED

    def ended(self, error):
        """Return the Outcome of one of `ENDINGS`; call while handling it."""
        if not self.history:
            raise error
        self._reason = str(error)
        return Outcome.of(error)

    def solution(self, outcome):
        curves = self.history, self.validation_history
        n_iter = len(self.history)
        results = self.best_theta, outcome, n_iter, *curves, self.best
        return Solution(*results, self._reason)

    def _score(self, theta, value):
        if self.rule.validate is None:
            return value
        self.validation_history.append(self.rule.validate(theta))
        return self.validation_history[-1]
