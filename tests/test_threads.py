import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearn_ae import AutoencoderTransformer
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._rows import Rows
from sklearn_ae._scaling import Scaling
from sklearn_ae._threads import Sharing, threads
from sklearn_ae._training import choose_sharing


def blas_threads():
    blas = ThreadpoolController().select(user_api="blas")
    return {info["num_threads"] for info in blas.info()}


@pytest.mark.parametrize("sharing", [Sharing.NOTHING, Sharing.ROWS])
def test_blas_has_one_thread_inside_and_its_own_after(sharing):
    with threadpool_limits(2, user_api="blas"):
        with threads(sharing) as map_parts:
            assert blas_threads() == {1}
            assert list(map_parts(lambda i: i * i, range(20))) == [
                i * i for i in range(20)
            ]
        assert blas_threads() == {2}


def test_blas_shares_products():
    with threadpool_limits(2, user_api="blas"), threads(Sharing.PRODUCTS) as map_parts:
        assert blas_threads() == {2}
        assert map_parts is map


def test_threads_share_numpys_error_state():
    with threadpool_limits(2, user_api="blas"), np.errstate(all="ignore"):
        with warnings.catch_warnings(), threads(Sharing.ROWS) as map_parts:
            warnings.simplefilter("error")
            assert list(map_parts(lambda x: x / np.zeros(1), [np.ones(1)])) == [np.inf]


@pytest.mark.parametrize("corrupted", [False, True])
def test_as_many_threads_as_you_like_give_the_same_bits(corrupted):
    from sklearn_ae._corruption import GaussianNoise

    rng = np.random.RandomState(0)
    rows = Rows(rng.normal(size=(1003, 5)), rng.uniform(size=1003))
    network = Network.mirrored(5, (4,), 2, linear_path=True)
    scaling = Scaling(np.zeros(5), np.ones(()))
    model = Model.assemble(network, SquaredError(), scaling)
    theta = rng.normal(size=network.n_parameters)
    results = []
    for n_threads in (1, 2, 3):
        limits = threadpool_limits(n_threads, user_api="blas")
        with limits, threads(Sharing.ROWS) as map_parts:
            objective = Objective(
                model,
                ElasticNet(),
                np.float64,
                block_rows=10,
                map=map_parts,
                corruption=GaussianNoise(0.1, 1) if corrupted else None,
            )
            value, gradient = objective.value_and_gradient(theta, rows)
            results.append((value, gradient, objective.value(theta, rows)))
    for value, gradient, mean_loss in results[1:]:
        assert (value, mean_loss) == (results[0][0], results[0][2])
        assert_array_equal(gradient, results[0][1])


def sharing(solver, n_rows, n_features, hidden, **params):
    params = {"batch_size": "auto", **params}
    estimator = AutoencoderTransformer(
        5, solver=solver, hidden_layer_sizes=hidden, linear_path=False, **params
    )
    network = Network.mirrored(n_features, hidden, 5)
    scaling = Scaling(np.zeros(n_features, np.float32), np.ones((), np.float32))
    model = Model.assemble(network, SquaredError(), scaling)
    rows = Rows(np.broadcast_to(np.float32(0), (n_rows, n_features)))
    return choose_sharing(estimator, solver, model, rows)


def test_only_what_is_large_is_shared_out():
    assert sharing("svd", 1000, 10, ()) is Sharing.PRODUCTS
    assert sharing("adam", 10**6, 30, (16,)) is Sharing.NOTHING
    assert sharing("lbfgs", 1000, 30, (16,)) is Sharing.NOTHING
    assert sharing("lbfgs", 9000, 784, (128, 64, 32)) is Sharing.ROWS
    assert sharing("adam", 9000, 784, (128, 64, 32)) is Sharing.PRODUCTS
    # Threads that wait for each other in small products would take most of the time.
    assert sharing("adam", 400, 784, (128, 64, 32)) is Sharing.NOTHING
