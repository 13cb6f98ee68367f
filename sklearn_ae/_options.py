"""Small objects that a parameter takes where a name or a number is not enough."""

from sklearn.base import BaseEstimator


class Option(BaseEstimator):
    """What describes a choice: a loss, a solver, a kind of noise, a layer.

    An option holds what its constructor got and nothing else, so that scikit-learn can
    clone and print it, and a search can reach into it (``solver__beta_1``). Two are
    equal if they have the same type and parameters. Parameters are checked in `fit`.
    """

    _parameter_constraints: dict = {}

    def __init_subclass__(cls, **kwargs):
        """Let nothing be routed to an option, whatever its methods are called."""

    def __eq__(self, other):
        return type(self) is type(other) and self.get_params() == other.get_params()

    __hash__ = None  # type: ignore[assignment]
