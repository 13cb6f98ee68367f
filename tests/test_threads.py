import multiprocessing
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier, local

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from threadpoolctl import ThreadpoolController, threadpool_limits

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._choices import choose
from sklearn_ae._fitting import Fitted, _choose_sharing
from sklearn_ae._losses import SquaredError
from sklearn_ae._model import Model
from sklearn_ae._network import Network, Stack
from sklearn_ae._objective import Objective
from sklearn_ae._penalties import ElasticNet
from sklearn_ae._scaling import Scaling, Units
from sklearn_ae._threads import BlasLimit, Sharing, one_blas_thread, threads

IRIS = load_iris().data

needs_signals = pytest.mark.skipif(os.name != "posix", reason="no such signals")
needs_forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")


def blas_threads():
    blas = ThreadpoolController().select(user_api="blas")
    return {info["num_threads"] for info in blas.info()}


@pytest.mark.parametrize("sharing", [Sharing.NOTHING, Sharing.ROWS])
def test_blas_has_one_thread_inside_and_its_own_after(sharing):
    with threadpool_limits(2, user_api="blas"):
        with threads(sharing) as map_pieces:
            assert blas_threads() == {1}
            assert list(map_pieces(lambda i: i * i, range(20))) == [
                i * i for i in range(20)
            ]
        assert blas_threads() == {2}


def test_blas_shares_products():
    with threadpool_limits(2, user_api="blas"), threads(Sharing.BLAS) as map_pieces:
        assert blas_threads() == {2}
        assert map_pieces is map


def test_threads_share_numpys_error_state():
    with threadpool_limits(2, user_api="blas"), np.errstate(all="ignore"):
        with warnings.catch_warnings(), threads(Sharing.ROWS) as map_pieces:
            warnings.simplefilter("error")
            assert list(map_pieces(lambda x: x / np.zeros(1), [np.ones(1)])) == [np.inf]


@pytest.mark.parametrize("corrupted", [False, True])
def test_as_many_threads_as_you_like_give_the_same_bits(corrupted):
    from sklearn_ae import GaussianNoise

    rng = np.random.RandomState(0)
    rows = ArrayRows(rng.normal(size=(1003, 5)), rng.uniform(size=1003))
    network = Network.mirrored(5, (4,), 2, linear_path=True)
    scaling = Scaling(np.zeros(5), np.ones(()))
    model = Model(network, SquaredError(), Units.of(scaling, SquaredError(), False))
    theta = rng.normal(size=network.n_parameters)
    results = []
    for n_threads in (1, 2, 3):
        limits = threadpool_limits(n_threads, user_api="blas")
        with limits, threads(Sharing.ROWS) as map_pieces:
            objective = Objective(
                model,
                ElasticNet(),
                np.float64,
                block_rows=10,
                map=map_pieces,
                corruption=GaussianNoise(low=0.1, high=1) if corrupted else None,
            )
            value, gradient = objective.value_and_gradient(theta, rows)
            results.append((value, gradient, objective.value(theta, rows)))
    for value, gradient, mean_loss in results[1:]:
        assert (value, mean_loss) == (results[0][0], results[0][2])
        assert_array_equal(gradient, results[0][1])


def sharing(solver, n_rows, n_features, hidden, **params):
    params = {"early_stopping": False, "linear_path": False, **params}
    estimator = AutoencoderTransformer(
        5, solver=solver, hidden_layer_sizes=hidden, **params
    )
    scaling = Scaling(np.zeros(n_features, np.float32), np.ones((), np.float32))
    rows = ArrayRows(np.broadcast_to(np.float32(0), (n_rows, n_features)))
    choices = choose(estimator, rows, scaling, n_rows)
    fitted = Fitted(choices, scaling.location, scaling, np.empty(0))
    return _choose_sharing(fitted, rows)


def test_only_what_is_large_is_shared_out():
    assert sharing("svd", 1000, 10, ()) is Sharing.NOTHING
    assert sharing("svd", 1000, 1000, ()) is Sharing.BLAS
    assert sharing("adam", 10**6, 30, (16,)) is Sharing.NOTHING
    assert sharing("lbfgs", 1000, 30, (16,)) is Sharing.NOTHING
    assert sharing("lbfgs", 9000, 784, (128, 64, 32)) is Sharing.ROWS
    assert sharing("adam", 9000, 784, (128, 64, 32)) is Sharing.BLAS
    # Threads that wait for each other in small products would take most of the time.
    assert sharing("adam", 400, 784, (128, 64, 32)) is Sharing.NOTHING


# Limits that overlap


@pytest.fixture
def two_blas_threads():
    """Two threads for BLAS, on any machine, controlled by no thread in particular."""
    blas = ThreadpoolController().select(user_api="blas")
    before = blas.info()
    for library in blas.lib_controllers:
        library.set_num_threads(2)
    with blas.limit(limits=None):
        pass
    if blas_threads() != {2}:
        pytest.skip("BLAS has no threads to limit")
    yield
    for library, info in zip(blas.lib_controllers, before, strict=True):
        library.set_num_threads(info["num_threads"])
    with blas.limit(limits=None):
        pass


def test_overlapping_fits_give_the_threads_back(two_blas_threads):
    estimators = [AutoencoderTransformer(2, max_iter=2, random_state=0)] * 8
    for _ in range(10):
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda estimator: clone(estimator).fit(IRIS), estimators))
        assert blas_threads() == {2}


@pytest.mark.parametrize("first_out", [0, 1])
def test_the_last_to_leave_gives_the_threads_back(two_blas_threads, first_out):
    inside, left = Barrier(2), Barrier(2)
    seen = {}

    def stay(number):
        with one_blas_thread():
            inside.wait()
            seen[number] = blas_threads()
            if number != first_out:
                left.wait()
                seen["one has left"] = blas_threads()
        if number == first_out:
            left.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(stay, range(2)))
    assert seen == {0: {1}, 1: {1}, "one has left": {1}}
    assert blas_threads() == {2}


def test_after_a_fit_any_thread_may_set_a_limit(two_blas_threads):
    AutoencoderTransformer(2, max_iter=2, random_state=0).fit(IRIS)

    def limited():
        with threadpool_limits(1, user_api="blas"):
            return blas_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(limited).result() == {1}
    assert blas_threads() == {2}


def test_a_limit_that_another_thread_has_set_is_not_restored(two_blas_threads):
    """What was not changed is not put back: the other thread will see to it."""
    entered, left = Barrier(2), Barrier(2)

    def overlap():
        with one_blas_thread():
            entered.wait()
            left.wait()

    with ThreadPoolExecutor(1) as pool:
        with threadpool_limits(1, user_api="blas"):
            done = pool.submit(overlap)
            entered.wait()
        left.wait()
        done.result()
    assert blas_threads() == {2}


INTERRUPTS = """
import signal, time
import numpy as np
import scipy.linalg
from threadpoolctl import ThreadpoolController
from sklearn_ae._threads import one_blas_thread

def interrupt(signum, frame):
    raise KeyboardInterrupt

libraries = ThreadpoolController().select(user_api="blas").lib_controllers
before = [library.num_threads for library in libraries]
with one_blas_thread():  # which looks for the libraries, in calls that swallow Ctrl-C
    pass
rng, n_interrupts = np.random.RandomState(0), 0
signal.signal(signal.SIGALRM, interrupt)
for _ in range(500):
    try:
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-6, 2e-4))
        for _ in range(100):
            with one_blas_thread():
                pass
        time.sleep(0.01)
    except KeyboardInterrupt:
        n_interrupts += 1
    assert [library.num_threads for library in libraries] == before
print(n_interrupts)
"""


@needs_signals
def test_ctrl_c_at_any_moment_gives_the_threads_back():
    """In a process that nothing traces: Ctrl-C in a tracer would leave locks locked."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    command = [sys.executable, "-c", INTERRUPTS]
    result = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60
    )
    assert result.stdout == "500\n", result.stderr


class FakeLibrary:
    """A BLAS with one limit for all threads, or one for each as under OpenMP."""

    def __init__(self, per_thread):
        self.internal_api = "openblas"
        self.threading_layer = "openmp" if per_thread else "pthreads"
        self._limits = local() if per_thread else type("Limits", (), {})()

    @property
    def num_threads(self):
        return getattr(self._limits, "n", 4)

    def set_num_threads(self, n):
        self._limits.n = n


class FakeController:
    def __init__(self, library):
        self.lib_controllers = [library]

    @contextmanager
    def limit(self, limits):
        yield


@pytest.mark.parametrize("per_thread", [False, True])
def test_each_kind_of_limit_is_given_back(per_thread):
    library = FakeLibrary(per_thread)
    limit = BlasLimit(lambda: FakeController(library))
    inside, left = Barrier(2), Barrier(2)

    def stay(number):
        with limit():
            inside.wait()
            limited = library.num_threads
            if number:
                left.wait()
        after = library.num_threads
        if not number:
            left.wait()
        return limited, after

    with ThreadPoolExecutor(2) as pool:
        (limited, after), (limited_too, last) = pool.map(stay, range(2))
    assert limited == limited_too == 1
    assert last == 4
    # The first to leave sets its own limit, or leaves the common one to the other.
    assert after == (4 if per_thread else 1)


def in_a_fork(function, *args):
    """Return what a function returns in a forked process, within a minute."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=lambda: sender.send(function(*args)))
    with warnings.catch_warnings():
        # Forks and threads: what is tested is that nothing hangs.
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    if not receiver.poll(60):
        process.kill()
        pytest.fail("the forked process hangs")
    result = receiver.recv()
    process.join()
    return result


@needs_forks
def test_a_detector_works_in_a_fork_after_many_rows():
    X = np.random.RandomState(0).normal(size=(20_000, 10))
    detector = AutoencoderOutlierDetector(max_iter=1, random_state=0).fit(X[:1000])
    expected = detector.score_samples(X)
    assert_array_equal(in_a_fork(detector.score_samples, X), expected)
    refitted = in_a_fork(lambda: clone(detector).fit(X[:1000]).score_samples(X))
    assert_array_equal(refitted, expected)


@needs_forks
def test_a_fork_in_the_middle_of_a_fit_limits_and_gives_back(two_blas_threads):
    def fit():
        AutoencoderTransformer(2, max_iter=2, random_state=0).fit(IRIS)
        return blas_threads()

    with ThreadPoolExecutor(1) as pool:
        entered, left = Barrier(2), Barrier(2)

        def stay():
            with one_blas_thread():
                entered.wait()
                left.wait()

        done = pool.submit(stay)
        entered.wait()
        assert in_a_fork(fit) == {2}
        left.wait()
        done.result()


@pytest.mark.parametrize("method", ["partial_fit", "transform", "score", "predict"])
def test_every_entry_limits_blas(two_blas_threads, method, monkeypatch):
    X = np.random.RandomState(0).normal(size=(500, 40))
    detector = AutoencoderOutlierDetector(max_iter=1, random_state=0).fit(X)
    seen = []
    forward = Stack.forward_calls

    def watched(*args, **kwargs):
        seen.append(blas_threads())
        return forward(*args, **kwargs)

    monkeypatch.setattr(Stack, "forward_calls", watched)
    getattr(detector, method)(X)
    assert seen and all(threads == {1} for threads in seen)
    assert blas_threads() == {2}
