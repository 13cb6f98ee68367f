"""Which of several networks is taken."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    _fitting,
    _safety,
)
from sklearn_ae._fitting import OTHER_SIZES
from sklearn_ae._stopping import Outcome

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data[:600], load_iris().data
SIZES = [(64, 64), *OTHER_SIZES]
auto = {"hidden_layer_sizes": "auto", "random_state": 0, "max_iter": 10}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("X", [DIGITS, IRIS], ids=["digits", "iris"])
def test_the_first_that_is_better_is_taken(monkeypatch, seed, X):
    """On the same rows set aside."""
    seen, fit_one = [], _fitting._fit_one

    def noted(*args, **options):
        seen.append(fit_one(*args, **options))
        return seen[-1]

    monkeypatch.setattr(_fitting, "_fit_one", noted)
    params = {"n_components": 2, "random_state": seed, "max_iter": 10}
    got = AutoencoderTransformer(hidden_layer_sizes="auto", **params).fit(X)
    tried = [fitted.choices.hidden_layer_sizes for fitted, *_ in seen]
    assert tried == SIZES[: len(tried)]
    first, *others = seen
    better = [other[1].best < (1 - 1e-4) * first[1].best for other in others]
    stay = len(seen) == 2 and first[1].best == others[0][1].best
    assert better in ([True], [False, True], [False, False]) or stay
    taken = others[-1] if better[-1] else first
    assert got._fitted is taken[0]
    assert got.hidden_layer_sizes_ == taken[0].choices.hidden_layer_sizes
    for fitted, solution, training, aside in seen:
        assert training is first[2] and aside is first[3]
        assert_array_equal(fitted.mean, first[0].mean)
        # What is compared is what is returned.
        sums = fitted.model.deviances(fitted.mean, fitted.views, aside)
        error = sums[0] / (len(aside) * X.shape[1])
        assert_allclose(error, solution.best)


def test_each_is_taken_sometimes():
    taken = set()
    for seed in range(20):
        estimator = AutoencoderTransformer(1, **auto | {"random_state": seed})
        taken.add(estimator.fit(IRIS).hidden_layer_sizes_)
    assert taken == set(SIZES)


@pytest.mark.parametrize("n_rows", [40, 90])
def test_users_rows_decide(monkeypatch, n_rows):
    """However few the others are, and for each network."""
    seen, fit_one = [], _fitting._fit_one

    def noted(*args, **options):
        seen.append(fit_one(*args, **options))
        return seen[-1]

    monkeypatch.setattr(_fitting, "_fit_one", noted)
    rows = DIGITS[:n_rows]
    AutoencoderTransformer(2, **auto).fit(rows, X_val=DIGITS[300:])
    assert len(seen) > 1
    for fitted, solution, training, aside in seen:
        assert (len(training), len(aside)) == (n_rows, 300)
        sums = fitted.model.deviances(fitted.mean, fitted.views, aside)
        assert_allclose(sums[0] / (300 * 64), solution.best)


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
    for other_seed in range(20):
        again = clone(estimator).set_params(random_state=other_seed).fit(IRIS)
        if again.hidden_layer_sizes_ != before:
            break
    estimator.set_params(warm_start=False, random_state=other_seed).fit(IRIS)
    assert estimator.hidden_layer_sizes_ == again.hidden_layer_sizes_ != before


def test_with_ordered_codes():
    estimator = AutoencoderTransformer(ordered=True, **auto).fit(DIGITS)
    cut = estimator.truncated(2)
    assert cut.hidden_layer_sizes_ == estimator.hidden_layer_sizes_
    assert len(estimator.latent_path_["score"]) == 10


@pytest.mark.parametrize("which", [0, 1])
def test_interrupted(monkeypatch, which):
    """No other is tried, and the best so far is kept."""
    calls, fit_one = [], _fitting._fit_one

    def interrupted(*args, **options):
        fitted, solution, *others = fit_one(*args, **options)
        calls.append((fitted, solution.best))
        if len(calls) == which + 1:
            solution = replace(solution, outcome=Outcome.INTERRUPTED)
        return fitted, solution, *others

    monkeypatch.setattr(_fitting, "_fit_one", interrupted)
    monkeypatch.setattr(_safety, "_last_interrupt", -np.inf)
    with pytest.warns(match="Training was interrupted"):
        estimator = AutoencoderTransformer(2, **auto).fit(DIGITS)
    assert len(calls) == which + 1
    best, _ = min(calls, key=lambda call: call[1])
    assert_array_equal(estimator._fitted.theta, best.theta)


def test_interrupted_before_a_rival_has_anything_to_show(monkeypatch):
    calls, fit_one = [], _fitting._fit_one

    def interrupted(*args, **options):
        if calls:
            raise KeyboardInterrupt
        calls.append(fit_one(*args, **options))
        return calls[-1]

    monkeypatch.setattr(_fitting, "_fit_one", interrupted)
    monkeypatch.setattr(_safety, "_last_interrupt", -np.inf)
    with pytest.warns(match="Training was interrupted"):
        estimator = AutoencoderTransformer(2, **auto).fit(DIGITS)
    assert estimator._fitted is calls[0][0]


def test_verbose_says_which_network(capsys):
    AutoencoderTransformer(2, **auto, verbose=5).fit(DIGITS)
    printed = capsys.readouterr().out
    assert "Now hidden_layer_sizes=(64, 64, 64)" in printed


def test_where_no_network_leaves_pca_two_are_enough(monkeypatch):
    calls, fit_one = [], _fitting._fit_one

    def noted(*args, **options):
        calls.append(fit_one(*args, **options))
        return calls[-1]

    monkeypatch.setattr(_fitting, "_fit_one", noted)
    X = np.random.RandomState(0).normal(size=(100, 20))
    AutoencoderTransformer(5, **auto).fit(X)
    assert len(calls) == 2 and calls[0][1].best == calls[1][1].best
