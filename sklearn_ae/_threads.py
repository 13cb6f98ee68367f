"""Who uses the processor's cores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from enum import Enum
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

# Multiplications (rows at a time times weights) from which threads gain.
LARGE_BLOCK = 20_000_000

# Multiplications in a product that is not shared out, whatever the limit: OpenBLAS does
# so with matrix and vector from 9,216 on, with two matrices later.
SMALL_PRODUCT = 9_000

# Columns from which decompositions are shared out.
MANY_COLUMNS = 500


class Sharing(Enum):
    """What is shared out among threads."""

    NOTHING = "each call has one thread"
    BLAS = "BLAS decides, for each matrix product"
    ROWS = "each thread takes blocks of rows through the whole network"


def choose_for_products(largest):
    """Choose for products of which the largest takes so many multiplications."""
    return Sharing.NOTHING if SMALL_PRODUCT < largest <= LARGE_BLOCK else Sharing.BLAS


def choose_for_decomposition(n_columns):
    """Choose for sums and decompositions of matrices with so many columns."""
    return Sharing.BLAS if n_columns > MANY_COLUMNS else Sharing.NOTHING


@contextmanager
def threads(sharing):
    """Set up threads; yields what applies a function to pieces, in order.

    That is the built-in `map` or one like it. As many threads are used as BLAS may use
    when the context is entered, so that what limits BLAS limits us: environment
    variables, threadpoolctl, and joblib, which gives each of its processes a share.

    NumPy and SciPy come with a BLAS each, whose threads would wait for one another in
    L-BFGS, and most products here are too small to be shared out: on a busy machine
    waiting takes many times as long as the product. So BLAS has one thread, unless it
    is to share.
    """
    if sharing is Sharing.BLAS:
        yield map
        return
    with one_blas_thread() as n_threads:
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


class BlasLimit:
    """One thread for BLAS while anyone is inside, whoever comes or goes first.

    Most libraries have one limit for the whole process, so contexts that overlap must
    not undo each other's: the last to leave does. Where each thread has a limit of its
    own (OpenMP), each context restores its own.

    Parameters
    ----------
    find : callable() -> ThreadpoolController
        Called once, at the first use, when the libraries are loaded.
    """

    def __init__(self, find):
        self._find = cache(find)
        self._changed = []
        self.forget_contexts()

    def forget_contexts(self):
        """Start anew in a forked process, where no other thread is left."""
        self._lock, self._inside = Lock(), set()

    @contextmanager
    def __call__(self):
        """Limit BLAS; yields how many threads it had before."""
        context = object()
        own: list = []
        try:
            yield self._enter(context, own)
        finally:
            try:
                self._leave(context, own)
            except KeyboardInterrupt:
                # It may have come before anything was restored.
                self._leave(context, own)
                raise

    def _enter(self, context, own):
        with self._lock:
            self._inside.add(context)
            libraries = self._find().lib_controllers
            n_threads = max((library.num_threads for library in libraries), default=1)
            if n_threads > 1:
                for library in libraries:
                    each = _limits_each_thread(library)
                    _limit(library, own if each else self._changed)
                self._let_others_decide()
        return n_threads

    def _leave(self, context, own):
        with self._lock:
            self._inside.discard(context)
            to_restore = [own] if self._inside else [own, self._changed]
            if any(to_restore):
                for changed in to_restore:
                    _restore(changed)
                self._let_others_decide()

    def _let_others_decide(self):
        """Let go of the limits, so that any thread may set the next.

        Since threadpoolctl 3.8 only the thread that was first to set one can, until it
        leaves a context of threadpoolctl's: here, one that changes nothing.
        """
        with self._find().limit(limits=None):
            pass


def _limits_each_thread(library):
    kind = (library.internal_api, getattr(library, "threading_layer", None))
    return kind == ("openblas", "openmp")


def _limit(library, changed):
    before = library.num_threads
    if before == 1:
        return
    # Noted before it is done, lest Ctrl-C come between.
    changed.append((library, before))
    library.set_num_threads(1)
    if library.num_threads == before:
        # Another thread is in control: it cannot be changed from here.
        changed.pop()


def _restore(changed):
    for library, n_threads in changed:
        library.set_num_threads(n_threads)
    # What could not be restored, as another thread is in control, is left to the next.
    changed[:] = [(library, n) for library, n in changed if library.num_threads < n]


one_blas_thread = BlasLimit(lambda: ThreadpoolController().select(user_api="blas"))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_blas_thread.forget_contexts)
