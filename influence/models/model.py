"""Classifiers and their tokenizers: made new, or loaded from a folder or the Hub.

Weights are read from safetensors only and no code from a model repository is ever run. A classifier's outputs are known by
the names that its configuration gives them, never by their place.
"""

import copy
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import (
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from influence import seals
from influence.errors import ModelError, SettingsError
from influence.guarded import guarded
from influence.models.cnn import CnnConfig, CnnForSequenceClassification
from influence.models.folders import check_tokenizer_files, first_layers, model_folder, read_config
from influence.models.packaged import CNN
from influence.models.weights import OpenedModel, listed, loaded, of_a_pooler, open_body, open_classifier, skeleton, targets

CNN_VOCABULARY = 25_000
LEARNT_FROM = 250_000  # texts
LARGEST_TOKEN = 100_000_000
COUNT_FROM_PADDING = {
    "camembert",
    "data2vec-text",
    "longformer",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
}
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
# Loading a backbone under a new classification head is what we ask for; the library's table of fresh weights is noise.
transformers_logging.set_verbosity_error()
transformers_logging.disable_progress_bar()


def resolve_device(device: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU. Raises `SettingsError` for CUDA where there is none."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("--device cuda: this machine has no usable CUDA device; use --device auto or cpu")
    return torch.device(device)


def train_word_pieces(
    texts: Sequence[str], vocabulary: int = CNN_VOCABULARY, pairs: Sequence[str] | None = None
) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer learnt from the training texts (and second texts), for the CNN, which has no vocabulary of its own.

    The same texts give the same vocabulary. Of more than `LEARNT_FROM` at most as many are learnt from, spread evenly over all,
    and of the others their letters alone, so that no word is unknown for one: 25,000 pieces need no more, and a hundred million
    texts would take hours.
    """
    # The trainer numbers letters in the order of a hash table and breaks ties between merges by those numbers, so no two
    # runs agree. A first pass that learns letters alone lets the second have them in a fixed order.
    sides = [_learnt_from(side) for side in ([texts] if pairs is None else [texts, pairs])]
    letters = sorted(set(_learn_pieces(chain(*sides), len(SPECIAL_TOKENS), SPECIAL_TOKENS)) - set(SPECIAL_TOKENS))
    pieces = _learn_pieces(chain(*sides), vocabulary, [*SPECIAL_TOKENS, *letters])
    tokenizer = _word_piece_tokenizer(WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", pieces["[CLS]"]), ("[SEP]", pieces["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _learnt_from(texts: Sequence[str]) -> Sequence[str]:
    """Texts to learn word pieces from: all, or an even part of them and every letter of the others, at both places in a word."""
    if len(texts) <= LEARNT_FROM:
        return texts
    letters: set[str] = set()
    for text in texts:
        letters.update(text)
    return [*texts[:: -(-len(texts) // LEARNT_FROM)], *(f"{letter} a{letter}" for letter in sorted(letters))]


def _learn_pieces(texts: Iterable[str], vocabulary: int, first: list[str]) -> dict[str, int]:
    """Word pieces and their ids; `first` are numbered in that order, and letters are always in."""
    tokenizer = _word_piece_tokenizer(WordPiece(unk_token="[UNK]"))
    trainer = WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=2, limit_alphabet=sys.maxunicode, special_tokens=first, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return dict(tokenizer.get_vocab())


def _word_piece_tokenizer(model: WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return tokenizer


def load_tokenizer(name: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a model folder or Hub id. Raises `ModelError` where there is none."""
    if not Path(name).is_dir() and (name.count("/") > 1 or name.startswith((".", "/", "~"))):
        raise ModelError(f"{name!r}: there is no such model folder")
    seals.verify_folder(Path(name))
    check_tokenizer_files(Path(name))
    tokenizer = guarded(f"tokenizer of {name!r}", lambda: AutoTokenizer.from_pretrained(name, trust_remote_code=False))
    if not tokenizer.is_fast:
        raise ModelError(f"{name!r} has only a slow tokenizer; Wordtrace needs a fast one (a tokenizer.json)")
    if tokenizer.vocab_size <= len(set(tokenizer.all_special_ids)):  # made up by the library, which finds no files
        raise ModelError(f"{name!r} has no tokenizer files; save the tokenizer into the same folder as the model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(f"the tokenizer of {name!r} has no padding token; set tokenizer.pad_token and save it again")
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest > LARGEST_TOKEN:
        raise ModelError(f"the tokenizer of {name!r} numbers a token {largest:,}, and no model has so many word embeddings")
    for texts in (["a b"], ["c d"]), (["a b"], None):  # some faults of its files show only when it is used
        guarded(f"tokenizer of {name!r}", lambda texts=texts: tokenizer(*texts), done="used")  # type: ignore[misc]
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path, name: str) -> None:
    """Write a tokenizer of that name. Raises `ModelError` for what cannot be written: half a surrogate pair, say."""
    guarded(f"tokenizer of {name!r}", lambda: tokenizer.save_pretrained(folder), done="saved")


def longest_input(name: str) -> int | None:
    """How many tokens the model of that folder or Hub id has positions for; None where it does not say."""
    config = read_config(model_folder(name))
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    # These count positions from the padding token's id, which they leave out, on.
    return positions - config.pad_token_id - 1 if config.model_type in COUNT_FROM_PADDING else positions


def load_classifier(name: str, tensors: Mapping[str, torch.Tensor] | None = None) -> PreTrainedModel:
    """A saved sequence classifier, in eval mode. Raises `ModelError` where it cannot be loaded whole from safetensors.

    One of a workspace is checked first: `WorkspaceDamaged` where it is not what was written. `tensors`: weights in the place of
    the folder's own.
    """
    seals.verify_folder(Path(name))
    opened = open_classifier(name, tensors)
    opened.demand_whole()
    return loaded(opened)


def load_body(name: str) -> PreTrainedModel:
    """A pretrained model without a head, in eval mode. Raises `ModelError` where it cannot be loaded from safetensors.

    What it reads a text into, its last hidden states, hangs on no pooler, which may be missing.
    """
    opened = open_body(name)
    poolers = frozenset(key for key in opened.fit.missing if of_a_pooler(key))
    opened.fit.demand(name, missing=poolers, unexpected=opened.others)
    return loaded(opened._replace(tensors=opened.only_known()), fresh=poolers)


def new_classifier(
    name: str,
    labels: Sequence[str],
    *,
    seed: int,
    vocabulary: int | None = None,
    num_hidden_layers: int | None = None,
) -> PreTrainedModel:
    """A classifier to fine-tune: the CNN, or a pretrained body (its first layers) under a head for these labels.

    A head that knows these labels by their names is kept, its rows in their order; see `head_notes`. Weights that are drawn
    depend on `seed` alone.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == CNN:
            if num_hidden_layers is not None:
                raise SettingsError("--num-hidden-layers cuts a transformer; the CNN always has three convolutions")
            return CnnForSequenceClassification(CnnConfig(vocab_size=vocabulary or CNN_VOCABULARY, **_names(labels)))
        opened = open_classifier(name)
        depth = first_layers(name, opened.config, num_hidden_layers) if num_hidden_layers is not None else {}
        head = head_for(opened, labels)
        config = copy.deepcopy(opened.config)
        for key, value in {**_names(labels), **depth}.items():
            setattr(config, key, value)
        tensors = head.tensors
        if depth:
            tensors = _only_those_of(config, tensors, opened)
        return loaded(opened._replace(config=config, tensors=tensors), fresh=head.fresh)


class Head(NamedTuple):
    """What becomes of a pretrained model's head when it is to tell certain labels apart."""

    tensors: Mapping[str, torch.Tensor]  # of the whole model, the rows of a head that is kept in the order of the labels
    fresh: frozenset[str]  # weights that are drawn
    notes: list[str]


def head_notes(name: str, labels: Sequence[str], *, num_hidden_layers: int | None = None) -> list[str]:
    """What a user should know of how `new_classifier` heads that model for these labels. Raises the same errors."""
    if name == CNN:
        return []
    opened = open_classifier(name)
    if num_hidden_layers is not None:
        first_layers(name, opened.config, num_hidden_layers)
    return head_for(opened, labels).notes


def head_for(opened: OpenedModel, labels: Sequence[str]) -> Head:
    """The head of a model for these labels: its own, by their names; else a fresh one.

    Raises `ModelError` for weights that are missing or left over, but for the head of a model that never had one.
    """
    outside = opened.outside
    if outside <= opened.fit.missing and not opened.is_classifier:
        drawn = outside | {key for key in opened.fit.missing if of_a_pooler(key)}
        opened.fit.demand(opened.name, missing=drawn, unexpected=opened.others)
        note = f"{opened.name!r} has no head for labels, so it gets a fresh one: {listed(drawn)}, drawn and then trained"
        return Head(opened.only_known(), frozenset(drawn), [note])
    opened.demand_whole()
    output = opened.output
    places = match_labels(opened.labels, labels) if output else None
    if places is None:
        drawn = output or outside
        return Head(opened.without(drawn), frozenset(drawn), [_why_fresh(opened, labels)])
    rows = {
        key: opened.tensors[key][places] for target, key in targets(opened.tensors, opened.skeleton).items() if target in output
    }
    left = [label for place, label in enumerate(opened.labels) if place not in places]
    notes = (
        [f"{opened.name!r} keeps its head without the outputs that the data has no label for: {', '.join(left)}"] if left else []
    )
    return Head({**opened.tensors, **rows}, frozenset(), notes)


def _why_fresh(opened: OpenedModel, labels: Sequence[str]) -> str:
    remedy = 'name its outputs as the data does, in order, in "id2label" of its config.json'
    if opened.unnamed:
        return f"the outputs of {opened.name!r} have no names, so its head is replaced by a fresh one; to keep it, {remedy}"
    own, wanted = (", ".join(names[:5]) for names in (opened.labels, labels))
    return (
        f"the head of {opened.name!r} tells other labels apart ({own}; the data: {wanted}), so it is replaced by a fresh one; to "
        f"keep it, {remedy}"
    )


def match_labels(own: Sequence[str], labels: Sequence[str]) -> list[int] | None:
    """Which of a model's outputs each label has, by its name, capitals and spaces around it aside where that is plain.

    None where one has none. The numbers 0, 1, 2 are names like others: they are no places among the outputs.
    """
    for spelling in (str, _plain):
        names, wanted = [spelling(name) for name in own], [spelling(label) for label in labels]
        if len(set(names)) == len(names) and len(set(wanted)) == len(wanted) and set(wanted) <= set(names):
            return [names.index(label) for label in wanted]
    return None


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip().casefold()


def _names(labels: Sequence[str]) -> dict[str, Any]:
    return {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}


def _only_those_of(config: PreTrainedConfig, tensors: Mapping[str, torch.Tensor], opened: OpenedModel) -> dict[str, torch.Tensor]:
    """The weights that a model of fewer layers needs."""
    shorter = skeleton(type(opened.skeleton), config, tensors, opened.name).state_dict()
    return {key: tensors[key] for target, key in targets(tensors, opened.skeleton).items() if target in shorter}


def supports_pairs(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer joins two texts with a boundary between them, as a model for pairs is trained to see."""
    sides = tokenizer("a", "b").sequence_ids(0)
    return 1 in sides and None in sides[sides.index(0) : sides.index(1)]
