"""A model's folder or Hub id, read with distrust: where it lies, its configuration, the names of its weight files.

Nothing in a configuration chooses what is run: only the architectures of the library are known, and the keys by which a
file could ask for other kernels, code or files are left out before the library sees it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING, PreTrainedConfig
from transformers.utils.hub import cached_file, get_checkpoint_shard_files

from influence.errors import ModelError, SettingsError
from influence.guarded import guarded

CONFIG, WEIGHTS, SHARDS = "config.json", "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"
# What a file may not decide: which implementation, kernel, code or file is used, and what a forward pass gives back.
IGNORED = {
    *("attn_implementation", "_attn_implementation", "_attn_implementation_internal"),
    *("experts_implementation", "_experts_implementation", "_experts_implementation_internal"),
    *("auto_map", "custom_pipelines", "distributed_config", "fusion_config", "kernel_config", "use_kernels"),
    *("transformers_weights", "dtype", "torch_dtype", "gradient_checkpointing", "torchscript"),
    *("output_attentions", "output_hidden_states", "return_dict", "use_return_dict"),
}  # fmt: skip
COUNTS = re.compile(
    r"layer|label|block|expert|head|group|_size$|hidden|^dim$|^d_|^n_|vocab"
)  # names of numbers that make a model large
MOST = {"layer": 1_000, "block": 1_000, "expert": 10_000, "head": 10_000, "group": 10_000, "label": 1_000_000}
LARGEST = 100_000_000
AT_LEAST_ONE = {
    *("hidden_size", "d_model", "dim", "n_embd", "embedding_size", "vocab_size", "intermediate_size", "head_dim", "d_head"),
    *("num_attention_heads", "n_head", "n_heads", "num_heads", "num_key_value_heads", "num_hidden_layers", "n_layer", "n_layers"),
    *("num_labels", "num_layers"),
}  # fmt: skip
SEVERAL_LABELS = "multi_label_classification"
OTHER_TASKS = {SEVERAL_LABELS: "a classifier of several labels at once", "regression": "a regression"}
CONFIG_BYTES = 64 << 20
TOKENIZER_BYTES = {
    **dict.fromkeys(("tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"), 8 << 20),
    "tokenizer.json": 256 << 20,
}
MOST_ADDED, AN_ADDED_TOKEN = 20_000, b'"single_word"'


def read_json(file: Path, *, limit: int = CONFIG_BYTES) -> Any:
    """The content of a JSON file of at most `limit` bytes. Raises `ModelError` for anything else."""
    try:
        size = file.stat().st_size
        if size > limit:
            raise ModelError(f"{str(file)!r} has {size:,} bytes; such a file has at most {limit:,}")
        return json.loads(file.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ModelError(f"{str(file)!r} is nested too deep to be read") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{str(file)!r} cannot be read: {error}") from error


def model_folder(name: str) -> Path:
    """Where a model's files lie: the folder itself, or that of a Hub id's copy on this machine, fetched if need be.

    Raises `ModelError` where there is none, or where it holds an adapter.
    """
    folder = Path(name)
    try:
        there = folder.is_dir()
    except (OSError, ValueError):  # a name too long, or with a NUL in it
        there = False
    if not there:
        if name.count("/") > 1 or name.startswith((".", "/", "~")) or "\0" in name or len(name) > 200:
            raise ModelError(f"{name!r}: there is no such model folder")
        return guarded(f"model {name!r}", lambda: _fetched(name))
    if (folder / ADAPTER).is_file():
        raise ModelError(an_adapter(name))
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{str(folder)!r} is not a model folder: it has no config.json")
    return folder


def an_adapter(name: str) -> str:
    """What is said of a folder that holds a LoRA or another adapter."""
    return (
        f"{name!r} holds an adapter, not a model: merge it first, with peft: "
        f"AutoPeftModelForSequenceClassification.from_pretrained({name!r}).merge_and_unload().save_pretrained(FOLDER), "
        "and save the tokenizer there, too"
    )


def check_tokenizer_files(folder: Path) -> None:
    """Raise `ModelError` where a tokenizer would take minutes to load: each added token costs a search of its own."""
    for name, most in TOKENIZER_BYTES.items():
        file = folder / name
        if not file.is_file():
            continue
        if (size := file.stat().st_size) > most:
            raise ModelError(f"{str(file)!r} has {size:,} bytes; such a file has at most {most:,}")
        if (added := file.read_bytes().count(AN_ADDED_TOKEN)) > MOST_ADDED:
            raise ModelError(f"{str(file)!r} adds {added:,} tokens to its vocabulary; at most {MOST_ADDED:,} are read")


def _fetched(name: str) -> Path:
    def file(wanted: str, *, must: bool) -> Path | None:
        found = cached_file(name, wanted, _raise_exceptions_for_missing_entries=must)
        return None if found is None else Path(found)

    if file(ADAPTER, must=False) is not None:
        raise ModelError(an_adapter(name))
    config = file(CONFIG, must=True)
    assert config is not None
    if file(WEIGHTS, must=False) is None and (index := file(SHARDS, must=False)) is not None:
        get_checkpoint_shard_files(name, str(index))
    return config.parent


def read_config(folder: Path) -> PreTrainedConfig:
    """The configuration of a model folder, cleared of all that a file may not decide.

    Raises `ModelError` for one whose numbers cannot be a model's, for another task than telling labels apart, and for
    weights that only other libraries can read.
    """
    file = folder / CONFIG
    content = read_json(file)
    if not isinstance(content, dict) or not isinstance(content.get("model_type"), str):
        raise ModelError(f"{str(file)!r} is not a model's configuration: it names no model_type")
    if content["model_type"] not in CONFIG_MAPPING:
        raise ModelError(
            f"{str(file)!r}: transformers {transformers.__version__} knows no model_type {content['model_type']!r}, and a "
            "model's own code is never run; use a model of an architecture it knows"
        )
    return guarded(f"configuration {str(file)!r}", lambda: _config(file, content))


def _config(file: Path, content: dict[str, Any]) -> PreTrainedConfig:
    for name, value in _entries(content):
        _check_number(file, name, value)
    if (task := content.get("problem_type")) not in (None, "single_label_classification"):
        way_out = "; train one on one label at a time: has it, or has it not" if task == SEVERAL_LABELS else ""
        raise ModelError(
            f"{str(file)!r}: problem_type {task!r} makes it {OTHER_TASKS.get(str(task), 'a model of another kind')}; Wordtrace "
            f"explains classifiers that choose one of at least two labels{way_out}"
        )
    if content.get("quantization_config"):
        raise ModelError(f"{str(file)!r}: its weights are quantised; save the model in float32, float16 or bfloat16")
    config: PreTrainedConfig = CONFIG_MAPPING[content["model_type"]].from_dict(_cleared(content))
    return config


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Every name and value, those of the configurations inside as well."""
    for name, value in content.items():
        yield str(name), value
        if isinstance(value, dict) and name not in ("id2label", "label2id"):
            yield from _entries(value)


def _check_number(file: Path, name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not COUNTS.search(name):
        return
    most = min((most for part, most in MOST.items() if part in name and not name.endswith("_size")), default=LARGEST)
    if value > most:
        raise ModelError(
            f"{str(file)!r}: {name} {value:g} is out of any reason (at most {most:,}); is it a model's configuration?"
        )
    if name in AT_LEAST_ONE and value < 1:
        raise ModelError(f"{str(file)!r}: {name} {value:g} is no size of a model; it must be 1 or more")


def _cleared(content: dict[str, Any]) -> dict[str, Any]:
    return {name: _cleared(value) if isinstance(value, dict) else value for name, value in content.items() if name not in IGNORED}


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model folder. Raises `ModelError` where there are none, or not all of them."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / SHARDS).is_file():
        found = sorted(path.name for pattern in ("*.bin", "*.pt", "*.h5", "*.safetensors") for path in folder.glob(pattern))
        raise ModelError(
            f"{str(folder)!r} holds no safetensors weights (found: {', '.join(found) or 'no weights at all'}); "
            "save the model again with save_pretrained, which writes model.safetensors"
        )
    index = read_json(folder / SHARDS)
    shards = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(shards, dict) or not shards or not all(isinstance(name, str) for name in shards.values()):
        raise ModelError(f"{str(folder / SHARDS)!r} does not say which file holds which weights; save the model again")
    names = sorted(set(shards.values()))
    if strange := [name for name in names if not re.fullmatch(r"[\w.-]+\.safetensors", name)]:
        raise ModelError(f"{str(folder / SHARDS)!r} names {strange[0]!r}, which is no weight file of this folder")
    if gone := [name for name in names if not (folder / name).is_file()]:
        raise ModelError(
            f"{str(folder)!r} lacks {len(gone):,} of its {len(names):,} weight files: {', '.join(gone[:3])}; "
            "copy the whole folder"
        )
    return [folder / name for name in names]


def first_layers(name: str, config: PreTrainedConfig, wanted: int) -> dict[str, Any]:
    """The settings with which a model of that configuration has its first layers only.

    Lists with an entry a layer (`layer_types`, `attention_window`) are cut alike, and Funnel's blocks as far as they are needed.
    Raises `SettingsError` where the model has fewer layers, does not say how many, or cannot be cut.
    """
    option, depth = f"--num-hidden-layers {wanted}", getattr(config, "num_hidden_layers", None)
    if not isinstance(depth, int):
        raise SettingsError(f"{option}: {name!r} does not say how many layers it has")
    if not 1 <= wanted <= depth:
        raise SettingsError(f"{option}: {name!r} has {depth} layers; choose 1 to {depth}")
    if config.is_encoder_decoder:
        raise SettingsError(f"{option}: {name!r} is an encoder with a decoder, which cannot be cut; leave it out")
    if hasattr(config, "block_sizes"):
        return _first_blocks(config, wanted)
    lists = {
        key: value[:wanted]
        for key, value in vars(config).items()
        if isinstance(value, list) and len(value) == depth and ("layer" in key or key == "attention_window")
    }
    return {"num_hidden_layers": wanted, **lists}


def _first_blocks(config: PreTrainedConfig, wanted: int) -> dict[str, Any]:
    sizes: list[int] = []
    while (left := wanted - sum(sizes)) > 0:
        sizes.append(min(left, config.block_sizes[len(sizes)]))
    return {"block_sizes": sizes, "block_repeats": config.block_repeats[: len(sizes)]}
