"""Features and categories by name: what each contributes, what was expected."""

import numpy as np

# What a row has that is none of the categories: zeros in all columns.
UNKNOWN = "(unknown)"


def by_variable(cells, groups, names):
    """Add up the columns of each category.

    Parameters
    ----------
    cells : ndarray of shape (n_rows, n_features)
    groups : dict of str to ndarray of int
        The columns of each category.
    names : ndarray of str
        Of the features.

    Returns
    -------
    sums : ndarray of shape (n_rows, n_variables)
        In the order of the first column of each.
    variables : list of (str, ndarray of int)
        Name and columns of each.
    """
    grouped = {int(column) for group in groups.values() for column in group}
    variables = [(names[j], [j]) for j in range(len(names)) if j not in grouped]
    variables += [*groups.items()]
    variables = sorted(variables, key=lambda item: min(item[1]))
    sums = [cells[:, columns].sum(axis=1) for _, columns in variables]
    return np.column_stack(sums), variables


def value_of(cells, columns, labels):
    """Return what a row has in a variable: a number, or the label of a category."""
    if len(columns) == 1 and labels is None:
        return float(cells[columns[0]])
    few = cells[columns]
    if not np.nan_to_num(few).any():
        return None if np.isnan(few).any() else UNKNOWN
    return labels[int(np.nanargmax(few))]


def reasons(contributions, observed, expected, variables, labels, n_variables):
    """Return, for each row, what contributes most to a low score.

    Parameters
    ----------
    contributions : ndarray of shape (n_rows, n_variables)
    observed, expected : ndarray of shape (n_rows, n_features)
        NaN where a cell is not known.
    variables : list of (str, ndarray of int)
        Of the contributions.
    labels : dict of str to sequence
        What the columns of a category stand for.
    n_variables : int
        At most so many, those with the lowest contributions first.

    Returns
    -------
    reasons : list of list of dict
    """
    results: list[list[dict]] = []
    for shares, row, other in zip(contributions, observed, expected, strict=True):
        order = np.argsort(shares, kind="stable")[:n_variables]
        results.append([])
        for j in order:
            name, columns = variables[j]
            results[-1].append(
                {
                    "variable": str(name),
                    "contribution": float(shares[j]),
                    "observed": value_of(row, columns, labels.get(name)),
                    "expected": value_of(other, columns, labels.get(name)),
                }
            )
    return results
