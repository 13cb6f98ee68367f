"""Parameters, and the small objects that some take where a name is not enough."""

from dataclasses import field
from numbers import Integral, Real
from typing import Any

from joblib import hash
from sklearn.base import BaseEstimator

from ._compat import Interval
from ._stored import from_plain, to_plain

# What numbers among the parameters may be.
AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")
SHARE = Interval(Real, 0, 1, closed="left")


def parameter(default: Any, *allowed: Any) -> Any:
    """Return the field of a dataclass: a parameter, its default, what it may be.

    In a subclass, another default alone leaves what it may be.
    """
    return field(default=default, metadata={"allowed": list(allowed)})


class Parameters(BaseEstimator):
    """Base class of what is made from parameters: a dataclass with such fields.

    It holds what its constructor got and nothing else, so that scikit-learn can clone
    and print it, and a search can reach into it. Parameters are checked in `fit`.
    """

    @property
    def _parameter_constraints(self):
        """What scikit-learn checks parameters by."""
        return {
            field.name: field.metadata["allowed"]
            for base in reversed(type(self).__mro__)
            for field in vars(base).get("__dataclass_fields__", {}).values()
            if "allowed" in field.metadata
        }


def tried(option, method, *args):
    """Return what a method of an option makes of arrays, which may be read-only."""
    try:
        return getattr(option, method)(*args)
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        message = f"{method} of {option} must not write into what it is given."
        raise ValueError(message) from error


class Option(Parameters):
    """What describes a choice: a loss, a solver, a kind of noise, a layer.

    Two are equal if they have the same type and parameters.
    """

    def __init_subclass__(cls, **kwargs):
        """Let nothing be routed to an option, whatever its methods are called."""

    def __getstate__(self):
        return {name: to_plain(v) for name, v in super().__getstate__().items()}

    def __setstate__(self, state):
        super().__setstate__({name: from_plain(state[name]) for name in state})

    def __eq__(self, other):
        if type(self) is not type(other):
            return False
        try:
            return bool(vars(self) == vars(other))
        except ValueError:
            # Arrays have no equality that is true or false.
            return hash(vars(self)) == hash(vars(other))
