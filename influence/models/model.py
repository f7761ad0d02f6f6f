"""Classifiers and their tokenizers: made new, loaded from a folder or the Hub, or imported from a Trainer run.

Weights are read from safetensors only and no code from a model repository is ever run.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import WordPieceTrainer
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from influence.errors import ModelError, SettingsError
from influence.models.cnn import CnnConfig, CnnForSequenceClassification
from influence.models.packaged import CNN

CNN_VOCABULARY = 25_000
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


def train_word_pieces(texts: Sequence[str], vocabulary: int = CNN_VOCABULARY) -> PreTrainedTokenizerFast:
    """A WordPiece tokenizer learnt from the training texts, for the CNN, which has no vocabulary of its own.

    The same texts give the same vocabulary.
    """
    # The trainer numbers letters in the order of a hash table and breaks ties between merges by those numbers, so no two
    # runs agree. A first pass that learns letters alone lets the second have them in a fixed order.
    letters = sorted(set(_learn_pieces(texts, len(SPECIAL_TOKENS), SPECIAL_TOKENS)) - set(SPECIAL_TOKENS))
    pieces = _learn_pieces(texts, vocabulary, [*SPECIAL_TOKENS, *letters])
    tokenizer = _word_piece_tokenizer(WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", pieces["[CLS]"]), ("[SEP]", pieces["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )


def _learn_pieces(texts: Sequence[str], vocabulary: int, first: list[str]) -> dict[str, int]:
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
    tokenizer = _load(f"tokenizer of {name!r}", lambda: AutoTokenizer.from_pretrained(name, trust_remote_code=False))
    if not tokenizer.is_fast:
        raise ModelError(f"{name!r} has only a slow tokenizer; Wordtrace needs a fast one (a tokenizer.json)")
    if tokenizer.vocab_size <= len(set(tokenizer.all_special_ids)):  # made up by the library, which finds no files
        raise ModelError(f"{name!r} has no tokenizer files; save the tokenizer into the same folder as the model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(f"the tokenizer of {name!r} has no padding token; set tokenizer.pad_token and save it again")
    return tokenizer


def longest_input(name: str) -> int | None:
    """How many tokens the model of that folder or Hub id has positions for; None where it does not say."""
    _require_safetensors(Path(name))
    config = _load(f"configuration of {name!r}", lambda: AutoConfig.from_pretrained(name, trust_remote_code=False))
    positions = getattr(config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 1:
        return None
    # These count positions from the padding token's id, which they leave out, on.
    return positions - config.pad_token_id - 1 if config.model_type in COUNT_FROM_PADDING else positions


def load_classifier(name: str) -> PreTrainedModel:
    """A saved sequence classifier, in eval mode. Raises `ModelError` where it cannot be loaded as safetensors."""
    return _from_pretrained(name).eval()


def load_body(name: str) -> PreTrainedModel:
    """A pretrained model without a head, in eval mode. Raises `ModelError` where it cannot be loaded as safetensors."""
    _require_safetensors(Path(name))
    return _load(
        f"encoder {name!r}",
        lambda: AutoModel.from_pretrained(name, trust_remote_code=False, use_safetensors=True, dtype=torch.float32),
    ).eval()


def new_classifier(
    name: str,
    labels: Sequence[str],
    *,
    seed: int,
    vocabulary: int | None = None,
    num_hidden_layers: int | None = None,
) -> PreTrainedModel:
    """A classifier to fine-tune: the CNN, or a pretrained body (its first layers) under a head for these labels.

    A head already trained for as many labels is kept. Initial weights depend on `seed` alone.
    """
    names: dict[str, Any] = {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if name == CNN:
            if num_hidden_layers is not None:
                raise SettingsError("--num-hidden-layers cuts a transformer; the CNN always has three convolutions")
            return CnnForSequenceClassification(CnnConfig(vocab_size=vocabulary or CNN_VOCABULARY, **names))
        if num_hidden_layers is not None:
            names["num_hidden_layers"] = _checked_depth(name, num_hidden_layers)
        return _from_pretrained(name, ignore_mismatched_sizes=True, **names)


def _checked_depth(name: str, num_hidden_layers: int) -> int:
    config = _load(f"configuration of {name!r}", lambda: AutoConfig.from_pretrained(name, trust_remote_code=False))
    depth = getattr(config, "num_hidden_layers", None)
    if not isinstance(depth, int):
        raise SettingsError(f"--num-hidden-layers {num_hidden_layers}: {name!r} does not say how many layers it has")
    if not 1 <= num_hidden_layers <= depth:
        raise SettingsError(f"--num-hidden-layers {num_hidden_layers}: {name!r} has {depth} layers; choose 1 to {depth}")
    return num_hidden_layers


def _from_pretrained(name: str, **options: Any) -> PreTrainedModel:
    _require_safetensors(Path(name))
    return _load(
        f"model {name!r}",
        lambda: AutoModelForSequenceClassification.from_pretrained(
            name, trust_remote_code=False, use_safetensors=True, dtype=torch.float32, **options
        ),
    )


def _require_safetensors(folder: Path) -> None:
    if not folder.is_dir():  # a Hub id
        return
    if not (folder / "config.json").is_file():
        raise ModelError(f"{str(folder)!r} is not a model folder: it has no config.json")
    if not any(folder.glob("*.safetensors")):
        found = sorted(path.name for pattern in ("*.bin", "*.pt", "*.h5") for path in folder.glob(pattern))
        raise ModelError(
            f"{str(folder)!r} holds no safetensors weights (found: {', '.join(found) or 'no weights at all'}); "
            "save the model again with save_pretrained, which writes model.safetensors"
        )


def _load(what: str, loader: Callable[[], Any]) -> Any:
    """One place where the library's many exceptions become one line of ours."""
    try:
        return loader()
    except Exception as error:
        usual = isinstance(error, OSError | ValueError | KeyError | ImportError | RuntimeError | TypeError)
        # safetensors and tokenizers raise bare Exception subclasses of their own.
        if not usual and not type(error).__module__.startswith(("safetensors", "tokenizers", "huggingface_hub", "builtins")):
            raise
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"the {what} cannot be loaded: {first_line}") from error


def supports_pairs(tokenizer: PreTrainedTokenizerFast) -> bool:
    """Whether the tokenizer joins two texts with a boundary between them, as a model for pairs is trained to see."""
    sides = tokenizer("a", "b").sequence_ids(0)
    return 1 in sides and None in sides[sides.index(0) : sides.index(1)]


@dataclass(frozen=True)
class TrainerCheckpoint:
    """One `checkpoint-*` folder of a Hugging Face Trainer run and the learning rate in force when it was saved."""

    folder: Path
    step: int
    learning_rate: float


def read_trainer_folder(folder: Path) -> list[TrainerCheckpoint]:
    """The checkpoints of a Trainer output folder, by step. Raises `ModelError` for one that cannot be used."""
    if not folder.is_dir():
        raise ModelError(f"--checkpoints {str(folder)!r}: there is no such folder")
    found = sorted(
        (int(path.name.removeprefix("checkpoint-")), path)
        for path in folder.glob("checkpoint-*")
        if path.is_dir() and path.name.removeprefix("checkpoint-").isdigit()
    )
    if not found:
        raise ModelError(
            f"--checkpoints {str(folder)!r} holds no checkpoint-* folders; "
            "give the Trainer's output_dir and train with save_strategy='epoch'"
        )
    checkpoints = []
    for step, path in found:
        _require_safetensors(path)
        checkpoints.append(TrainerCheckpoint(path, step, _logged_learning_rate(path, step)))
    return checkpoints


def _logged_learning_rate(checkpoint: Path, step: int) -> float:
    """The last learning rate that the Trainer logged up to the checkpoint's step."""
    state_file = checkpoint / "trainer_state.json"
    try:
        history = json.loads(state_file.read_text(encoding="utf-8"))["log_history"]
        logged = [(int(entry["step"]), float(entry["learning_rate"])) for entry in history if "learning_rate" in entry]
    except FileNotFoundError as error:
        raise ModelError(f"{str(checkpoint)!r} has no trainer_state.json, so its learning rate is not known") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{str(state_file)!r} is not a Trainer's state: {error}") from error
    logged = [(at, rate) for at, rate in logged if at <= step]
    if not logged:
        raise ModelError(
            f"{str(state_file)!r} logs no learning rate up to step {step}; train with logging_steps smaller than an epoch"
        )
    rate = max(logged)[1]
    if not 0 <= rate < float("inf"):
        raise ModelError(f"{str(state_file)!r} logs the learning rate {rate} at step {step}; it must be 0 or more")
    return rate
