"""Dask collections, without a client: rounds are threads of this process."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.datasets import load_digits, load_iris

from sklearn_ae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    CodePenalty,
    HiddenCells,
    MaskingNoise,
    SaltAndPepperNoise,
    VariationalAutoencoder,
    _collections,
    _dask_rows,
    _rounds,
)
from sklearn_ae._dask_rows import DaskRows
from sklearn_ae._input import check_rows, check_training_rows
from sklearn_ae._stopping import RowsLost

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

DIGITS, IRIS = load_digits().data, load_iris().data
NAMES = ["a", "b", "c", "d"]
GAPPY = np.where(np.random.RandomState(0).uniform(size=DIGITS.shape) < 0.1, np.nan, 1)
GAPPY *= DIGITS
WEIGHT = np.random.RandomState(1).uniform(0.5, 2, size=len(DIGITS))
WEIGHT[::7] = 0
quick = {"hidden_layer_sizes": (16,), "max_iter": 3, "random_state": 0}


class Squares(CodePenalty):
    """The mean of all numbers of the code is 0."""

    def value(self, mean):
        return 0.1 * np.sum(mean**2)

    def gradient(self, codes, mean):
        return np.broadcast_to(0.2 * mean, codes.shape)


SQUARES = Squares()


@pytest.fixture
def elsewhere(monkeypatch):
    """Let small collections be worked on as large ones are."""
    monkeypatch.setattr(_collections, "SMALL_BYTES", 0)
    monkeypatch.setattr(_dask_rows, "SMALL_BYTES", 0)
    monkeypatch.setattr(_collections, "GROUP_BYTES", 2**18)


def lazily(X, n=200):
    return da.from_array(X, chunks=(n, *X.shape[1:]))


def sparse(X):
    return lazily(X).map_blocks(csr_array)


def theta(estimator):
    return estimator._fitted.theta


# Fits


@pytest.mark.parametrize("cls", [AutoencoderTransformer, AutoencoderOutlierDetector])
def test_few_rows_are_brought_here(cls):
    here = cls(**quick).fit(DIGITS, sample_weight=WEIGHT)
    for X, weight in (
        (lazily(DIGITS), lazily(WEIGHT)),
        (lazily(DIGITS), WEIGHT),
        (lazily(DIGITS).rechunk((300, 10)), lazily(WEIGHT, 100)),
    ):
        assert_array_equal(
            theta(cls(**quick).fit(X, sample_weight=weight)), theta(here)
        )


@pytest.mark.parametrize("X", [DIGITS, GAPPY], ids=["whole", "gaps"])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["alike", "weighted"])
@pytest.mark.parametrize("kind", [lazily, sparse])
def test_full_passes_are_those_of_an_array(elsewhere, X, weight, kind):
    params = quick | {"solver": "lbfgs", "noise": None, "early_stopping": False}
    here = AutoencoderTransformer(5, **params).fit(X, sample_weight=weight)
    rows = check_training_rows(here, kind(X), weight)
    assert isinstance(rows, DaskRows)
    assert len(rows._groups) > 1
    there = AutoencoderTransformer(5, **params)
    there.fit(kind(X), sample_weight=None if weight is None else lazily(weight))
    assert_allclose(there.loss_curve_, here.loss_curve_, rtol=1e-4)
    assert_allclose(there.score(kind(X)), there.score(X), rtol=1e-10)
    assert_allclose(there.score(kind(X), None, weight), there.score(X, None, weight))


@pytest.mark.parametrize(
    "params",
    [
        {"solver": "svd", "hidden_layer_sizes": ()},
        {"solver": "lbfgs", "noise": SaltAndPepperNoise(0.2)},
        {"solver": "lbfgs", "noise": None, "code_penalty": SQUARES},
        {"noise": MaskingNoise(), "code_penalty": SQUARES},
        {"solver": "sgd", "batch_size": 128},
        {"ordered": True, "early_stopping": True},
        {"hidden_layer_sizes": "auto", "early_stopping": True},
        {"feature_weight": np.arange(64) % 3},
        {"loss": "poisson", "shuffle": False},
    ],
    ids=str,
)
def test_all_kinds_of_training(elsewhere, params):
    params = quick | {"max_iter": 5} | params
    here = AutoencoderTransformer(5, **params).fit(DIGITS)
    there = AutoencoderTransformer(5, **params).fit(lazily(DIGITS))
    assert_array_equal(
        theta(there), theta(AutoencoderTransformer(5, **params).fit(lazily(DIGITS)))
    )
    assert abs(there.score(DIGITS) - here.score(DIGITS)) < 0.05
    if params.get("solver") == "svd":
        assert_allclose(np.abs(theta(there)), np.abs(theta(here)), atol=1e-8)


def test_other_estimators(elsewhere):
    X, outliers = lazily(DIGITS), np.random.default_rng(0).permuted(DIGITS, axis=1)
    params = {"max_iter": 10, "random_state": 0}
    detector = AutoencoderOutlierDetector(contamination=0.1, **params).fit(X)
    assert 0.05 < np.mean(detector.predict(DIGITS) == -1) < 0.2
    assert np.mean(detector.predict(outliers) == -1) > 0.9
    assert detector.calibration_scores_ is not None
    model = VariationalAutoencoder(5, **params).fit(X)
    assert_allclose(model.score(X), model.score(DIGITS), rtol=1e-10)
    filling = {"noise": HiddenCells(), "scaling": "per_feature"}
    filler = AutoencoderTransformer(16, **filling, **params).fit(lazily(GAPPY))
    gaps = np.isnan(GAPPY)
    errors = filler.reconstruct(lazily(GAPPY)).compute()[gaps] - DIGITS[gaps]
    assert np.mean(errors**2) < 0.5 * np.mean(
        np.square(np.nanmean(GAPPY, axis=0) - DIGITS)[gaps]
    )


def test_rows_to_validate_on(elsewhere):
    estimator = AutoencoderTransformer(5, **quick)
    X, X_val = DIGITS[:1500], DIGITS[1500:]
    curves = [
        estimator.fit(
            lazily(X), X_val=x_val, sample_weight_val=weight
        ).validation_loss_curve_
        for x_val, weight in ((X_val, WEIGHT[1500:]), (lazily(X_val), WEIGHT[1500:]))
    ]
    assert_allclose(*curves, rtol=1e-10)


def test_partial_fit(elsewhere):
    here = AutoencoderTransformer(5, **quick)
    there = AutoencoderTransformer(5, **quick)
    for _ in range(5):
        here.partial_fit(DIGITS)
        there.partial_fit(lazily(DIGITS), sample_weight=WEIGHT + 1)
    assert there.n_iter_ == 5
    assert abs(there.score(DIGITS) - here.score(DIGITS)) < 0.05
    there.set_params(warm_start=True).fit(lazily(DIGITS))
    assert there.score(DIGITS) > here.score(DIGITS)


def test_a_sorted_collection_ends_where_an_array_does(elsewhere):
    X = DIGITS[DIGITS[:, 20].argsort()]
    losses = [
        AutoencoderTransformer(8, max_iter=30, early_stopping=False, random_state=0)
        .fit(data)
        .score(DIGITS)
        for data in (X, lazily(X, 20))
    ]
    assert 1 - losses[1] < 1.01 * (1 - losses[0])


def test_rows_without_weight_or_value_are_as_if_they_were_not_there(elsewhere):
    params = quick | {"solver": "lbfgs", "early_stopping": False}
    X = np.vstack([DIGITS, np.full((500, 64), np.nan), np.full((700, 64), 1e9)])
    weight = np.r_[np.ones(len(DIGITS) + 500), np.zeros(700)]
    lost = AutoencoderTransformer(5, **params).fit(lazily(X), sample_weight=weight)
    plain = AutoencoderTransformer(5, **params).fit(lazily(DIGITS))
    assert lost.loss_ == pytest.approx(plain.loss_, rel=1e-5)


# What comes in


def test_data_frames_have_names(elsewhere):
    frame = pd.DataFrame(np.tile(IRIS, (20, 1)), columns=NAMES)
    there = AutoencoderTransformer(2, **quick).fit(dd.from_pandas(frame, npartitions=7))
    assert_array_equal(there.feature_names_in_, NAMES)
    assert abs(there.score(frame) - 1) < 0.05
    with pytest.raises(ValueError, match="feature names should match"):
        there.transform(dd.from_pandas(frame.rename(columns={"a": "z"}), npartitions=2))
    frame["a"] = frame["a"].astype("Float64").mask(frame["b"] > 3.3)
    there.fit(dd.from_pandas(frame, npartitions=7))
    assert there.mean_[0] == pytest.approx(frame["a"].mean())
    frame["c"] = "word"
    with pytest.raises(ValueError, match="words in columns 'c'"):
        there.fit(dd.from_pandas(frame, npartitions=3))
    assert_array_equal(there.feature_names_in_, NAMES)


@pytest.mark.parametrize(
    "X, weight, message",
    [
        (lazily(IRIS[:, 0]), None, "must have two dimensions"),
        (lazily(np.where(IRIS > 7, np.inf, IRIS)), None, "contains infinity"),
        (lazily(IRIS), np.ones(7), r"must have shape \(150,\)"),
        (lazily(IRIS), lazily(np.ones(7)), "a number for each of 150 rows, got 7"),
        (lazily(IRIS), lazily(np.ones((150, 1))), "must have one dimension, got 2"),
        (lazily(IRIS), 0, "sample_weight must be positive, got 0"),
        (lazily(IRIS)[lazily(IRIS)[:, 0] > 100], None, "At least 2 rows"),
        (lazily(IRIS, 50), np.zeros(150), "must not be 0 for all rows"),
        (lazily(IRIS, 50), -np.ones(150), "Negative values"),
        (lazily(IRIS[:1]), None, "At least 2 rows"),
        (lazily(np.full((9, 2), np.nan)), None, "At least 2 rows"),
    ],
)
def test_what_is_refused(X, weight, message):
    estimator = AutoencoderTransformer(2, **quick).fit(IRIS)
    before = theta(estimator)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X, sample_weight=weight)
    assert theta(estimator) is before


def test_partitions_of_weights_must_be_those_of_rows():
    frame = dd.from_pandas(pd.DataFrame(IRIS), npartitions=3)
    weight = dd.from_pandas(pd.Series(np.ones(150)), npartitions=2)
    with pytest.raises(ValueError, match="must have the partitions of X, 3, got 2"):
        AutoencoderTransformer(2, **quick).fit(frame, sample_weight=weight)


def test_small_numbers_and_float32_stay_so(elsewhere):
    for dtype, of_fit in ((np.uint8, np.float64), (np.float32, np.float32)):
        X = lazily(DIGITS.astype(dtype))
        rows = check_rows(AutoencoderTransformer(), X)
        assert rows.dtype == of_fit
        assert rows.gathered()._X.dtype == dtype
        assert theta(AutoencoderTransformer(3, **quick).fit(X)).dtype == of_fit


def test_partitions_may_be_stored_in_different_types(elsewhere):
    X = np.round(DIGITS) + 0.25
    X[:200] = np.floor(X[:200])
    blocks = [X[:200].astype(np.uint8), X[200:400].astype(np.float32), X[400:]]
    parts = [da.from_array(block, chunks=block.shape) for block in blocks]
    mixed = da.concatenate(
        [part.map_blocks(np.asarray, dtype=float, meta=X[:0]) for part in parts]
    )
    rows = check_rows(AutoencoderTransformer(), mixed)
    assert_allclose(rows.mean(lambda cells: cells), X.mean(axis=0))
    whole = np.ma.masked_array(np.arange(600).reshape(150, 4), np.zeros((150, 4), bool))
    whole[100, 2] = np.ma.masked
    estimator = AutoencoderTransformer(2, **quick).fit(da.from_array(whole, chunks=50))
    assert_allclose(estimator.mean_, whole.mean(axis=0))


def test_no_rows_to_score():
    estimator = AutoencoderTransformer(2, **quick).fit(IRIS)
    with pytest.raises(ValueError, match="must have rows of positive weight"):
        estimator.score(lazily(IRIS)[lazily(IRIS)[:, 0] > 100])


def test_a_number_as_weight_is_none(elsewhere):
    X = lazily(DIGITS)
    plain = theta(AutoencoderTransformer(2, **quick).fit(X))
    fitted = AutoencoderTransformer(2, **quick).fit(X, sample_weight=2.5)
    assert_array_equal(theta(fitted), plain)


def test_weights_of_a_partition_that_are_all_0_are_checked(elsewhere):
    frame = dd.from_pandas(pd.DataFrame(IRIS), npartitions=3)
    weight = da.concatenate([da.zeros(20, chunks=20), da.ones(100, chunks=50)])
    with pytest.raises(ValueError, match="sample_weight"):
        AutoencoderTransformer(2, **quick).fit(frame, sample_weight=weight)


def test_a_group_of_which_no_row_is_set_aside(elsewhere, monkeypatch):
    monkeypatch.setattr(_collections, "GROUP_BYTES", 2)
    X = da.concatenate([lazily(DIGITS[:1500], 500), lazily(DIGITS[:3], 3)])
    params = quick | {"early_stopping": True, "code_penalty": SQUARES}
    assert AutoencoderTransformer(2, **params).fit(X).n_iter_ == 3


def test_only_the_rows_to_validate_on_are_elsewhere(elsewhere):
    estimator = AutoencoderTransformer(2, **quick).fit(DIGITS, X_val=lazily(DIGITS))
    assert estimator.validation_loss_curve_ is not None


def test_the_imputer_says_what_to_use():
    with pytest.raises(TypeError, match="takes rows that are in memory, got a Dask"):
        AutoencoderImputer().fit(lazily(IRIS))


# Rounds


def test_rows_elsewhere_have_what_rows_have(elsewhere):
    for X in (DIGITS, GAPPY):
        rows = check_rows(AutoencoderTransformer(), lazily(X), WEIGHT)
        here = check_rows(AutoencoderTransformer(), X, WEIGHT)
        order = np.lexsort(here.array().T), np.lexsort(rows.array().T)
        assert_allclose(rows.array()[order[1]], here.array()[order[0]])
        assert len(rows) == len(here)
        assert rows.cell_weight_sum() == pytest.approx(here.cell_weight_sum())
        assert rows.mean_weight == pytest.approx(here.mean_weight)
        assert_allclose(rows.mean(np.square), here.mean(np.square))
        seen = sum(len(block) for block, _ in rows.blocks(100))
        assert seen == len(here)
        kept, aside = rows.hold_out(0.2, np.random.RandomState(0))
        assert len(kept) + len(aside) == len(here)
        sums = sum(np.nansum(half.gathered()._X) for half in (kept, aside))
        assert sums == pytest.approx(np.nansum(here.gathered()._X))
        assert len(rows.sample(100, np.random.RandomState(0))) == 100
        assert len(aside.at_hand()) <= len(aside)


def test_what_has_no_room_is_read_again_in_every_round(elsewhere, monkeypatch):
    n_reads = []

    def read(block):
        n_reads.append(len(block))
        return block

    X = lazily(DIGITS).map_blocks(read, dtype=DIGITS.dtype, meta=DIGITS[:0])
    params = quick | {"solver": "lbfgs", "early_stopping": False}
    kept = AutoencoderTransformer(3, **params).fit(X)
    n_kept = sum(n_reads)
    assert n_kept <= 2 * len(DIGITS) + 10
    monkeypatch.setattr(_rounds, "LOCAL_BYTES", 0)
    again = AutoencoderTransformer(3, **params).fit(X)
    assert sum(n_reads) > 5 * n_kept
    assert_array_equal(theta(again), theta(kept))


def test_a_round_that_misses_rows_is_repeated(elsewhere, monkeypatch):
    rows = check_rows(AutoencoderTransformer(), lazily(DIGITS))
    expected, n_rounds, original = rows.mean(np.square), [0], _rounds.Rounds._result

    def short(self, task, n_wrong=2):
        n_rounds[0] += 1
        result = original(self, task)
        return [result[0] - 1, *result[1:]] if n_rounds[0] <= n_wrong else result

    monkeypatch.setattr(_rounds.Rounds, "_result", short)
    assert_array_equal(rows.mean(np.square), expected)
    assert n_rounds[0] == 3
    n_rounds[0] = -100
    with pytest.raises(RowsLost, match="failed 3 times, as its parts did not add up"):
        rows.mean(np.square)


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (AutoencoderTransformer, {"solver": "adam"}),
        (AutoencoderTransformer, {"solver": "lbfgs"}),
        (AutoencoderTransformer, {"ordered": True, "n_components": "auto"}),
        (AutoencoderOutlierDetector, {"solver": "adam"}),
        (VariationalAutoencoder, {}),
    ],
)
def test_rows_lost_in_any_round_leave_what_was_best(
    elsewhere, monkeypatch, cls, options
):
    params = quick | options | {"max_iter": 4, "early_stopping": True}
    original, n_left = _rounds.Rounds._result, [10**9]

    def lost(self, task):
        n_left[0] -= 1
        if n_left[0] < 0:
            raise RowsLost("the scheduler is gone")
        return original(self, task)

    monkeypatch.setattr(_rounds.Rounds, "_result", lost)
    cls(**params).fit(lazily(DIGITS))
    endings = []
    for n_rounds in range(10**9 - n_left[0]):
        n_left[0], estimator = n_rounds, cls(**params)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                estimator.fit(lazily(DIGITS))
            except RowsLost:
                endings.append("error")
                assert not hasattr(estimator, "n_iter_")
                continue
        messages = [str(warning.message) for warning in caught]
        assert sum("as the scheduler is gone" in text for text in messages) == 1
        endings.append("fitted")
        assert 1 <= estimator.n_iter_ <= 4
        assert np.isfinite(estimator.score_samples(DIGITS)).all()
    # Once an iteration is done, nothing is lost any more.
    n_errors = endings.count("error")
    assert endings == ["error"] * n_errors + ["fitted"] * (len(endings) - n_errors)
    assert len(endings) - n_errors >= 4
