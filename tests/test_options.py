"""The rule "a name, or a small object": objects are at home in scikit-learn."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

from sklearn_ae import (
    LBFGS,
    SGD,
    Adam,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    Corruption,
    Dense,
    GaussianNoise,
    Huber,
    Loss,
    Solver,
    VariationalAutoencoder,
)

IRIS = load_iris().data
OBJECTS = [Adam(0.8), SGD(nesterov=False), LBFGS(5), Huber(2.0), GaussianNoise(0.2)]
OBJECTS += [Dense(7), GaussianNoise(low=0.1, high=0.5)]


def make(**params):
    params = {"hidden_layer_sizes": (8,), "max_iter": 10, "random_state": 0} | params
    return AutoencoderTransformer(2, **params)


@pytest.mark.parametrize("option", OBJECTS, ids=repr)
def test_objects_clone_print_and_compare(option):
    copy = clone(option)
    assert copy is not option and copy == option
    assert pickle.loads(pickle.dumps(option)) == option
    assert repr(option) == str(copy)
    assert eval(repr(option)) == option
    name, value = next(iter(option.get_params().items()))
    assert copy.set_params(**{name: -1}) != option
    assert copy.set_params(**{name: value}) == option
    others = [other for other in OBJECTS if other is not option]
    assert all(option != other for other in others)
    assert type(option).__name__ in option._repr_html_()


def test_objects_of_another_type_are_not_equal():
    class Mine(Adam):
        pass

    assert Mine() != Adam()
    assert Adam() != "adam"
    with pytest.raises(TypeError, match="unhashable"):
        hash(Adam())


@pytest.mark.parametrize(
    ("name", "option"),
    [("adam", Adam()), ("sgd", SGD()), ("lbfgs", LBFGS())],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_solver_object_is_as_good_as_its_name(name, option):
    named, given = make(solver=name).fit(IRIS), make(solver=option).fit(IRIS)
    assert_array_equal(given._fitted.theta, named._fitted.theta)
    assert given.solver_ == named.solver_ == name


def test_a_number_is_as_good_as_its_object():
    number, given = make(noise=0.3).fit(IRIS), make(noise=GaussianNoise(0.3)).fit(IRIS)
    assert_array_equal(given._fitted.theta, number._fitted.theta)
    layers = make(hidden_layer_sizes=[Dense(8)]).fit(IRIS)
    assert_array_equal(layers._fitted.theta, make().fit(IRIS)._fitted.theta)


@pytest.mark.parametrize("zero", [0, 0.0, GaussianNoise(0), None])
def test_strength_zero_is_no_term(zero):
    plain = make(alpha=0.0).fit(IRIS)
    without = make(noise=zero, alpha="auto").fit(IRIS)
    assert without.noise_ is None and without.alpha_ == 0
    assert_array_equal(without._fitted.theta, plain._fitted.theta)


def test_a_search_reaches_into_objects():
    grid = {"solver__beta_1": [0.5, 0.9], "loss__delta": [0.5, 2.0]}
    grid["noise__scale"] = [0.1]
    estimator = make(solver=Adam(), loss=Huber(), noise=GaussianNoise())
    search = GridSearchCV(estimator, grid, cv=2).fit(IRIS)
    best = search.best_estimator_
    assert best.solver.beta_1 == search.best_params_["solver__beta_1"]
    assert best.loss.delta == search.best_params_["loss__delta"]
    assert best.noise.scale == 0.1
    # The search has worked on copies.
    assert (estimator.solver, estimator.loss) == (Adam(), Huber())
    kinds = GridSearchCV(make(), {"solver": [Adam(0.5), SGD()]}, cv=2).fit(IRIS)
    assert kinds.best_params_["solver"] in (Adam(0.5), SGD())


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("solver__beta_1", r"solver=Adam\(\) has to come first, here solver is 'auto'"),
        ("solver__momentum", r"solver=SGD\(\) has to come first"),
        ("solver__maxcor", r"solver=LBFGS\(\) has to come first"),
        ("loss__delta", r"loss=Huber\(\) has to come first, here loss is 'squared_err"),
        (
            "noise__low",
            r"noise=GaussianNoise\(\) has to come first, here noise is None",
        ),
    ],
)
def test_a_grid_on_a_name_says_which_object_to_put_first(key, message):
    with pytest.raises(ValueError, match=message):
        make().set_params(**{key: 0.5})
    with pytest.raises(ValueError, match=message):
        GridSearchCV(make(), {key: [0.5]}, error_score="raise").fit(IRIS)
    option = {"solver": {"beta_1": Adam, "momentum": SGD, "maxcor": LBFGS}}
    option |= {"loss": {"delta": Huber}, "noise": {"low": GaussianNoise}}
    name, _, nested = key.partition("__")
    both = {key: 0.5, name: option[name][nested]()}
    assert getattr(getattr(make().set_params(**both), name), nested) == 0.5


def test_a_grid_on_a_name_of_something_unknown_says_so_too():
    for key in ("loss__q", "noise__share", "hidden_layer_sizes__n_outputs", "alpha__x"):
        message = (
            f"{key} is a parameter of an object: .*=<one with .*> has to come first"
        )
        with pytest.raises(ValueError, match=message):
            make().set_params(**{key: 0.5})


def test_a_number_is_a_dense_layer_in_every_way():
    linear = {"activation": "identity", "solver": "svd"}
    layered = make(hidden_layer_sizes=[Dense(8)], **linear).fit(IRIS)
    assert_array_equal(layered._fitted.theta, make(**linear).fit(IRIS)._fitted.theta)
    going = make(warm_start=True).fit(IRIS)
    going.set_params(hidden_layer_sizes=Dense(8)).fit(IRIS)


def test_options_may_hold_arrays():
    class Weighted(Loss):
        shift_invariant = True

        def __init__(self, weights):
            self.weights = weights

        def elementwise(self, target, raw):
            return self.weights * (raw - target) ** 2

        def gradient(self, target, raw):
            return 2 * self.weights * (raw - target)

    assert Weighted(np.arange(3.0)) == Weighted(np.arange(3.0))
    assert Weighted(np.arange(3.0)) != Weighted(np.ones(3))
    estimator = make(loss=Weighted(np.arange(1.0, 5.0)), warm_start=True)
    estimator.fit(IRIS).fit(IRIS).partial_fit(IRIS)


@pytest.mark.parametrize(
    ("apply", "message"),
    [
        (lambda X, out: None, "must write finite numbers into out"),
        (lambda X, out: X[:, :1], ".* in the shape of X, .2, 4. when tried"),
        (lambda X, out: 0.0, "must write finite numbers"),
        (lambda X, out: X * 1j, "must write finite numbers"),
        (lambda X, out: X * np.nan, "must write finite numbers"),
        (lambda X, out: np.multiply(X, 2, out=X), "must not write into"),
    ],
)
def test_careless_corruptions_are_named(apply, message):
    class Careless(Corruption):
        def apply(self, X, rng, out):
            return apply(X, out)

    with pytest.raises(ValueError, match=rf"apply of Careless\(\) {message}"):
        make(noise=Careless()).fit(IRIS)


def test_bind_must_return_a_corruption():
    class Forgetful(Corruption):
        def bind(self, scaling, rows):
            scaling.apply(np.zeros(4))

    with pytest.raises(TypeError, match=r"bind of Forgetful\(\) must return a Cor"):
        make(noise=Forgetful()).fit(IRIS)


def test_a_corruption_may_call_its_parameter_what_it_likes():
    class Salt(Corruption):
        def __init__(self, strength=0.1):
            self.strength = strength

        def apply(self, X, rng, out):
            return np.where(rng.uniform(size=X.shape) < self.strength, 1.0, X)

    make(noise=Salt(0.2)).fit(IRIS)


class Careful(Solver):
    """Moves what it is given, and fails."""

    def minimize(self, problem, theta, stopping):
        theta -= 1
        raise RuntimeError("enough")


def test_a_solver_cannot_change_what_was_fitted():
    estimator = make(warm_start=True, linear_path=False).fit(IRIS)
    codes = estimator.transform(IRIS)
    with pytest.raises(RuntimeError, match="enough"):
        estimator.set_params(solver=Careful()).fit(IRIS)
    assert_array_equal(estimator.transform(IRIS), codes)


def test_layers_are_checked_wherever_they_are():
    for sizes in (np.array([Dense(-1)], dtype=object), [Dense("a")], Dense(0)):
        with pytest.raises(ValueError, match="'n_outputs' parameter of Dense"):
            make(hidden_layer_sizes=sizes).fit(IRIS)
    with pytest.raises(ValueError, match="n_inputs of Dense.* must be None or 4 here"):
        make(hidden_layer_sizes=[Dense(8, n_inputs=77)]).fit(IRIS)


def test_layers_without_a_bias_train():
    for sizes in ([Dense(8, bias=False)], [8, Dense(4, bias=False)]):
        estimator = make(hidden_layer_sizes=sizes).fit(IRIS)
        assert estimator.score(IRIS) > 0
        n_numbers = sum(array.size for array in estimator.coefs_)
        n_numbers += sum(array.size for array in estimator.intercepts_)
        assert n_numbers == estimator.n_parameters_


def test_no_such_parameter():
    for key in ("solver__beta_3", "depth", "depth__n"):
        with pytest.raises(
            (ValueError, AttributeError), match=f"{key.split('__')[-1]}"
        ):
            make(solver=Adam()).set_params(**{key: 1})


def test_how_many_parameters_there_are():
    assert len(AutoencoderTransformer().get_params()) == 28
    assert len(AutoencoderOutlierDetector().get_params()) == 29
    assert len(VariationalAutoencoder().get_params()) == 29


def test_objects_are_not_changed_by_a_fit():
    objects = {"solver": Adam(), "loss": Huber(), "noise": GaussianNoise()}
    before = {name: dict(vars(option)) for name, option in objects.items()}
    estimator = make(**objects).fit(IRIS)
    assert {name: vars(option) for name, option in objects.items()} == before
    # Nor a fitted model by its objects.
    scores = estimator.score_samples(IRIS)
    objects["loss"].delta = 100.0
    assert_array_equal(estimator.score_samples(IRIS), scores)


@dataclass(repr=False, eq=False)
class Quantile(Loss):
    """The pinball loss."""

    q: float = 0.5

    shift_invariant = True
    degree = 1

    def elementwise(self, target, raw):
        residual = target - raw
        return np.maximum(self.q * residual, (self.q - 1) * residual)

    def gradient(self, target, raw):
        return np.where(target > raw, -self.q, 1 - self.q)


def test_a_users_own_object_is_at_home_too():
    estimator = make(loss=Quantile(0.3))
    assert clone(estimator).loss == Quantile(0.3) != Quantile(0.4)
    search = GridSearchCV(estimator, {"loss__q": [0.2, 0.5]}, cv=2).fit(IRIS)
    assert search.best_estimator_.loss.q in (0.2, 0.5)
    assert "Quantile(q=0.3)" in repr(estimator)


class Pair(Loss):
    """The first two columns are shares of one thing: softmax and cross-entropy."""

    def cells(self, target, raw):
        cells = (raw - target) ** 2
        cells[:, :2] = -target[:, :2] * np.log(self._shares(raw))
        return cells

    def gradient(self, target, raw):
        gradient = 2 * (raw - target)
        total = target[:, :2].sum(axis=1, keepdims=True)
        gradient[:, :2] = total * self._shares(raw) - target[:, :2]
        return gradient

    def _shares(self, raw):
        exponential = np.exp(raw[:, :2] - raw[:, :2].max(axis=1, keepdims=True))
        return exponential / exponential.sum(axis=1, keepdims=True)


def test_a_loss_may_take_columns_together():
    rng = np.random.RandomState(0)
    share = rng.uniform(0.1, 0.9, size=(200, 1))
    X = np.c_[share, 1 - share, share**2, rng.normal(size=200)]
    loss, raw, step = Pair(), rng.normal(size=X.shape), 1e-6
    for i, j in [(0, 0), (0, 1), (3, 2)]:
        moved = [raw.copy(), raw.copy()]
        moved[0][i, j] += step
        moved[1][i, j] -= step
        ends = [loss.value(X, end) for end in moved]
        numeric = (ends[0] - ends[1]) / (2 * step)
        assert abs(loss.gradient(X, raw)[i, j] - numeric) < 1e-6
    estimator = make(loss=loss, scaling=None, max_iter=200).fit(X)
    assert estimator.loss_curve_[-1] < 0.5 * estimator.loss_curve_[0]
    contributions = -estimator.score_samples(X) * 4
    assert_array_equal(contributions.shape, (200,))


class Tracking(Corruption):
    """Doubles, in a new array, and says who asked."""

    needs_fresh_draws = True

    def apply(self, X, rng, out):
        return 2 * X


def test_terms_that_must_be_drawn_anew_need_a_solver_that_does():
    with pytest.raises(ValueError, match=r"Tracking\(\) has to draw anew in every"):
        make(noise=Tracking(), solver="lbfgs").fit(IRIS)
    make(noise=Tracking(), solver="sgd").fit(IRIS)


def test_svd_refuses_noise():
    with pytest.raises(ValueError, match="noise with solver='svd' must be None, 0 or"):
        make(solver="svd", activation="identity", noise=0.3).fit(IRIS)
    for noise in (None, 0, "auto"):
        make(solver="svd", activation="identity", noise=noise).fit(IRIS)
