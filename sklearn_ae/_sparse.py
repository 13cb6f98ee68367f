"""The rows of a sparse array, made dense block by block."""

import numpy as np
from scipy.sparse import csr_array

from ._gaps import GappyRows
from ._rows import Rows, in_dtype


class SparseRows(Rows):
    """The rows of a CSR array, of which only blocks are ever dense.

    All decisions are those for a dense array of the same shape, so results are, too.
    """

    def array(self, buffer=None):
        X = self._X if self._indices is None else self._X[self._indices]
        cells = in_dtype(X.data, self.dtype)
        # Duplicates are added up here.
        return csr_array((cells, X.indices, X.indptr), X.shape).toarray(out=buffer)


class SparseGappyRows(GappyRows, SparseRows):
    """The same, with NaN for what is not known."""


def stored_values(X):
    """Return the values of an array, or those that a sparse one stores."""
    return X if isinstance(X, np.ndarray) else X.data
