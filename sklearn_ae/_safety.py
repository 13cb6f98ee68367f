"""Nothing is lost: an estimator as it was before what goes wrong, and Ctrl-C."""

from contextlib import contextmanager
from math import inf
from time import monotonic


@contextmanager
def all_or_nothing(estimator, rng=None):
    """Leave the estimator as it was if anything goes wrong; yields what undoes all.

    So is `rng`, what the estimator draws from, if it is given.
    """
    before = vars(estimator).copy()
    state = rng and rng.get_state(legacy=False)

    def undo():
        vars(estimator).clear()
        vars(estimator).update(before)
        if rng:
            rng.set_state(state)

    try:
        yield undo
    except BaseException:
        undo()
        raise


_last_interrupt = -inf


def insist_on_interrupt():
    """Raise KeyboardInterrupt if this is the second within five seconds."""
    global _last_interrupt
    previous, _last_interrupt = _last_interrupt, monotonic()
    if _last_interrupt - previous < 5:
        raise KeyboardInterrupt
