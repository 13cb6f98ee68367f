"""Who uses the processor's cores while a network trains."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from enum import Enum
from threading import Lock

from threadpoolctl import ThreadpoolController, threadpool_limits

_lock = Lock()
_n_inside = 0
_limits: threadpool_limits | None = None


class Sharing(Enum):
    """What is shared out among threads."""

    NOTHING = "each fit has one thread"
    PRODUCTS = "BLAS shares out each matrix product"
    ROWS = "each thread takes blocks of rows through the whole network"


@contextmanager
def threads(sharing):
    """Set up threads; yields what applies a function to parts of a sum, in order.

    That is the built-in `map` or one like it. As many threads are used as BLAS may use
    when the context is entered, so that what limits BLAS limits us: environment
    variables, threadpoolctl, and joblib, which gives each of its processes a share.

    NumPy and SciPy come with a BLAS each, whose threads would wait for one another in
    L-BFGS, and most products here are too small to be shared out. So BLAS has one
    thread, unless it is to share.
    """
    if sharing is Sharing.PRODUCTS:
        yield map
        return
    with _one_blas_thread() as n_threads:
        if sharing is Sharing.NOTHING or n_threads == 1:
            yield map
            return
        with ThreadPoolExecutor(n_threads) as pool:

            def pool_map(function: Callable, items):
                # NumPy's error state belongs to a context, and each thread has its own.
                items = list(items)
                contexts = [copy_context().run for _ in items]
                return pool.map(lambda run, item: run(function, item), contexts, items)

            yield pool_map


@contextmanager
def _one_blas_thread():
    """Limit BLAS to one thread until the last such context, of any thread, is left.

    Yields how many threads BLAS had before. A limit holds for the whole process, so
    contexts that overlap must not restore each other's.
    """
    global _n_inside, _limits
    with _lock:
        blas = ThreadpoolController().select(user_api="blas")
        n_threads = max((info["num_threads"] for info in blas.info()), default=1)
        if _n_inside == 0:
            _limits = blas.limit(limits=1)
        _n_inside += 1
    try:
        yield n_threads
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0 and _limits is not None:
                _limits.restore_original_limits()
