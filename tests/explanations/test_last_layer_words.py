"""Words that a last-layer score hangs on: each word's embedding scaled by 1 + t in float64, one at a time, and d score / d t."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from contents import build_folder
from oracles import doubled, rows_of
from tiny import bert, labelled, word_pieces
from torch import nn

from influence import open_workspace
from influence.api import Workspace
from influence.checkpoints import load_checkpoint
from influence.errors import QueryError
from influence.explanations import score_words, scores_of
from influence.gradients import GradientSettings, ScoreWords
from influence.models import length_buckets, of_one_length
from influence.models.encoding import encode

RATE, DAMPING, L2 = 0.1, 0.01, 0.003
METHODS = ("tracin-last", "influence-last", "representer")
TESTS, TRAINS = (0, 3), (2, 7, 11, 40)


class Model:
    """A checkpoint in float64, asked one text at a time, with every position's embedding within reach."""

    def __init__(self, model: Any) -> None:
        self.model, self.inputs = doubled(model), []
        self.model.classifier.register_forward_pre_hook(lambda _, given: self.inputs.append(given[0]))
        self.words = self.model.get_input_embeddings()

    def of(self, row: Any, scale_L: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """(delta, activation) with the embedding at every position multiplied by a number."""
        rows_LD = self.words.weight.detach()[row.tokens]
        rows_LD = rows_LD if scale_L is None else rows_LD * scale_L[:, None]
        own = nn.Embedding(len(rows_LD), rows_LD.shape[1], dtype=torch.float64)
        del own.weight
        own.weight = rows_LD  # type: ignore[assignment]  # a tensor with a history, so that t can be differentiated by
        self.model.set_input_embeddings(own)
        self.inputs.clear()
        places = torch.arange(len(row.tokens))[None]
        logits = self.model(input_ids=places, attention_mask=torch.ones_like(places)).logits[0]
        self.model.set_input_embeddings(self.words)
        return logits.softmax(dim=0) - torch.eye(len(logits), dtype=torch.float64)[row.label], self.inputs[0][0]


@pytest.fixture(scope="module")
def opened(workspace: Path) -> Workspace:
    return open_workspace(workspace)


@pytest.fixture(scope="module")
def models(workspace: Path) -> list[Model]:
    return [Model(load_checkpoint(build_folder(workspace) / "checkpoints", number)) for number in range(3)]


def forms(models: list[Model], train: list[Any], query: Any, method: str) -> list[tuple[Model, torch.Tensor]]:
    """Checkpoints and M of the score sum δᵀ M a, by the formulas as they are printed."""
    sides = [model.of(query) for model in models]
    if method == "tracin-last":
        return [(model, RATE * torch.outer(*(one.detach() for one in side))) for model, side in zip(models, sides, strict=True)]
    last, (delta, activation) = models[-1], (one.detach() for one in sides[-1])
    n, labels, width = len(train), len(delta), len(activation)
    if method == "representer":
        form = torch.zeros(labels, width, dtype=torch.float64)
        form[query.label] = -activation / (2 * L2 * n)
        return [(last, form)]
    hessian = DAMPING * torch.eye(labels * width, dtype=torch.float64)
    for row in train:
        d, a = (one.detach() for one in last.of(row))
        p = d + torch.eye(labels, dtype=torch.float64)[row.label]
        hessian += torch.kron(torch.diag(p) - torch.outer(p, p), torch.outer(a, a)) / n
    direction = torch.linalg.solve(hessian, torch.outer(delta, activation).ravel())
    return [(last, direction.reshape(labels, width) / n)]


@pytest.mark.parametrize("method", METHODS)
def test_each_word_is_how_the_score_moves_with_its_embedding(opened: Workspace, models: list[Model], method: str) -> None:
    encoding = opened.index.encoding
    train = rows_of(encoding, np.asarray(opened.index.labels_N).tolist())
    test = rows_of(opened.queries.encoding, np.asarray(opened.queries.labels_M).tolist())
    found = score_words(opened, method, dict.fromkeys(TESTS, TRAINS))
    scores_MN = scores_of(opened, method, TESTS)
    for at, position in enumerate(TESTS):
        known = forms(models, train, test[position], method)
        for place, example in enumerate(TRAINS):
            rows = slice(*encoding.offsets_N1[example : example + 2].tolist())
            words_L = torch.from_numpy(np.array(encoding.words_R[rows], dtype=np.int64))
            expected, score = {}, 0.0
            for word in sorted(set(words_L.tolist())):
                t = torch.zeros((), dtype=torch.float64, requires_grad=True)
                sides = [(model.of(train[example], torch.where(words_L == word, 1 + t, 1.0)), form) for model, form in known]
                total = torch.stack([delta @ form @ activation for (delta, activation), form in sides]).sum()
                [slope] = torch.autograd.grad(total, [t])
                expected[word], score = float(slope), float(total.detach())
            off = 1e-4 * np.abs(scores_MN[at]).max()  # what compact rows keep to
            assert score == pytest.approx(scores_MN[at, example], abs=off)  # so it is this score's
            largest = max(map(abs, expected.values()))
            assert found[position][place] == pytest.approx(expected, abs=1e-4 * largest)
            assert len({round(part / largest, 3) for part in expected.values()}) > 1


def test_a_batch_of_bert_s_says_what_each_alone_says() -> None:
    """Attention over several texts of one length: random M."""
    tokenizer = word_pieces()
    model, generator = bert(len(tokenizer), 3, seed=4), np.random.default_rng(0)
    examples = labelled(12, seed=3)
    encoding, labels = encode(tokenizer, [text for text, _ in examples], None, max_length=60), [label for _, label in examples]
    form = generator.normal(size=(3, 16))
    oracle, rows = Model(model), rows_of(encoding, labels)
    with ScoreWords(model, GradientSettings(device=torch.device("cpu"))) as traced:
        batches = [of_one_length(encoding, some) for some in length_buckets(encoding.lengths_N, batch_tokens=60)]
        found = [traced.parts(batch, np.array(labels)[batch.examples_B], form) for batch in batches]
    assert max(map(len, batches)) > 1
    for batch, some_BL in zip(batches, found, strict=True):
        for example, own_L in zip(batch.examples_B.tolist(), some_BL, strict=True):
            expected_L = [slope_at(oracle, rows[example], position, form) for position in range(len(rows[example].tokens))]
            assert own_L.tolist() == pytest.approx(expected_L, abs=1e-4 * max(map(abs, expected_L)))


def slope_at(oracle: Model, row: Any, position: int, form: np.ndarray) -> float:
    t = torch.zeros((), dtype=torch.float64, requires_grad=True)
    delta, activation = oracle.of(row, torch.where(torch.arange(len(row.tokens)) == position, 1 + t, 1.0))
    [slope] = torch.autograd.grad(delta @ torch.from_numpy(form) @ activation, [t])
    return float(slope)


def test_a_method_that_is_not_on_the_last_layer_is_refused(opened: Workspace) -> None:
    with pytest.raises(QueryError, match="method 'tracin-tfidf' is not one of those on the last layer"):
        score_words(opened, "tracin-tfidf", {0: [1]})
