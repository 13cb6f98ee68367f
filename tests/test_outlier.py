"""The detector's threshold, labels and explanations."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from sklearn_ae import AutoencoderOutlierDetector, AutoencoderTransformer

X, Y = load_breast_cancer(return_X_y=True)
BENIGN, MALIGNANT = X[Y == 1], X[Y == 0]

# Where convergence is not the point
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def make(**params):
    """Return the autoencoder of the textbooks, small and quick."""
    defaults = {"hidden_layer_sizes": (16,), "max_iter": 50, "random_state": 0}
    defaults |= {"noise": None, "score_parts": "loss"}
    defaults |= {"linear_path": False, "early_stopping": False}
    return AutoencoderOutlierDetector(**defaults | params)


@pytest.mark.parametrize("contamination", [0.01, 0.05, 0.1, 0.25, 0.5])
def test_contamination_is_the_share_of_training_rows_outside(contamination):
    detector = make(contamination=contamination).fit(BENIGN)
    flagged = np.mean(detector.predict(BENIGN) == -1)
    assert contamination - 1 / len(BENIGN) < flagged <= contamination


@pytest.mark.parametrize("n_rows", [100, 1000])
def test_no_row_is_lost_to_rounding(n_rows):
    rows = np.random.RandomState(0).normal(size=(n_rows, 4))
    detector = make(solver="svd", activation="identity")
    for percent in range(1, 51):
        detector.set_params(contamination=percent / 100).fit(rows)
        n_outliers = np.sum(detector.predict(rows) == -1)
        assert n_outliers == percent * n_rows // 100
        detector.fit(rows, sample_weight=np.ones(n_rows))
        assert np.sum(detector.predict(rows) == -1) == n_outliers


def test_auto_is_a_fence_above_the_third_quartile():
    detector = make().fit(BENIGN)
    error = np.sqrt(-detector.score_samples(BENIGN))
    lower, upper = np.quantile(error, [0.25, 0.75])
    fence = upper + 1.5 * (upper - lower)
    assert_allclose(np.sqrt(-detector.offset_), fence, rtol=0.02)
    assert 0 < np.mean(detector.predict(BENIGN) == -1) < 0.1
    assert np.mean(detector.predict(MALIGNANT) == -1) > 0.5


def test_decisions_follow_from_scores():
    detector = make(contamination=0.1).fit(BENIGN)
    scores = detector.score_samples(X)
    assert_array_equal(detector.decision_function(X), scores - detector.offset_)
    assert_array_equal(detector.predict(X), np.where(scores < detector.offset_, -1, 1))
    assert_array_equal(
        make(contamination=0.1).fit_predict(X),
        make(contamination=0.1).fit(X).predict(X),
    )


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber"])
@pytest.mark.parametrize("scaling", ["global", "per_feature"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contributions_add_up_to_the_score(loss, scaling, dtype):
    data = X.astype(dtype)
    detector = make(loss=loss, scaling=scaling, max_iter=5).fit(data)
    contributions = detector.score_contributions(data)
    assert contributions.shape == X.shape
    assert (contributions <= 0).all()
    assert_allclose(contributions.sum(axis=1), detector.score_samples(data), rtol=1e-12)


def test_contributions_name_the_feature_that_was_spoilt():
    detector = make(n_components=0.9, max_iter=200).fit(BENIGN)
    rows = np.random.RandomState(0).choice(len(BENIGN), 60)
    features = np.arange(60) % X.shape[1]
    spoilt = BENIGN[rows]
    spoilt[np.arange(60), features] = BENIGN.max(axis=0)[features] * 2
    worst = detector.score_contributions(spoilt).argmin(axis=1)
    assert np.mean(worst == features) > 0.8


def test_malignant_rows_are_found_without_a_scaler():
    detector = AutoencoderOutlierDetector(random_state=0).fit(BENIGN[::2])
    rows = np.r_[BENIGN[1::2], MALIGNANT]
    outlier = np.r_[np.zeros(len(BENIGN[1::2])), np.ones(len(MALIGNANT))]
    assert roc_auc_score(outlier, -detector.score_samples(rows)) > 0.9


@pytest.mark.parametrize("contamination", ["auto", 0.2])
def test_weighted_threshold_is_that_of_repeated_rows(contamination):
    weight = np.random.RandomState(0).randint(0, 4, size=len(BENIGN))
    params = {"contamination": contamination, "solver": "svd", "activation": "identity"}
    weighted = make(**params).fit(BENIGN, sample_weight=weight)
    repeated = make(**params).fit(np.repeat(BENIGN, weight, axis=0))
    assert_allclose(weighted.offset_, repeated.offset_, rtol=1e-6)


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("factor", [1 / 3, 0.1, 7, 1e-20])
def test_only_ratios_of_weights_matter_for_scores(dtype, factor):
    for seed in range(3):
        rng = np.random.RandomState(seed)
        rows, weight = rng.normal(size=(50, 5)).astype(dtype), rng.uniform(1, 3, 50)
        for weights in (np.ones(50), np.floor(weight), weight):
            detector = AutoencoderOutlierDetector(max_iter=2, random_state=0)
            scores = detector.fit(rows, sample_weight=weights).score_samples(rows)
            offset = detector.offset_
            detector.fit(rows, sample_weight=factor * weights)
            assert_allclose(detector.score_samples(rows), scores, rtol=1e-5)
            assert_allclose(detector.offset_, offset, rtol=1e-5)


@pytest.mark.parametrize("contamination", [0, -0.1, 0.51, 1, "Auto", None, np.nan])
def test_bad_contamination(contamination):
    with pytest.raises(ValueError, match="contamination"):
        make(contamination=contamination).fit(X)


def test_partial_fit_moves_the_threshold():
    detector = make(contamination=0.1).partial_fit(BENIGN)
    first = detector.offset_
    detector.partial_fit(BENIGN)
    assert detector.offset_ != first
    assert np.mean(detector.predict(BENIGN) == -1) <= 0.1


def test_is_an_outlier_detector_and_a_transformer():
    detector = make().fit(X)
    assert detector.__sklearn_tags__().estimator_type == "outlier_detector"
    assert detector.__sklearn_tags__().transformer_tags is not None
    assert detector.transform(X).shape == (len(X), 8)


# The defaults: noise, several distances, rows set aside


def normal_rows(n_rows, seed):
    rng = np.random.RandomState(seed)
    return rng.normal(size=(n_rows, 6)) @ np.random.RandomState(99).normal(size=(6, 6))


@pytest.mark.parametrize("contamination", [0.02, 0.1])
@pytest.mark.parametrize("weighted", [False, True])
def test_contamination_is_the_share_of_fresh_rows_outside(contamination, weighted):
    weight = np.random.RandomState(1).uniform(0.5, 2, 2000) if weighted else None
    detector = AutoencoderOutlierDetector(
        contamination=contamination, max_iter=10, random_state=0
    ).fit(normal_rows(2000, 0), sample_weight=weight)
    m = len(detector.calibration_scores_)
    assert m == 200
    flagged = np.mean(detector.predict(normal_rows(20_000, 1)) == -1)
    # Of the rows set aside, so many are outside as a binomial has it.
    error = np.sqrt(contamination * (1 - contamination) / m)
    assert abs(flagged - contamination) < 3 * error


def test_p_values_of_fresh_rows_are_uniform():
    detector = AutoencoderOutlierDetector(max_iter=10, random_state=0)
    detector.fit(normal_rows(3000, 0))
    p = detector.p_values(normal_rows(20_000, 1))
    m = len(detector.calibration_scores_)
    assert p.min() >= 1 / (m + 1) and p.max() <= 1
    for level in (0.05, 0.2, 0.5):
        error = np.sqrt(level * (1 - level) / m)
        assert abs(np.mean(p <= level) - level) < 3 * error
    far = detector.p_values(np.full((1, 6), 1e3))
    assert_allclose(far, 1 / (m + 1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_p_values_with_weights_are_at_most_one(dtype):
    for seed in range(5):
        rng = np.random.RandomState(seed)
        rows, weight = rng.normal(size=(600, 4)).astype(dtype), rng.uniform(0.1, 3, 600)
        detector = AutoencoderOutlierDetector(max_iter=2, random_state=0)
        p = detector.fit(rows, sample_weight=weight).p_values(rows)
        assert_allclose(p.max(), 1)
        assert p.max() <= 1


@pytest.mark.parametrize("early_stopping", ["auto", True])
def test_a_weird_validation_fraction_is_just_small(early_stopping):
    params = {"early_stopping": early_stopping, "validation_fraction": 1e-320}
    detector = AutoencoderOutlierDetector(max_iter=2, random_state=0, **params)
    aside = detector.fit(normal_rows(100, 0)).calibration_scores_
    assert aside is None if early_stopping == "auto" else len(aside) == 1


def test_p_values_and_labels_agree():
    detector = AutoencoderOutlierDetector(contamination=0.1, max_iter=5, random_state=0)
    detector.fit(normal_rows(1000, 0))
    fresh = normal_rows(500, 1)
    assert_array_equal(detector.predict(fresh) == -1, detector.p_values(fresh) <= 0.1)


def test_rows_set_aside_stop_the_training_only_if_asked_to():
    rows, few = normal_rows(200, 0), normal_rows(199, 0)
    params = {"max_iter": 40, "n_iter_no_change": 1, "random_state": 0}
    detector = AutoencoderOutlierDetector(**params).fit(rows)
    assert len(detector.calibration_scores_) == 20
    assert detector.validation_loss_curve_ is None and detector.n_iter_ == 40
    assert AutoencoderOutlierDetector(**params).fit(few).calibration_scores_ is None
    detector.set_params(early_stopping=True).fit(few)
    assert len(detector.calibration_scores_) == 20
    assert len(detector.validation_loss_curve_) == detector.n_iter_ < 40


@quiet
def test_the_penalty_is_that_of_a_prior():
    rows = normal_rows(100, 0)
    detector = AutoencoderOutlierDetector(max_iter=5, random_state=0)
    assert detector.partial_fit(rows).alpha_ == 0
    assert detector.fit(rows).alpha_ == 0.5 / (100 * 6)
    assert detector.set_params(alpha=0.1).fit(rows).alpha_ == 0.1
    assert detector.set_params(alpha="auto", noise=None).fit(rows).alpha_ == 0


def test_p_values_need_rows_set_aside():
    detector = make().fit(BENIGN)
    assert detector.calibration_scores_ is None
    with pytest.raises(ValueError, match="early_stopping=True"):
        detector.p_values(BENIGN)


@pytest.mark.parametrize(
    "score_parts",
    [
        "auto",
        {"residual": 1.0},
        {"neighbors": 2.0},
        {"location": 0.5},
        {"residual": 1, "location": 1},
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contributions_of_all_parts_add_up(score_parts, dtype):
    data = X.astype(dtype)
    detector = AutoencoderOutlierDetector(
        score_parts=score_parts, max_iter=3, random_state=0
    ).fit(data)
    contributions = detector.score_contributions(data)
    scores = detector.score_samples(data)
    assert (scores <= 0).all()
    assert_allclose(contributions.sum(axis=1), scores, rtol=1e-7, atol=1e-9)


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_contributions_add_up_where_rows_fill_few_of_many_dimensions(dtype):
    rng = np.random.RandomState(0)
    rows = (rng.normal(size=(100, 1)) @ rng.normal(size=(1, 300))).astype(dtype)
    detector = AutoencoderOutlierDetector(max_iter=2, random_state=0).fit(rows)
    contributions = detector.score_contributions(rows)
    assert_allclose(
        contributions.sum(axis=1), detector.score_samples(rows), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("seed", range(3))
def test_contributions_name_the_extreme_feature(seed):
    rng = np.random.RandomState(seed)
    detector = AutoencoderOutlierDetector(random_state=0).fit(BENIGN)
    rows = BENIGN[rng.choice(len(BENIGN), 100)]
    features = rng.randint(X.shape[1], size=100)
    extreme = BENIGN.max(axis=0) + 3 * BENIGN.std(axis=0)
    rows[np.arange(100), features] = extreme[features]
    flagged = detector.predict(rows) == -1
    worst = detector.score_contributions(rows).argmin(axis=1)
    assert flagged.mean() > 0.9
    assert np.mean(worst[flagged] == features[flagged]) > 0.9


def test_defaults_find_outliers_among_the_training_rows():
    rng = np.random.RandomState(0)
    rows = np.r_[normal_rows(950, 0), rng.normal(scale=6, size=(50, 6))]
    outlier = np.r_[np.zeros(950), np.ones(50)]
    detector = AutoencoderOutlierDetector(random_state=0).fit(rows)
    assert roc_auc_score(outlier, -detector.score_samples(rows)) > 0.95


def test_more_features_than_axes():
    rng = np.random.RandomState(0)
    basis = rng.normal(size=(5, 300))
    rows = rng.normal(size=(200, 5)) @ basis + 0.1 * rng.normal(size=(200, 300))
    detector = AutoencoderOutlierDetector(max_iter=5, random_state=0).fit(rows)
    strange = rows[:20] + rng.normal(size=(20, 300))
    assert detector.score_samples(strange).max() < detector.score_samples(rows).min()


@pytest.mark.parametrize(
    "score_parts",
    [{}, {"residual": 0}, {"code": 1}, {"residual": np.inf}, {"residual": "1"}, "all"],
)
def test_bad_score_parts(score_parts):
    detector = make().fit(X)
    before = detector.offset_
    with pytest.raises(ValueError, match="score_parts"):
        detector.set_params(score_parts=score_parts).fit(X)
    assert detector.offset_ == before


def test_the_share_holds_with_many_features_too():
    """PCA, which training starts from, has not seen the rows set aside."""
    rng = np.random.RandomState(0)
    rows, fresh = rng.normal(size=(800, 200)), rng.normal(size=(4000, 200))
    detector = AutoencoderOutlierDetector(contamination=0.1, max_iter=3, random_state=0)
    flagged = np.mean(detector.fit(rows).predict(fresh) == -1)
    assert abs(flagged - 0.1) < 3 * np.sqrt(0.1 * 0.9 / 80)


def test_outliers_outside_the_leading_directions():
    rng = np.random.RandomState(0)
    deviation = np.r_[np.full(200, 3.0), np.full(400, 0.1)]
    rows = rng.normal(size=(700, 600)) * deviation
    strange = (
        rng.normal(size=(50, 600)) * deviation * np.r_[np.ones(200), np.full(400, 4)]
    )
    detector = AutoencoderOutlierDetector(
        max_iter=10, scaling="global", score_parts={"location": 1}, random_state=0
    ).fit(rows[:600])
    outlier = np.r_[np.zeros(100), np.ones(50)]
    scores = detector.score_samples(np.r_[rows[600:], strange])
    assert roc_auc_score(outlier, -scores) > 0.95


def test_a_few_more_rows_do_not_change_what_is_normal():
    rows = normal_rows(1000, 0)
    detector = AutoencoderOutlierDetector(contamination=0.05, random_state=0)
    detector.partial_fit(rows)
    offset = detector.offset_
    detector.partial_fit(rows[:1])
    assert detector.offset_ == offset
    assert np.mean(detector.predict(rows) == -1) < 0.1
    with pytest.raises(ValueError, match="and no partial_fit"):
        detector.p_values(rows)


def test_constant_rows_have_no_outliers_among_them():
    rows = np.ones((100, 4))
    detector = AutoencoderOutlierDetector(max_iter=5, random_state=0).fit(rows)
    assert_allclose(detector.score_samples(rows), 0, atol=1e-6)
    assert (detector.predict(rows) == 1).all()
    assert (detector.predict(rows + 1) == -1).all()


# Columns that are nearly always one value


def with_rare_flags(n_rows, seed, share=0.003):
    """Return normal rows of 6 columns, and 60 more that are nearly always zero."""
    rng = np.random.RandomState(seed)
    flags = (rng.uniform(size=(n_rows, 60)) < share) * rng.uniform(0.5, 2, (n_rows, 60))
    return np.c_[normal_rows(n_rows, seed), 0.01 * flags]


@pytest.mark.parametrize("standardised", [False, True])
def test_nearly_constant_columns_do_not_rule_the_score(standardised):
    train, fresh = with_rare_flags(2000, 0), with_rare_flags(1000, 1)
    strange = with_rare_flags(50, 2)
    strange[:, :6] = np.random.RandomState(3).normal(scale=6, size=(50, 6))
    if standardised:
        scaler = StandardScaler().fit(train)
        train, fresh, strange = map(scaler.transform, (train, fresh, strange))
    outlier = np.r_[np.zeros(1000), np.ones(50)]
    aurocs = {}
    for scaling in ("auto", "per_feature"):
        detector = AutoencoderOutlierDetector(scaling=scaling, random_state=0)
        scores = detector.fit(train).score_samples(np.r_[fresh, strange])
        aurocs[scaling] = roc_auc_score(outlier, -scores)
    assert aurocs["auto"] > 0.97 > aurocs["per_feature"] + 0.02


@pytest.mark.parametrize("units", [1, 1e6])
def test_scaling_auto_is_the_deviation_where_columns_vary(units):
    rows = np.c_[normal_rows(500, 0) * [units, 1, 1, 1, 1, 1], np.zeros(500)]
    rows[::10, -1] = 3
    weight = np.random.RandomState(0).randint(1, 4, 500)
    detector = AutoencoderOutlierDetector(max_iter=2, random_state=0)
    detector.fit(rows, sample_weight=weight)
    repeated = rows.repeat(weight, axis=0)
    median = np.quantile(repeated, 0.5, axis=0, method="inverted_cdf")
    varies = np.abs(repeated - median) > 1e-4 * repeated.std(axis=0)
    scale = repeated.std(axis=0) / varies.mean(axis=0) ** 0.75
    assert_allclose(detector.scale_, scale)
    assert_allclose(detector.scale_[:-1], repeated.std(axis=0)[:-1], rtol=0.01)
    with pytest.raises(ValueError, match="'scaling' parameter of AutoencoderTransf"):
        AutoencoderTransformer(scaling="auto").fit(rows)


@quiet
def test_scaling_auto_of_a_single_value():
    """Whatever rounding, a weight or float32 makes of the other rows."""
    rows = np.c_[normal_rows(100, 0), np.zeros(100)]
    rows[7, -1] = 1
    detector = AutoencoderOutlierDetector(max_iter=2, random_state=0)
    expected = detector.fit(rows).scale_[-1]
    jitter = rows + 1e-9 * np.random.RandomState(0).normal(size=rows.shape)
    assert_allclose(detector.fit(jitter).scale_[-1], expected, rtol=1e-6)
    weight = np.full(100, 10)
    weight[7] = 1
    weighted = detector.fit(rows, sample_weight=weight).scale_[-1]
    assert_allclose(weighted, detector.fit(rows.repeat(weight, axis=0)).scale_[-1])
    rows[7, -1] = 3e38
    assert np.isfinite(detector.fit(rows.astype(np.float32)).score_samples(rows)).all()
