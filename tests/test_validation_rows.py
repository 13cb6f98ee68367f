"""Rows of the user's own to validate on: X_val."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer

X = load_digits().data[:, 10:30]
TRAIN, VAL, TEST = X[:600], X[600:800], X[800:]


def make(cls=AutoencoderTransformer, **params):
    params = {"hidden_layer_sizes": (16,), "max_iter": 30, "random_state": 0} | params
    return cls(4, **params)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [True, "auto"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_they_decide_when_to_stop(solver, early_stopping):
    params = {"solver": solver, "early_stopping": early_stopping}
    estimator = make(**params).fit(TRAIN, X_val=VAL)
    curve = estimator.validation_loss_curve_
    assert len(curve) == estimator.n_iter_
    assert_allclose(-estimator.score_samples(VAL).mean(), min(curve), rtol=1e-9)
    # All rows of X are trained on: their loss is the one reported.
    assert_allclose(-estimator.score_samples(TRAIN).mean(), estimator.loss_)


def test_few_rows_have_no_say_but_x_val_has():
    assert make(max_iter=3).fit(TRAIN[:40]).validation_loss_curve_ is None
    few = make(max_iter=3).fit(TRAIN[:40], X_val=VAL[:1])
    assert len(few.validation_loss_curve_) == 3


def test_nothing_is_fitted_to_them():
    first = make(max_iter=1).fit(TRAIN, X_val=VAL)
    other = make(max_iter=1).fit(TRAIN, X_val=VAL[:50] + 1)
    for name in ("mean_", "scale_"):
        assert_array_equal(getattr(first, name), getattr(other, name))
    assert_allclose(first.mean_, TRAIN.mean(axis=0))


def test_their_weights():
    weight = np.random.RandomState(0).randint(0, 4, size=len(VAL))
    weighted = make().fit(TRAIN, X_val=VAL, sample_weight_val=weight)
    repeated = make().fit(TRAIN, X_val=np.repeat(VAL, weight, axis=0))
    expected = repeated.validation_loss_curve_
    assert_allclose(weighted.validation_loss_curve_, expected, rtol=1e-6)
    assert_allclose(weighted.transform(TEST), repeated.transform(TEST), rtol=1e-4)


@pytest.mark.parametrize("early_stopping", [True, "auto", False])
@pytest.mark.parametrize("solver", ["adam", "svd"])
def test_they_calibrate_a_detector(early_stopping, solver):
    params = {"early_stopping": early_stopping, "contamination": 0.1}
    if solver == "svd":
        params |= {"solver": "svd", "activation": "identity"}
    detector = make(AutoencoderOutlierDetector, **params).fit(TRAIN, X_val=VAL)
    scores = np.sort(detector.score_samples(VAL))
    assert_allclose(detector.calibration_scores_, scores)
    assert_allclose(detector.offset_, scores[19])
    assert detector.p_values(VAL).min() == 2 / 201
    stops = early_stopping is True and solver == "adam"
    assert (detector.validation_loss_curve_ is not None) == stops


def test_without_a_use_they_are_refused():
    with pytest.raises(ValueError, match="early_stopping must be True or 'auto', got"):
        make(early_stopping=False).fit(TRAIN, X_val=VAL)
    # But a search over activations may find that "svd" applies.
    make(activation="identity").fit(TRAIN, X_val=VAL)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"X_val": VAL[:, :3]}, "X_val and sample_weight_val .* 20 features"),
        ({"X_val": VAL[0]}, "X_val and sample_weight_val .* 2D"),
        ({"X_val": VAL[:0]}, "X_val and sample_weight_val .* 0 sample"),
        ({"X_val": np.full((3, 20), np.nan)}, "X_val and sample_weight_val .* NaN"),
        ({"X_val": VAL, "sample_weight_val": [1.0]}, "X_val and sample_weight_val"),
        (
            {"X_val": VAL, "sample_weight_val": np.zeros(200)},
            "X_val and sample_weight_val",
        ),
        ({"sample_weight_val": np.ones(200)}, "sample_weight_val is for rows of X_val"),
    ],
)
@pytest.mark.parametrize("cls", [AutoencoderTransformer, AutoencoderOutlierDetector])
def test_bad_ones_are_named_and_nothing_is_lost(cls, options, message):
    estimator = make(cls, max_iter=2).fit(TRAIN)
    before = dict(vars(estimator))
    with pytest.raises(ValueError, match=message):
        estimator.fit(TRAIN[:, :20], **options)
    assert vars(estimator) == before


def test_they_must_suit_the_loss():
    with pytest.raises(ValueError, match="X_val .* Negative values"):
        make(loss="poisson").fit(TRAIN, X_val=-VAL)


def test_names_and_precision_are_those_of_x():
    pd = pytest.importorskip("pandas")
    names = [f"pixel{i}" for i in range(20)]
    frame, val = (pd.DataFrame(rows, columns=names) for rows in (TRAIN, VAL))
    estimator = make(max_iter=2).fit(frame.astype("float32"), X_val=val)
    assert estimator.transform(frame).dtype == np.float32
    with pytest.raises(ValueError, match="feature names should match"):
        make(max_iter=2).fit(frame, X_val=val[names[::-1]])


def test_warm_start_and_partial_fit_go_on():
    estimator = make(warm_start=True, max_iter=3).fit(TRAIN, X_val=VAL)
    assert len(estimator.fit(TRAIN, X_val=VAL).validation_loss_curve_) == 3
    estimator.partial_fit(TRAIN)


def test_metadata_routing():
    with config_context(enable_metadata_routing=True):
        estimator = make().set_fit_request(X_val=True, sample_weight_val=True)
        pipeline = make_pipeline(StandardScaler(), estimator, transform_input=["X_val"])
        weight = np.random.RandomState(0).uniform(size=len(VAL))
        pipeline.fit(TRAIN, X_val=VAL, sample_weight_val=weight)
        scaler = pipeline[0]
        direct = make().fit(
            scaler.transform(TRAIN),
            X_val=scaler.transform(VAL),
            sample_weight_val=weight,
        )
        assert_array_equal(
            pipeline.transform(TEST), direct.transform(scaler.transform(TEST))
        )
        search = GridSearchCV(estimator, {"n_components": [1, 3]}, cv=3)
        search.fit(TRAIN, X_val=VAL)
        best = clone(search.best_estimator_).fit(TRAIN, X_val=VAL)
        assert_array_equal(search.transform(TEST), best.transform(TEST))


def test_fit_transform_and_fit_predict_take_them():
    codes = make().fit_transform(TRAIN, X_val=VAL)
    assert_array_equal(codes, make().fit(TRAIN, X_val=VAL).transform(TRAIN))
    params = {"cls": AutoencoderOutlierDetector, "max_iter": 3}
    labels = make(**params).fit_predict(TRAIN, X_val=VAL)
    assert_array_equal(labels, make(**params).fit(TRAIN, X_val=VAL).predict(TRAIN))
