"""Networks that are trained at once, on some of the rows each; their mean."""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._draws import Draws


@dataclass(frozen=True)
class Runner:
    """A network on its way through some rows.

    Attributes
    ----------
    theta : ndarray of shape (n_parameters,)
    state : dict
        What a solver moves along with the parameters.
    code_means : list of ndarray or None
        As of `Objective`.
    n_rows : int
        That it has been trained on.
    loss : float
        Sum over these of the loss, each before the step.
    """

    theta: np.ndarray
    state: dict
    code_means: Any
    n_rows: int = 0
    loss: float = 0.0

    def weighted(self):
        """Return what adds up over networks to what `meet` takes."""
        parts = [self.theta, *self._numbers.values(), *(self.code_means or [])]
        return [self.n_rows, self.loss, *(self.n_rows * part for part in parts)]

    def meet(self, n_rows, loss, theta, *others):
        """Become the mean of several networks, in place; return mean loss and means."""
        self.theta[:] = theta / n_rows
        means, numbers = [other / n_rows for other in others], self._numbers
        for name, value in numbers.items():
            mean = means.pop(0)
            if isinstance(value, np.ndarray):
                value[...] = mean
            else:
                whole = isinstance(value, Integral)
                self.state[name] = round(mean) if whole else float(mean)
        return loss / n_rows, means or None

    @property
    def _numbers(self):
        kinds = (np.ndarray, Real)
        return {k: v for k, v in self.state.items() if isinstance(v, kinds)}


@dataclass(frozen=True)
class Leg:
    """A runner's way through the rows of one group.

    Attributes
    ----------
    objective : Objective
    typical : dict
        What `Objective.minibatches` knows of all rows.
    run : callable(batches, theta, state) -> float
        Takes one step for each batch.
    batch_size : int
    seed : int
        Decides with the number of the group what is drawn.
    shuffles : bool
    """

    objective: Any
    typical: dict
    run: Any
    batch_size: int
    seed: int
    shuffles: bool

    def __call__(self, runner, rows, number):
        """Return the runner behind it; the one before it stays as it is."""
        objective, seed = copy(self.objective), (self.seed + number) % 2**32
        objective.draws = Draws(seed, rows.n_features)
        objective.code_means = runner.code_means
        theta, state = runner.theta.copy(), deepcopy(runner.state)
        rng = np.random.RandomState(seed) if self.shuffles else None
        args = rows, self.batch_size, rng, self.typical
        value = self.run(objective.minibatches(*args), theta, state)
        return replace(
            runner,
            theta=theta,
            state=state,
            code_means=objective.code_means,
            n_rows=runner.n_rows + len(rows),
            loss=runner.loss + value * len(rows),
        )
