"""Whether a classifier's gradients are what the index takes them for: a few examples two ways, before hours of work.

Each goes through the model alone, with plain autograd on the weights of the word embedding and no hook; and as the index is
made, in a batch with others of its length. Logits and gradients must agree, else the model does something that a share of a
score for every word cannot stand for, and the message says what.

Axes: X the examples tried, Y labels, V vocabulary, U tokens of a text, D embedding width.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from influence.errors import ModelError
from influence.gradients.lookups import word_embedding
from influence.gradients.positions import BatchGradients, GradientSettings, WordGradients
from influence.models import Encoding, check_tokens, few_examples, length_buckets, model_inputs, of_one_length
from influence.types import FloatArray, IntArray

TOGETHER = 3  # examples of one length, so that there is a batch
TOLERANCE = 1e-3  # of the largest number; rounding makes some 1e-6, what a model does wrong some per cent
BROKEN = (RuntimeError, ValueError, TypeError, LookupError, AttributeError, AssertionError, NotImplementedError)


class _Alone(NamedTuple):
    probabilities_Y: FloatArray
    tokens_U: IntArray
    gradients_UD: FloatArray  # rows of those tokens
    elsewhere: float  # the largest gradient of another row


def check_model(
    model: PreTrainedModel, encoding: Encoding, labels_N: IntArray, device: torch.device, *, longest: Encoding | None = None
) -> None:
    """Raise `ModelError`, naming what the model does, unless it reads texts as the index does.

    `longest` holds a text of as many tokens as there can be. The model is changed as `WordGradients` changes it.
    """
    name = type(model).__name__
    check_tokens(model, encoding.tokens_R, encoding.types_R)
    model.eval().requires_grad_(False).to(device)
    for tried in (longest, encoding) if longest is not None else (encoding,):
        _logits(model, tried, int(np.argmax(tried.lengths_N)))
    chosen_X = _chosen(encoding.lengths_N)
    alone = [_alone(model, encoding, number, int(labels_N[number])) for number in chosen_X.tolist()]
    again = [_logits(model, encoding, number).softmax(dim=1).cpu().numpy()[0] for number in chosen_X.tolist()]
    if any(_differ(one.probabilities_Y, other) for one, other in zip(alone, again, strict=True)):
        raise ModelError(f"{name} answers the same text otherwise the second time: something in it stays random (dropout?)")
    scale = max(float(np.abs(one.gradients_UD).max()) for one in alone)
    with WordGradients(model, GradientSettings(device=device)) as gradients:
        for at_B in length_buckets(encoding.lengths_N[chosen_X], batch_tokens=int(encoding.lengths_N.max()) * len(chosen_X)):
            examples_B = chosen_X[at_B]
            found = gradients.of_batch(of_one_length(encoding, examples_B), labels_N[examples_B])
            for row, at in enumerate(at_B.tolist()):
                _compare(name, found, row, alone[at], scale)
    if max(one.elsewhere for one in alone) > TOLERANCE * scale:
        raise ModelError(f"{name} reads rows of its word embedding that are no words of the text, which no word can answer for")


def _compare(name: str, found: BatchGradients, row: int, alone: _Alone, scale: float) -> None:
    if _differ(alone.probabilities_Y, found.probabilities_BY[row]):
        raise ModelError(f"{name} answers a text otherwise beside others: its examples of a batch are not kept apart")
    gradients_LD, tokens_L = found.gradients_BLD[row].cpu().numpy(), found.batch.tokens_BL[row]
    summed_UD = np.stack([gradients_LD[tokens_L == token].sum(axis=0) for token in alone.tokens_U])
    if np.abs(summed_UD - alone.gradients_UD).max() > TOLERANCE * scale:
        raise ModelError(
            f"{name} uses its word embedding for more than looking words up (the gradient by its weights is another), "
            "so what a word adds to a score is not known"
        )


def _chosen(lengths_N: IntArray) -> IntArray:
    """A few examples from the shortest to the longest, and some of the length that most have."""
    ((usual, _),) = Counter(lengths_N.tolist()).most_common(1)
    return np.unique(np.concatenate([few_examples(lengths_N), np.flatnonzero(lengths_N == usual)[:TOGETHER]]))


def _logits(model: PreTrainedModel, encoding: Encoding, number: int) -> torch.Tensor:
    batch = of_one_length(encoding, np.array([number]))
    try:
        logits: torch.Tensor = model(**model_inputs(model, batch, next(model.parameters()).device)).logits.float()
    except BROKEN as error:
        why = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"{type(model).__name__} cannot read a text of {batch.tokens_BL.shape[1]} tokens ({why}); "
            "a smaller --max-length may help"
        ) from error
    if logits.ndim != 2 or not bool(logits.isfinite().all()):
        raise ModelError(f"{type(model).__name__} does not answer a text with a number for each label")
    return logits


def _alone(model: PreTrainedModel, encoding: Encoding, number: int, label: int) -> _Alone:
    weight_VD = word_embedding(model).weight.requires_grad_(True)
    logits_1Y = _logits(model, encoding, number)
    loss = F.cross_entropy(logits_1Y, torch.tensor([label], device=logits_1Y.device))
    (gradient_VD,) = torch.autograd.grad(loss, [weight_VD], allow_unused=True) if loss.requires_grad else (None,)
    weight_VD.requires_grad_(False)
    if gradient_VD is None:
        raise ModelError(f"{type(model).__name__} does not read its word embedding, so there is no gradient of a word")
    tokens_U = np.unique(of_one_length(encoding, np.array([number])).tokens_BL)
    rows = torch.from_numpy(tokens_U).to(gradient_VD.device)
    gradients_UD = gradient_VD[rows].cpu().numpy()
    elsewhere = float(gradient_VD.index_fill_(0, rows, 0.0).abs().max())
    return _Alone(logits_1Y.detach().softmax(dim=1).cpu().numpy()[0], tokens_U, gradients_UD, elsewhere)


def _differ(one_Y: FloatArray, other_Y: FloatArray) -> bool:
    return float(np.abs(one_Y - other_Y).max()) > TOLERANCE
