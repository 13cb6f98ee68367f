"""L-BFGS: a quasi-Newton method on all rows at once."""

from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from scipy.optimize import minimize

from ._options import AT_LEAST_1, parameter
from ._stopping import ENDINGS, Outcome, Solver, Tracker


@dataclass(repr=False, eq=False)
class LBFGS(Solver):
    """L-BFGS-B, as SciPy has it: for small data and smooth losses.

    SciPy works in float64; the function is computed in the dtype of the data.

    Parameters
    ----------
    maxcor : int, default=20
        Number of corrections to the Hessian that are kept.
    """

    maxcor: int = parameter(20, AT_LEAST_1)

    def minimize(self, problem, theta, stopping):
        tracker = Tracker(stopping, theta)
        outcome = Outcome.MAX_ITER
        options = {"maxiter": stopping.max_iter, "maxfun": 20 * stopping.max_iter}
        options |= {"maxcor": self.maxcor, "ftol": 0, "gtol": 0}
        fun = _in_float64(problem.value_and_gradient, theta.size, theta.dtype)

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
                return tracker.solution(Outcome.DIVERGED)
            method = {"jac": True, "method": "L-BFGS-B", "callback": iterated}
            x = theta.astype(np.float64)
            result = minimize(fun, x, options=options, **method)
            if outcome is Outcome.MAX_ITER and result.status != 1:
                # Not a limit, but no lower point that could be told apart any more.
                outcome = Outcome.CONVERGED
        except ENDINGS as error:
            outcome = tracker.ended(error)
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
