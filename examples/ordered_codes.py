"""One training, networks of all sizes: how many numbers does a digit take?

With ordered codes the first number says most, as with PCA, and every beginning of a
code is a code. Prints what each size explains of held-out digits, beside PCA and beside
a fit of that size alone, and how long that takes. Writes ordered_codes.png. Run it with

    pip install ".[plots]" && python examples/ordered_codes.py
"""

import time

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from sklearn_ae import AutoencoderTransformer, LatentPathDisplay, ReconstructionDisplay

SIZES = [1, 2, 4, 8, 16, 32]


def main():
    X, _ = load_digits(return_X_y=True)
    train, test = train_test_split(X, random_state=0)
    total = np.square(test - train.mean(axis=0)).sum()

    start = time.perf_counter()
    ordered = AutoencoderTransformer(ordered=True, random_state=0).fit(train)
    once = time.perf_counter() - start

    start = time.perf_counter()
    alone = [AutoencoderTransformer(k, random_state=0).fit(train) for k in SIZES]
    each = time.perf_counter() - start

    print("R2 of held-out digits\nnumbers     PCA  ordered  a fit alone")
    for k, fit in zip(SIZES, alone, strict=True):
        pca = PCA(k).fit(train)
        error = test - pca.inverse_transform(pca.transform(test))
        scores = [
            1 - np.square(error).sum() / total,
            ordered.truncated(k).score(test),
            fit.score(test),
        ]
        print(f"{k:7}{scores[0]:8.3f}{scores[1]:9.3f}{scores[2]:13.3f}")
    print(f"{once:.1f} s for all sizes at once, {each:.1f} s for the six fits")
    print(f"n_components='auto' has chosen {ordered.n_components_}")
    share = AutoencoderTransformer(0.9, ordered=True, random_state=0).fit(train)
    print(f"n_components=0.9 takes {share.n_components_} numbers")

    figure = plt.figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 1.1])
    left.suptitle("What one training says of all sizes")
    LatentPathDisplay.from_estimator(ordered, name="ordered", ax=left.subplots())
    rows = {"original": test[:9]}
    for k in SIZES[:-1]:
        name = f"{k} number" + "s" * (k > 1)
        rows[name] = ordered.truncated(k).reconstruct(test[:9])
    right.suptitle("The same codes, cut off")
    ReconstructionDisplay(rows=rows, image_shape=(8, 8)).plot(right.subplots())
    figure.savefig("ordered_codes.png", dpi=100)
    print("Wrote ordered_codes.png")


if __name__ == "__main__":
    main()
