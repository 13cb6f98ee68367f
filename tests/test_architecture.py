"""The house rules that a machine can check."""

import ast
import subprocess
import sys
from pathlib import Path

import sklearn_ae

PACKAGE = Path(sklearn_ae.__file__).parent

# Each line may import from lines above it; `_compat` may be imported by everything.
LAYERS = [
    {"_activations", "_statistics"},
    {"_losses", "_penalties", "_layers", "_corruption", "_distances"},
    {"_rows", "_network", "_solvers", "_threads"},
    {"_scaling"},
    {"_linear", "_model"},
    {"_scores"},
    {"_objective", "_parameters"},
    {"_training"},
    {"_base"},
    {"_transformer", "_outlier", "_selection"},
    {"__init__"},
]


def siblings(path):
    """Return the modules of the package that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            names.add(node.module)
    return names


def test_imports_point_one_way():
    modules = {path.stem: siblings(path) for path in PACKAGE.glob("*.py")}
    assert set(modules) - {"_compat"} == set.union(*LAYERS)
    below = {"_compat"}
    for layer in LAYERS:
        for module in layer:
            assert modules[module] <= below, module
        below |= layer


def test_solvers_import_nothing_of_the_package():
    assert siblings(PACKAGE / "_solvers.py") == set()


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
