"""Which of several networks is taken."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits, load_iris

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    _base,
    _fitting,
)
from sklearn_ae._fitting import OTHER_SIZES
from sklearn_ae._stopping import Outcome

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data[:600], load_iris().data
SIZES = [(64, 64), *OTHER_SIZES]
auto = {"hidden_layer_sizes": "auto", "random_state": 0, "max_iter": 10}


def least(estimator):
    return min(estimator.validation_loss_curve_)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("X", [DIGITS, IRIS], ids=["digits", "iris"])
def test_the_first_that_is_better_is_taken(seed, X):
    params = {"n_components": 2, "random_state": seed, "max_iter": 10}
    fits = [
        AutoencoderTransformer(hidden_layer_sizes=sizes, **params).fit(X)
        for sizes in SIZES
    ]
    better = [fit for fit in fits[1:] if least(fit) < least(fits[0])]
    expected = better[0] if better else fits[0]
    got = AutoencoderTransformer(hidden_layer_sizes="auto", **params).fit(X)
    assert got.hidden_layer_sizes_ == expected.hidden_layer_sizes_
    assert_array_equal(got._fitted.theta, expected._fitted.theta)
    assert got.loss_curve_ == expected.loss_curve_


def test_each_is_taken_sometimes():
    taken = set()
    for seed in range(20):
        estimator = AutoencoderTransformer(1, **auto | {"random_state": seed})
        taken.add(estimator.fit(IRIS).hidden_layer_sizes_)
    assert taken == set(SIZES)


def test_users_rows_decide():
    estimator = AutoencoderTransformer(2, **auto).fit(IRIS[::2], X_val=IRIS[1::2])
    fits = [
        AutoencoderTransformer(2, **auto | {"hidden_layer_sizes": sizes}).fit(
            IRIS[::2], X_val=IRIS[1::2]
        )
        for sizes in SIZES
    ]
    assert least(estimator) <= least(fits[0])
    assert least(estimator) in [least(fit) for fit in fits]


def test_without_evidence_it_is_the_default():
    longer = auto | {"max_iter": 60}
    fits = [
        AutoencoderTransformer(2, **longer, early_stopping=False).fit(IRIS),
        AutoencoderTransformer(2, **longer).fit(IRIS[:40]),
        AutoencoderTransformer(2, **auto).partial_fit(IRIS),
        AutoencoderOutlierDetector(**auto).fit(DIGITS),
    ]
    for fitted in fits:
        assert fitted.hidden_layer_sizes_ == (64, 64)


def test_training_goes_on_with_what_was_taken():
    for seed in range(20):
        params = auto | {"random_state": seed, "warm_start": True}
        estimator = AutoencoderTransformer(1, **params).fit(IRIS)
        if estimator.hidden_layer_sizes_ != (64, 64):
            break
    before = estimator.hidden_layer_sizes_
    assert before != (64, 64)
    estimator.fit(IRIS)
    assert estimator.hidden_layer_sizes_ == before
    assert estimator.partial_fit(IRIS).hidden_layer_sizes_ == before
    # From scratch, it is open again.
    again = AutoencoderTransformer(1, **params).fit(IRIS)
    again.set_params(warm_start=False).fit(IRIS)
    assert again.hidden_layer_sizes_ == before


def test_with_ordered_codes():
    estimator = AutoencoderTransformer(ordered=True, **auto).fit(DIGITS)
    assert estimator.hidden_layer_sizes_ in SIZES
    cut = estimator.truncated(2)
    assert cut.hidden_layer_sizes_ == estimator.hidden_layer_sizes_
    assert len(estimator.latent_path_["score"]) == 10


@pytest.mark.parametrize("which", [0, 1])
def test_interrupted(monkeypatch, which):
    """No other is tried, and the best so far is kept."""
    calls, fit_one = [], _fitting._fit_one

    def interrupted(*args):
        fitted, solution, *others = fit_one(*args)
        calls.append(fitted)
        if len(calls) == which + 1:
            solution = replace(solution, outcome=Outcome.INTERRUPTED)
        return fitted, solution, *others

    monkeypatch.setattr(_fitting, "_fit_one", interrupted)
    monkeypatch.setattr(_base, "_last_interrupt", -np.inf)
    with pytest.warns(match="Training was interrupted"):
        estimator = AutoencoderTransformer(2, **auto).fit(DIGITS)
    assert len(calls) == which + 1
    best = min(calls, key=lambda fitted: min(fitted.validation_loss_curve))
    assert_array_equal(estimator._fitted.theta, best.theta)
