"""The model that costs nothing: tf-idf and logistic regression. A fine-tuned one that it beats is not worth explaining."""

import numpy as np

from influence.opinions.gather import WORD_STRENGTH
from influence.opinions.linear import fitted_probabilities
from influence.opinions.material import Material
from influence.opinions.opinion import accuracy


def baseline_accuracy(material: Material) -> float:
    """Test accuracy, 0 to 1, of a logistic regression on tf-idf trained on the training split; NaN where there are no words."""
    if material.words is None:
        return float("nan")
    labels_N = material.labels("train")
    said_MY = fitted_probabilities(
        material.words["train"], labels_N, np.ones(len(labels_N)), material.words["test"], material.n_labels, WORD_STRENGTH
    )
    return accuracy(said_MY, material.labels("test"))
