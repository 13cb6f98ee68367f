"""Files hold names and arrays, so that they outlive modules that move."""

import io
import pickle
import pickletools

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_iris

import sklearn_ae
from sklearn_ae import (
    SGD,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    GaussianNoise,
    Huber,
    VariationalAutoencoder,
)
from sklearn_ae._stored import Stored, from_plain, to_plain

IRIS = load_iris().data
ESTIMATORS = [
    AutoencoderTransformer(2, max_iter=3, random_state=0),
    AutoencoderTransformer(2, max_iter=3, loss=Huber(2.0), noise=0.3, solver=SGD()),
    AutoencoderTransformer(2, solver="svd", activation="identity"),
    AutoencoderTransformer(2, max_iter=3, ordered=True, random_state=0),
    VariationalAutoencoder(2, max_iter=3, beta=0.5, random_state=0),
    AutoencoderOutlierDetector(max_iter=3, random_state=0),
    AutoencoderOutlierDetector(max_iter=3, score_parts="loss", noise=GaussianNoise()),
]

each = pytest.mark.parametrize("estimator", ESTIMATORS, ids=repr)


def globals_in(data):
    """Return the (module, name) of all that a pickle looks up."""
    found, strings = set(), []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            found.add(tuple(argument.split(" ")))
        elif opcode.name == "STACK_GLOBAL":
            found.add(tuple(strings[-2:]))
        elif isinstance(argument, str):
            strings.append(argument)
    return found


def trained(estimator):
    """Return what `fit` leaves, and what `partial_fit` does where there is one."""
    yield estimator.fit(IRIS)
    if hasattr(estimator, "partial_fit"):
        yield estimator.partial_fit(IRIS).partial_fit(IRIS)


@each
@pytest.mark.parametrize("protocol", [2, 5])
def test_a_pickle_names_public_types_only(estimator, protocol):
    for fitted in trained(estimator):
        # Without the memo, in which strings are looked up by number.
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer, protocol)
        pickler.fast = True
        pickler.dump(fitted)
        found = globals_in(buffer.getvalue())
        ours = {(m, n) for m, n in found if m.startswith("sklearn_ae")}
        assert ours <= {("sklearn_ae", name) for name in sklearn_ae.__all__}
        assert ("sklearn_ae", type(estimator).__name__) in ours
        theirs = {m.partition(".")[0] for m, _ in found - ours}
        assert theirs <= {"numpy", "builtins", "copyreg", "_codecs", "collections"}


@each
def test_what_is_restored_is_what_was_stored(estimator):
    for fitted in trained(estimator):
        restored = pickle.loads(pickle.dumps(fitted))
        for method in ("transform", "reconstruct", "score_samples"):
            expected = getattr(fitted, method)(IRIS)
            assert_array_equal(getattr(restored, method)(IRIS), expected)
        for one, other in zip(restored.coefs_, fitted.coefs_, strict=True):
            assert_array_equal(one, other)
            assert np.shares_memory(one, restored._fitted.theta)
        if isinstance(fitted, AutoencoderOutlierDetector):
            assert_array_equal(restored.predict(IRIS), fitted.predict(IRIS))
            contributions = restored.score_contributions(IRIS)
            assert_array_equal(contributions, fitted.score_contributions(IRIS))


def test_skops_lists_public_types_only(tmp_path):
    skops = pytest.importorskip("skops.io")
    for fitted in (fitted for estimator in ESTIMATORS for fitted in trained(estimator)):
        path = tmp_path / "estimator.skops"
        skops.dump(fitted, path)
        types = skops.get_untrusted_types(file=path)
        assert set(types) <= {f"sklearn_ae.{name}" for name in sklearn_ae.__all__}
        restored = skops.load(path, trusted=types)
        assert_array_equal(restored.transform(IRIS), fitted.transform(IRIS))
        if fitted.n_iter_ > 3:
            restored.partial_fit(IRIS)
            fitted.partial_fit(IRIS)
            assert_array_equal(restored._fitted.theta, fitted._fitted.theta)


def test_each_kind_has_a_name_of_its_own():
    with pytest.raises(TypeError, match="There is another class 'Fitted'"):
        type("Fitted", (Stored,), {})


def test_what_is_not_ours_stays():
    for value in (None, 3, [1], {"kind": "Fitted"}, (1, (2,)), np.arange(3)):
        assert to_plain(value) is value or to_plain(value) == value
        assert from_plain(value) is value or from_plain(value) == value
