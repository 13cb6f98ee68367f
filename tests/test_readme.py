"""The README's Python code runs as it stands, top to bottom."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parents[1] / "README.md"


def test_readme_examples(capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 5
    namespace = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), namespace)
    assert namespace["search"].best_score_ > 0.85
    assert 0.04 < np.mean(namespace["labels"][namespace["benign"]] == -1) <= 0.05
    known, filled = namespace["with_gaps"], namespace["filled"]
    assert np.isfinite(filled).all() and np.nanmax(np.abs(filled - known)) == 0
    printed = capsys.readouterr().out
    assert "accuracy from 8 numbers per digit: 0.9" in printed
    assert "area error" in printed
