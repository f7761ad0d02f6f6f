"""Tiny models of 28 architectures with their own tokenizers: every method equals float64 autograd on the weights, one text at
a time through `model(**tokenizer(text))`, or is refused in one line.

    python tests/gradients/test_architectures.py        prints the table
    ARCHITECTURES=all python -m pytest tests/gradients/test_architectures.py

Without ARCHITECTURES=all, which `make test-all` sets, one of each kind is tried. The models are made by `tiny_models.py` in the
folder `shared` beside the repository; without it these tests are skipped, and `tests/models/test_model_kinds.py` has some of
the kinds.
"""

import copy
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from transformers.pytorch_utils import Conv1D

sys.path.insert(0, str(Path(__file__).parent.parent))  # run as a script
from oracles import by_token, kept_positions, relative_error, tracin
from tiny import Bench, stored

from influence.attribution.methods import METHODS
from influence.errors import ModelError, QueryError
from influence.gradients.self_check import check_model
from influence.models.encoding import encode
from influence.models.inputs import padding_of
from influence.models.model import load_classifier, load_tokenizer

TOOLS = Path(__file__).parents[3] / "shared" / "tools"
LONGEST, TOP_K, LABELS = 64, 4, ("neg", "pos", "odd")
# The encoder blocks that the second and third layer are; one block used twice counts as one.
BLOCKS = {
    **dict.fromkeys(["bert", "electra", "roberta", "xlm-roberta", "camembert", "deberta", "deberta-v3", "mpnet", "longformer",
                     "bigbird", "convbert"], "encoder.layer.{}."),
    **dict.fromkeys(["llama", "qwen2", "qwen3", "gemma", "gemma2", "modernbert", "gptneox"], "layers.{}."),
    "albert": "albert_layer_groups.{}.", "distilbert": "transformer.layer.{}.", "fnet": "encoder.layer.{}.", "gpt2": "h.{}.",
    "bart": "encoder.layers.{}.", "opt": "decoder.layers.{}.", "bloom": "h.{}.",
}  # fmt: skip
OUTSIDE = "has weights outside linear layers and convolutions ("
REFUSED = {  # what is refused, in the words that name the model's property
    ("albert", "tracin-third"): "has no third layer; it has 1 block between its word embedding and its last layer",
    **{(name, f"tracin-{layer}"): OUTSIDE for name in ("xlnet", "funnel", "convbert") for layer in ("second", "third", "all")},
}
ARCHITECTURES = [*BLOCKS, "xlnet", "funnel", "t5"]
# Blocks shared, embeddings scaled in the module, padding that does harm, texts padded on the left and bare weights.
OF_EACH_KIND = ["albert", "gemma", "fnet", "xlnet"]
TRIED = [name for name in ARCHITECTURES if name != "t5"] if os.environ.get("ARCHITECTURES") == "all" else OF_EACH_KIND


def corpus() -> list[list[tuple[str, int]]]:
    """Few rows of each split, among them texts spelt like special tokens, and words that occur twice."""
    sys.path.insert(0, str(TOOLS))
    try:
        import tiny_models
    finally:
        sys.path.remove(str(TOOLS))
    return [
        [(text, (number + (label == "pos")) % 3) for number, (text, label) in enumerate(rows)]
        for rows in (tiny_models.corpus()[0][::3], tiny_models.corpus()[1][::2])
    ]


class Subject:
    """One architecture: the engine's answers and the oracle's."""

    def __init__(self, name: str, folder: Path) -> None:
        sys.path.insert(0, str(TOOLS))
        try:
            import tiny_models

            tiny_models.make(name, str(folder / "model"), labels=LABELS)
        finally:
            sys.path.remove(str(TOOLS))
        self.name, self.rows = name, corpus()
        self.model, self.tokenizer = load_classifier(str(folder / "model")), load_tokenizer(str(folder / "model"))
        self.double: Any = copy.deepcopy(self.model).double().requires_grad_(True)
        encodings = [encode(self.tokenizer, [text for text, _ in rows], None, max_length=LONGEST) for rows in self.rows]
        sides = [(encoding, [label for _, label in rows]) for encoding, rows in zip(encodings, self.rows, strict=True)]
        self.encoding = encodings[0]
        check_model(copy.deepcopy(self.model), encodings[0], np.array(sides[0][1]), torch.device("cpu"))
        self.engine = Bench(folder / "index", [self.model], [0.5], self.tokenizer, *sides, top_k=TOP_K)

    def loss(self, text: str, label: int, tokens: torch.Tensor | None = None) -> torch.Tensor:
        given = self.tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")
        if tokens is not None:
            given["input_ids"] = tokens
        return F.cross_entropy(self.double(**given).logits, torch.tensor([label]))

    def by_weights(self, names: list[str]) -> np.ndarray:
        """0.5 ⟨∇ℓ, ∇ℓ'⟩ over some parameters."""
        chosen = [dict(self.double.named_parameters())[name] for name in names]

        def gradient(text: str, label: int) -> np.ndarray:
            found = torch.autograd.grad(self.loss(text, label), chosen, allow_unused=True)
            return np.concatenate([part.numpy().ravel() for part in found if part is not None])

        train, test = ([gradient(*row) for row in rows] for rows in self.rows)
        return 0.5 * tracin(train, test)

    @property
    def words(self) -> str:
        weight = self.double.get_input_embeddings().weight
        return next(name for name, parameter in self.double.named_parameters() if parameter is weight)

    @property
    def last(self) -> str:
        linear = [name for name, m in self.double.named_modules() if isinstance(m, nn.Linear) and m.out_features == len(LABELS)]
        return f"{linear[-1]}.weight"

    def weights(self, prefix: str = "") -> list[str]:
        """Weights of linear layers and convolutions under a prefix, biases left out."""
        kinds = (nn.Linear, nn.Conv1d, Conv1D)
        return [f"{name}.weight" for name, m in self.double.named_modules() if isinstance(m, kinds) and prefix in f"{name}."]

    def position_gradients(self, text: str, label: int) -> tuple[list[int], np.ndarray]:
        """By giving each position of the text a row of its own in a longer matrix; special tokens keep theirs."""
        tables = [module for module in self.double.modules() if isinstance(module, nn.Embedding)]
        whole = self.double.get_input_embeddings().weight
        tables = [module for module in tables if module.weight is whole]
        (tokens,) = self.tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")["input_ids"]
        longer = nn.Parameter(torch.cat([whole.detach(), whole.detach()[tokens]]))
        special = torch.tensor([int(token) in self.tokenizer.all_special_ids and int(token) != self.tokenizer.unk_token_id
                                for token in tokens])  # fmt: skip
        own = torch.where(special, tokens, len(whole) + torch.arange(len(tokens)))
        for module in tables:
            module.weight = longer
        try:
            (gradient,) = torch.autograd.grad(self.loss(text, label, own[None]), [longer])
        finally:
            for module in tables:
                module.weight = whole
        return tokens.tolist(), gradient[own].numpy()

    def top_k(self) -> np.ndarray:
        size = len(self.double.get_input_embeddings().weight)

        def gradient(text: str, label: int) -> np.ndarray:
            tokens, gradients_LD = self.position_gradients(text, label)
            return by_token(gradients_LD, tokens, kept_positions(gradients_LD, TOP_K), size)

        train, test = ([gradient(*row) for row in rows] for rows in self.rows)
        return 0.5 * tracin(train, test)

    def last_layer(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Inputs a of the last layer and δ of both splits, from the gradients δ aᵀ of its weight."""
        found: list[np.ndarray] = []
        for rows in self.rows:
            features, deltas = [], []
            for text, label in rows:
                given = self.tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")
                delta = self.double(**given).logits.softmax(dim=1)[0].detach().numpy().copy()
                delta[label] -= 1
                (weight,) = torch.autograd.grad(self.loss(text, label), [dict(self.double.named_parameters())[self.last]])
                features.append(weight.numpy()[label] / delta[label])
                deltas.append(delta)
            found += [np.stack(features), np.stack(deltas)]
        return tuple(found)  # type: ignore[return-value]

    def influence(self, damping: float) -> np.ndarray:
        """(1/n) ∇ℓᵀ (H + damping)⁻¹ ∇ℓ′ with the Hessian as a matrix."""
        train_a, train_d, test_a, test_d = self.last_layer()
        probabilities = train_d + np.eye(len(LABELS))[[label for _, label in self.rows[0]]]
        hessian = sum(np.kron(np.diag(p) - np.outer(p, p), np.outer(a, a)) for p, a in zip(probabilities, train_a, strict=True))
        whole = np.asarray(hessian) / len(train_a) + damping * np.eye(len(LABELS) * train_a.shape[1])
        gradients = [np.stack([np.outer(d, a).ravel() for d, a in zip(ds, as_, strict=True)])
                     for ds, as_ in ((train_d, train_a), (test_d, test_a))]  # fmt: skip
        return np.asarray(gradients[1] @ np.linalg.solve(whole, gradients[0].T)) / len(train_a)

    def representer(self, l2: float) -> np.ndarray:
        train_a, train_d, test_a, _ = self.last_layer()
        labels = [label for _, label in self.rows[1]]
        return np.asarray(-train_d[:, labels].T * (test_a @ train_a.T) / (2 * l2 * len(train_a)))

    def expected(self, method: str) -> np.ndarray:
        settings = METHODS[method].settings
        made = {
            "tracin-we": lambda: self.by_weights([self.words]),
            "tracin-first": lambda: self.by_weights([self.words]),
            "tracin-we-topk": self.top_k,
            "tracin-last": lambda: self.by_weights([self.last]),
            "tracin-second": lambda: self.by_weights(self.weights(BLOCKS[self.name].format(0))),
            "tracin-third": lambda: self.by_weights(self.weights(BLOCKS[self.name].format(1))),
            "tracin-all": lambda: self.by_weights([self.words, *self.weights()]),
            "influence-last": lambda: self.influence(settings.damping),
            "representer": lambda: self.representer(settings.l2),
        }
        return made[method]()

    def error(self, method: str) -> float | str:
        """Relative to the largest score; or why it is refused."""
        try:
            found = self.engine.scores(method)
        except (ModelError, QueryError) as error:
            return str(error)
        return relative_error(found, self.expected(method))

    def prediction_error(self) -> float:
        """Of the engine's probabilities against the plain model's."""
        found = stored(self.engine.folder, "test", 0, "probabilities")
        with torch.no_grad():
            plain = [
                self.double(**self.tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")).logits.softmax(
                    dim=1
                )
                for text, _ in self.rows[1]
            ]
        return float(np.abs(found - torch.cat(plain).numpy()).max())


CHECKED = ("tracin-we", "tracin-we-topk", "tracin-first", "tracin-last", "influence-last", "representer", "tracin-second",
           "tracin-third", "tracin-all")  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not TOOLS.is_dir(), reason="needs shared/tools beside the repository")
@pytest.mark.parametrize("name", TRIED)
def test_every_method_is_autograd_on_the_weights_or_refused(name: str, tmp_path: Path) -> None:
    subject = Subject(name, tmp_path)
    assert subject.prediction_error() < 1e-6
    for method in CHECKED:
        found = subject.error(method)
        if (name, method) in REFUSED:
            assert isinstance(found, str)
            assert REFUSED[name, method] in found
            assert "\n" not in found
        else:
            assert isinstance(found, float), found
            assert found < 1e-5, method
    padding = padding_of(subject.model, subject.tokenizer, subject.encoding)
    assert padding.harmless == (name not in ("fnet", "funnel", "convbert"))
    assert padding.left == (name == "xlnet")


@pytest.mark.slow
@pytest.mark.skipif(not TOOLS.is_dir(), reason="needs shared/tools beside the repository")
def test_t5_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Subject("t5", tmp_path)
    assert str(caught.value) == (
        "T5ForSequenceClassification begins its decoder with token 0, which is no word of the text, so its share of a score "
        "belongs to no word; use a model that is an encoder or a decoder alone"
    )


def main() -> None:
    """Print the table."""
    for name in ARCHITECTURES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                subject = Subject(name, Path(folder))
            except ModelError as error:
                print(f"| {name} | {error} |")
                continue
            cells = [subject.error(method) for method in CHECKED]
            padding = padding_of(subject.model, subject.tokenizer, subject.encoding)
            shown = " | ".join(cell if isinstance(cell, str) else f"{cell:.0e}" for cell in cells)
            print(f"| {name} | {subject.prediction_error():.0e} | {shown} | {padding.harmless} |", flush=True)


if __name__ == "__main__":
    main()
