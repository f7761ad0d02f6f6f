"""Data, models and an index small enough to be made in a moment and checked by hand; real parts throughout."""

import copy
import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load_file
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from influence.attribution.index import WordIndex
from influence.attribution.live_model import LiveGradients
from influence.attribution.methods import METHODS, Method
from influence.attribution.query import Query
from influence.attribution.stored_queries import LiveQueries
from influence.attribution.training_set import Parts, TrainingSet
from influence.data.dataset import Columns
from influence.gradients.alike import first_alike
from influence.gradients.positions import GradientSettings, WordGradients
from influence.models.cnn import CnnConfig, CnnForSequenceClassification
from influence.models.encoding import Encoding, common_tokens, encode
from influence.models.model import train_word_pieces
from influence.segments.plan import IndexSettings, plan_segments, save_plan
from influence.segments.writer import write_segment
from influence.workspace.build_request import BuildRequest, training_settings

ANYWHERE = [id for id, method in METHODS.items() if method.needs != "states"]  # the methods that any build can serve
GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "awful", "poor", "dull")
PLAIN = ("film", "plot", "actor", "scene", "story", "music", "the", "a", "of", "and", "is", "was", "very", "so")
Row = tuple[str, str, str]  # id, text, label


def rows(n: int, *, seed: int, prefix: str = "e") -> list[Row]:
    """Sentences of 3 to 12 words whose label follows from one or two of them; many hold a word twice."""
    generator = np.random.default_rng(seed)
    made = []
    for number in range(n):
        label = int(generator.integers(2))
        words = [*generator.choice(PLAIN, size=int(generator.integers(2, 10)))]
        words += [*generator.choice(GOOD if label else BAD, size=int(generator.integers(1, 3)))]
        generator.shuffle(words)
        made.append((f"{prefix}{number}", " ".join(words), ("neg", "pos")[label]))
    return made


def write_csv(file: Path, table: Iterable[Sequence[str]], header: Sequence[str] = ("id", "text", "label")) -> str:
    """Write a CSV file and return its name."""
    with file.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([header, *table])
    return str(file)


def request(data: dict[str, str], *, pairs: bool = False, **changes: Any) -> BuildRequest:
    """A build of the CNN on the fixture `data`: three epochs at a rate that moves it, k = 4."""
    suffix = "_pairs" if pairs else ""
    columns = Columns(text="premise", text_pair="hypothesis", id="id") if pairs else Columns(id="id")
    given: dict[str, Any] = {
        "train": data[f"train{suffix}"],
        "test": data[f"test{suffix}"],
        "columns": columns,
        "training": training_settings("cnn", epochs=3, learning_rate=0.1, batch_size=16),
        "top_k": 4,
        "store_rest": True,
    }
    return BuildRequest(**{**given, **changes})


def word_pieces() -> PreTrainedTokenizerFast:
    """A word-piece tokenizer that knows the words above and spells others in pieces."""
    texts = [text for _, text, _ in rows(60, seed=0)]
    return train_word_pieces([*texts, *(" ".join("abcdefghijklmnopqrstuvwxyz") for _ in range(2))], vocabulary=200)


def cnn(vocabulary: int, labels: int, *, seed: int) -> CnnForSequenceClassification:
    """The paper's CNN, 12 wide, with random weights large enough that its predictions differ."""
    config = CnnConfig(vocab_size=vocabulary, embedding_size=12, num_filters=10, num_labels=labels)
    return _shaken(CnnForSequenceClassification(config), seed)


def bert(vocabulary: int, labels: int, *, seed: int) -> BertForSequenceClassification:
    """BERT's shape with two layers, 16 wide, and random weights."""
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
        num_labels=labels,
        pad_token_id=0,
    )
    return _shaken(BertForSequenceClassification(config), seed)


MODELS = {"cnn": cnn, "bert": bert}


def _shaken(model: Any, seed: int) -> Any:
    generator = torch.Generator().manual_seed(seed)
    padding = model.get_input_embeddings().padding_idx
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
        model.get_input_embeddings().weight[padding].zero_()
    return model.eval()


def stored(folder: Path, split: str, checkpoint: int, name: str, *, file: str = "examples") -> np.ndarray:
    """What the segments of a split hold under a name, one after the other, read by the safetensors library."""
    found = [load_file(one / str(checkpoint) / f"{file}.safetensors")[name] for one in sorted((folder / split).glob("0*/"))]
    return np.concatenate(found)


class Bench:
    """Models with learning rates, a training and a test split, and the index that the engine makes of them."""

    def __init__(
        self,
        folder: Path,
        models: Sequence[PreTrainedModel],
        learning_rates: Sequence[float],
        tokenizer: PreTrainedTokenizerFast,
        train: tuple[Encoding, Sequence[int]],
        test: tuple[Encoding, Sequence[int]],
        *,
        top_k: int,
        batch_tokens: int | None = None,
        exact: bool = True,
        segment_examples: int = 7,
    ) -> None:
        self.models, self.learning_rates, self.top_k = list(models), list(learning_rates), top_k
        self.tokenizer = tokenizer
        self.encodings = {"train": train[0], "test": test[0]}
        self.labels = {"train": np.array(train[1]), "test": np.array(test[1])}
        self.folder = folder
        vocabulary = models[0].get_input_embeddings().weight.shape[0]
        settings = GradientSettings(device=torch.device("cpu"), batch_tokens=batch_tokens)
        for number, model in enumerate(models):
            with WordGradients(model, settings) as gradients:
                for split, encoding in self.encodings.items():
                    index = IndexSettings(top_k=top_k, store_rest=True, exact=exact, segment_examples=segment_examples)
                    segments = plan_segments(encoding.lengths_N, gradients.model.get_input_embeddings().weight.shape[1], index)
                    (folder / split).mkdir(exist_ok=True, parents=True)
                    save_plan(folder / split, segments)
                    first_N = first_alike(encoding, self.labels[split])
                    for segment in segments:
                        at = folder / split / segment.name / str(number)
                        write_segment(gradients, encoding, self.labels[split], first_N, at, segment, settings=index)
        special_V = np.zeros(vocabulary, dtype=bool)
        for encoding in self.encodings.values():
            special_V[encoding.tokens_R[encoding.special_R]] = True
        self.index = WordIndex(
            folder / "train",
            self.encodings["train"],
            labels_N=self.labels["train"],
            learning_rates_C=np.array(self.learning_rates),
            special_V=special_V,
            common_V=common_tokens(tokenizer, vocabulary),
        )
        live = LiveGradients(lambda: [WordGradients(copy.deepcopy(model), settings) for model in models], top_k=top_k)
        self.queries = LiveQueries(self.encodings["test"], self.labels["test"], lambda: live)

    def query_list(self) -> list[Query]:
        """Every test example as a query."""
        return [self.queries[position] for position in range(len(self.queries))]

    def scores(self, method: str | Method) -> np.ndarray:
        """Scores of every test example with every training example, shape (M, N), by single queries."""
        chosen = METHODS[method] if isinstance(method, str) else method
        return np.stack([chosen.score(self.sources, query).sum(axis=0) for query in self.query_list()])

    @property
    def sources(self) -> TrainingSet:
        """The index with the models behind it; it knows no texts."""
        settings = GradientSettings(device=torch.device("cpu"))
        return TrainingSet(self.index, Parts(lambda: [], lambda number: self.models[number], lambda: settings))


def bench(
    folder: Path,
    kind: str,
    *,
    train: Sequence[tuple[str, int]],
    test: Sequence[tuple[str, int]],
    learning_rates: Sequence[float] = (0.5, 0.02, 0.125),
    top_k: int = 4,
    labels: int = 3,
    batch_tokens: int | None = None,
    seeds: Sequence[int] | None = None,
    exact: bool = True,
    segment_examples: int = 7,
) -> Bench:
    """A `Bench` of one kind of model, one random model a learning rate; `bert-pairs` halves every text into a pair."""
    tokenizer = word_pieces()
    kind, _, pairs = kind.partition("-")
    if pairs:
        tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    models = [MODELS[kind](len(tokenizer), labels, seed=seed) for seed in seeds or range(len(learning_rates))]

    def split(examples: Sequence[tuple[str, int]]) -> tuple[Encoding, list[int]]:
        texts, second = [text for text, _ in examples], None
        if pairs:
            texts, second = [t[: len(t) // 2] for t in texts], [t[len(t) // 2 :] for t in texts]
        return encode(tokenizer, texts, second, max_length=60), [label for _, label in examples]

    return Bench(
        folder,
        models,
        learning_rates,
        tokenizer,
        split(train),
        split(test),
        top_k=top_k,
        batch_tokens=batch_tokens,
        exact=exact,
        segment_examples=segment_examples,
    )


def labelled(n: int, *, seed: int, labels: int = 3) -> list[tuple[str, int]]:
    """Sentences with random labels."""
    generator = np.random.default_rng(seed + 1_000)
    return [(text, int(generator.integers(labels))) for _, text, _ in rows(n, seed=seed)]
