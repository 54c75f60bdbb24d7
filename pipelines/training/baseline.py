"""The baseline that every figure of the text model is printed beside: TF-IDF and logistic regression."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.training.datasets import Row


def baseline_guesses(train: Sequence[Row], judged: Sequence[Row]) -> list[int]:
    """Labels of the judged rows by a linear model of words and pairs of words, fitted on training rows of the same set.

    For what people labelled, which may be little, it is fitted on the rows of all sets with that kind of label. It sees the
    text only, not which company is meant.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    first = judged[0]
    known = [row for row in train if row.source == first.source or (first.facts and row.task == first.task)]
    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2), LogisticRegression(C=10, max_iter=1000)
    )
    model.fit([row.text for row in known], [row.label for row in known])
    return [int(label) for label in model.predict([row.text for row in judged])]
