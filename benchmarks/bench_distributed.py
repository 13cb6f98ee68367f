"""Training on Dask collections, with worker processes on this machine.

- cost: seconds of a round that does nothing but move parameters and gradients;
- rounds: seconds of a pass over all rows and of an epoch with one worker and with two,
  in turns, and the CPU seconds of driver and scheduler on the way;
- quality: held-out loss beside that of a fit in memory with as many epochs;
- growth: seconds of a pass, and of a fit, against rows, as slopes of their logarithms;
- memory: a fit to rows that the workers' memory cannot hold, and the driver's growth;
- files: fits without a client to files larger than the memory that the process may
  take besides what it has without them;
- maps: an epoch over a million mapped rows beside one from memory.

Rows lie in files, in a temporary folder. No wire is measured: all is on one machine.

    pip install -e ".[dask]" zarr
    python benchmarks/bench_distributed.py --json distributed.json
"""

import argparse
import importlib.util
import logging
import resource
import tempfile
import time
import warnings
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from unittest.mock import patch

import dask
import dask.array as da
import numpy as np
from _common import print_table, report_header, write_json
from bench_scaling import PeakMemory, in_fresh_process
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from sklearn_ae import AutoencoderTransformer
from sklearn_ae._dask_rows import total
from sklearn_ae._rounds import Rounds, tasks_with, tree_sum

N_FEATURES, N_COMPONENTS, N_FACTORS = 100, 10, 8
HIDDEN = (64, 32)
CHUNK = 20_000

SIZES = {"rounds": 800_000, "quality": 400_000, "memory": 10_000_000}
SIZES |= {"files": 3_000_000, "maps": 1_000_000}
GROWTH = (250_000, 500_000, 1_000_000, 2_000_000)
N_ROUNDS, N_REPEATS = 8, 3
N_EPOCHS = 10
WORKER_MEMORY, MORE_MEMORY = "1.4GB", 300 * 10**6
COST_TASKS, COST_BYTES, N_COSTS = (8, 64), 10**6, 10
QUICK = 100


def rows(n_rows, seed=0, noise=0.3):
    """Draw rows near a curved surface."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng((1, seed))
    inner, outer = (
        fixed.normal(size=(N_FACTORS, 40)),
        fixed.normal(size=(40, N_FEATURES)),
    )
    codes = rng.normal(size=(n_rows, N_FACTORS))
    X = np.tanh(codes @ inner / 2) @ outer / 6
    return (X + noise * rng.normal(size=X.shape)).astype(np.float32)


def write_rows(path, n_rows):
    """Write rows to a file, block by block; returns the file as an array."""
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, N_FEATURES))
    for start in range(0, n_rows, CHUNK):
        X[start : start + CHUNK] = rows(min(CHUNK, n_rows - start), start)
    X.flush()
    return np.load(path, mmap_mode="r")


def read_chunk(path, start, stop):
    return np.array(np.load(path, mmap_mode="r")[start:stop])


def collection(path, n_rows):
    """Return the file as a Dask array, each chunk of which is read where it is used."""
    read = dask.delayed(read_chunk, pure=True)
    chunks = [
        da.from_delayed(
            read(str(path), i, min(i + CHUNK, n_rows)),
            (min(CHUNK, n_rows - i), N_FEATURES),
            np.float32,
        )
        for i in range(0, n_rows, CHUNK)
    ]
    return da.concatenate(chunks)


def autoencoder(**changes):
    params = {"hidden_layer_sizes": HIDDEN, "noise": None, "early_stopping": False}
    params |= {"random_state": 0, "max_iter": N_EPOCHS, "tol": 0.0}
    return AutoencoderTransformer(N_COMPONENTS, **params | changes)


@contextmanager
def cluster(n_workers, **options):
    """Yield a client of worker processes on this machine."""
    options |= {"threads_per_worker": 1, "dashboard_address": ":0"}
    options |= {"n_workers": n_workers, "silence_logs": logging.CRITICAL}
    with LocalCluster(**options) as workers, Client(workers) as client:
        yield client


def cpu_seconds():
    """Return those of this process, which has the scheduler, too."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


@contextmanager
def timed_rounds():
    """Yield a list that gets the seconds of each round, and those of this process."""
    figures, result = [], Rounds.result

    def timed(*args):
        start, cpu = time.perf_counter(), cpu_seconds()
        value = result(*args)
        figures.append((time.perf_counter() - start, cpu_seconds() - cpu))
        return value

    with patch.object(Rounds, "result", timed):
        yield figures


def seconds_of_rounds(estimator, X):
    """Return seconds, and CPU seconds of this process, of each round of training."""
    with timed_rounds() as figures:
        fitted = estimator.set_params(max_iter=N_ROUNDS).fit(X)
    assert fitted.n_iter_ == N_ROUNDS
    # Statistics and the start come before.
    return figures[-N_ROUNDS:]


def medians(figures):
    return [median(few) for few in zip(*figures, strict=True)]


def gradient(theta):
    return [theta + 1]


def measure_cost(sizes, folder):
    theta, shown = np.zeros(COST_BYTES // 4, np.float32), []
    with cluster(2) as client:
        for n_tasks in COST_TASKS:
            with timed_rounds() as figures:
                for _ in range(N_COSTS):
                    tasks = tasks_with(partial(gradient, theta), [()] * n_tasks)
                    Rounds(client).result(tree_sum(dask.delayed(total), tasks))
            shown.append((n_tasks, *medians(figures)))
    columns = ["tasks", "seconds", "CPU of driver and scheduler"]
    title = f"A round that moves {COST_BYTES / 1e6:.0f} MB there and back, two workers"
    print_table(title, columns, shown)
    return shown


def measure_rounds(sizes, folder):
    n_rows, figures = sizes.n_rows["rounds"], {}
    write_rows(folder / "rounds.npy", n_rows)
    with ExitStack() as stack:
        clients = {n: stack.enter_context(cluster(n)) for n in (1, 2)}
        # Two networks at once, in the second case.
        for solver in ("lbfgs", "adam") * N_REPEATS:
            for n_workers, client in clients.items():
                with client.as_current():
                    X = collection(folder / "rounds.npy", n_rows)
                    estimator = autoencoder(solver=solver, batch_size=512)
                    rounds = seconds_of_rounds(estimator, X)
                figures.setdefault((solver, n_workers), []).extend(rounds)
    shown = []
    for (solver, n_workers), rounds in figures.items():
        (alone, alone_cpu), (wall, cpu) = medians(figures[solver, 1]), medians(rounds)
        # What driver and scheduler take would be another machine's.
        without = (alone - alone_cpu) / (wall - cpu)
        shown.append((solver, n_workers, wall, cpu, alone / wall, without))
    columns = ["solver", "workers", "seconds", "CPU of driver and scheduler"]
    columns += ["ratio", "ratio without it"]
    print_table(f"A round over {n_rows} rows", columns, shown)
    return {"rows": n_rows, "table": shown}


def measure_quality(sizes, folder):
    n_rows = sizes.n_rows["quality"]
    X = write_rows(folder / "quality.npy", n_rows)
    X_test, shown = rows(20_000, 10**9), []
    cases = {
        "svd": {"solver": "svd", "hidden_layer_sizes": ()},
        "lbfgs": {"solver": "lbfgs", "max_iter": 30},
        "adam": {"max_iter": 10},
        "adam, longer": {"max_iter": 40},
    }
    for name, params in cases.items():
        estimator = autoencoder(**params)
        in_memory = loss(estimator.fit(X), X_test)
        lazy = collection(folder / "quality.npy", n_rows)
        alone = loss(estimator.fit(lazy), X_test)
        with cluster(2):
            lazy = collection(folder / "quality.npy", n_rows)
            shared_out = loss(estimator.fit(lazy), X_test)
            shown.append((name, in_memory, alone / in_memory, shared_out / in_memory))
    columns = ["solver", "loss in memory", "Dask, no client", "Dask, two workers"]
    print_table(f"Held-out loss, {n_rows} rows", columns, shown)
    return shown


def loss(estimator, X):
    return -float(estimator.score_samples(X).mean())


def measure_growth(sizes, folder):
    passes, fits = [], []
    with cluster(2):
        for n_rows in sizes.growth:
            write_rows(folder / "growth.npy", n_rows)
            X, start = collection(folder / "growth.npy", n_rows), time.perf_counter()
            rounds = seconds_of_rounds(autoencoder(solver="lbfgs"), X)
            fits.append(time.perf_counter() - start)
            passes.append(medians(rounds)[0])
    slopes = [
        float(np.polyfit(np.log(sizes.growth), np.log(seconds), 1)[0])
        for seconds in (passes, fits)
    ]
    columns = ["rows", "seconds of a pass", f"seconds of a fit of {N_ROUNDS} passes"]
    table = [*zip(sizes.growth, passes, fits, strict=True), ("slope", *slopes)]
    print_table("Growth with rows, two workers", columns, table)
    return {"rows": sizes.growth, "passes": passes, "fits": fits, "slopes": slopes}


def measure_memory(sizes, folder):
    n_rows = sizes.n_rows["memory"]
    write_rows(folder / "memory.npy", n_rows)
    with cluster(2, memory_limit=WORKER_MEMORY):
        X = collection(folder / "memory.npy", n_rows)
        autoencoder(max_iter=1).fit(X[:CHUNK])
        memory, start = PeakMemory(), time.perf_counter()
        memory.start()
        fitted = autoencoder(max_iter=2).fit(X)
        growth, seconds = memory.growth() / 2**20, time.perf_counter() - start
        explained = fitted.score(X[: 10 * CHUNK])
    gigabytes = n_rows * N_FEATURES * 4 / 1e9
    figures = {"rows": n_rows, "GB of data": gigabytes, "seconds": seconds}
    figures |= {"driver grew by MiB": growth, "score": explained}
    title = f"Two epochs on two workers with {WORKER_MEMORY} each"
    print_table(title, ["", ""], figures.items())
    return figures


def measure_files(sizes, folder):
    n_rows = sizes.n_rows["files"]
    X, shown = write_rows(folder / "files.npy", n_rows), []
    for kind, needed in (("npy", "numpy"), ("zarr", "zarr"), ("parquet", "pyarrow")):
        if importlib.util.find_spec(needed) is None:
            print(f"{needed}: not installed, left out")
            continue
        copied(X, kind, folder)
        shown.append((kind, *in_fresh_process(fit_within_limit, kind, folder)))
    title = (
        f"A fit to {X.nbytes / 1e6:.0f} MB, in a process that may take "
        f"{MORE_MEMORY / 1e6:.0f} MB more than it has"
    )
    print_table(title, ["file", "took MB at its peak", "seconds"], shown)
    return shown


def copied(X, kind, folder):
    """Write a mapped array in another format, in partitions."""
    lazy = da.from_array(X, chunks=(CHUNK, -1))
    with dask.config.set(scheduler="synchronous"):
        if kind == "zarr":
            lazy.to_zarr(str(folder / "files.zarr"))
        elif kind == "parquet":
            names = [f"x{i}" for i in range(X.shape[1])]
            lazy.to_dask_dataframe(columns=names).to_parquet(folder / "files.parquet")


def opened(kind, folder):
    if kind == "npy":
        return np.load(folder / "files.npy", mmap_mode="r")
    if kind == "zarr":
        return da.from_zarr(str(folder / "files.zarr"))
    import dask.dataframe as dd

    return dd.read_parquet(folder / "files.parquet")


def fit_within_limit(kind, folder):
    """Return the memory that a fit takes, in MB, and its seconds.

    Called in a fresh process, which gets MemoryError beyond the limit.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = opened(kind, folder)
    # What is loaded on first use is the package's own.
    few = X.partitions[0] if kind != "npy" else X[:CHUNK]
    estimator = autoencoder(max_iter=1, early_stopping=True).fit(few)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (written_memory() + MORE_MEMORY, hard))
    memory, start = PeakMemory(), time.perf_counter()
    memory.start()
    estimator.fit(X)
    return memory.growth() / 1e6, time.perf_counter() - start


def written_memory():
    """Return what RLIMIT_DATA limits: what may be written into, used or not."""
    with open("/proc/self/status") as file:
        (line,) = (line for line in file if line.startswith("VmData"))
    return 1024 * int(line.split()[1])


def measure_maps(sizes, folder):
    n_rows, n_features = sizes.n_rows["maps"], N_FEATURES // 2
    X = write_rows(folder / "rows.npy", n_rows)[:, :n_features]
    X = np.ascontiguousarray(X)
    np.save(folder / "maps.npy", X)
    mapped = np.load(folder / "maps.npy", mmap_mode="r")
    seconds = {"file": [], "memory": []}
    for _ in range(N_REPEATS):
        for name, rows in (("file", mapped), ("memory", X)):
            start = time.perf_counter()
            autoencoder(max_iter=N_ROUNDS).fit(rows)
            seconds[name].append((time.perf_counter() - start) / N_ROUNDS)
    shown = [(name, min(samples)) for name, samples in seconds.items()]
    title = f"A fit to {n_rows} x {n_features}: seconds for each of {N_ROUNDS} epochs"
    print_table(title, ["", "seconds"], shown)
    return shown


SECTIONS = {
    "cost": measure_cost,
    "rounds": measure_rounds,
    "quality": measure_quality,
    "growth": measure_growth,
    "memory": measure_memory,
    "files": measure_files,
    "maps": measure_maps,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="*", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--quick", action="store_true", help="small, to try it")
    parser.add_argument("--json", help="where to write all measurements")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    divisor = QUICK if options.quick else 1
    sizes = SimpleNamespace(
        n_rows={name: n // divisor for name, n in SIZES.items()},
        growth=tuple(n // divisor for n in GROWTH),
    )
    report = {"header": report_header()}
    for name in options.sections:
        with tempfile.TemporaryDirectory() as folder:
            report[name] = SECTIONS[name](sizes, Path(folder))
        write_json(options.json, report)


if __name__ == "__main__":
    main()
