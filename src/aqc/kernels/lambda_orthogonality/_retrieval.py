"""What the maps are for: searching a gallery of old embeddings with new queries."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from aqc.errors import InputError
from aqc.kernels._magnitude import refuse_huge
from aqc.kernels._signature import checked

# Rows of the matrix of similarities that are sorted at once.
_CHUNK = 256


class Retrieval(NamedTuple):
    """How well queries find their class in a gallery.

    Args:
        cmc1: Share of the queries whose nearest gallery item is of their class.
        mean_average_precision: Mean over queries of the average precision of the whole ranking.
        queries: Number of queries with an item of their class in the gallery; others are left out.
    """

    cmc1: float
    mean_average_precision: float
    queries: int


@checked(queries=(1, 20_000), gallery=(1, 20_000), n=(1, 2048))
def score_retrieval(
    queries: Float[np.ndarray, "queries n"],
    gallery: Float[np.ndarray, "gallery n"],
    query_labels: Int[np.ndarray, " queries"],
    gallery_labels: Int[np.ndarray, " gallery"],
) -> Retrieval:
    """Return how well queries find their class in a gallery, by cosine similarity.

    Args:
        queries: Embeddings, shape (Q, n).
        gallery: Embeddings, shape (G, n).
        query_labels: Classes, shape (Q,).
        gallery_labels: Classes, shape (G,).

    Returns:
        CMC at rank 1 and mean average precision.

    Raises:
        InputError: No query has its class in the gallery.

    Source: the measures of arXiv:2509.16664 and of retrieval in general.

    Example:
        >>> axes = np.eye(2)
        >>> score_retrieval(axes, np.array([[2.0, 1], [1, 3], [1, 0]]), [0, 1], [0, 1, 1])
        Retrieval(cmc1=0.5, mean_average_precision=0.6666666666666666, queries=2)
    """
    return rank_gallery(queries, gallery, query_labels, gallery_labels, None)


def rank_gallery(
    queries: np.ndarray,
    gallery: np.ndarray,
    query_labels: np.ndarray,
    gallery_labels: np.ndarray,
    themselves: np.ndarray | None,
) -> Retrieval:
    """Return what `score_retrieval` does, each query's own entry in the gallery left out.

    Args:
        queries: Embeddings, shape (Q, n).
        gallery: Embeddings, shape (G, n).
        query_labels: Classes, shape (Q,).
        gallery_labels: Classes, shape (G,).
        themselves: Index of each query in the gallery, shape (Q,); None when it has none.

    Returns:
        CMC at rank 1 and mean average precision.

    Raises:
        InputError: No query has its class in the gallery.

    Source: as for `score_retrieval`.

    Example:
        >>> axes = np.eye(2)[[0, 0, 1, 1]]
        >>> rank_gallery(axes, axes, np.r_[0, 0, 1, 1], np.r_[0, 0, 1, 1], np.arange(4)).cmc1
        1.0
    """
    refuse_huge(queries=queries, gallery=gallery)
    queries, gallery = _unit(queries), _unit(gallery)
    first, precision = [], []
    for start in range(0, len(queries), _CHUNK):
        rows = slice(start, start + _CHUNK)
        similarity = queries[rows] @ gallery.T
        fits = query_labels[rows, None] == gallery_labels
        if themselves is not None:
            own = np.arange(len(similarity)), themselves[rows]
            similarity[own], fits[own] = -np.inf, False
        order = np.argsort(-similarity, axis=1, kind="stable")
        hits = np.take_along_axis(fits, order, axis=1)
        found = hits.any(1)
        ranks = np.arange(1, len(gallery) + 1)
        precisions = np.where(hits, np.cumsum(hits, 1) / ranks, 0).sum(1)
        first.append(hits[found, 0])
        precision.append(precisions[found] / hits[found].sum(1))
    hit, average = np.concatenate(first), np.concatenate(precision)
    if not len(hit):
        raise InputError(
            "`query_labels` must share a class with the gallery, but no query does.",
            "/query_labels",
        )
    return Retrieval(float(hit.mean()), float(average.mean()), len(hit))


@checked(samples=(1, 100_000), n=(1, 2048))
def order_backfill(
    features: Float[np.ndarray, "samples n"], labels: Int[np.ndarray, " samples"]
) -> np.ndarray:
    """Return the order in which to replace a gallery's embeddings: the worst placed first.

    Args:
        features: Embeddings as they are searched now, F(h_old), shape (N, n).
        labels: Classes, shape (N,).

    Returns:
        Indices by falling distance from the class mean, shape (N,).

    Source: arXiv:2509.16664, section 3.6.

    Example:
        >>> order_backfill(np.array([[0.0], [1.0], [5.0], [7.0]]), [0, 0, 0, 1]).tolist()
        [2, 0, 1, 3]
    """
    refuse_huge(features=features)
    _, members, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), features.shape[1]))
    np.add.at(sums, members, features)
    distances = np.linalg.norm(features - (sums / counts[:, None])[members], axis=1)
    return np.argsort(-distances, kind="stable")


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)
