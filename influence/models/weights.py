"""Every weight of a model comes from its file: what the file holds is set against what the model needs, name by name.

The library fills what it does not find with random numbers and goes on; here anything missing, left over or of another
shape is an error that names it. `Fit` is made from the names and shapes alone, on a model without memory (PyTorch's meta
device), so a configuration out of any reason costs nothing; what the library itself says when it loads is checked as well.
"""

import re
from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from torch.nn.modules.module import register_module_parameter_registration_hook
from transformers import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, MODEL_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.conversion_mapping import get_model_conversion_mapping
from transformers.core_model_loading import WeightConverter, WeightRenaming, rename_source_key

from influence.errors import ModelError
from influence.guarded import guarded
from influence.models.folders import an_adapter, model_folder, read_config, weight_files
from influence.models.inputs import last_linear

Tensors = Mapping[str, torch.Tensor]
INSIDE = re.compile(r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # of torch.compile, FSDP
OUTSIDE = ("module.", "model.", "_forward_module.", "net.")  # of DataParallel, Lightning and the like, around the whole model
# Buffers that versions of the library save or leave out: counts that follow from the configuration, and masks.
COUNTED = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|original_inv_freq|masked_bias|num_batches_tracked)$")
MASK = re.compile(r"\.(attn|attention)\.bias$")
NAMED = 3  # keys named in an error
SPARE_TENSORS = 1_000
MOST_BYTES = 1 << 30  # of a table that follows from the configuration alone, as of positions


@dataclass(frozen=True)
class Fit:
    """What tells a file's weights from a model's: names, in the model's spelling where it has them."""

    missing: frozenset[str]
    unexpected: frozenset[str]
    mismatched: Mapping[str, str]  # name → the two shapes

    def demand(self, name: str, *, missing: Set[str] = frozenset(), unexpected: Set[str] = frozenset()) -> None:
        """Raise `ModelError` for anything but the weights that may be missing or left over."""
        faults = [
            _named("lacks", self.missing - missing),
            _named("also holds", self.unexpected - unexpected),
            _named("has in other shapes", [f"{key} {shapes}" for key, shapes in self.mismatched.items()]),
        ]
        if any("lora_" in key for key in self.unexpected):
            raise ModelError(an_adapter(name))
        if found := "; it ".join(fault for fault in faults if fault):
            raise ModelError(
                f"the weights of {name!r} are not those of its config.json: the file {found}; nothing is made up for them: "
                "save the whole model again with save_pretrained"
            )


def _named(what: str, keys: Collection[str]) -> str:
    return f"{what} {listed(keys)}" if keys else ""


def listed(keys: Collection[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(keys) - NAMED:,} more" if len(keys) > NAMED else ""
    return f"{', '.join(sorted(keys)[:NAMED])}{more}"


def of_a_pooler(key: str) -> bool:
    """Whether a weight belongs to what makes one vector of a text for a head."""
    return "pooler" in key.split(".")


def stored_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a model folder by name, mapped and not read. Raises `ModelError` where its files are not whole."""
    tensors: dict[str, torch.Tensor] = {}
    for file in weight_files(folder):
        tensors.update(guarded(f"model {str(folder)!r}", lambda file=file: _tensors(file)))  # type: ignore[misc]
    return tensors


def _tensors(file: Path) -> dict[str, torch.Tensor]:
    with safe_open(file, "pt") as opened:
        return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118


def skeleton(cls: type[PreTrainedModel], config: PreTrainedConfig, tensors: Tensors, name: str) -> PreTrainedModel:
    """The model without memory for its weights. Raises `ModelError` where it would have far more weights than the file."""
    most, made = 10 * len(tensors) + SPARE_TENSORS, 0

    def count(*_: Any) -> None:
        nonlocal made
        made += 1
        if made > most:
            raise ModelError(f"{name!r}: its config.json asks for more than {most:,} weights, the file holds {len(tensors):,}")

    def make() -> PreTrainedModel:
        with torch.device("meta"), torch.random.fork_rng(devices=[]):
            return cls(config)

    hook = register_module_parameter_registration_hook(count)
    try:
        model = guarded(f"model {name!r}", make)
    finally:
        hook.remove()
    state, largest = model.state_dict(), max(model.named_buffers(), key=lambda named: named[1].numel(), default=None)
    if largest is not None and largest[0] not in state and largest[1].nbytes > MOST_BYTES:  # not held against the file
        raise ModelError(f"{name!r}: its config.json asks for {largest[1].nbytes / 1e9:,.0f} GB of memory for {largest[0]}")
    return model


def unwrapped(tensors: Tensors, model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights without what DataParallel, torch.compile, FSDP or Lightning put before their names."""
    best = {INSIDE.sub("", key): tensor for key, tensor in tensors.items()}
    if len(best) < len(tensors):  # wrapped and not: two sets of weights in one file, which `fit` will name
        return dict(tensors)
    known, renamed = set(model.state_dict()), best
    for _ in range(4):  # one in the other
        before = next((prefix for prefix in OUTSIDE if renamed and all(key.startswith(prefix) for key in renamed)), None)
        if before is None:
            break
        renamed = {key.removeprefix(before): tensor for key, tensor in renamed.items()}
        if len(targets(renamed, model).keys() & known) > len(targets(best, model).keys() & known):
            best = renamed
    return best


def targets(tensors: Tensors, model: PreTrainedModel) -> dict[str, str]:
    """The names that the library gives to a file's weights, and the file's own; it knows how older versions called them."""
    state, mapping = model.state_dict(), get_model_conversion_mapping(model)
    renamings = [one for one in mapping if isinstance(one, WeightRenaming)]
    converters = [one for one in mapping if isinstance(one, WeightConverter)]
    found = {}
    for key in tensors:
        target, part_of = rename_source_key(key, renamings, converters, model.base_model_prefix, state)
        if target not in state and key in state:
            target = key
        found[key if target in found and part_of is None else target] = key  # the same weight twice: the second is left over
    return found


def fit(tensors: Tensors, model: PreTrainedModel) -> Fit:
    """What a file's weights lack, have too many of, or have in another shape than the model."""
    state, found = model.state_dict(), targets(tensors, model)
    there = found.keys() & state.keys()
    shapes = {key: (tuple(tensors[found[key]].shape), tuple(state[key].shape)) for key in there if state[key].shape}
    converted = {key for key in there if not key.endswith(found[key]) and not found[key].endswith(key)}
    buffers, parameters = ({name for name, _ in named} for named in (model.named_buffers(), model.named_parameters()))
    masks = {key for key in found if MASK.search(key) and tensors[found[key]].dim() == 4}
    harmless = buffers | masks | {key for key in found if COUNTED.search(key)}
    return Fit(
        missing=frozenset(
            key for key in state.keys() - there - _tied(model, there) if key in parameters or not COUNTED.search(key)
        ),
        unexpected=frozenset(found.keys() - state.keys() - harmless),
        mismatched={
            key: f"{_shape(own)} instead of {_shape(wanted)}"
            for key, (own, wanted) in sorted(shapes.items())
            if own != wanted and key not in converted
        },
    )


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def _tied(model: PreTrainedModel, there: Set[str]) -> set[str]:
    """Names of weights that are others of the file under a second name."""
    tied: Mapping[str, str] = getattr(model, "all_tied_weights_keys", None) or {}
    pairs = [*tied.items(), *((source, target) for target, source in tied.items())]
    return {one for one, other in pairs if other in there}


class OpenedModel(NamedTuple):
    """A model's files, looked through before memory is taken for it."""

    name: str
    config: PreTrainedConfig
    tensors: Mapping[str, torch.Tensor]
    skeleton: PreTrainedModel
    fit: Fit

    @property
    def is_classifier(self) -> bool:
        """Whether the file says that it has a head for labels."""
        return any("SequenceClassification" in str(name) for name in self.config.architectures or [])

    @property
    def outside(self) -> frozenset[str]:
        """Names of the weights that do not belong to the body; of a model without a body of its own, its output layer."""
        prefix = self.skeleton.base_model_prefix
        if not hasattr(self.skeleton, prefix):
            return self.output
        return frozenset(key for key in self.skeleton.state_dict() if not key.startswith(f"{prefix}."))

    @property
    def output(self) -> frozenset[str]:
        """Names of the weights with a row for each label."""
        layer = last_linear(self.skeleton)
        if layer is None:
            return frozenset()
        name = next(name for name, module in self.skeleton.named_modules() if module is layer)
        return frozenset(f"{name}.{key}" for key in layer.state_dict())

    @property
    def others(self) -> frozenset[str]:
        """Names of left over weights that belong to a head for another task, as for guessing masked words."""
        prefix = self.skeleton.base_model_prefix
        parts = {name for name, _ in getattr(self.skeleton, prefix, self.skeleton).named_children()}
        return frozenset(key for key in self.fit.unexpected if key.removeprefix(f"{prefix}.").partition(".")[0] not in parts)

    def only_known(self) -> dict[str, torch.Tensor]:
        """The file's weights that the model has."""
        return self.without(self.fit.unexpected)

    def without(self, names: Set[str]) -> dict[str, torch.Tensor]:
        """The file's weights but those that the model calls by these names."""
        return {key: self.tensors[key] for target, key in targets(self.tensors, self.skeleton).items() if target not in names}

    @property
    def labels(self) -> list[str]:
        """The names of the outputs, in their order. Raises `ModelError` where they are not numbered from 0."""
        names: Mapping[int, Any] = self.config.id2label or {}
        if sorted(names) != list(range(len(names))):
            raise ModelError(
                f"{self.name!r}: id2label of its config.json must number the outputs from 0, and has {list(names)[:5]}"
            )
        return [str(names[place]) for place in range(len(names))]

    @property
    def unnamed(self) -> bool:
        """Whether the outputs have only the names that the library gives where nobody did."""
        return all(re.fullmatch(r"LABEL_\d+", label) for label in self.labels)

    def demand_whole(self) -> None:
        """Raise `ModelError` unless every weight of the classifier, its head as well, is in the file and no other."""
        self.fit.demand(self.name)
        if len(self.labels) < 2:
            raise ModelError(
                f"{self.name!r} has {len(self.labels)} output, as a regression has; Wordtrace explains classifiers that "
                "choose one of at least two labels"
            )


def open_classifier(name: str, tensors: Tensors | None = None) -> OpenedModel:
    """The sequence classifier of a folder or Hub id, with its own weights or those. Raises `ModelError` where there is none."""
    return _opened(name, MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, "sequence classifier", tensors)


def open_body(name: str) -> OpenedModel:
    """The model of a folder or Hub id without its head. Raises `ModelError` where there is none."""
    return _opened(name, MODEL_MAPPING, "model")


def _opened(name: str, classes: Any, what: str, tensors: Tensors | None = None) -> OpenedModel:
    folder = model_folder(name)
    config, tensors = read_config(folder), stored_weights(folder) if tensors is None else tensors
    if type(config) not in classes:
        raise ModelError(f"{name!r}: transformers has no {what} of the architecture {config.model_type!r}")
    found = classes[type(config)]
    made = skeleton(found[0] if isinstance(found, tuple) else found, config, tensors, name)
    tensors = unwrapped(tensors, made)
    return OpenedModel(name, config, tensors, made, fit(tensors, made))


def loaded(opened: OpenedModel, *, fresh: Set[str] = frozenset()) -> PreTrainedModel:
    """The model with its weights in float32, in eval mode; those named in `fresh` are drawn.

    Raises `ModelError` where the library says that it drew others, too.
    """

    def load() -> Any:
        return type(opened.skeleton).from_pretrained(
            None, config=opened.config, state_dict=dict(opened.tensors), dtype=torch.float32, output_loading_info=True
        )

    model, info = guarded(f"model {opened.name!r}", load)
    parameters = {key for key, _ in model.named_parameters()}
    drawn = {key for key in info["missing_keys"] if key in parameters or not COUNTED.search(key)}
    other = {str(key): "" for key, *_ in info["mismatched_keys"]}
    Fit(frozenset(drawn), frozenset(), other).demand(opened.name, missing=fresh)
    found: PreTrainedModel = model.eval()
    return found
