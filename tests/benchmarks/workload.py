"""What the benchmarks run on: labelled texts (made here, or a folder of CSV files), models and trained checkpoints."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from influence.data.dataset import Columns, read_dataset
from influence.models.encoding import Encoding, encode
from influence.models.model import CNN, new_classifier, train_word_pieces
from influence.models.training import default_settings, make_optimizer, train_epoch
from influence.types import IntArray

MAX_LENGTH = 128  # the paper's
LEARNING_RATES = (2e-2, 1e-2, 5e-3)  # all different, so that a method that forgets them is found out
TRAINED_ON = 4_000  # enough for top-k to prefer the words that a trained model looks at
BERT_SHAPES = {"bert L2 H128": (128, 2, 512), "bert L2 H384": (384, 12, 1536)}  # BERT-tiny; MiniLM's first two layers


@dataclass(frozen=True)
class Split:
    """Tokenized examples and their labels."""

    encoding: Encoding
    labels_N: IntArray


@dataclass(frozen=True)
class Workload:
    """Both splits under one tokenizer."""

    name: str
    train: Split
    test: Split
    labels: list[str]
    tokenizer: PreTrainedTokenizerFast

    @property
    def pad_token(self) -> int:
        """Token id of padding."""
        return int(self.tokenizer.pad_token_id)


def synthetic(n_train: int, n_test: int, seed: int = 0) -> Workload:
    """News-like random texts: word frequencies follow Zipf's law, lengths are log-normal, some words tell the class."""
    generator = np.random.default_rng(seed)
    labels = ["earth", "fire", "water", "wind"]
    words = np.array([_word(rank) for rank in range(40_000)])
    weights = 1 / np.arange(1, len(words) + 1)
    texts, answers = [], generator.integers(0, len(labels), n_train + n_test)
    lengths = np.clip(generator.lognormal(3.55, 0.3, n_train + n_test), 4, 160).astype(int)
    for label, length in zip(answers, lengths, strict=True):
        ranks = np.minimum(np.searchsorted(np.cumsum(weights), generator.random(length) * weights.sum()), len(words) - 1)
        telling = (generator.random(length) < 0.15) & (ranks > 50)
        ranks[telling] = ranks[telling] // len(labels) * len(labels) + label
        texts.append(" ".join(words[ranks]))
    named = [labels[answer] for answer in answers]
    return _workload(f"synthetic, {n_train:,} texts", (texts[:n_train], named[:n_train]), (texts[n_train:], named[n_train:]))


def from_folder(folder: Path) -> Workload:
    """The train.csv and test.csv (columns text, label) of a folder."""
    train, test = (read_dataset(str(folder / f"{split}.csv"), Columns(), split=split) for split in ("train", "test"))
    return _workload(f"{folder.name}, {len(train):,} texts", (train.texts, train.labels), (test.texts, test.labels))


def bert(shape: str, workload: Workload, *, seed: int = 0) -> PreTrainedModel:
    """A two-layer BERT classifier with BERT's vocabulary size and random weights (they do not change what is timed)."""
    hidden, heads, intermediate = BERT_SHAPES[shape]
    config = BertConfig(
        vocab_size=30_522,
        hidden_size=hidden,
        num_hidden_layers=2,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        num_labels=len(workload.labels),
        pad_token_id=workload.pad_token,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BertForSequenceClassification(config).eval()


def trained_cnns(workload: Workload) -> list[PreTrainedModel]:
    """The paper's CNN after each of three epochs on part of the training split."""
    examples = min(TRAINED_ON, len(workload.train.encoding))
    part = first(workload.train, examples)
    model = new_classifier(CNN, workload.labels, seed=0, vocabulary=len(workload.tokenizer))
    settings = replace(default_settings(CNN), epochs=len(LEARNING_RATES))
    optimizer = make_optimizer(model, settings)
    checkpoints = []
    for epoch in range(1, settings.epochs + 1):
        train_epoch(model, optimizer, part.encoding, part.labels_N, settings, epoch=epoch, pad_token=workload.pad_token)
        saved = new_classifier(CNN, workload.labels, seed=0, vocabulary=len(workload.tokenizer))
        saved.load_state_dict(model.state_dict())
        checkpoints.append(saved.eval())
    return checkpoints


def first(split: Split, n: int) -> Split:
    """The first n examples."""
    whole, rows, words = split.encoding, int(split.encoding.offsets_N1[n]), int(split.encoding.word_offsets_N1[n])
    part = Encoding(
        offsets_N1=whole.offsets_N1[: n + 1],
        tokens_R=whole.tokens_R[:rows],
        types_R=whole.types_R[:rows],
        special_R=whole.special_R[:rows],
        words_R=whole.words_R[:rows],
        word_offsets_N1=whole.word_offsets_N1[: n + 1],
        word_sides_W=whole.word_sides_W[:words],
        word_starts_W=whole.word_starts_W[:words],
        word_ends_W=whole.word_ends_W[:words],
        truncated_N=whole.truncated_N[:n],
    )
    return Split(part, split.labels_N[:n])


def _workload(name: str, train: tuple[list[str], list[str]], test: tuple[list[str], list[str]]) -> Workload:
    tokenizer = train_word_pieces(train[0])
    labels = sorted(set(train[1]))
    return Workload(name, *(_split(tokenizer, part, labels) for part in (train, test)), labels, tokenizer)


def _split(tokenizer: PreTrainedTokenizerFast, part: tuple[list[str], list[str]], labels: list[str]) -> Split:
    texts, answers = part
    encoding = encode(tokenizer, texts, None, max_length=MAX_LENGTH)
    return Split(encoding, np.array([labels.index(answer) for answer in answers]))


def _word(rank: int) -> str:
    """A pronounceable word for a rank; frequent ones are short."""
    syllables = [consonant + vowel for consonant in "bcdfghjklmnprstvwz" for vowel in "aeiou"]
    word = ""
    while True:
        rank, digit = divmod(rank, len(syllables))
        word += syllables[digit]
        if rank == 0:
            return word
        rank -= 1
