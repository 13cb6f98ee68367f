"""Networks that are trained at once, on some of the rows each; their mean.

Source: McMahan, Moore, Ramage, Hampson & Aguera y Arcas (2017),
"Communication-efficient learning of deep networks from decentralized data",
algorithm 1.
"""

from copy import copy, deepcopy
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from ._draws import Draws


@dataclass(frozen=True)
class Replica:
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


def average(replicas):
    """Return the mean of some replicas, by the rows that each has been trained on."""
    if len(replicas) == 1:
        return replicas[0]
    n_rows = sum(replica.n_rows for replica in replicas)
    shares = [replica.n_rows / n_rows for replica in replicas]
    parts = [(r.theta, r.state, r.code_means) for r in replicas]
    theta, state, code_means = _mean(parts, shares)
    loss = sum(replica.loss for replica in replicas)
    return Replica(theta, state, code_means, n_rows, loss)


def _mean(values, shares):
    """Return the mean of numbers and arrays, in containers that are all alike.

    What is no number is the first's.
    """
    first = values[0]
    if isinstance(first, dict):
        return {k: _mean([value[k] for value in values], shares) for k in first}
    if isinstance(first, list | tuple):
        parts = zip(*values, strict=True)
        return type(first)(_mean(part, shares) for part in parts)
    numbers = first.dtype.kind if isinstance(first, np.ndarray) else "f"
    if not isinstance(first, Real | np.ndarray) or numbers not in "fiu":
        return first
    mean = sum(share * value for share, value in zip(shares, values, strict=True))
    if isinstance(first, np.ndarray):
        whole = first.dtype.kind in "iu"
        return (np.rint(mean) if whole else mean).astype(first.dtype)
    return round(mean) if isinstance(first, Integral) else float(mean)


@dataclass(frozen=True)
class LocalPass:
    """A replica's way through the rows of one group.

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

    def __call__(self, rows, number, replica):
        """Return the replica behind it; the one before it stays as it is."""
        objective, seed = copy(self.objective), (self.seed + number) % 2**32
        objective.draws = Draws(seed, rows.n_features)
        objective.code_means = replica.code_means
        theta, state = replica.theta.copy(), deepcopy(replica.state)
        rng = np.random.RandomState(seed) if self.shuffles else None
        args = rows, self.batch_size, rng, self.typical
        value = self.run(objective.minibatches(*args), theta, state)
        return replace(
            replica,
            theta=theta,
            state=state,
            code_means=objective.code_means,
            n_rows=replica.n_rows + len(rows),
            loss=replica.loss + value * len(rows),
        )
