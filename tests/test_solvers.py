"""Solvers on problems with a known answer; nothing here knows of networks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_ae import LBFGS, SGD, Adam, Solver
from sklearn_ae._stopping import Outcome, Problem, Stopping

OPTIMUM = np.array([1.0, -2.0, 0.5])
CURVATURE = np.array([1.0, 10.0, 3.0])


def quadratic(theta):
    """Least value 1 at OPTIMUM."""
    residual = theta - OPTIMUM.astype(theta.dtype)
    scaled = CURVATURE.astype(theta.dtype) * residual
    return 1 + float(residual @ scaled) / 2, scaled


def rosenbrock(theta):
    x, y = theta
    value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
    gradient = np.array(
        [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)], dtype=theta.dtype
    )
    return float(value), gradient


def stopping(**changes):
    return Stopping(
        **({"max_iter": 500, "tol": 1e-10, "n_iter_no_change": 10} | changes)
    )


def problem(fun):
    """Return the problem of minimising a function, with one batch an epoch."""
    return Problem(lambda theta: fun(theta)[0], fun, one_batch(fun))


def one_batch(fun):
    return lambda run, theta, state: run([(fun, 1.0)], theta, state)


def minibatch(
    fun=quadratic, theta=None, solver=None, kind="constant", rate=0.05, **changes
):
    theta = np.zeros(3) if theta is None else theta
    rule = stopping(rate=rate, schedule=kind, **changes)
    return (solver or Adam()).minimize(problem(fun), theta, rule)


def lbfgs(fun, theta, **changes):
    return LBFGS().minimize(problem(fun), theta, stopping(**changes))


SOLVERS = {
    "adam": (Adam(), 0.1),
    "sgd": (SGD(momentum=0.0, nesterov=False, clip_norm=None), 0.1),
    "momentum": (SGD(momentum=0.9, nesterov=False, clip_norm=None), 0.02),
    "nesterov": (SGD(clip_norm=None), 0.02),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["constant", "adaptive", "cosine"])
@pytest.mark.parametrize("name", SOLVERS)
def test_minibatch_finds_the_minimum(name, kind, dtype):
    solver, rate = SOLVERS[name]
    start = np.zeros(3, dtype)
    solution = minibatch(
        theta=start,
        solver=solver,
        kind=kind,
        rate=rate,
        # Momentum overshoots for a while.
        n_iter_no_change=100,
    )
    assert_allclose(solution.theta, OPTIMUM, atol=1e-3)
    assert solution.theta.dtype == dtype
    assert_array_equal(start, 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_finds_the_minimum(dtype):
    start = np.array([-1.2, 1.0], dtype)
    solution = lbfgs(rosenbrock, start)
    assert solution.outcome is Outcome.CONVERGED
    assert solution.theta.dtype == dtype
    assert_allclose(solution.theta, 1, atol=1e-2 if dtype == np.float32 else 1e-6)
    assert solution.history[-1] < 1e-3
    assert_array_equal(start, np.array([-1.2, 1.0], dtype))


def test_adam_step_is_algorithm_1():
    """Against the paper's own order of computation."""
    rng = np.random.RandomState(0)
    theta = expected = rng.normal(size=4)
    solver, m, v = Adam(0.8, 0.99, 1e-3), 0, 0
    theta = theta.copy()
    state = solver.start(theta)
    for t in range(1, 6):
        gradient = rng.normal(size=4)
        m = 0.8 * m + 0.2 * gradient
        v = 0.99 * v + 0.01 * gradient**2
        m_hat, v_hat = m / (1 - 0.8**t), v / (1 - 0.99**t)
        expected = expected - 0.1 * m_hat / (np.sqrt(v_hat) + 1e-3)
        solver.step(theta, gradient.copy(), 0.1, state)
        assert_allclose(theta, expected, rtol=1e-12)


def test_nesterov_takes_the_gradient_ahead():
    """In terms of the point ahead, steps are those of Sutskever's eq. 3 and 4."""
    solver = SGD(momentum=0.7)
    ahead = np.zeros(3)
    state = solver.start(ahead)
    point, velocity = np.zeros(3), np.zeros(3)
    for _ in range(5):
        solver.step(ahead, quadratic(ahead)[1].copy(), 0.03, state)
        velocity = 0.7 * velocity - 0.03 * quadratic(point + 0.7 * velocity)[1]
        point = point + velocity
        assert_allclose(ahead, point + 0.7 * velocity, rtol=1e-12)


class Recording(SGD):
    """Keeps the rates of its steps."""

    def start(self, theta):
        rates.clear()
        return super().start(theta)

    def step(self, theta, gradient, rate, state):
        rates.append(rate)


rates: list = []


def test_schedules():
    rule = {"solver": Recording(), "rate": 0.4, "max_iter": 10}
    minibatch(**rule)
    assert_allclose(rates, 0.4)
    minibatch(kind="cosine", **rule)
    assert_allclose(rates, 0.2 * (1 + np.cos(np.pi * np.arange(10) / 10)))
    minibatch(kind="adaptive", n_iter_no_change=2, **rule)
    assert_allclose(rates, 0.4 / 5 ** (np.arange(10) // 2))
    minibatch(kind="adaptive", n_iter_no_change=1, **rule | {"rate": 2e-6})
    assert_allclose(rates, [2e-6, 4e-7])


@pytest.mark.parametrize("nesterov", [False, True])
def test_clipping_bounds_the_step(nesterov):
    theta = np.zeros(3)
    solver = SGD(momentum=0, nesterov=nesterov, clip_norm=0.01)
    solver.run_epoch([(quadratic, 1.0)], theta, solver.start(theta), 1.0)
    assert_allclose(np.linalg.norm(theta), 0.01)


def test_an_epoch_is_the_weighted_mean_of_its_batches():
    batches = [(lambda theta: (1.0, theta * 0), 1.0), (lambda theta: (4.0, theta), 2.0)]
    theta = np.zeros(2)
    solver = SGD()
    assert solver.run_epoch(batches, theta, solver.start(theta), 0.1) == 3


def test_stops_when_improvement_is_below_tol():
    solution = minibatch(tol=0.1, n_iter_no_change=3)
    assert solution.outcome is Outcome.CONVERGED
    assert solution.n_iter == len(solution.history) < 100


def test_max_iter():
    solution = minibatch(max_iter=3)
    assert solution.outcome is Outcome.MAX_ITER
    assert not solution.outcome.converged
    assert minibatch(max_iter=3, kind="cosine").outcome is Outcome.ANNEALED
    solution = lbfgs(rosenbrock, np.zeros(2), max_iter=3)
    assert solution.outcome is Outcome.MAX_ITER
    assert solution.n_iter == 3


@pytest.mark.parametrize("solver", ["lbfgs", "minibatch"])
def test_early_stopping_returns_the_best_validated(solver):
    """The validation optimum lies on the way to the training optimum."""
    halfway = OPTIMUM / 2
    seen = []

    def validate(theta):
        seen.append((float(((theta - halfway) ** 2).sum()), theta.copy()))
        return seen[-1][0]

    rule = {"validate": validate, "tol": 0.0}
    if solver == "lbfgs":
        solution = lbfgs(quadratic, np.zeros(3), **rule)
    else:
        solution = minibatch(**rule)
    assert solution.outcome is Outcome.EARLY_STOPPED
    best = min(seen, key=lambda pair: pair[0])
    assert_array_equal(solution.theta, best[1])
    assert len(solution.validation_history) == solution.n_iter


def diverging(theta):
    """Finite where training starts, infinite soon after."""
    return float(np.exp(theta**2).sum()), -np.exp(theta**2)


def test_validation_spares_passes_over_all_rows():
    without_value = Problem(None, None, one_batch(quadratic))
    options = {"max_iter": 3, "rate": 0.05}
    rule = stopping(validate=lambda theta: quadratic(theta)[0], **options)
    solution = Adam().minimize(without_value, np.zeros(3), rule)
    assert solution.n_iter == 3


def test_divergence_keeps_the_best_finite_parameters():
    with np.errstate(over="ignore"):
        solution = minibatch(diverging, np.full(3, 2.0), rate=50.0)
    assert solution.outcome is Outcome.DIVERGED
    assert_array_equal(solution.theta, 2)
    assert solution.n_iter == 2


def test_growth_without_overflow_is_no_progress():
    solution = minibatch(solver=SGD(momentum=0, clip_norm=None), rate=0.5, max_iter=100)
    assert solution.outcome is Outcome.NO_PROGRESS
    assert_array_equal(solution.theta, 0)
    solution = minibatch(
        solver=SGD(momentum=0, clip_norm=None),
        rate=0.5,
        validate=lambda theta: quadratic(theta)[0],
    )
    assert solution.outcome is Outcome.NO_PROGRESS


def test_start_at_the_optimum_is_convergence():
    assert minibatch(theta=OPTIMUM.copy()).outcome is Outcome.CONVERGED
    solution = lbfgs(quadratic, OPTIMUM.copy())
    assert solution.outcome is Outcome.CONVERGED
    assert_array_equal(solution.theta, OPTIMUM)


def test_lbfgs_steps_back_from_where_the_function_is_infinite():
    def walled(theta):
        if theta[0] > 0.5:
            return np.inf, np.full(1, np.nan)
        return float((theta[0] - 0.4) ** 2 + 1), 2 * (theta - 0.4)

    solution = lbfgs(walled, np.array([-3.0]))
    assert_allclose(solution.theta, 0.4, atol=1e-3)


def test_lbfgs_steps_back_whatever_validation_says():
    def walled(theta):
        if theta[0] > 1:
            return np.inf, np.full(1, np.nan)
        return 1000 - 900 * float(theta[0]), np.full(1, -900.0)

    solution = lbfgs(walled, np.zeros(1), validate=lambda theta: 1 - 0.5 * theta[0])
    assert_allclose(solution.theta, 1, atol=1e-2)


def test_cosine_is_not_cut_short():
    """Where a constant rate would have been declared converged."""
    rule = {"tol": 0.5, "n_iter_no_change": 2, "max_iter": 100}
    assert minibatch(**rule).n_iter < 100
    assert minibatch(kind="cosine", **rule).n_iter == 100


def test_lbfgs_from_a_non_finite_start():
    solution = lbfgs(lambda theta: (np.nan, theta), np.ones(2), max_iter=5)
    assert solution.outcome is Outcome.DIVERGED
    assert_array_equal(solution.theta, 1)


@pytest.mark.parametrize("solver", ["lbfgs", "minibatch"])
def test_ctrl_c_keeps_the_best_so_far(solver):
    n_calls = 0

    def interrupted(theta):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 8:
            raise KeyboardInterrupt
        return quadratic(theta)

    if solver == "lbfgs":
        solution = lbfgs(interrupted, np.zeros(3))
    else:
        solution = minibatch(interrupted)
    assert solution.outcome is Outcome.INTERRUPTED
    assert quadratic(solution.theta)[0] < quadratic(np.zeros(3))[0]
    assert solution.history


@pytest.mark.parametrize("solver", ["lbfgs", "minibatch"])
def test_callback_hears_of_every_iteration(solver):
    heard = []
    rule = {"callback": lambda *args: heard.append(args), "max_iter": 4}
    if solver == "lbfgs":
        solution = lbfgs(quadratic, np.zeros(3), **rule)
    else:
        solution = minibatch(**rule)
    assert [n for n, _, _ in heard] == list(range(1, solution.n_iter + 1))
    assert [value for _, value, _ in heard] == solution.history
    assert all(validation is None for _, _, validation in heard)


def test_solvers_have_no_state_of_their_own():
    for solver in (Adam(), SGD(), LBFGS()):
        before = dict(vars(solver))
        solver.minimize(problem(quadratic), np.zeros(3), stopping(rate=0.05))
        assert vars(solver) == before


def test_a_solver_without_its_methods_says_which():
    class Incomplete(Solver):
        pass

    with pytest.raises(TypeError, match="Incomplete must define 'minimize'"):
        Incomplete().minimize(None, None, None)
