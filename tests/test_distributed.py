"""Workers that are real processes, and what may happen to them."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    _collections,
    _dask_rows,
    _rounds,
)

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")

pytestmark = [
    # Dask's own, when workers come and go.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited"),
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
    pytest.mark.filterwarnings("ignore:Stopped after max_iter"),
]

DIGITS = load_digits().data
FULL = {"solver": "lbfgs", "noise": None, "early_stopping": False}
PARAMS = {"hidden_layer_sizes": (16,), "max_iter": 6, "random_state": 0} | FULL

# Rounds before the first iteration: counts, samples, statistics, PCA.
N_BEFORE = 8


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch):
    """Let small collections be worked on as large ones are."""
    monkeypatch.setattr(_collections, "SMALL_BYTES", 0)
    monkeypatch.setattr(_dask_rows, "SMALL_BYTES", 0)
    monkeypatch.setattr(_collections, "GROUP_BYTES", 2**18)


def make_cluster(n_workers=2):
    return distributed.LocalCluster(
        n_workers=n_workers,
        threads_per_worker=1,
        dashboard_address=":0",
        silence_logs=logging.CRITICAL,
    )


@pytest.fixture(scope="module")
def client():
    with make_cluster() as cluster, distributed.Client(cluster) as client:
        yield client


def rows():
    return da.from_array(DIGITS, chunks=(100, 64))


def fit(cls=AutoencoderTransformer, **params):
    return cls(**(PARAMS | params)).fit(rows())


def theta(estimator):
    return estimator._fitted.theta


def undisturbed(**params):
    """Return the parameters that threads of this process find."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_collections, "current_client", lambda: None)
        return theta(fit(**params))


@pytest.fixture
def disturb(monkeypatch):
    """Let something happen in a round, a moment after it has begun."""
    original, n_rounds, timers = _rounds.Rounds._result, [0], []

    def install(happens, rounds):
        def result(self, task):
            n_rounds[0] += 1
            if n_rounds[0] in rounds:
                timers.append(threading.Timer(0.05, happens))
                timers[-1].start()
            return original(self, task)

        monkeypatch.setattr(_rounds.Rounds, "_result", result)

    yield install
    for timer in timers:
        timer.join()


def process_ids(cluster):
    return [worker.process.process.pid for worker in cluster.workers.values()]


def test_full_passes_have_the_same_bits_with_and_without_workers(client):
    assert_array_equal(theta(fit()), undisturbed())
    gaps = np.where(DIGITS == 3, np.nan, DIGITS)
    estimator = AutoencoderTransformer(**PARAMS | {"noise": 0.2})
    found = theta(estimator.fit(da.from_array(gaps, chunks=(100, 64))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_collections, "current_client", lambda: None)
        estimator.fit(da.from_array(gaps, chunks=(100, 64)))
    assert_array_equal(theta(estimator), found)


def test_networks_trained_at_once(client, monkeypatch):
    params = {"solver": "adam", "max_iter": 20, "early_stopping": True}
    params |= {"batch_size": 64}
    monkeypatch.setattr(_dask_rows, "LEAST_BATCH", 16)
    first, second = (fit(**params) for _ in range(2))
    assert_array_equal(theta(first), theta(second))
    here = AutoencoderTransformer(**PARAMS | params).fit(DIGITS)
    assert first.score(DIGITS) > here.score(DIGITS) - 0.02
    assert first.validation_loss_curve_ is not None


def test_rows_that_are_on_workers(client):
    X = rows().persist()
    assert_array_equal(theta(AutoencoderTransformer(**PARAMS).fit(X)), undisturbed())
    scored = fit().score_samples(X)
    assert scored.compute().shape == (len(DIGITS),)


def test_rows_that_workers_have_no_room_for(client, monkeypatch):
    monkeypatch.setattr(_rounds.Rounds, "memory", lambda self: 0)
    assert_array_equal(theta(fit()), undisturbed())
    # What a task needs is too large to go along.
    monkeypatch.setattr(_rounds, "MOST_SENT", 0)
    assert_array_equal(theta(fit()), undisturbed())


def test_rows_that_were_scattered(client):
    if dask.__version__ == "2025.4.1":
        pytest.skip("hands over the future in place of what it stands for")
    few = [DIGITS[start : start + 100] for start in range(0, len(DIGITS), 100)]
    parts = map(dask.delayed, client.scatter(few))
    arrays = zip(parts, few, strict=True)
    X = da.concatenate([da.from_delayed(p, a.shape, a.dtype) for p, a in arrays])
    estimator = fit()
    # They are read once, so nothing is kept.
    assert abs(estimator.score(X) - estimator.score(DIGITS)) < 1e-12


def test_errors_come_through(client):
    X = da.from_array(np.where(DIGITS == 16, np.inf, DIGITS), chunks=(100, 64))
    with pytest.raises(ValueError, match="Input X contains infinity"):
        AutoencoderTransformer(**PARAMS).fit(X)


def test_a_search_with_the_backend_of_joblib(client):
    pipeline = make_pipeline(
        StandardScaler(), AutoencoderTransformer(max_iter=3, random_state=0)
    )
    grid = {"autoencodertransformer__n_components": [2, 4, 8]}
    search = GridSearchCV(pipeline, grid, cv=2)
    expected = search.fit(DIGITS[:300]).cv_results_["mean_test_score"]
    with parallel_config(backend="dask"):
        found = search.fit(DIGITS[:300]).cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_interrupted(client, disturb):
    disturb(lambda: os.kill(os.getpid(), signal.SIGINT), {N_BEFORE + 5})
    # What a shell starts in the background ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            estimator = fit(max_iter=50)
    finally:
        signal.signal(signal.SIGINT, before)
    assert 1 <= estimator.n_iter_ < 50
    deadline = time.monotonic() + 10
    while any(client.processing().values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(client.processing().values())
    assert np.isfinite(estimator.score(DIGITS))


@pytest.mark.faults
def test_a_worker_killed_in_each_of_ten_rounds(disturb):
    with make_cluster() as cluster, distributed.Client(cluster):

        def kill():
            alive = process_ids(cluster)
            if alive:
                os.kill(alive[0], signal.SIGKILL)

        disturb(kill, range(1, 11))
        assert_array_equal(theta(fit()), undisturbed())


@pytest.mark.faults
def test_a_worker_that_joins_late(disturb):
    with make_cluster() as cluster, distributed.Client(cluster):
        disturb(lambda: cluster.scale(3), {4})
        assert_array_equal(theta(fit()), undisturbed())


@pytest.mark.faults
def test_a_worker_that_is_frozen(disturb):
    import dask

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        make_cluster() as cluster,
        distributed.Client(cluster),
    ):
        frozen = process_ids(cluster)[0]
        disturb(lambda: os.kill(frozen, signal.SIGSTOP), {N_BEFORE + 2})
        start = time.monotonic()
        assert_array_equal(theta(fit()), undisturbed())
        assert time.monotonic() - start < 60


@pytest.mark.faults
def test_no_workers(monkeypatch):
    monkeypatch.setattr(_rounds, "LOOK", 0.2)
    monkeypatch.setattr(_rounds, "WITHOUT_WORKERS", 1.0)
    with make_cluster(0) as cluster, distributed.Client(cluster):
        with pytest.raises(_rounds.RowsLost, match="there has been no worker for 1 s"):
            fit()


def test_results_that_take_long_to_arrive(client, monkeypatch):
    # One may be done, and the scheduler freeze on its way: so no look at it may last.
    original, timeouts = distributed.Future.result, []

    def slow(self, timeout=None):
        result = original(self, 60)
        timeouts.append(timeout)
        if len(timeouts) < 3:
            raise TimeoutError
        return result

    monkeypatch.setattr(distributed.Future, "result", slow)
    task = dask.delayed(sum)([1, 2])
    assert _rounds.Rounds(client).result(task) == 3
    assert timeouts == [_rounds.LOOK, 2 * _rounds.LOOK, 4 * _rounds.LOOK]


@pytest.fixture
def apart():
    """A scheduler and two workers, each started by a command of its own."""
    address, processes = "tcp://127.0.0.1:8798", []

    def start(program, *args):
        command = [sys.executable, "-m", f"distributed.cli.{program}", *args]
        output = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        processes.append(subprocess.Popen([*command, "--no-dashboard"], **output))

    start("dask_scheduler", "--port", "8798")
    for _ in range(2):
        start("dask_worker", address, "--nthreads", "1", "--no-nanny")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with distributed.Client(address, timeout=60) as client:
        client.wait_for_workers(2)
        yield processes
        for process in processes:
            process.kill()
            process.wait()


@pytest.mark.faults
@pytest.mark.parametrize(
    "how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"]
)
@pytest.mark.parametrize(
    "cls, params",
    [
        (AutoencoderTransformer, {"max_iter": 50}),
        (AutoencoderOutlierDetector, {"solver": "adam", "early_stopping": "auto"}),
    ],
)
def test_the_scheduler_is_lost(apart, disturb, cls, params, how):
    disturb(lambda: os.kill(apart[0].pid, how), {N_BEFORE + 6})
    start = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = fit(cls, **params)
    assert time.monotonic() - start < 100
    messages = [str(w.message) for w in caught if w.category is ConvergenceWarning]
    assert any("scheduler does not answer" in message for message in messages)
    assert estimator.n_iter_ >= 1
    assert np.isfinite(estimator.score(DIGITS))
    assert np.isfinite(estimator.score_samples(DIGITS)).all()
