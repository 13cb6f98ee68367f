"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import sklearn_ae

PACKAGE = Path(sklearn_ae.__file__).parent

DISPLAYS = {
    "_latent_display",
    "_latent_path_display",
    "_loss_curve_display",
    "_reconstruction_display",
    "_weights_display",
}

# A module may import from the floors below its own; `_compat` may be imported by all.
FLOORS = {
    "foundations": {
        "_activations",
        "_division",
        "_draws",
        "_statistics",
        "_storage",
        "_stored",
    },
    "options": {"_options"},
    "one idea each": {
        "_plotting",
        "_safety",
        "_encoders",
        "_explanation",
        "_losses",
        "_penalties",
        "_layers",
        "_corruption",
        "_code",
        "_code_penalties",
        "_distances",
        "_calibration",
        "_stopping",
    },
    "codes": {"_ordered", "_gaussian"},
    "data, network, minimisers": {
        "_rows",
        "_network",
        "_lbfgs",
        "_stochastic",
        "_rounds",
        "_replicas",
        "_threads",
    },
    "rows of arrays": {"_array_rows"},
    "gaps": {"_gaps"},
    "rows elsewhere": {"_dask_rows"},
    "collections": {"_collections"},
    "units": {"_scaling"},
    "expected values, losses of tables": {"_completion", "_mixed_loss"},
    "likelihoods": {"_likelihoods"},
    "the autoencoder": {"_linear", "_model", "_input", "_parameters"},
    "wide rows": {"_projection"},
    "what is chosen, what is minimised, what is typical": {
        "_choices",
        "_objective",
        "_equating",
    },
    "what scores": {"_scores"},
    "fitted": {"_fitted"},
    "paths": {"_latent_path"},
    "fitting": {"_fitting"},
    "lazy results": {"_lazy"},
    "estimator": {"_base"},
    "public": {"_transformer", "_variational", "_outlier", "_selection", *DISPLAYS},
    "of public estimators": {"_imputer"},
    "package": {"__init__"},
}


def siblings(path):
    """Return the modules of the package that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            names.add(node.module)
    return names


def test_imports_point_one_way():
    modules = {path.stem: siblings(path) for path in PACKAGE.glob("*.py")}
    assert set(modules) - {"_compat"} == set.union(*FLOORS.values())
    below = {"_compat"}
    for floor in FLOORS.values():
        for module in floor:
            assert modules[module] <= below, module
        below |= floor


def test_solvers_know_neither_data_nor_networks():
    for solver in ("_lbfgs", "_stochastic"):
        assert siblings(PACKAGE / f"{solver}.py") == {"_options", "_stopping"}
    assert siblings(PACKAGE / "_stopping.py") == {"_options"}


def test_private_scikit_learn_is_used_in_one_place():
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "sklearn"
            ):
                private = [part for part in node.module.split(".") if part[0] == "_"]
                private += [alias.name for alias in node.names if alias.name[0] == "_"]
                assert not private or path.stem == "_compat", (path.stem, private)


def test_public_names():
    assert sorted(sklearn_ae.__all__) == sklearn_ae.__all__
    assert all(hasattr(sklearn_ae, name) for name in sklearn_ae.__all__)


def test_importing_is_light():
    """Nothing is loaded beyond this package and what scikit-learn loads itself."""
    code = """
import sys
import sklearn.base, sklearn.decomposition, sklearn.model_selection
import sklearn.preprocessing, scipy.optimize
before = {name.partition(".")[0] for name in sys.modules}
import sklearn_ae
print(*{name.partition(".")[0] for name in sys.modules} - before)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["sklearn_ae"]
    for module in ("matplotlib", "pandas", "polars", "dask"):
        assert module not in result.stdout
