"""Numbers, categories and counts in one table."""

import pickle

import numpy as np
import pandas as pd
import pytest
from finite_differences import relative_error
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import softmax
from scipy.stats import norm, poisson
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_ae import (
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    HiddenCells,
    MaskingNoise,
    MixedLoss,
    VariationalAutoencoder,
)
from sklearn_ae._array_rows import ArrayRows
from sklearn_ae._likelihoods import likelihood_of
from sklearn_ae._model import Model
from sklearn_ae._network import Network
from sklearn_ae._objective import Objective
from sklearn_ae._scaling import Units, fit_scaling

pytestmark = pytest.mark.filterwarnings("ignore:Stopped after max_iter")

RNG = np.random.RandomState(0)
KINDS = RNG.choice(["a", "b", "c"], 400, p=[0.5, 0.3, 0.2])
FRAME = pd.DataFrame(
    {
        "kind": KINDS,
        "size": 3.0 * (KINDS == "a") + RNG.normal(size=400),
        "income": 1e4 * np.exp(RNG.normal(size=400)),
        "visits": RNG.poisson(2 + 8 * (KINDS == "b")),
        "city": RNG.choice([f"c{i}" for i in range(20)], 400),
    }
)


def encoder(**params):
    return make_column_transformer(
        (OneHotEncoder(sparse_output=False, **params), ["kind", "city"]),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")


ENCODER = encoder().fit(FRAME)
TABLE = ENCODER.transform(FRAME)
LOSS = MixedLoss.from_encoder(ENCODER, counts=["visits"])
GROUPS = {"kind": [0, 1, 2], "city": [*range(3, 23)]}


def make(cls=AutoencoderTransformer, **params):
    defaults = {"n_components": 4, "hidden_layer_sizes": (16,), "max_iter": 20}
    defaults |= {"loss": LOSS, "scaling": "per_feature", "random_state": 0}
    return cls(**defaults | params)


def bound_to(rows, loss=LOSS):
    """Return a loss for a table, the units, and the targets in these."""
    _, scaling = fit_scaling(rows, "per_feature")
    bound = loss.bind(scaling, rows, TABLE.columns)
    units = Units.of(scaling, bound, False)
    return bound, units, units.targets.apply(rows.array())


def test_columns_from_an_encoder():
    assert LOSS.categories == GROUPS
    assert LOSS.labels["kind"] == ["a", "b", "c"]
    alone = OneHotEncoder().fit(FRAME[["city", "kind"]])
    expected = {"city": [*range(20)], "kind": [20, 21, 22]}
    assert MixedLoss.from_encoder(alone).categories == expected
    behind = make_column_transformer(
        ("passthrough", ["size"]), (make_pipeline(OneHotEncoder()), ["kind"])
    ).fit(FRAME)
    assert MixedLoss.from_encoder(behind).categories == {"kind": [1, 2, 3]}
    assert MixedLoss.from_encoder(OneHotEncoder().fit([["u"], ["v"]])).labels == {
        "x0": ["u", "v"]
    }
    rare = encoder(max_categories=5).fit(FRAME)
    loss = MixedLoss.from_encoder(rare)
    assert len(loss.categories["city"]) == len(loss.labels["city"]) == 5
    assert loss.labels["city"][-1] == "infrequent"
    assert len(loss.categories["city"]) + 3 + 3 == rare.transform(FRAME).shape[1]
    with pytest.raises(ValueError, match="drop must be None.*drop='first'.*'kind'"):
        MixedLoss.from_encoder(encoder(drop="first").fit(FRAME))
    with pytest.raises(ValueError, match="encoder must be a fitted OneHotEncoder"):
        other = make_column_transformer(("passthrough", ["size"]))
        MixedLoss.from_encoder(other.fit(FRAME))
    with pytest.raises(NotFittedError):
        MixedLoss.from_encoder(OneHotEncoder())


def test_names_of_encoded_features():
    imputing = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder())
    table = ColumnTransformer(
        [
            ("none", OneHotEncoder(), []),
            ("first", imputing, ["kind"]),
            ("again", OneHotEncoder(), ["kind"]),
            ("other", imputing, ["city"]),
            ("rest", "passthrough", ["size"]),
        ]
    )
    loss = MixedLoss.from_encoder(table.fit(FRAME))
    assert loss.categories == {
        "first__kind": [0, 1, 2],
        "again__kind": [3, 4, 5],
        "city": [*range(6, 26)],
    }
    # Behind other steps, and of arrays.
    pipeline = make_pipeline(table, StandardScaler(with_mean=False))
    with pytest.raises(ValueError, match="encoder must be a fitted OneHotEncoder"):
        MixedLoss.from_encoder(pipeline.fit(FRAME))
    ends = make_pipeline(FunctionTransformer(), table).fit(FRAME)
    assert MixedLoss.from_encoder(ends).categories == loss.categories
    by_number = make_column_transformer((OneHotEncoder(), [0, 4])).fit(FRAME)
    assert [*MixedLoss.from_encoder(by_number).categories] == ["kind", "city"]
    arrays = make_column_transformer((imputing, slice(0, 1))).fit(FRAME.to_numpy())
    assert MixedLoss.from_encoder(arrays).categories == {"x0": [0, 1, 2]}


@pytest.mark.parametrize("weights", [None, "rows", "cells"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_value_and_gradient(weights, dtype):
    X = TABLE.to_numpy().astype(dtype)[:60]
    bound, _, X = bound_to(ArrayRows(X))
    rng = np.random.RandomState(0)
    raw = rng.normal(size=X.shape).astype(dtype)
    if weights is not None:
        shape = (60, 1) if weights == "rows" else X.shape
        weights = rng.uniform(size=shape).astype(dtype)
    value, gradient = bound.value_and_gradient(X, raw.copy(), weights)
    cells = bound.cells(X, raw)
    assert cells.dtype == gradient.dtype == dtype
    weighted = cells if weights is None else weights * cells
    assert_allclose(value, weighted.sum(dtype=np.float64), rtol=1e-6)
    if dtype == np.float64:
        for j in (0, 2, 5, 22, 23, 24, 25):
            step = np.zeros(X.shape)
            step[:, j] = 1e-6
            ends = [bound.value(X, raw + sign * step, weights) for sign in (1, -1)]
            numeric = (ends[0] - ends[1]) / 2e-6
            assert_allclose(gradient[:, j].sum(), numeric, rtol=1e-4, atol=1e-6)
    if weights is None:
        assert_allclose(bound.gradient(X, raw), gradient)


def test_parts_are_those_of_scikit_learn():
    bound, units, X = bound_to(ArrayRows(TABLE.to_numpy()))
    raw = np.random.RandomState(0).normal(size=X.shape)
    cells, mean = bound.cells(X, raw).mean(axis=0), X.mean(axis=0)
    kinds = log_loss(X[:, :3], softmax(raw[:, :3], axis=1))
    prior = -(mean[:3] * np.log(mean[:3])).sum()
    assert_allclose(cells[:3].sum(), kinds / prior)
    counts = mean_poisson_deviance(X[:, 25], np.exp(raw[:, 25]))
    by_mean = mean_poisson_deviance(X[:, 25], np.full(400, mean[25]))
    assert_allclose(cells[25], counts / by_mean)
    incomes = TABLE["income"].to_numpy()
    incomes = (incomes - incomes.mean()) / incomes.std()
    assert_allclose(X[:, 24], incomes)
    assert_allclose(cells[24], np.square(raw[:, 24] - incomes).mean())
    # The mean costs 1 for each variable, so none drowns the others.
    by_mean = bound.cells(X, np.tile(bound.link(mean), (400, 1))).mean(axis=0)
    assert_allclose([by_mean[:3].sum(), by_mean[3:23].sum()], 1)
    assert_allclose(by_mean[23:], 1)
    assert_allclose(bound.predict(bound.link(mean)[None])[0], mean, atol=1e-12)
    assert_allclose(bound.saturated(X), 0, atol=1e-12)


def test_gradient_of_a_network():
    X = TABLE.to_numpy()[:50]
    rows = ArrayRows(X, np.linspace(0.1, 1, 50))
    loss, units, _ = bound_to(rows)
    network = Network.mirrored(26, (8,), 3, linear_path=True)
    model = Model(network, loss, units)
    theta = np.random.RandomState(0).normal(scale=0.3, size=network.n_parameters)
    assert relative_error(Objective(model, None, np.float64), theta, rows) < 1e-6


@pytest.mark.parametrize("cls", [AutoencoderTransformer, AutoencoderOutlierDetector])
def test_estimators(cls):
    weights = np.linspace(0, 1, 400)
    estimator = make(cls).fit(TABLE, sample_weight=weights)
    reconstructed = np.asarray(estimator.reconstruct(TABLE))
    for group in GROUPS.values():
        assert_allclose(reconstructed[:, group].sum(axis=1), 1)
    assert (reconstructed[:, :23] >= 0).all() and (reconstructed[:, 25] > 0).all()
    assert estimator.score(TABLE) > 0.3
    guessed = reconstructed[:, :3].argmax(axis=1)
    assert np.mean(guessed == TABLE.to_numpy()[:, :3].argmax(axis=1)) > 0.7
    again = pickle.loads(pickle.dumps(estimator))
    assert_array_equal(again.score_samples(TABLE), estimator.score_samples(TABLE))
    assert_array_equal(
        clone(estimator).fit(TABLE, sample_weight=weights).score_samples(TABLE),
        estimator.score_samples(TABLE),
    )
    assert LOSS.variables is None
    # Later rows are measured as the first ones were.
    known = estimator._fitted.choices.loss.variables
    estimator.partial_fit(TABLE[:50])
    assert estimator._fitted.choices.loss.variables is known


def test_units_of_numbers_do_not_matter():
    other = TABLE.assign(income=TABLE["income"] / 1e4 - 7)
    scores = [make().fit(X).score_samples(X) for X in (TABLE, other)]
    assert_allclose(*scores, rtol=1e-5)


@pytest.mark.parametrize("noise", [None, MaskingNoise(0.2), HiddenCells(0.2)])
def test_gaps_and_unknown_categories(noise):
    gaps = TABLE.copy()
    gaps.loc[::3, "size"] = np.nan
    gaps.loc[::5, ["kind_a", "kind_b", "kind_c"]] = np.nan
    gaps.loc[1::5, ["kind_a", "kind_b", "kind_c"]] = 0
    estimator = make(AutoencoderOutlierDetector, noise=noise).fit(gaps)
    assert np.isfinite(estimator.score_samples(gaps)).all()
    (reasons,) = estimator.explain(gaps[:1], n_variables=5)
    observed = {reason["variable"]: reason["observed"] for reason in reasons}
    assert observed["kind"] is None and np.isnan(observed["size"])
    (reasons,) = estimator.explain(gaps[1:2], n_variables=5)
    unknown = {r["variable"]: r["observed"] for r in reasons}["kind"]
    assert unknown == "(unknown)"


def test_a_category_may_be_partly_known():
    """What is left of it counts; means in its gaps are no error."""
    gaps = TABLE.copy()
    gaps.loc[::2, "kind_a"] = np.nan
    estimator = make(AutoencoderOutlierDetector).fit(gaps)
    assert np.isfinite(estimator.score_samples(gaps)).all()
    known = np.flatnonzero(FRAME["kind"] == "b")[0]
    row = TABLE[known : known + 1].assign(kind_a=np.nan)
    (reasons,) = estimator.explain(row, n_variables=5)
    assert {r["variable"]: r["observed"] for r in reasons}["kind"] == "b"
    broken = TABLE.assign(kind_b=1.0, kind_c=1.0).assign(kind_a=np.nan)
    with pytest.raises(ValueError, match="zeros with a single one"):
        estimator.score_samples(broken)


def test_a_category_that_never_varies():
    constant = TABLE.assign(kind_a=1.0, kind_b=0.0, kind_c=0.0)
    estimator = make().fit(constant)
    weights = estimator._fitted.choices.loss.variables.weights
    assert_array_equal(weights[:3], 1)
    assert weights.max() < 10
    assert estimator.score(constant) > 0.1


def test_columns_given_as_arrays_stay_those():
    loss = MixedLoss({name: np.array(group) for name, group in GROUPS.items()})
    estimator = make(loss=loss, warm_start=True).fit(TABLE)
    known = estimator._fitted.choices.loss.variables
    estimator.fit(TABLE).partial_fit(TABLE)
    assert estimator._fitted.choices.loss.variables is known


def test_contributions_and_reasons():
    detector = make(AutoencoderOutlierDetector, max_iter=60).fit(TABLE)
    odd = FRAME[:2].copy()
    odd["income"] = 1e4
    odd.loc[0, ["kind", "size", "visits"]] = ["a", 3.0, 14]
    rows = ENCODER.transform(odd)
    contributions = detector.score_contributions(rows)
    assert contributions.shape == (2, 5)
    assert_allclose(contributions.sum(axis=1), detector.score_samples(rows))
    frame = detector.set_output(transform="pandas").score_contributions(rows)
    assert [*frame.columns] == ["kind", "city", "size", "income", "visits"]
    assert_array_equal(frame, contributions)
    first, second = detector.explain(rows, n_variables=2)
    assert len(first) == len(second) == 2
    assert first[0]["contribution"] == contributions[0].min()
    assert first[0]["variable"] in {"kind", "visits"}
    by_name = {reason["variable"]: reason for reason in detector.explain(rows, 5)[0]}
    assert by_name["kind"]["observed"] == "a"
    assert by_name["city"]["observed"] == odd.loc[0, "city"]
    assert by_name["visits"]["observed"] == 14
    assert by_name["visits"]["expected"] < 13 or by_name["kind"]["expected"] == "b"
    plain = AutoencoderOutlierDetector(max_iter=3, random_state=0).fit(TABLE)
    assert plain.score_contributions(rows).shape == (2, 26)
    assert len(plain.explain(rows, 40)[0]) == 26
    with pytest.raises(ValueError, match="n_variables must be a whole number"):
        plain.explain(rows, 0)


def test_a_search_reaches_the_loss():
    grid = {"loss": [LOSS, "squared_error"], "n_components": [2]}
    search = GridSearchCV(make(max_iter=2), grid, cv=2).fit(TABLE)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (MixedLoss({"kind": ["colour"]}), "got 'colour', but X has kind_a, kind_b"),
        (MixedLoss([[0, 26]]), r"must be numbers from 0 to 25.*got 26"),
        (MixedLoss([[0, 1], [1, 2]]), r"Each column must be .* \[1\] are in several"),
        (MixedLoss(["kind"]), "must be a sequence of columns, got 'kind'"),
        (MixedLoss, "'loss' parameter.*did you mean MixedLoss\\(\\)"),
        (MixedLoss([[23, 24]]), "category 'category0' .* zeros with a single one"),
        (MixedLoss(counts=["size"]), "counts of MixedLoss must not be negative"),
        (MixedLoss(categories=3), "'categories' parameter"),
        (MixedLoss({"kind": []}), r"categories\['kind'\] .* at least one column"),
        (MixedLoss([[0, True]]), "must be numbers from 0 to 25.*got True"),
        (MixedLoss([[0, 1]], labels={"category0": ["a"]}), "got 1 for 'category0'"),
        (MixedLoss([[0, 1]], labels={"kind": ["a", "b"]}), "got 2 for 'kind'.*has 0"),
    ],
)
def test_bad_columns(loss, message):
    estimator = make().fit(TABLE)
    expected = estimator.transform(TABLE)
    estimator.set_params(loss=loss)
    with pytest.raises(ValueError, match=message):
        estimator.fit(TABLE)
    assert_array_equal(estimator.transform(TABLE), expected)


def test_later_rows_are_checked():
    estimator = make().fit(TABLE)
    with pytest.raises(ValueError, match="counts of MixedLoss must not be negative"):
        estimator.score(TABLE.assign(visits=-1))
    with pytest.raises(ValueError, match="X has none"):
        make(loss=MixedLoss({"kind": ["kind_a"]})).fit(TABLE.to_numpy())
    bad = TABLE.assign(visits=-1)
    expected = estimator.transform(TABLE)
    for fit in (
        estimator.partial_fit,
        estimator.set_params(warm_start=True).fit,
        lambda X: estimator.fit(TABLE, X_val=X),
    ):
        with pytest.raises(ValueError, match="counts of MixedLoss must not be neg"):
            fit(bad)
    assert_array_equal(estimator.transform(TABLE), expected)
    with pytest.raises(ValueError, match="X_val and sample_weight_val must be like X"):
        estimator.fit(TABLE, X_val=bad)
    with pytest.raises(ValueError, match=r"There are objects for this.*MixedLoss"):
        AutoencoderTransformer(loss="mixed").fit(TABLE)


# As a density


def density(**params):
    defaults = {"n_components": 2, "loss": LOSS, "random_state": 0}
    return VariationalAutoencoder(**defaults | params)


def test_gradient_of_a_likelihood():
    """Also by the variances that are learnt."""
    X = TABLE.to_numpy()[:50]
    rows = ArrayRows(X, np.linspace(0.1, 1, 50))
    likelihood, units, _ = bound_to(rows, likelihood_of(LOSS, 26, "auto"))
    network = Network.mirrored(26, (8,), 3, n_of_loss=2)
    model = Model(network, likelihood, units)
    theta = np.random.RandomState(0).normal(scale=0.3, size=network.n_parameters)
    assert relative_error(Objective(model, None, np.float64), theta, rows) < 1e-6


def test_likelihood_is_that_of_scipy():
    rows = ArrayRows(TABLE.to_numpy()[:50])
    likelihood, _, X = bound_to(rows, likelihood_of(LOSS, 26, "auto"))
    likelihood = likelihood.at(np.log([0.5, 2.0]))
    raw = np.random.RandomState(0).normal(size=X.shape)
    mean, deviation = likelihood.predict(raw), np.sqrt(likelihood.variance)
    expected = norm(mean[:, 23:25], deviation[23:25]).logpdf(X[:, 23:25]).sum(axis=1)
    expected += poisson(mean[:, 25]).logpmf(X[:, 25])
    for group in GROUPS.values():
        expected += np.log((mean[:, group] * X[:, group]).sum(axis=1))
    assert_allclose(likelihood.log_density(X, raw).sum(axis=1), expected, rtol=1e-4)
    assert np.isnan(likelihood.variance[[0, 22, 25]]).all()


def test_density_of_mixed_tables():
    vae = density().fit(TABLE)
    rows, codes = vae.sample(4000, random_state=0)
    for group in GROUPS.values():
        assert_array_equal(rows[:, group].sum(axis=1), 1)
        frequencies = TABLE.to_numpy()[:, group].mean(axis=0)
        assert_allclose(rows[:, group].mean(axis=0), frequencies, atol=0.06)
    assert_array_equal(rows[:, 25], rows[:, 25].round())
    assert_allclose(rows[:, 25].mean(), TABLE["visits"].mean(), rtol=0.15)
    assert np.corrcoef(rows[:, 1], rows[:, 25])[0, 1] > 0.5
    assert codes.shape == (4000, 2)
    assert vae.noise_variance_[24] > 1e6
    again = pickle.loads(pickle.dumps(vae))
    assert_array_equal(again.score_samples(TABLE), vae.score_samples(TABLE))
    # A density in the units of X, of what is known.
    other = TABLE.assign(income=TABLE["income"] / 10)
    gained = density().fit(other).score(other) - vae.score(TABLE)
    assert_allclose(gained, np.log(10))
    gaps = TABLE.assign(size=np.where(KINDS == "a", np.nan, TABLE["size"]))
    assert np.isfinite(density().fit(gaps).score(gaps))
    variance = vae.noise_variance_
    vae.partial_fit(TABLE[:50])
    assert_allclose(vae.noise_variance_, variance, rtol=0.5)


# Gaps and names


def test_missing_words_are_gaps():
    frame = FRAME[["kind", "size", "city"]].copy()
    frame.loc[::7, "kind"] = None
    frame.loc[::9, "size"] = np.nan
    for sparse in (False, True):
        table = make_column_transformer(
            (OneHotEncoder(sparse_output=sparse), ["kind", "city"]),
            remainder="passthrough",
            verbose_feature_names_out=False,
            sparse_threshold=1.0,
        )
        if not sparse:
            table = table.set_output(transform="pandas")
        encoded = table.fit_transform(frame)
        loss = MixedLoss.from_encoder(table)
        cells = loss.gaps(encoded)
        assert type(cells) in (type(encoded), csr_array)
        dense = cells.toarray() if sparse else cells.to_numpy()
        before = encoded.toarray() if sparse else encoded.to_numpy()
        assert_array_equal(np.isnan(dense[:, :4]).all(axis=1), np.arange(400) % 7 == 0)
        assert not np.isnan(dense[:, 4:-1]).any()
        rest = np.arange(400) % 7 != 0
        assert_array_equal(dense[rest], before[rest])
        assert not np.isnan(before[:, :4]).any()
        detector = AutoencoderOutlierDetector(loss=loss, max_iter=5, random_state=0)
        (reasons,) = detector.fit(cells).explain(cells[:1], n_variables=9)
        assert {r["variable"]: r["observed"] for r in reasons}["kind"] is None
    # Where nothing is missing nothing changes; by number, too.
    assert_array_equal(LOSS.gaps(TABLE), TABLE)
    by_hand = MixedLoss([[0, 1]], labels={"category0": ["a", float("nan")]})
    given = np.array([[1, 0, 5], [0, 1, 6]])
    assert_array_equal(by_hand.gaps(given), [[1, 0, 5], [np.nan, np.nan, 6]])


def test_counts_by_name_become_numbers():
    assert LOSS.counts == [25]
    array = make().fit(TABLE.to_numpy())
    assert_allclose(array.score(TABLE.to_numpy()), make().fit(TABLE).score(TABLE))
    with pytest.raises(ValueError, match="counts of MixedLoss must be columns of X"):
        MixedLoss.from_encoder(ENCODER, counts=["visit"])


def test_infrequent_words_that_are_missing():
    X = np.r_[np.repeat([1.0, 2.0, 3.0], 39), [np.nan] * 2, 7.0][:, None]
    encoder = OneHotEncoder(min_frequency=5).fit(X)
    loss = MixedLoss.from_encoder(encoder)
    assert loss.categories == {"x0": [0, 1, 2, 3]}
    assert loss.labels == {"x0": [1.0, 2.0, 3.0, "infrequent"]}


def test_nested_encoders():
    def inner(*names):
        columns = [(name, OneHotEncoder(), ["kind"]) for name in names]
        return ColumnTransformer(columns)

    outer = [("o", inner("a", "b"), ["kind"]), ("p", inner("a"), ["kind"])]
    loss = MixedLoss.from_encoder(ColumnTransformer(outer).fit(FRAME))
    assert loss.categories == {
        "o__a__kind": [0, 1, 2],
        "o__b__kind": [3, 4, 5],
        "p__a__kind": [6, 7, 8],
    }
    texts = make_column_transformer((CountVectorizer(), 4), (OneHotEncoder(), ["kind"]))
    assert [*MixedLoss.from_encoder(texts.fit(FRAME)).categories] == ["kind"]


def test_a_number_and_a_category_of_one_name():
    """Encoders of arrays name what they get, not what they return."""
    X = FRAME[["size", "kind"]].to_numpy()
    table = make_column_transformer(
        ("passthrough", [0]), (OneHotEncoder(sparse_output=False), [1])
    ).fit(X)
    rows = table.transform(X).astype(float)
    loss = MixedLoss.from_encoder(table)
    assert [*loss.categories] == ["x1"]
    loss.categories = {"x0": loss.categories["x1"]}
    loss.labels = {"x0": loss.labels["x1"]}
    detector = AutoencoderOutlierDetector(loss=loss, max_iter=5, random_state=0)
    detector.fit(rows).set_output(transform="polars")
    rows[0, 0] = 50
    (reasons,) = detector.explain(rows[:1], 2)
    assert reasons[0]["variable"] == "x0" and reasons[0]["observed"] == 50
    assert reasons[1]["variable"] == "x0 (category)"
    assert reasons[1]["observed"] == X[0, 1]
    assert detector.score_contributions(rows).columns == ["x0", "x0 (category)"]


def test_expected_is_what_the_rest_of_the_row_says():
    """Not what the network makes of an extreme, which it copies."""
    detector = make(AutoencoderOutlierDetector, max_iter=60).fit(TABLE)
    row = TABLE[FRAME["kind"] == "b"][:1].assign(visits=900)
    first, *_ = detector.explain(row)[0]
    assert first["variable"] == "visits" and first["observed"] == 900
    assert 3 < first["expected"] < 25
    # More reasons do not change the first ones.
    assert detector.explain(row, 5)[0][:3] == detector.explain(row, 3)[0]


def test_gaps_of_numbers_stay_those():
    frame = TABLE.astype({"visits": "Int64"})
    frame.loc[::3, "visits"] = pd.NA
    expected = np.where(frame.isna(), np.nan, TABLE)
    assert_array_equal(LOSS.gaps(frame), expected)
    masked = np.ma.masked_array(TABLE.to_numpy(), frame.isna())
    assert_array_equal(LOSS.gaps(masked), expected)


def test_two_kinds_of_missing_words():
    words = ["a"] * 80 + ["b"] * 80 + [None] * 38 + [np.nan] * 2
    encoder = OneHotEncoder(min_frequency=10).fit(np.array(words, object)[:, None])
    loss = MixedLoss.from_encoder(encoder)
    assert loss.categories == {"x0": [0, 1, 2, 3]}
    assert loss.labels == {"x0": ["a", "b", None, "infrequent"]}
