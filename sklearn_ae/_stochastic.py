"""Stochastic gradient descent on minibatches."""

from dataclasses import dataclass
from functools import partial
from math import cos, isfinite, pi, sqrt

import numpy as np

from ._options import POSITIVE, SHARE, parameter
from ._stopping import ENDINGS, Outcome, RowsLost, Solver, Tracker

# So many parameters, with their gradient and moments, fit into a core's own cache.
ADAM_CHUNK = 32_768

# Below this, learning_rate="adaptive" does not lower it any more.
LEAST_RATE = 1e-6

# Where to stay at the start is a result, to end so many times above it is none.
DIVERGED = 100

# 200 steps take a moment that only decays down by 0.9^200, about 1e-9.
FLUSH_INTERVAL = 200


class Stochastic(Solver):
    """Base class of the solvers that take one step for each batch.

    A subclass defines `start` and `step`.

    Attributes
    ----------
    default_rate : float
        What ``learning_rate_init="auto"`` means.

    clip_norm : float or None
        Longer gradients are shortened to this Euclidean norm.
    """

    draws_anew = True
    default_rate = 0.001
    clip_norm: float | None = None

    def start(self, theta):
        """Return what moves along with the parameters, as a dict."""
        raise TypeError(f"{type(self).__name__} must define 'start'.")

    def step(self, theta, gradient, rate, state):
        """Move `theta` and `state` in place; `gradient` is overwritten."""
        raise TypeError(f"{type(self).__name__} must define 'step'.")

    def run_epoch(self, batches, theta, state, rate):
        """Take one step for each batch, changing `theta` and `state` in place.

        Parameters
        ----------
        batches : iterable of (fun, weight)
            ``fun(theta)`` returns value and gradient over one batch.
        theta : ndarray
        state : dict
            From `start`.
        rate : float
            The learning rate.

        Returns
        -------
        value : float
            The weighted mean over the batches, each before its step; the first that is
            not finite ends the epoch and is returned.
        """
        total = weight_sum = 0.0
        for fun, weight in batches:
            value, gradient = fun(theta)
            if not isfinite(value):
                return value
            if self.clip_norm is not None:
                norm = float(np.linalg.norm(gradient))
                if norm > self.clip_norm:
                    gradient *= self.clip_norm / norm
            self.step(theta, gradient, rate, state)
            total += weight * value
            weight_sum += weight
        return total / weight_sum

    def minimize(self, problem, theta, stopping):
        tracker, theta, rate = Tracker(stopping, theta), theta.copy(), stopping.rate
        state, anneals = self.start(theta), stopping.schedule == "cosine"
        outcome = Outcome.ANNEALED if anneals else Outcome.MAX_ITER
        try:
            # A pass over all rows, needed only where its result decides.
            value = None if stopping.validate else problem.value(theta)
            tracker.start(theta, value)
            for epoch in range(stopping.max_iter):
                if anneals:
                    rate = stopping.rate * (1 + cos(pi * epoch / stopping.max_iter)) / 2
                # An epoch's value says most about the parameters it started from.
                seen = theta if stopping.validate else theta.copy()
                run = partial(self.run_epoch, rate=rate)
                value = problem.epoch(run, theta, state)
                reason = tracker.update(seen, value)
                if reason is Outcome.CONVERGED and anneals:
                    # Noise of a rate still high hides the progress that is to come.
                    continue
                lowers = stopping.schedule == "adaptive" and rate > LEAST_RATE
                if reason and reason.converged and lowers:
                    rate /= 5
                    tracker.n_stalled = 0
                elif reason:
                    outcome = reason
                    break
        except ENDINGS as error:
            outcome = tracker.ended(error)
        try:
            outcome = _settle(tracker, theta, problem.value, outcome)
        except RowsLost as error:
            outcome = tracker.ended(error)
        return tracker.solution(outcome)


@dataclass(repr=False, eq=False)
class Adam(Stochastic):
    """Adaptive moment estimation.

    Source: Kingma & Ba (2015), "Adam: a method for stochastic optimization",
    algorithm 1, in the order of computation of its section 2.

    Parameters
    ----------
    beta_1, beta_2 : float in [0, 1), default=0.9, 0.999
        Decay rates of the first and second moment.

    epsilon : float, default=1e-8
        Added to the root of the second moment.

    clip_norm : float or None, default=None
        Longer gradients are shortened to this Euclidean norm.
    """

    beta_1: float = parameter(0.9, SHARE)
    beta_2: float = parameter(0.999, SHARE)
    epsilon: float = parameter(1e-8, POSITIVE)
    clip_norm: float | None = parameter(None, POSITIVE, None)

    default_rate = 0.003

    def start(self, theta):
        # The paper's moments, divided by 1 - beta: two passes less over the memory.
        first, second = np.zeros_like(theta), np.zeros_like(theta)
        return {"n_steps": 0, "first": first, "second": second}

    def step(self, theta, gradient, rate, state):
        n_steps = state["n_steps"] = state["n_steps"] + 1
        first_share = (1 - self.beta_1) / (1 - self.beta_1**n_steps)
        second_share = (1 - self.beta_2) / (1 - self.beta_2**n_steps)
        rate = rate * first_share / sqrt(second_share)
        epsilon = self.epsilon / sqrt(second_share)
        # Piece by piece, so that ten passes read from the cache and not from memory.
        for start in range(0, len(theta), ADAM_CHUNK):
            where = slice(start, start + ADAM_CHUNK)
            p, g = theta[where], gradient[where]
            first, second = state["first"][where], state["second"][where]
            if n_steps % FLUSH_INTERVAL == 0:
                _flush(first)
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


def _flush(moment):
    """Set to 0 what has decayed nearly into denormal numbers.

    With these, processors are ten times slower; a moment (of a unit that has died) this
    small moves nothing any more.
    """
    moment[np.abs(moment) < 1e10 * np.finfo(moment.dtype).tiny] = 0


@dataclass(repr=False, eq=False)
class SGD(Stochastic):
    """Stochastic gradient descent with momentum, plain or Nesterov's.

    Source: Sutskever, Martens, Dahl & Hinton (2013), "On the importance of
    initialization and momentum in deep learning", eq. 1 to 4, the latter for the
    parameters at which the gradient is taken.

    Parameters
    ----------
    momentum : float in [0, 1), default=0.9
        How much of a step goes on in the next.

    nesterov : bool, default=True
        Whether the momentum is Nesterov's.

    clip_norm : float or None, default=0.3
        Longer gradients are shortened to this Euclidean norm: without a bound training
        diverges where units are unbounded.
    """

    momentum: float = parameter(0.9, SHARE)
    nesterov: bool = parameter(True, "boolean")
    clip_norm: float | None = parameter(0.3, POSITIVE, None)

    default_rate = 0.05

    def start(self, theta):
        return {"velocity": np.zeros_like(theta)}

    def step(self, theta, gradient, rate, state):
        velocity = state["velocity"]
        gradient *= -rate
        velocity *= self.momentum
        velocity += gradient
        if self.nesterov:
            theta += gradient
            theta += self.momentum * velocity
        else:
            theta += velocity


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
    stays = tracker.rule.may_stay and value <= DIVERGED * tracker.initial
    if outcome.converged and stuck and not stays:
        return Outcome.NO_PROGRESS
    return outcome
