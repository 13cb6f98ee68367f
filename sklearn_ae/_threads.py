"""One BLAS thread while networks train, whoever else trains at the same time."""

from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_lock = Lock()
_n_inside = 0
_limits: threadpool_limits | None = None


@contextmanager
def one_blas_thread():
    """Limit BLAS to one thread until the last such context, of any thread, is left.

    NumPy and SciPy come with a BLAS each, whose threads would wait for one another in
    L-BFGS, and most products here are too small to be shared out. A limit holds for the
    whole process, so contexts that overlap must not restore each other's.
    """
    global _n_inside, _limits
    with _lock:
        if _n_inside == 0:
            _limits = threadpool_limits(1, user_api="blas")
        _n_inside += 1
    try:
        yield
    finally:
        with _lock:
            _n_inside -= 1
            if _n_inside == 0 and _limits is not None:
                _limits.restore_original_limits()
