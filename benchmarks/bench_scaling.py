"""How time and memory grow, and what the small things cost; a table for each.

- time: seconds per epoch against rows of 100 float32 features, by number of BLAS
  threads. An epoch is half the difference between fits of three epochs and of one.
- memory: how much more memory of its own a process has at its peak than before, less
  the output, for one epoch and for prediction on an array mapped from a file. Each
  runs in a process of its own, prediction with scikit-learn's working_memory at 16 MiB.
- passes: a loop of `partial_fit` over blocks of 10,000 rows, and an epoch of `fit` over
  the same rows in as large batches, in turns; alone, and beside a process that
  multiplies matrices with all threads.
- scoring: `score_samples` of the detector, of rows that it was fitted to and of others,
  beside IsolationForest, in turns; alone and beside the same process.
- wide: `memory` of a fit of both estimators with their defaults to 300 rows of 20,000
  features, the data not counted.
- sparse: peak of the memory of its own of a process that makes a CSR array of 20,000 x
  20,000, of density 0.001, and fits an estimator to it, transforms and scores it (five
  minutes each).
- search: a `GridSearchCV` without refit, with one and two processes that have started.
- gradient: one full-batch gradient of 784-128-64-32-10-... in L-BFGS, as GFLOP/s and as
  a share of what a large float32 matrix product reaches with as many threads.
- latency: `transform` of a single row, beside PCA, in turns.
- import: seconds of a Python that imports the package, or its neighbour, or sys, which
  costs nothing, in turns.

    pip install -e ".[plots]"
    python benchmarks/bench_scaling.py --json scaling.json --plot scaling.png

`--quick` shrinks everything: a check that it runs, not a measurement.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import numpy as np
from _common import (
    layer_sizes,
    print_table,
    pyplot,
    report_header,
    sgemm_rate,
    time_call,
    write_json,
)
from scipy.sparse import random_array
from sklearn import config_context
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from threadpoolctl import threadpool_limits

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer
from sklearn_ae._objective import Objective

N_FEATURES = 100
N_COMPONENTS = 25
THREADS = (1, 2)
WORKING_MEMORY = 16  # MiB


@dataclass
class Sizes:
    """How much is measured."""

    max_rows: int
    n_repeats: int = 5
    pass_rows: int = 100_000
    scored_rows: int = 20_000
    wide_shape: tuple[int, int] = (300, 20_000)
    n_sparse: int = 20_000
    search_rows: int = 20_000
    search_epochs: int = 200
    gradient_rows: int = 9000
    n_gradients: int = 20
    n_latencies: int = 2000

    @classmethod
    def quick(cls, max_rows):
        return cls(
            min(max_rows, 30_000),
            n_repeats=1,
            pass_rows=2000,
            scored_rows=500,
            wide_shape=(30, 2000),
            n_sparse=500,
            search_rows=200,
            search_epochs=2,
            gradient_rows=300,
            n_gradients=4,
            n_latencies=20,
        )


def threads_label(n_threads):
    return f"{n_threads} BLAS thread" + "s" * (n_threads > 1)


def random_rows(n_rows, n_features=N_FEATURES, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_rows, n_features), dtype=np.float32)


def autoencoder(n_epochs=1):
    """Return an estimator whose epochs all take the same number of equal steps."""
    return AutoencoderTransformer(
        N_COMPONENTS,
        solver="adam",
        learning_rate="constant",
        batch_size=256,
        max_iter=n_epochs,
        early_stopping=False,
        random_state=0,
    )


def epoch_seconds(X):
    short, long = (time_call(autoencoder(n).fit, X) for n in (1, 3))
    return (long - short) / 2


def measure_time(sizes):
    """Return seconds per epoch, and the slopes of their logarithms."""
    least = min(10_000, sizes.max_rows // 10)
    all_rows = [round(10 ** (k / 2)) for k in range(20)]
    all_rows = [n for n in all_rows if least <= n <= sizes.max_rows]
    seconds = {n_threads: [] for n_threads in THREADS}
    for n_rows in all_rows:
        X = random_rows(n_rows)
        samples = {n_threads: [] for n_threads in THREADS}
        # Many rows are a long measurement, and need less repetition.
        for _ in range(sizes.n_repeats if n_rows <= 100_000 else 3):
            for n_threads in THREADS:
                with threadpool_limits(n_threads):
                    samples[n_threads].append(epoch_seconds(X))
        for n_threads in THREADS:
            seconds[n_threads].append(statistics.median(samples[n_threads]))
    slopes = {n: log_slope(all_rows, values) for n, values in seconds.items()}
    rows = [list(cells) for cells in zip(all_rows, *seconds.values(), strict=True)]
    rows.append(["log-log slope", *slopes.values()])
    columns = ["rows", *map(threads_label, THREADS)]
    print_table("Seconds per epoch", columns, rows)
    return {"rows": all_rows, "seconds": seconds, "slopes": slopes}


def log_slope(x, y):
    """Return the slope of log y over log x."""
    # On few rows, noise can be larger than a difference.
    y = np.maximum(y, 1e-6)
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


class PeakMemory(threading.Thread):
    """Follows the memory of this process that no file stands behind, in bytes.

    Where the system does not tell, the process's largest resident set takes its place,
    which has the pages of mapped files in it.
    """

    def __init__(self, interval=0.001):
        super().__init__(daemon=True)
        self.interval = interval
        self.peak = self.before = self.now()
        self._done = threading.Event()

    @staticmethod
    def now():
        try:
            with open("/proc/self/status") as file:
                for line in file:
                    if line.startswith("RssAnon"):
                        return 1024 * int(line.split()[1])
        except OSError:
            pass
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run(self):
        while not self._done.wait(self.interval):
            self.peak = max(self.peak, self.now())

    def growth(self):
        """Stop; return by how much the peak was higher than the start."""
        self._done.set()
        self.join()
        return max(self.peak, self.now()) - self.before


def memory_growth(method, path):
    """Return how much memory a method needs besides its output, in MiB.

    Called in a fresh process; the estimator was fitted on some of the rows, so that
    everything that is loaded on first use is there.
    """
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = np.load(path, mmap_mode="r")
    estimator = autoencoder().fit(X[:1000])
    estimator.score_samples(X[:1000])
    if method == "inverse_transform":
        X = random_rows(len(X), N_COMPONENTS)
    working_memory = None if method == "fit" else WORKING_MEMORY
    with config_context(working_memory=working_memory):
        memory = PeakMemory()
        memory.start()
        output = getattr(estimator, method)(X)
        growth = memory.growth()
    return (growth - getattr(output, "nbytes", 0)) / 2**20


def write_rows(path, n_rows, block=100_000):
    """Write random rows to a file, block by block."""
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n_rows, N_FEATURES))
    for start in range(0, n_rows, block):
        part = X[start : start + block]
        part[...] = random_rows(len(part), seed=start)
    X.flush()


def in_fresh_process(function, *args):
    """Return what a function does in a process that shares no memory with this one."""
    # A forked one would.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def measure_memory(sizes):
    """Return the MiB that each method needs besides data and output."""
    growth = {}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rows.npy"
        write_rows(path, sizes.max_rows)
        data = path.stat().st_size / 2**20
        for method in ("fit", "transform", "inverse_transform", "score_samples"):
            growth[method] = in_fresh_process(memory_growth, method, path)
    title = f"Peak memory beyond {data:.0f} MiB of data on disk, and beyond the output"
    print_table(title, ["method", "MiB"], growth.items())
    return {"rows": sizes.max_rows, "data_mib": data, "growth_mib": growth}


BUSY = """
import numpy as np
a = np.random.default_rng(0).standard_normal((1000, 1000))
print(flush=True)
while True:
    a @ a
"""


@contextmanager
def busy_process():
    """Let another process use all cores."""
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def alone_and_beside(functions, n_repeats):
    """Return the median seconds of each function, alone and beside a busy process."""
    medians = {}
    for label, beside in (("alone", nullcontext), ("beside another", busy_process)):
        samples = {name: [] for name in functions}
        with beside():
            for _ in range(n_repeats):
                for name, function in functions.items():
                    samples[name].append(function())
        medians[label] = {n: statistics.median(s) for n, s in samples.items()}
    return medians


def measure_passes(sizes):
    """Return the seconds of an epoch of `fit` and of a loop of `partial_fit`."""
    X = random_rows(sizes.pass_rows, 50)
    blocks = np.array_split(X, max(1, len(X) // 10_000))

    def loop():
        estimator = autoencoder().partial_fit(blocks[0])
        start = time.perf_counter()
        for block in blocks:
            estimator.partial_fit(block)
        return time.perf_counter() - start

    functions = {"fit": lambda: epoch_seconds(X), "partial_fit": loop}
    seconds = alone_and_beside(functions, sizes.n_repeats)
    rows = [
        [label, *s.values(), s["partial_fit"] / s["fit"]]
        for label, s in seconds.items()
    ]
    title = f"Seconds of a pass over {len(X)} rows of 50"
    print_table(title, ["", "epoch of fit", "partial_fit", "ratio"], rows)
    return seconds


def measure_scoring(sizes):
    """Return the seconds of `score_samples` of two detectors."""
    reports = []
    for dtype in (np.float64, np.float32):
        n_rows = sizes.scored_rows
        mixing = random_rows(20, 50)
        X = random_rows(2 * n_rows, 20) @ mixing + random_rows(2 * n_rows, 50, seed=1)
        train, fresh = np.split(X.astype(dtype), 2)
        forest = IsolationForest(random_state=0).fit(train)
        detector = AutoencoderOutlierDetector(max_iter=2, random_state=0).fit(train)
        functions = {
            "IsolationForest": partial(time_call, forest.score_samples, fresh),
            "fresh rows": partial(time_call, detector.score_samples, fresh),
            "training rows": partial(time_call, detector.score_samples, train),
        }
        seconds = alone_and_beside(functions, 3 * sizes.n_repeats)
        rows = []
        for label, s in seconds.items():
            forest_seconds, *ours = s.values()
            rows.append([label, forest_seconds, *ours])
            rows[-1] += [seconds / forest_seconds for seconds in ours]
        title = f"Seconds of score_samples, {n_rows} rows of 50, {np.dtype(dtype)}"
        columns = ["", *functions, "fresh / forest", "training / forest"]
        print_table(title, columns, rows)
        reports.append({"dtype": str(np.dtype(dtype)), "seconds": seconds})
    return reports


def wide_growth(cls, shape):
    """Return the MiB that a fit with defaults needs. Called in a fresh process."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = np.random.default_rng(0).standard_normal(shape)
    cls(max_iter=1).fit(X[:, :100])
    memory = PeakMemory()
    memory.start()
    cls(max_iter=2, random_state=0).fit(X)
    return memory.growth() / 2**20


def measure_wide(sizes):
    """Return the MiB of fits to many features."""
    growth = {
        cls.__name__: in_fresh_process(wide_growth, cls, sizes.wide_shape)
        for cls in (AutoencoderTransformer, AutoencoderOutlierDetector)
    }
    title = "Peak memory of a fit to {} rows of {} features".format(*sizes.wide_shape)
    print_table(title, ["", "MiB"], growth.items())
    return growth


def sparse_peak(cls, n):
    """Return the peak of what a process has, in MiB. Called in a fresh one."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    X = random_array((n, n), density=0.001, format="csr", rng=0)
    memory = PeakMemory()
    memory.start()
    estimator = cls(max_iter=1, random_state=0).fit(X)
    estimator.transform(X)
    estimator.score_samples(X)
    return (memory.before + memory.growth()) / 2**20


def measure_sparse(sizes):
    """Return the peak memory, in MiB, of a process with sparse rows."""
    peaks = {
        cls.__name__: in_fresh_process(sparse_peak, cls, sizes.n_sparse)
        for cls in (AutoencoderTransformer, AutoencoderOutlierDetector)
    }
    n = sizes.n_sparse
    print_table(f"Peak memory with {n} x {n} sparse cells", ["", "MiB"], peaks.items())
    return peaks


def grid_search(X, n_epochs, n_jobs):
    GridSearchCV(
        AutoencoderTransformer(max_iter=n_epochs, random_state=0),
        {"n_components": [5, 10, 15, 20]},
        cv=2,
        refit=False,
        n_jobs=n_jobs,
    ).fit(X)


def measure_search(sizes):
    """Return the seconds of a search with one and with two processes."""
    X = random_rows(sizes.search_rows, 50)
    grid_search(X[:100], 2, 2)
    seconds = {1: [], 2: []}
    for _ in range(min(3, sizes.n_repeats)):
        for n_jobs, samples in seconds.items():
            samples.append(time_call(grid_search, X, sizes.search_epochs, n_jobs))
    medians = [statistics.median(samples) for samples in seconds.values()]
    ratio = medians[0] / medians[1]
    title = f"Seconds of a GridSearchCV, 4 latent sizes x 2 folds of {len(X)} rows"
    columns = ["n_jobs=1", "n_jobs=2", "times faster"]
    print_table(title, columns, [[*medians, ratio]])
    return {"rows": len(X), "seconds": seconds, "times_faster": ratio}


@contextmanager
def timed_gradients():
    """Give a list that fits inside fill with the seconds of each gradient."""
    seconds, method = [], Objective.value_and_gradient

    def timed(*args, **kwargs):
        start = time.perf_counter()
        result = method(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return result

    with patch.object(Objective, "value_and_gradient", timed):
        yield seconds


def gradient_seconds(X, widths, code, activation, n_gradients):
    """Return the median over the gradients of a fit."""
    estimator = AutoencoderTransformer(
        code,
        hidden_layer_sizes=widths[1:],
        activation=activation,
        linear_path=False,
        early_stopping=False,
        solver="lbfgs",
        max_iter=n_gradients,
        random_state=0,
    )
    with timed_gradients() as seconds:
        estimator.fit(X)
    # The first allocates memory for all.
    return statistics.median(seconds[1:])


def measure_gradient(sizes):
    """Return the speed of full-batch gradients."""
    widths, code = (784, 128, 64, 32), 10
    X = random_rows(sizes.gradient_rows, widths[0])
    layers = layer_sizes(widths, code)
    n_weights = sum(a * b for a, b in zip(layers, layers[1:], strict=False))
    # Forward, by weights, by inputs: but nobody needs the gradient by the data.
    flops = len(X) * (6 * n_weights - 2 * layers[0] * layers[1])
    columns = ["", "milliseconds", "GFLOP/s", "sgemm GFLOP/s", "share"]
    rows = []
    for n_threads in THREADS:
        with threadpool_limits(n_threads):
            # Both in turns: the speed of a shared machine drifts.
            for activation in ("tanh", "relu"):
                rate = sgemm_rate()
                seconds = gradient_seconds(
                    X, widths, code, activation, sizes.n_gradients
                )
                rate = max(rate, sgemm_rate())
                gflops = 1e-9 * flops / seconds
                label = f"{activation}, {threads_label(n_threads)}"
                rows.append([label, 1e3 * seconds, gflops, rate, gflops / rate])
    print_table(f"Full-batch gradient over {len(X)} rows", columns, rows)
    return [dict(zip(["case", *columns[1:]], row, strict=True)) for row in rows]


def measure_latency(sizes):
    """Return the microseconds that one row takes."""
    X = random_rows(5000)
    transformers = {
        "sklearn_ae": autoencoder().fit(X),
        "PCA": PCA(N_COMPONENTS).fit(X),
    }
    samples = {name: [] for name in transformers}
    for i in range(sizes.n_latencies):
        row = X[i % len(X)][None]
        for name, transformer in transformers.items():
            samples[name].append(1e6 * time_call(transformer.transform, row))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    ratio = medians["sklearn_ae"] / medians["PCA"]
    columns = [*medians, "ratio"]
    rows = [[*medians.values(), ratio]]
    print_table("Microseconds of transform, one row", columns, rows)
    return {"microseconds": medians, "ratio": ratio}


def measure_import(sizes):
    """Return the seconds of interpreters that only import something."""
    modules = ["sys", "sklearn.neural_network", "sklearn_ae"]
    samples = {module: [] for module in modules}
    # Compiled once, as usual, whatever this environment says.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    for _ in range(1 + sizes.n_repeats):
        for module, values in samples.items():
            command = [sys.executable, "-c", f"import {module}"]
            seconds = time_call(subprocess.run, command, check=True, env=environment)
            values.append(seconds)
    # The first time, files come from the disk and may be compiled.
    medians = {name: statistics.median(values[1:]) for name, values in samples.items()}
    print_table("Seconds of import", ["module", "seconds"], medians.items())
    return medians


SECTIONS = {
    "time": measure_time,
    "memory": measure_memory,
    "passes": measure_passes,
    "scoring": measure_scoring,
    "wide": measure_wide,
    "sparse": measure_sparse,
    "search": measure_search,
    "gradient": measure_gradient,
    "latency": measure_latency,
    "import": measure_import,
}


def plot(path, result):
    """Draw seconds per epoch against rows, a line for each number of threads."""
    figure, ax = pyplot().subplots(figsize=(5, 4), layout="constrained")
    for n_threads, seconds in result["seconds"].items():
        slope = result["slopes"][n_threads]
        label = f"{threads_label(n_threads)}, slope {slope:.2f}"
        ax.plot(result["rows"], seconds, marker="o", label=label)
    ax.set(xscale="log", yscale="log", ylabel="seconds per epoch")
    ax.set_xlabel(f"rows of {N_FEATURES} float32 features")
    ax.grid(which="both", alpha=0.2)
    ax.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="*", choices=SECTIONS, default=SECTIONS)
    parser.add_argument("--max-rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="small, to try it")
    parser.add_argument("--json", help="where to write all measurements")
    parser.add_argument("--plot", help="where to draw the time per epoch")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    # For the processes of joblib, too.
    os.environ["PYTHONWARNINGS"] = "ignore"

    report = {"header": report_header()}
    sizes = Sizes.quick if options.quick else Sizes
    for name in options.sections:
        report[name] = SECTIONS[name](sizes(options.max_rows))
        write_json(options.json, report)
    if options.plot and "time" in report:
        plot(options.plot, report["time"])


if __name__ == "__main__":
    main()
