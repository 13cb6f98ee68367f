"""scikit-learn's own checks of its contract."""

import re

import numpy as np
import pytest
from sklearn.base import OutlierMixin
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_ae import (
    AutoencoderImputer,
    AutoencoderOutlierDetector,
    AutoencoderTransformer,
    VariationalAutoencoder,
)

CLASSES = [AutoencoderTransformer, AutoencoderOutlierDetector]
PUBLIC = [*CLASSES, VariationalAutoencoder]
VARIANTS = [
    {},
    {"solver": "svd", "activation": "identity"},
    {"solver": "lbfgs", "max_iter": 20},
    {"solver": "adam"},
    {"solver": "sgd"},
    {"solver": "lbfgs", "early_stopping": True, "linear_path": False},
    {"loss": "poisson"},
    {"scaling": None, "activation": "relu", "n_components": 1, "linear_path": False},
]
MEMBERS = [
    AutoencoderImputer(),
    AutoencoderTransformer(ordered=True),
    VariationalAutoencoder(),
    VariationalAutoencoder(loss="poisson", solver="sgd"),
]

EQUIVALENCE = [
    f"check_sample_weight_equivalence_on_{kind}_data" for kind in ("dense", "sparse")
]


def expected_failures(estimator):
    if isinstance(estimator, AutoencoderImputer):
        return {}
    if estimator.early_stopping is True:
        reason = "rows set aside for validation cannot be the same as repeated ones"
        return dict.fromkeys(EQUIVALENCE, reason)
    if estimator._code is not None:
        reason = "codes of repeated rows are drawn apart from each other"
        return dict.fromkeys(EQUIVALENCE, reason)
    if estimator.loss == "poisson" and isinstance(estimator, OutlierMixin):
        reason = "these checks have negative data for every detector"
        return dict.fromkeys(
            ["check_outliers_fit_predict", "check_outliers_train"], reason
        )
    if estimator.solver == "svd":
        reason = "rows with gaps have no exact solution"
        return {"check_estimators_pickle": reason}
    return {}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [cls(**variant) for variant in VARIANTS for cls in CLASSES] + MEMBERS,
    expected_failed_checks=expected_failures,
)
def test_scikit_learn_contract(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", PUBLIC)
def test_docstring_lists_every_parameter_and_attribute(cls):
    X = np.random.RandomState(0).normal(size=(20, 3))
    estimator = cls(max_iter=20, random_state=0).fit(X)
    public = {name for name in dir(estimator) if name.endswith("_")}
    public = {name for name in public if not name.startswith("_")}
    for name in [*estimator.get_params(), *public]:
        assert re.search(rf"\b{name}(,| :| \\)", cls.__doc__), name
