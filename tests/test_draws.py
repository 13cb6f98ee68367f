"""What is drawn depends on seed and position, and on nothing else."""

from time import sleep

import numpy as np
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from threadpoolctl import threadpool_limits

from sklearn_ae import AutoencoderTransformer, CodePenalty, Corruption, GaussianNoise
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._code import Code
from sklearn_ae._draws import CODES, INPUTS, TILE, Draws
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._rows import added
from sklearn_ae._scaling import Scaling, Units
from sklearn_ae._threads import Sharing, threads

IRIS = load_iris().data


def numbers(draws, kind, n_rows, start=0, step=0):
    tiles = draws.tiles(kind, n_rows, start, step)
    lengths = [(len(range(n_rows)[where]), rng) for where, rng in tiles]
    return np.concatenate([rng.uniform(size=length) for length, rng in lengths])


def test_tiles_are_by_position():
    whole = numbers(Draws(3), INPUTS, 3 * TILE + 10)
    assert_array_equal(numbers(Draws(3), INPUTS, 3 * TILE + 10), whole)
    assert_array_equal(numbers(Draws(3), INPUTS, TILE, start=TILE), whole[TILE:][:TILE])
    assert_array_equal(numbers(Draws(3), INPUTS, 5), whole[:5])
    assert len(np.unique(whole)) == len(whole)


def test_tiles_of_wide_rows_are_low():
    assert [Draws(0, n).tile for n in (1, 1024, 4096, 10**7)] == [1024, 1024, 256, 1]
    draws = Draws(3, 4096)
    whole = numbers(draws, INPUTS, 700)
    assert_array_equal(numbers(draws, INPUTS, 300, start=256), whole[256:556])
    assert draws.step(256) is None and draws.step(257) > 0


def test_seeds_kinds_and_steps_are_different():
    first = numbers(Draws(3), INPUTS, 100)
    others = [
        numbers(Draws(4), INPUTS, 100),
        numbers(Draws(3), CODES, 100),
        numbers(Draws(3), INPUTS, 100, step=1),
        numbers(Draws(3), INPUTS, 100, start=TILE),
        Draws(3).stream(INPUTS).uniform(size=100),
        Draws(3).stream(CODES).uniform(size=100),
    ]
    drawn = np.concatenate([first, *others])
    assert len(np.unique(drawn)) == len(drawn)


def test_streams_go_on_from_their_places():
    draws = Draws(3)
    draws.stream(INPUTS).normal(size=7)
    resumed = Draws(3, 1, draws.places())
    for kind in (INPUTS, CODES):
        expected = draws.stream(kind).normal(size=5)
        assert_array_equal(resumed.stream(kind).normal(size=5), expected)


class Noisy(Code):
    """Codes are moved by what is drawn for each row."""

    draws = True

    def draw(self, shape, rng):
        return rng.normal(size=shape)

    def forward(self, encoded, drawn, out):
        return np.add(encoded, drawn, out=out), None


class UnitSquares(CodePenalty):
    """The mean square of each unit should be 1."""

    def statistic(self, codes):
        return codes**2

    def value(self, mean):
        return float(((mean - 1) ** 2).sum())

    def gradient(self, codes, mean):
        return 4 * (mean - 1) * codes


class Short(Code):
    """Codes should be short, and have a penalty besides, as tests have it."""

    def forward(self, encoded, drawn, out):
        return encoded, np.abs(encoded).sum(axis=1)

    def backward(self, encoded, delta, drawn, share, out):
        out += share * np.sign(encoded)


class Halved(Code):
    """The encoder returns twice as many numbers; a code is the product of two."""

    def encoder_width(self, n_components):
        return 2 * n_components

    def center(self, encoded):
        return encoded[:, :2] * encoded[:, 2:]

    def forward(self, encoded, drawn, out):
        return self.center(encoded), None

    def backward(self, encoded, delta, drawn, share, out):
        out[:, :2] = delta * encoded[:, 2:]
        out[:, 2:] = delta * encoded[:, :2]


def make_objective(code=None, *, n_features=5, **options):
    code = code or Code()
    width = code.encoder_width(2)
    network = Network.mirrored(n_features, (4,), 2, linear_path=True)
    if width != 2:
        network = Network.mirrored(n_features, (4,), 2, encoder_width=width)
    scaling = Scaling(np.zeros(n_features), np.ones(()))
    units = Units.of(scaling, SquaredError(), False)
    model = Model(network, SquaredError(), units, code)
    rng = np.random.RandomState(0)
    theta = rng.normal(scale=0.5, size=network.n_parameters)
    if isinstance(code, Short | Halved):
        options["code_penalties"] = [UnitSquares()]
    return Objective(model, ElasticNet(), np.float64, **options), theta


@pytest.mark.parametrize("code", [Code(), Noisy(), Short()], ids=["-", "n", "p"])
@pytest.mark.parametrize("noise", [None, GaussianNoise(0.5)])
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("block_rows", [7, 1024, 2500, 0])
def test_a_pass_does_not_depend_on_blocks_and_threads(
    code, noise, n_threads, block_rows
):
    rows = ArrayRows(np.random.RandomState(1).normal(size=(3000, 5)))
    whole, theta = make_objective(code, corruption=noise)
    value, gradient = whole.value_and_gradient(theta, rows)
    limits = threadpool_limits(n_threads, user_api="blas")
    with limits, threads(Sharing.ROWS) as map_pieces:
        options = {"block_rows": block_rows, "map": map_pieces, "corruption": noise}
        blocks, _ = make_objective(code, **options)
        part_value, part_gradient = blocks.value_and_gradient(theta, rows)
        assert_allclose(blocks.value(theta, rows), value, rtol=1e-12)
    assert_allclose(part_value, value, rtol=1e-12)
    assert_allclose(part_gradient, gradient, rtol=1e-9, atol=1e-12)


def test_no_thread_gets_memory_that_another_reads(monkeypatch):
    """A workspace is free for the next block only once its gradient has been added."""

    def slowly(total, sums):
        sleep(1e-4)
        return added(total, sums)

    rows = ArrayRows(np.random.RandomState(1).normal(size=(600, 5)))
    whole, theta = make_objective()
    _, expected = whole.value_and_gradient(theta, rows)
    monkeypatch.setattr("sklearn_ae._objective.added", slowly)
    with threadpool_limits(3, user_api="blas"), threads(Sharing.ROWS) as map_pieces:
        blocks, _ = make_objective(block_rows=7, map=map_pieces)
        for _ in range(3):
            _, gradient = blocks.value_and_gradient(theta, rows)
            assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("code", [Noisy(), Short(), Halved()], ids=repr)
@pytest.mark.parametrize("block_rows", [0, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradient_with_a_code(code, block_rows, weighted):
    rng = np.random.RandomState(1)
    weights = rng.uniform(0.5, 2, size=12) if weighted else None
    rows = ArrayRows(rng.normal(size=(12, 5)), weights)
    objective, theta = make_objective(code, block_rows=block_rows)
    value, _ = objective.value_and_gradient(theta, rows)
    assert_allclose(objective.value(theta, rows), value, rtol=1e-12)
    assert_allclose(objective.mean_loss(theta, rows), value, rtol=1e-12)
    assert relative_error(objective, theta, rows) < 1e-6


def test_validation_measures_what_codes_cost_but_not_weights():
    rows = ArrayRows(np.random.RandomState(1).normal(size=(30, 5)))
    objective, theta = make_objective(Short())
    objective.penalty = ElasticNet(0.1)
    views, model = objective.model.network.views(theta), objective.model
    encoded = model.encode(views, rows.array())
    loss = np.square(model.raw(views, rows.array()) - rows.array()).mean()
    cost = np.abs(encoded).sum() / rows.array().size
    cost += ((np.square(encoded).mean(axis=0) - 1) ** 2).sum()
    assert_allclose(objective.mean_loss(theta, rows), loss + cost)
    weights = theta[: model.network.n_weights]
    assert_allclose(
        objective.value(theta, rows), loss + cost + 0.05 * (weights @ weights)
    )


@pytest.mark.parametrize("n_rows", [10, 2000])
@pytest.mark.parametrize("code", [Noisy(), Short()], ids=["n", "p"])
def test_minibatches_do_not_depend_on_blocks(code, n_rows):
    rng = np.random.RandomState(1)
    rows = ArrayRows(rng.normal(size=(n_rows, 5)), rng.uniform(0.1, 3, size=n_rows))
    results = []
    for block_rows in (0, 7):
        options = {"corruption": GaussianNoise(0.5), "block_rows": block_rows}
        objective, theta = make_objective(code, **options)
        values = [fun(theta)[0] for fun, _ in objective.minibatches(rows, n_rows // 2)]
        results.append(values)
    assert_allclose(results[0], results[1], rtol=1e-12)


def test_workspaces_are_used_again():
    rows = ArrayRows(np.random.RandomState(1).normal(size=(3000, 5)))
    # Blocks are whole tiles where something is drawn; the last have what is left.
    for noise, lengths in ((None, {100}), (GaussianNoise(0.5), {1024, 952})):
        objective, theta = make_objective(corruption=noise, block_rows=100)
        for _ in range(3):
            objective.value_and_gradient(theta, rows)
        idle = {n: len(workspaces) for n, workspaces in objective._idle.items()}
        assert idle == dict.fromkeys(lengths, 1)


class Recorder(Corruption):
    """Returns new arrays, which are as good as `out`."""

    def apply(self, X, rng, out):
        return X + rng.normal(size=X.shape)


def test_steps_draw_anew_and_passes_do_not():
    rows = ArrayRows(np.random.RandomState(1).normal(size=(50, 5)))
    for noise in (GaussianNoise(0.5), Recorder()):
        for block_rows in (0, 8):
            options = {"corruption": noise, "block_rows": block_rows}
            objective, theta = make_objective(**options)
            first, second = (objective.value(theta, rows) for _ in range(2))
            assert first == second
            (fun, _), (other, _) = (
                next(objective.minibatches(rows, 50)) for _ in range(2)
            )
            values = [fun(theta)[0], fun(theta)[0], other(theta)[0], first]
            assert len(set(values)) == 4


def test_partial_fit_goes_on_in_its_stream():
    """Noise does not begin again with each call."""
    params = {"noise": 0.5, "shuffle": False, "batch_size": 150, "random_state": 0}
    estimator = AutoencoderTransformer(2, hidden_layer_sizes=(4,), **params)
    seeds, places = [], []
    for _ in range(3):
        estimator.partial_fit(IRIS)
        seeds.append(estimator._fitted.progress["seed"])
        state = estimator._fitted.progress["places"][INPUTS]["state"]["state"]
        places.append(tuple(state))
    assert len(set(seeds)) == 1
    assert len(set(places)) == 3
    # A fit draws a seed of its own, and the next pass another.
    assert estimator.fit(IRIS)._fitted.progress == {}


def test_the_seed_is_always_drawn():
    """So that what is shuffled does not depend on whether there is noise."""
    states = []
    for noise in (None, 0.3):
        rng = np.random.RandomState(0)
        params = {"n_components": 2, "hidden_layer_sizes": (4,), "max_iter": 2}
        AutoencoderTransformer(**params, noise=noise, random_state=rng).fit(IRIS)
        states.append(rng.uniform())
    assert states[0] == states[1]
