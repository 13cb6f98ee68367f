"""Features and categories by name: what each contributes, what was expected."""

from typing import NamedTuple

import numpy as np

# What a row has that is none of the categories: zeros in all columns.
UNKNOWN = "(unknown)"


class Variable(NamedTuple):
    """A number, or a category.

    Attributes
    ----------
    name : str
    columns : ndarray of int
    labels : sequence or None
        What the columns of a category stand for.
    """

    name: str
    columns: np.ndarray
    labels: list | None = None

    def value(self, cells):
        """Return what a row has here: a number, or a label; None if it is a gap."""
        few = cells[self.columns]
        if self.labels is None:
            return float(few[0])
        if not np.nan_to_num(few).any():
            return None if np.isnan(few).any() else UNKNOWN
        return self.labels[int(np.nanargmax(few))]


def variables_of(names, loss):
    """Return the variables of features with some names, in the order of the columns.

    Categories are those of a loss. One with the name of a number says what it is.
    """
    grouped = {int(column) for group in loss.groups.values() for column in group}
    numbers = [(str(names[j]), j) for j in range(len(names)) if j not in grouped]
    variables = [Variable(name, np.array([j])) for name, j in numbers]
    taken = {name for name, _ in numbers}
    for name, columns in loss.groups.items():
        shown = f"{name} (category)" if str(name) in taken else str(name)
        variables.append(Variable(shown, columns, loss.labelled[name]))
    return sorted(variables, key=lambda variable: variable.columns.min())


def by_variable(cells, variables):
    """Add up the columns of each variable."""
    sums = [cells[:, variable.columns].sum(axis=1) for variable in variables]
    return np.column_stack(sums)


def reasons(contributions, observed, expected, variables, order):
    """Return, for each row, what contributes most to a low score.

    Parameters
    ----------
    contributions : ndarray of shape (n_rows, n_variables)
    observed : ndarray of shape (n_rows, n_features)
        NaN where a cell is not known.
    expected : sequence of ndarray of shape (n_rows, n_features)
        In place of the first reason of each row, of the second, and so on.
    variables : list of Variable
        Of the contributions.
    order : ndarray of shape (n_rows, n_reasons)
        Numbers of variables, the first reason of each row first.

    Returns
    -------
    reasons : list of list of dict
    """
    results: list[list[dict]] = []
    for i, numbers in enumerate(order):
        results.append([])
        for others, j in zip(expected, numbers, strict=True):
            reason = {"variable": variables[j].name}
            reason |= {"contribution": float(contributions[i, j])}
            reason |= {"observed": variables[j].value(observed[i])}
            results[-1].append(reason | {"expected": variables[j].value(others[i])})
    return results
