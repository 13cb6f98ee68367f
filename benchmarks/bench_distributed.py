"""Training on Dask collections, with worker processes on this machine.

- rounds: seconds of a pass over all rows and of an epoch with one worker and with two,
  and the CPU seconds of driver and scheduler on the way;
- quality: held-out loss beside that of a fit in memory with as many epochs;
- growth: seconds of a pass against rows, as a slope in double logarithms;
- memory: a fit to rows that the workers' memory cannot hold, and the driver's growth;
- files: a fit without a client, to a file that is larger than the memory it may take,
  and an epoch from a file beside one from memory.

Rows lie in files, in a temporary folder. No wire is measured: all is on one machine.
"""

import argparse
import logging
import resource
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
from _common import print_table, report_header, write_json
from bench_scaling import PeakMemory, in_fresh_process
from distributed import Client, LocalCluster
from sklearn.exceptions import ConvergenceWarning

from sklearn_ae import AutoencoderTransformer

N_FEATURES, N_COMPONENTS, N_FACTORS = 100, 10, 8
HIDDEN = (64, 32)
CHUNK = 20_000

SIZES = {"rounds": 800_000, "quality": 400_000, "memory": 10_000_000}
GROWTH = (250_000, 500_000, 1_000_000, 2_000_000)
N_EPOCHS, N_REPEATS = 10, 3
WORKER_MEMORY = "1.4GB"
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


def cluster(n_workers, **options):
    return Client(
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
            **options,
        )
    )


def cpu_seconds():
    """Return those of this process, which has the scheduler, too."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def seconds_of(estimator, X):
    """Return the seconds of an iteration, and those of this process's CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.set_params(max_iter=1).fit(X)
        figures = []
        for max_iter in (1, 4):
            start, cpu = time.perf_counter(), cpu_seconds()
            fitted = estimator.set_params(max_iter=max_iter).fit(X)
            figures.append((time.perf_counter() - start, cpu_seconds() - cpu))
    assert fitted.n_iter_ == 4
    return [(late - early) / 3 for early, late in zip(*figures, strict=True)]


def measure_rounds(sizes, folder):
    n_rows, table = sizes.n_rows["rounds"], {}
    write_rows(folder / "rounds.npy", n_rows)
    for solver in ("lbfgs", "adam"):
        # Two networks at once, in the second case.
        for n_workers in (1, 2) * N_REPEATS:
            with cluster(n_workers) as client:
                X = collection(folder / "rounds.npy", n_rows)
                estimator = autoencoder(solver=solver, batch_size=512)
                figures = seconds_of(estimator, X)
                client.cluster.close()
            table.setdefault((solver, n_workers), []).append(figures)
    shown = []
    for (solver, n_workers), figures in table.items():
        wall, cpu = min(figures)
        alone = min(table[solver, 1])
        # What driver and scheduler take would be another machine's.
        shown.append(
            (
                solver,
                n_workers,
                wall,
                cpu,
                alone[0] / wall,
                (alone[0] - alone[1]) / (wall - cpu),
            )
        )
    columns = [
        "solver",
        "workers",
        "seconds",
        "CPU of driver and scheduler",
        "ratio",
        "ratio without it",
    ]
    print_table(f"An iteration over {n_rows} rows", columns, shown)
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
        with cluster(2) as client:
            lazy = collection(folder / "quality.npy", n_rows)
            shared_out = loss(estimator.fit(lazy), X_test)
            client.cluster.close()
        shown.append((name, in_memory, alone / in_memory, shared_out / in_memory))
    columns = ["solver", "loss in memory", "Dask, no client", "Dask, two workers"]
    print_table(f"Held-out loss, {n_rows} rows", columns, shown)
    return shown


def loss(estimator, X):
    return -float(estimator.score_samples(X).mean())


def measure_growth(sizes, folder):
    seconds = []
    with cluster(2) as client:
        for n_rows in sizes.growth:
            write_rows(folder / "growth.npy", n_rows)
            X = collection(folder / "growth.npy", n_rows)
            seconds.append(seconds_of(autoencoder(solver="lbfgs"), X)[0])
        client.cluster.close()
    slope = np.polyfit(np.log(sizes.growth), np.log(seconds), 1)[0]
    print_table(
        "Seconds of a pass, two workers",
        ["rows", "seconds"],
        zip(sizes.growth, seconds, strict=True),
    )
    print(f"slope {slope:.3f}")
    return {"rows": sizes.growth, "seconds": seconds, "slope": slope}


def measure_memory(sizes, folder):
    n_rows = sizes.n_rows["memory"]
    write_rows(folder / "memory.npy", n_rows)
    with cluster(2, memory_limit=WORKER_MEMORY) as client:
        X = collection(folder / "memory.npy", n_rows)
        autoencoder(max_iter=1).fit(X[:CHUNK])
        memory, start = PeakMemory(), time.perf_counter()
        memory.start()
        fitted = autoencoder(max_iter=2).fit(X)
        growth, seconds = memory.growth() / 2**20, time.perf_counter() - start
        explained = fitted.score(X[: 10 * CHUNK])
        client.cluster.close()
    gigabytes = n_rows * N_FEATURES * 4 / 1e9
    figures = {"rows": n_rows, "GB of data": gigabytes, "seconds": seconds}
    figures |= {"driver grew by MiB": growth, "score": explained}
    title = f"Two epochs on two workers with {WORKER_MEMORY} each"
    print_table(title, ["", ""], figures.items())
    return figures


def measure_files(sizes, folder):
    n_rows = sizes.n_rows["quality"]
    write_rows(folder / "files.npy", n_rows)
    grown = {
        kind: in_fresh_process(growth_of_file, kind, folder / "files.npy", n_rows)
        for kind in ("memory map", "Dask array")
    }
    nbytes = n_rows * N_FEATURES * 4 / 2**20
    print_table(
        f"Growth of a process that fits {nbytes:.0f} MiB, in MiB",
        ["", "MiB"],
        grown.items(),
    )
    X_map = np.load(folder / "files.npy", mmap_mode="r")[:, :50]
    X, samples = np.ascontiguousarray(X_map), {"file": [], "memory": []}
    np.save(folder / "half.npy", X)
    X_map = np.load(folder / "half.npy", mmap_mode="r")
    for _ in range(3):
        for name, data in (("file", X_map), ("memory", X)):
            samples[name].append(seconds_of(autoencoder(), data)[0])
    seconds = {name: min(values) for name, values in samples.items()}
    print_table(f"Seconds of an epoch, {n_rows} x 50", ["", "s"], seconds.items())
    return {"growth_mib": grown, "seconds": seconds}


def growth_of_file(kind, path, n_rows):
    """Return how much memory of its own a process needs; called in a fresh one."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = np.load(path, mmap_mode="r")
    autoencoder(max_iter=1).fit(np.array(X[:1000]))
    if kind == "Dask array":
        X = collection(path, n_rows)
    memory = PeakMemory()
    memory.start()
    autoencoder(max_iter=1, early_stopping=True).fit(X)
    return memory.growth() / 2**20


SECTIONS = {
    "rounds": measure_rounds,
    "quality": measure_quality,
    "growth": measure_growth,
    "memory": measure_memory,
    "files": measure_files,
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
