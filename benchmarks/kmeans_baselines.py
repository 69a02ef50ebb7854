"""The floors that a vector-quantized autoencoder has to beat: k-means on the pixels of Fashion-MNIST.

    OMP_NUM_THREADS=1 python benchmarks/kmeans_baselines.py --seeds 1

What is measured: PSNR = -10 log10 MSE in dB, higher is better, where the MSE is over all pixels of the 10,000
test images at 28x28 with values in [0, 1] (one MSE for the whole set, not a mean of PSNRs per image), after
coding each image with k-means (Lloyd's iteration on k-means++ seeds, scikit-learn, float32). Fitted on the
first 55,000 rows of the training file (MIT licence, Zalando SE); the patches on a sample of theirs.

    whole image         one code an image: at most K distinct images
    patches 4x4         the image cut into 49 patches without overlap, one codebook of K patches
    PCA-64              no code: 64 principal components in float32, the ceiling of those below
    PCA-64, 8 x 8       the components cut into 8 groups of 8, a code for each: `separate` codebooks or one
                        that is `shared`. Components are dealt to the groups in turn, there and back (1..8,
                        8..1), so that the variances are less unequal; `consecutive` cuts them in order.
    PCA-64, residual    k-means on all components, then on what is left, eight times (784 dimensions took
                        more than ten minutes on a busy machine)

Bits are codes x log2 K: a fixed-length code, and no cost of the codebooks.
"""

from __future__ import annotations

import argparse
import gzip
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

TRAIN_ROWS = 55_000  # the first rows of the training file
PATCH = 4  # pixels of a patch's side
PATCH_SAMPLE = 400_000  # training patches to fit on
GROUPS = 8  # codes per image of the product and residual codes
COMPONENTS = 64  # principal components


def load(folder: Path, split: str) -> np.ndarray:
    """Returns float32 [N, 784] in [0, 1]."""
    with gzip.open(folder / f"{split}-images-idx3-ubyte.gz") as file:
        content = file.read()
    return np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784).astype(np.float32) / 255


def psnr(images: np.ndarray, reconstructions: np.ndarray) -> float:
    """-10 log10 of the MSE over all pixels of all images, both [N, 784] in [0, 1]."""
    error = images.astype(np.float64) - np.clip(reconstructions, 0, 1)
    return -10 * math.log10(float(np.mean(error**2)))


def fit(vectors: np.ndarray, num_codes: int, seed: int) -> KMeans:
    """k-means with ``num_codes`` centres on [N, D]; at most 60 iterations, one start."""
    return KMeans(num_codes, n_init=1, max_iter=60, random_state=seed).fit(vectors)


def code(model: KMeans, vectors: np.ndarray) -> np.ndarray:
    """The nearest centre of each row of [N, D]."""
    return model.cluster_centers_[model.predict(np.ascontiguousarray(vectors))]


def to_patches(images: np.ndarray) -> np.ndarray:
    """[N, 784] -> [N * 49, 16]."""
    side = 28 // PATCH
    grid = images.reshape(-1, side, PATCH, side, PATCH).transpose(0, 1, 3, 2, 4)
    return np.ascontiguousarray(grid).reshape(-1, PATCH * PATCH)


def from_patches(patches: np.ndarray) -> np.ndarray:
    """[N * 49, 16] -> [N, 784], the inverse of `to_patches`."""
    side = 28 // PATCH
    return patches.reshape(-1, side, side, PATCH, PATCH).transpose(0, 1, 3, 2, 4).reshape(-1, 784)


def patch_codes(train: np.ndarray, test: np.ndarray, num_codes: int, seed: int) -> np.ndarray:
    patches = to_patches(train)
    rows = np.random.default_rng(seed).choice(len(patches), PATCH_SAMPLE, replace=False)
    return from_patches(code(fit(patches[rows], num_codes, seed), to_patches(test)))


def image_codes(train: np.ndarray, test: np.ndarray, num_codes: int, seed: int) -> np.ndarray:
    return code(fit(train, num_codes, seed), test)


def balanced_order() -> np.ndarray:
    """The components in the order that gives each group of 8 one of each row of 8, there and back."""
    rows = np.arange(COMPONENTS).reshape(-1, GROUPS)
    rows[1::2] = rows[1::2, ::-1]
    return rows.T.reshape(-1)


def product_codes(
    train: np.ndarray, test: np.ndarray, num_codes: int, seed: int, shared: bool, order: np.ndarray
) -> np.ndarray:
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(train)
    train_groups = pca.transform(train)[:, order].reshape(len(train), GROUPS, -1)
    test_groups = pca.transform(test)[:, order].reshape(len(test), GROUPS, -1)
    width = COMPONENTS // GROUPS
    if shared:
        model = fit(train_groups.reshape(-1, width), num_codes, seed)
        coded = code(model, test_groups.reshape(-1, width)).reshape(test_groups.shape)
    else:
        models = [fit(np.ascontiguousarray(train_groups[:, g]), num_codes, seed) for g in range(GROUPS)]
        coded = np.stack([code(model, test_groups[:, g]) for g, model in enumerate(models)], axis=1)
    return pca.inverse_transform(coded.reshape(len(test), -1)[:, np.argsort(order)])


def pca_alone(train: np.ndarray, test: np.ndarray) -> np.ndarray:
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(train)
    return pca.inverse_transform(pca.transform(test))


def residual_codes(train: np.ndarray, test: np.ndarray, num_codes: int, seed: int) -> np.ndarray:
    pca = PCA(COMPONENTS, svd_solver="covariance_eigh").fit(train)
    left, test_left = pca.transform(train), pca.transform(test)
    coded = np.zeros_like(test_left)
    for depth in range(GROUPS):
        model = fit(left, num_codes, seed + depth)
        left = left - code(model, left)
        step = code(model, test_left)
        coded, test_left = coded + step, test_left - step
    return pca.inverse_transform(coded)


def baselines(train: np.ndarray, test: np.ndarray, seed: int) -> list[tuple[str, int, int, Callable]]:
    """Each floor's name, codes per image, K, and a function that returns the coded test images."""
    consecutive, balanced = np.arange(COMPONENTS), balanced_order()
    return [
        ("mean image", 1, 1, lambda: np.broadcast_to(train.mean(axis=0), test.shape)),
        ("whole image", 1, 256, lambda: image_codes(train, test, 256, seed)),
        ("whole image", 1, 512, lambda: image_codes(train, test, 512, seed)),
        ("patches 4x4", 49, 512, lambda: patch_codes(train, test, 512, seed)),
        ("PCA-64, no code", 0, 0, lambda: pca_alone(train, test)),
        (
            "PCA-64, 8 x 8, separate, consecutive",
            8,
            256,
            lambda: product_codes(train, test, 256, seed, shared=False, order=consecutive),
        ),
        (
            "PCA-64, 8 x 8, separate",
            8,
            256,
            lambda: product_codes(train, test, 256, seed, shared=False, order=balanced),
        ),
        (
            "PCA-64, 8 x 8, shared",
            8,
            256,
            lambda: product_codes(train, test, 256, seed, shared=True, order=balanced),
        ),
        ("PCA-64, residual", 8, 256, lambda: residual_codes(train, test, 256, seed)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="k-means floors for vector-quantized autoencoders.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--only", default="", help="run only the methods whose name begins so")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("/usr/share/datasets/fashion-mnist"),
        help="folder of the IDX files (default: where Debian's package dataset-fashion-mnist puts them)",
    )
    arguments = parser.parse_args()

    train, test = load(arguments.data, "train")[:TRAIN_ROWS], load(arguments.data, "t10k")
    assert np.array_equal(from_patches(to_patches(test[:3])), test[:3])
    print(f"scikit-learn {sklearn.__version__}; {len(train)} training and {len(test)} test images, 28x28")
    print(f"{'method':<37} {'codes':>5} {'K':>4} {'bits':>5} {'seed':>4} {'PSNR dB':>8} {'seconds':>8}")
    for seed in arguments.seeds:
        for name, codes, num_codes, run in baselines(train, test, seed):
            if not name.startswith(arguments.only):
                continue
            start = time.perf_counter()
            metric = psnr(test, run())
            seconds = time.perf_counter() - start
            bits = f"{codes * math.log2(num_codes):.0f}" if num_codes else "-"
            print(
                f"{name:<37} {codes or '-':>5} {num_codes or '-':>4} {bits:>5} {seed:>4} "
                f"{metric:>8.3f} {seconds:>8.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
