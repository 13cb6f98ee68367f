"""Codes of texts: sparse TF-IDF rows, thousands of columns, twenty numbers for each.

The texts are the docstrings of SciPy's public functions, which come with it. Their
codes go to a classifier, which is to tell the subpackage that a function is in, and
find the texts that are most alike; beside `TruncatedSVD`. Rows stay sparse throughout.

Prints two tables and writes text_codes.png. Run it with

    pip install ".[plots]" && python examples/text_codes.py
"""

import importlib
import inspect
import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from sklearn_ae import AutoencoderTransformer

SUBPACKAGES = ["fft", "integrate", "interpolate", "linalg", "ndimage", "optimize"]
SUBPACKAGES += ["signal", "sparse", "spatial", "special", "stats"]


def load_texts():
    """Return the texts, the subpackage of each, and the name of what it is about."""
    texts, labels, names = [], [], []
    for label in SUBPACKAGES:
        module = importlib.import_module(f"scipy.{label}")
        for name in sorted(module.__all__):
            text = inspect.getdoc(getattr(module, name)) or ""
            if len(text) > 300 and name not in names:
                # Nor may the text say where it is.
                texts.append(text.replace(f"scipy.{label}", "").replace(label, ""))
                labels.append(label)
                names.append(name)
    return texts, np.array(labels), np.array(names)


def alike(codes, labels):
    """Return the share of the five nearest texts that are of the same subpackage."""
    unit = Normalizer().fit_transform(codes)
    nearest = NearestNeighbors(n_neighbors=6).fit(unit).kneighbors(unit)[1][:, 1:]
    return np.mean(labels[nearest] == labels[:, None]), nearest


texts, labels, names = load_texts()
split = train_test_split(texts, labels, names, random_state=0, stratify=labels)
train_texts, test_texts, train_labels, test_labels, _, test_names = split
words = TfidfVectorizer(min_df=2, sublinear_tf=True, stop_words="english")
train, test = words.fit_transform(train_texts), words.transform(test_texts)
share = train.nnz / np.prod(train.shape)
print(f"{train.shape[0]} texts, {train.shape[1]} words, {share:.1%} of cells not zero")

print(f"\n{'':>22}  {'numbers':>8}  {'accuracy':>8}  {'alike':>6}  {'seconds':>7}")
results = {}
for size in (5, 20):
    encoders = {
        "TruncatedSVD": TruncatedSVD(size, random_state=0),
        "AutoencoderTransformer": AutoencoderTransformer(
            size, max_iter=30, random_state=0
        ),
    }
    for name, encoder in encoders.items():
        start = time.perf_counter()
        encoder.fit(train)
        seconds = time.perf_counter() - start
        codes = encoder.transform(test)
        classifier = make_pipeline(
            Normalizer(), LogisticRegression(C=100, max_iter=1000)
        )
        classifier.fit(encoder.transform(train), train_labels)
        accuracy = classifier.score(codes, test_labels)
        same, nearest = alike(codes, test_labels)
        results[name, size] = accuracy, same, codes, nearest
        print(f"{name:>22}  {size:8}  {accuracy:8.3f}  {same:6.3f}  {seconds:7.1f}")

codes, nearest = results["AutoencoderTransformer", 20][2:]
print("\nNearest texts by the autoencoder's twenty numbers")
for wanted in ("signal", "stats", "linalg"):
    row = np.flatnonzero(test_labels == wanted)[0]
    print(f"{test_names[row]:>22}: {', '.join(test_names[nearest[row][:4]])}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for position, panel in enumerate(axes):
    for i, name in enumerate(("TruncatedSVD", "AutoencoderTransformer")):
        values = [results[name, size][position] for size in (5, 20)]
        bars = panel.bar(np.arange(2) + 0.4 * i, values, 0.36, label=name)
        panel.bar_label(bars, fmt="%.2f")
    panel.set_xticks(np.arange(2) + 0.2, ["5 numbers", "20 numbers"])
    panel.set_ylim(0, 1)
    panel.spines[["top", "right"]].set_visible(False)
axes[0].set_title("Subpackage told from the code", loc="left")
axes[1].set_title("Share of the nearest five from the same subpackage", loc="left")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
figure.savefig("text_codes.png", dpi=150)
print("\nWrote text_codes.png")
