"""What a fitted estimator holds, as names and arrays: files outlive a moved module."""

from dataclasses import fields
from typing import Any, ClassVar

# Under which key the name of a class is.
KIND = "class of sklearn_ae"


class Stored:
    """Base class of the dataclasses that a fitted estimator holds.

    In a pickle each is a dictionary of its fields and the name of its class, which is
    looked up here and not in a module.
    """

    _kinds: ClassVar[dict[str, type]] = {}
    __dataclass_fields__: ClassVar[dict]

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        known = Stored._kinds.get(cls.__name__, cls)
        if known.__module__ != cls.__module__:
            raise TypeError(f"There is another class {cls.__name__!r}.")
        Stored._kinds[cls.__name__] = cls


def to_plain(value: Any) -> Any:
    """Return a value, or what is in a container, without objects of this package."""
    if isinstance(value, Stored):
        plain = {f.name: to_plain(getattr(value, f.name)) for f in fields(value)}
        return {KIND: type(value).__name__, **plain}
    if isinstance(value, tuple):
        return tuple(to_plain(item) for item in value)
    return value


def from_plain(value: Any) -> Any:
    """Undo `to_plain`."""
    if isinstance(value, dict) and value.get(KIND) in Stored._kinds:
        values = {name: from_plain(value[name]) for name in value if name != KIND}
        return Stored._kinds[value[KIND]](**values)
    if isinstance(value, tuple):
        return tuple(from_plain(item) for item in value)
    return value
