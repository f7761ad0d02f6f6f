"""A pretrained model cut to its first layers: what of its configuration has to say so."""

from typing import Any

from transformers import PreTrainedConfig

from influence.errors import SettingsError


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
