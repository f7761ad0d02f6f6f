"""Model folders of strangers: every weight from the file, every output by its name, or one line; nothing of a file is run.

The oracle is plain transformers: what `from_pretrained` gives for the same folder, in float32, one unpadded text at a time.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from model_kinds import KINDS, make
from safetensors.torch import load_file, save_file
from tiny import bert, request, word_pieces
from transformers import AutoModelForSequenceClassification, BertForMaskedLM, BertModel, PreTrainedTokenizerFast

from influence.errors import ModelError, SettingsError, WordtraceError
from influence.models.model import head_notes, load_body, load_classifier, load_tokenizer, match_labels, new_classifier
from influence.models.training import TrainingSettings
from influence.opinions.settings import HeldOutSettings
from influence.workspace.build import build_workspace

LABELS = ["neg", "pos"]
TEXT = "the film was very good and the plot dull"
Change = Callable[[Path], Any]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return word_pieces()


def labelled(model: Any, names: list[str]) -> Any:
    """The model with names for its outputs."""
    model.config.id2label, model.config.label2id = dict(enumerate(names)), {name: at for at, name in enumerate(names)}
    return model


@pytest.fixture(scope="module")
def saved(tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fine-tuned BERT: three outputs, pos, neg and mixed, in that order."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    labelled(bert(len(tokenizer), 3, seed=3), ["pos", "neg", "mixed"]).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def logits(model: Any, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """Of one text, unpadded."""
    with torch.no_grad():
        return torch.as_tensor(model.eval()(**tokenizer(TEXT, return_tensors="pt", return_token_type_ids=True)).logits[0])


def plainly(folder: Path, tokenizer: PreTrainedTokenizerFast) -> torch.Tensor:
    """The logits of plain transformers."""
    return logits(AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32), tokenizer)


def reweighed(change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Change:
    """Weights changed in the file."""

    def apply(folder: Path) -> None:
        file = folder / "model.safetensors"
        save_file({name: tensor.clone().contiguous() for name, tensor in change(load_file(file)).items()}, file)

    return apply


def configured(**changes: Any) -> Change:
    """Entries of config.json changed."""

    def apply(folder: Path) -> None:
        file = folder / "config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

    return apply


def prefixed(before: str) -> Change:
    return reweighed(lambda weights: {before + name: tensor for name, tensor in weights.items()})


def without(*parts: str) -> Change:
    return reweighed(lambda weights: {k: v for k, v in weights.items() if not any(part in k for part in parts)})


def sharded(folder: Path) -> None:
    """The same weights in several files."""
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="8KB")
    assert len(list(folder.glob("*.safetensors"))) > 2


def also_pickled(folder: Path) -> None:
    torch.save({"bert.embeddings.word_embeddings.weight": torch.zeros(3, 3)}, folder / "pytorch_model.bin")


# What is loaded as it is ------------------------------------------------------------------------------------------------

SAME: dict[str, Change] = {
    "as saved": lambda folder: None,
    "data parallel": prefixed("module."),
    "torch.compile": prefixed("_orig_mod."),
    "compiled and parallel": prefixed("module._orig_mod."),
    "compiled inside": reweighed(lambda w: {k.replace("bert.encoder.", "bert.encoder._orig_mod."): v for k, v in w.items()}),
    "fully sharded": reweighed(lambda w: {k.replace("bert.", "bert._fsdp_wrapped_module."): v for k, v in w.items()}),
    "lightning": prefixed("model."),
    "lightning, compiled": prefixed("model._orig_mod."),
    "shards": sharded,
    "pickled weights beside them": also_pickled,
    "names of older versions": reweighed(
        lambda w: {k.replace("Norm.weight", "Norm.gamma").replace("Norm.bias", "Norm.beta"): v for k, v in w.items()}
    ),
    "a buffer that older versions saved": reweighed(
        lambda w: {**w, "bert.embeddings.position_ids": torch.arange(64)[None]}
    ),
    "another's kernel": configured(_attn_implementation="owner/kernel", attn_implementation="owner/kernel"),
    "another's experts": configured(_experts_implementation="owner/kernel", experts_implementation="owner/kernel"),
    "hidden": configured(_attn_implementation_internal="owner/kernel"),
    "tuples instead of logits": configured(return_dict=False, torchscript=True, output_hidden_states=True),
    "another file": configured(transformers_weights="../elsewhere.safetensors"),
    "half precision asked for": configured(dtype="float16", torch_dtype="float16"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_a_whole_model_is_loaded_whatever_its_file_looks_like(
    folder: Path, saved: Path, tokenizer: PreTrainedTokenizerFast, case: str
) -> None:
    SAME[case](folder)
    model = load_classifier(str(folder))
    assert torch.equal(logits(model, tokenizer), plainly(saved, tokenizer))
    assert all(weights.dtype == torch.float32 for weights in model.parameters())
    assert model.config._attn_implementation in ("sdpa", "eager")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_are_read_as_float32(
    folder: Path, tokenizer: PreTrainedTokenizerFast, dtype: torch.dtype
) -> None:
    reweighed(lambda weights: {name: tensor.to(dtype) for name, tensor in weights.items()})(folder)
    assert torch.equal(logits(load_classifier(str(folder)), tokenizer), plainly(folder, tokenizer))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_loaded_as_it_was_saved(tmp_path: Path, kind: str) -> None:
    """Bit for bit as plain transformers, and from a body alone with a head drawn by the seed; nothing else is drawn."""
    made = make(kind, 50)
    made.save_pretrained(tmp_path / "whole")
    found = load_classifier(str(tmp_path / "whole")).state_dict()
    expected = AutoModelForSequenceClassification.from_pretrained(tmp_path / "whole").state_dict()
    assert {name: tensor.tolist() for name, tensor in found.items()} == {k: v.tolist() for k, v in expected.items()}
    body = getattr(made, made.base_model_prefix)
    body.config.architectures = None
    body.save_pretrained(tmp_path / "body")
    config = json.loads((tmp_path / "body" / "config.json").read_text())
    (tmp_path / "body" / "config.json").write_text(json.dumps({**config, "architectures": [type(body).__name__]}))
    notes = head_notes(str(tmp_path / "body"), LABELS)
    assert len(notes) == 1
    assert "has no head for labels, so it gets a fresh one" in notes[0]
    first, same, other = (new_classifier(str(tmp_path / "body"), LABELS, seed=seed).state_dict() for seed in (1, 1, 2))
    drawn = {name for name in first if not torch.equal(first[name], other[name])}
    assert drawn
    assert not any(name.startswith(f"{made.base_model_prefix}.") for name in drawn)
    assert all(torch.equal(first[name], same[name]) for name in first)
    expected = type(body).from_pretrained(tmp_path / "body").state_dict()
    for name in body.state_dict():
        assert torch.equal(first[f"{made.base_model_prefix}.{name}"], expected[name])


# Weights that are not there ---------------------------------------------------------------------------------------------

NOT_WHOLE: dict[str, tuple[Change, str]] = {
    "no pooler": (without("pooler.dense.weight"), "the file lacks bert.pooler.dense.weight;"),
    "no head": (without("classifier"), "the file lacks classifier.bias, classifier.weight;"),
    "no embedding": (without("word_embeddings"), "the file lacks bert.embeddings.word_embeddings.weight;"),
    "a layer missing": (
        without("layer.1."),
        "the file lacks bert.encoder.layer.1.attention.output.LayerNorm.bias, "
        "bert.encoder.layer.1.attention.output.LayerNorm.weight, bert.encoder.layer.1.attention.output.dense.bias and 13 more;",
    ),
    "a layer too many": (
        reweighed(lambda w: {**w, **{k.replace("layer.1.", "layer.2."): v for k, v in w.items() if "layer.1." in k}}),
        "the file also holds bert.encoder.layer.2.attention.output.LayerNorm.bias, "
        "bert.encoder.layer.2.attention.output.LayerNorm.weight, bert.encoder.layer.2.attention.output.dense.bias and 13 more;",
    ),
    "a layer that the config has not": (
        configured(num_hidden_layers=1),
        "the file also holds bert.encoder.layer.1.attention.output.LayerNorm.bias, "
        "bert.encoder.layer.1.attention.output.LayerNorm.weight, bert.encoder.layer.1.attention.output.dense.bias and 13 more;",
    ),
    "an unknown wrapper": (
        prefixed("student."),
        "the file lacks bert.embeddings.LayerNorm.bias, bert.embeddings.LayerNorm.weight, "
        "bert.embeddings.position_embeddings.weight and 38 more; it also holds student.bert.embeddings.LayerNorm.bias, "
        "student.bert.embeddings.LayerNorm.weight, student.bert.embeddings.position_embeddings.weight and 38 more;",
    ),
    "wrapped and not": (
        reweighed(lambda w: {**w, **{f"module.{k}": v + 1 for k, v in w.items()}}),
        "the file also holds module.bert.embeddings.LayerNorm.bias, module.bert.embeddings.LayerNorm.weight, "
        "module.bert.embeddings.position_embeddings.weight and 38 more;",
    ),
    "twice": (
        reweighed(lambda w: {**w, "embeddings.word_embeddings.weight": w["bert.embeddings.word_embeddings.weight"] + 1}),
        "the file also holds ",
    ),
    "more words than the config says": (
        configured(vocab_size=90),
        "×16 instead of 90×16;",
    ),
    "fewer outputs than names": (
        configured(id2label={str(n): f"l{n}" for n in range(5)}, label2id={f"l{n}": n for n in range(5)}),
        "the file has in other shapes classifier.bias 3 instead of 5, classifier.weight 3×16 instead of 5×16;",
    ),
    "another architecture": (
        configured(model_type="roberta", architectures=["RobertaForSequenceClassification"]),
        "the file lacks classifier.dense.bias, ",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOT_WHOLE)
def test_weights_that_are_missing_or_left_over_are_named(folder: Path, data: dict[str, str], case: str) -> None:
    """By loading, and by a build, which leaves nothing behind."""
    change, message = NOT_WHOLE[case]
    change(folder)
    with pytest.raises(ModelError) as caught:
        load_classifier(str(folder))
    assert str(caught.value).startswith(f"the weights of {str(folder)!r} are not those of its config.json: ")
    assert message in str(caught.value)
    assert str(caught.value).endswith("nothing is made up for them: save the whole model again with save_pretrained")
    with pytest.raises(ModelError, match=r"are not those of its config\.json"):
        build_workspace(folder.parent / "w", request(data, model=str(folder)))
    assert not (folder.parent / "w").exists()


def test_a_shard_that_is_missing_is_named(folder: Path) -> None:
    sharded(folder)
    gone = sorted(folder.glob("*.safetensors"))[1]
    gone.unlink()
    with pytest.raises(ModelError) as caught:
        load_classifier(str(folder))
    count = len(list(folder.glob("*.safetensors"))) + 1
    assert str(caught.value) == f"{str(folder)!r} lacks 1 of its {count} weight files: {gone.name}; copy the whole folder"


# The head ---------------------------------------------------------------------------------------------------------------


def test_a_head_is_kept_by_the_names_of_its_outputs(folder: Path, saved: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """Rows in the order of the data's labels; with one output too many, the two that the data has."""
    own = plainly(saved, tokenizer)
    for labels, places in ((["mixed", "neg", "pos"], [2, 1, 0]), (["neg", "pos"], [1, 0]), (["POS", " neg "], [0, 1])):
        model = new_classifier(str(folder), labels, seed=0)
        assert torch.equal(logits(model, tokenizer), own[places])
        assert model.config.id2label == dict(enumerate(labels))
    assert head_notes(str(folder), ["mixed", "neg", "pos"]) == []
    assert head_notes(str(folder), ["neg", "pos"]) == [
        f"{str(folder)!r} keeps its head without the outputs that the data has no label for: mixed"
    ]


FRESH: dict[str, tuple[Change, list[str], str]] = {
    "other names": (
        lambda folder: None,
        ["good", "bad", "so-so"],
        "the head of {folder!r} tells other labels apart (pos, neg, mixed; the data: good, bad, so-so), so it is replaced by a "
        'fresh one; to keep it, name its outputs as the data does, in order, in "id2label" of its config.json',
    ),
    "numbers are no places": (
        lambda folder: None,
        ["0", "1", "2"],
        "the head of {folder!r} tells other labels apart (pos, neg, mixed; the data: 0, 1, 2), so it is replaced by a fresh one; "
        'to keep it, name its outputs as the data does, in order, in "id2label" of its config.json',
    ),
    "no names": (
        configured(id2label={str(n): f"LABEL_{n}" for n in range(3)}),
        ["0", "1", "2"],
        "the outputs of {folder!r} have no names, so its head is replaced by a fresh one; to keep it, name its outputs as the "
        'data does, in order, in "id2label" of its config.json',
    ),
    "one name for two": (
        configured(id2label={"0": "neg", "1": "pos", "2": "pos"}),
        ["neg", "pos"],
        "the head of {folder!r} tells other labels apart (neg, pos, pos; the data: neg, pos), so it is replaced by a fresh one; "
        'to keep it, name its outputs as the data does, in order, in "id2label" of its config.json',
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FRESH)
def test_a_head_for_other_labels_is_replaced_and_said_so(folder: Path, case: str) -> None:
    change, labels, note = FRESH[case]
    change(folder)
    assert head_notes(str(folder), labels) == [note.format(folder=str(folder))]
    own = load_classifier(str(folder)).state_dict()
    found, other = (new_classifier(str(folder), labels, seed=seed).state_dict() for seed in (0, 1))
    drawn = {name for name, tensor in own.items() if tensor.shape != found[name].shape or not torch.equal(tensor, found[name])}
    assert drawn == {"classifier.weight", "classifier.bias"}
    assert not torch.equal(found["classifier.weight"], other["classifier.weight"])
    assert found["classifier.weight"].shape == (len(labels), 16)


def test_numbers_that_are_names_of_outputs_count(folder: Path, saved: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    configured(id2label={"0": "2", "1": 0, "2": "1"})(folder)
    model = new_classifier(str(folder), ["0", "1", "2"], seed=0)
    assert torch.equal(logits(model, tokenizer), plainly(saved, tokenizer)[[1, 2, 0]])


@pytest.mark.parametrize(
    ("own", "labels", "places"),
    [
        (["a", "b"], ["b", "a"], [1, 0]),
        (["A", "b"], ["B", "a"], [1, 0]),
        (["a", "A"], ["A", "a"], [1, 0]),  # exactly, where that is enough
        (["a", "A"], ["A"], [1]),
        (["a", "A ", "b"], ["b", "a "], None),  # two could be meant
        (["a", "b"], ["a", "A"], None),
        (["LABEL_0", "LABEL_1"], ["0", "1"], None),
        (["0", "1"], ["1", "0"], [1, 0]),
        (["cafe\u0301", "b"], ["caf\u00e9"], [0]),
        (["a"], ["a", "b"], None),
    ],
)
def test_labels_are_matched_by_name(own: list[str], labels: list[str], places: list[int] | None) -> None:
    assert match_labels(own, labels) == places


def test_a_base_model_of_another_task_gets_a_head(tmp_path: Path, tokenizer: PreTrainedTokenizerFast) -> None:
    """A masked language model: its own head is left out, the pooler that it never had is drawn with the new head."""
    made = bert(len(tokenizer), 2, seed=0)
    BertForMaskedLM(made.config).save_pretrained(tmp_path)
    assert head_notes(str(tmp_path), LABELS) == [
        f"{str(tmp_path)!r} has no head for labels, so it gets a fresh one: bert.pooler.dense.bias, "
        "bert.pooler.dense.weight, classifier.bias and 1 more, drawn and then trained"
    ]
    own = load_file(tmp_path / "model.safetensors")
    found = new_classifier(str(tmp_path), LABELS, seed=0).state_dict()
    assert {name for name in found if name not in own} == {
        "bert.pooler.dense.bias", "bert.pooler.dense.weight", "classifier.bias", "classifier.weight",
    }  # fmt: skip
    assert all(torch.equal(found[name], own[name]) for name in found.keys() & own.keys())
    without("layer.1.output")(tmp_path)
    with pytest.raises(ModelError, match=r"the file lacks bert\.encoder\.layer\.1\.output\.LayerNorm\.bias"):
        new_classifier(str(tmp_path), LABELS, seed=0)


def test_a_cut_model_is_checked_before_it_is_cut(folder: Path, saved: Path) -> None:
    own = load_file(saved / "model.safetensors")
    found = new_classifier(str(folder), ["neg", "pos", "mixed"], seed=0, num_hidden_layers=1).state_dict()
    assert found.keys() == {name for name in own if "layer.1." not in name}
    without("layer.1.output")(folder)
    with pytest.raises(ModelError, match=r"the file lacks bert\.encoder\.layer\.1\.output"):
        new_classifier(str(folder), ["neg", "pos", "mixed"], seed=0, num_hidden_layers=1)


def test_a_sentence_encoder_needs_all_but_its_pooler(folder: Path, saved: Path) -> None:
    without("pooler", "classifier")(folder)
    expected, found = BertModel.from_pretrained(saved).state_dict(), load_body(str(folder)).state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in found if "pooler" not in name)
    without("layer.0.attention.self.query.weight")(folder)
    with pytest.raises(ModelError, match=r"the file lacks encoder\.layer\.0\.attention\.self\.query\.weight"):
        load_body(str(folder))


# Configurations ---------------------------------------------------------------------------------------------------------

DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000


def adapter(folder: Path) -> None:
    for file in folder.glob("*.safetensors"):
        file.unlink()
    (folder / "config.json").unlink()
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/model", "peft_type": "LORA"}))
    save_file({"base_model.model.classifier.weight": torch.zeros(2)}, folder / "adapter_model.safetensors")


def spoil(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


REASON = "is out of any reason (at most"


def to_json(name: str, **values: Any) -> Change:
    def apply(folder: Path) -> None:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
        (folder / name).write_text(json.dumps({**content, **values}), encoding="utf-8")

    return apply


UNFIT: dict[str, tuple[Change, str]] = {
    "several labels at once": (
        configured(problem_type="multi_label_classification"),
        "problem_type 'multi_label_classification' makes it a classifier of several labels at once; Wordtrace explains "
        "classifiers that choose one of at least two labels; train one on one label at a time: has it, or has it not",
    ),
    "regression": (configured(problem_type="regression"), "problem_type 'regression' makes it a regression; Wordtrace explains"),
    "adapter": (adapter, "holds an adapter, not a model: merge it first, with peft: "),
    "adapter's weights": (
        reweighed(lambda w: {**w, "bert.encoder.layer.0.attention.self.query.lora_A.weight": torch.zeros(2, 2)}),
        "holds an adapter, not a model: merge it first, with peft: ",
    ),
    "quantised": (configured(quantization_config={"quant_method": "bitsandbytes"}), "its weights are quantised; save the model"),
    "a billion labels": (configured(num_labels=10**9, id2label=None), f"num_labels 1e+09 {REASON} 1,000,000)"),
    "a billion layers": (configured(num_hidden_layers=10**9), f"num_hidden_layers 1e+09 {REASON} 1,000)"),
    "a thousand layers": (configured(num_hidden_layers=1_000), "asks for more than 1,410 weights, the file holds 41"),
    "a billion words": (configured(vocab_size=10**9), f"vocab_size 1e+09 {REASON} 100,000,000)"),
    "many words": (configured(vocab_size=10**8), "×16 instead of 100000000×16"),
    "wide": (configured(hidden_size=10**7), "16 instead of 10000000"),
    "many heads": (configured(num_attention_heads=10**9), f"num_attention_heads 1e+09 {REASON} 10,000)"),
    "infinitely wide": (configured(hidden_size=float("inf")), f"hidden_size inf {REASON}"),
    "no width": (configured(hidden_size=0), "hidden_size 0 is no size of a model; it must be 1 or more"),
    "negative": (configured(hidden_size=-5), "hidden_size -5 is no size of a model; it must be 1 or more"),
    "no heads": (configured(num_attention_heads=0), "num_attention_heads 0 is no size of a model; it must be 1 or more"),
    "negative positions": (configured(max_position_embeddings=-1), "cannot be loaded: "),
    "many positions": (configured(max_position_embeddings=10**14), "asks for 800,000 GB of memory for bert.embeddings."),
    "words for numbers": (configured(hidden_size="wide"), "cannot be loaded: "),
    "no number": (configured(hidden_size=float("nan")), "cannot be loaded: "),
    "no activation": (configured(hidden_act="evil"), "cannot be loaded: KeyError: "),
    "no type": (configured(model_type=None), "is not a model's configuration: it names no model_type"),
    "a list": (spoil("config.json", b"[1]"), "is not a model's configuration: it names no model_type"),
    "unknown type": (configured(model_type="custom", auto_map={"AutoConfig": "evil.C"}), "knows no model_type 'custom', and a "),
    "no JSON": (spoil("config.json", b"{"), "cannot be read: Expecting property name"),
    "no text": (spoil("config.json", b"\xff\xfe\x00"), "cannot be read: 'utf-8' codec can't decode"),
    "nested": (spoil("config.json", DEEP), "is nested too deep to be read"),
    "outputs not numbered": (configured(id2label={"1": "a", "2": "b", "3": "c"}), "id2label of its config.json must number"),
    "outputs by name": (configured(id2label={"a": 0, "b": 1}), "cannot be loaded: "),
    "one output": (
        lambda folder: labelled(bert(100, 1, seed=0), ["score"]).save_pretrained(folder),
        "has 1 output, as a regression has; Wordtrace explains classifiers that choose one of at least two labels",
    ),
    "garbled weights": (spoil("model.safetensors", b"\xff" * 64), "cannot be loaded: Error while deserializing header"),
    "empty weights": (spoil("model.safetensors", b""), "cannot be loaded: Error while deserializing header"),
    "half the weights": (
        lambda folder: (file := folder / "model.safetensors").write_bytes(file.read_bytes()[:2_000]),
        "cannot be loaded: Error while deserializing header",
    ),
    "a million dimensions": (
        spoil("model.safetensors", (2_000_100).to_bytes(8, "little") + b'{"a":{"dtype":"F32","shape":[' + b"1," * 1_000_000),
        "cannot be loaded: Error while deserializing header",
    ),
    "weights that are none": (
        lambda folder: [(folder / "model.safetensors").unlink(), (folder / "pytorch_model.bin").write_bytes(b"not weights")],
        "holds no safetensors weights (found: pytorch_model.bin); save the model again with save_pretrained",
    ),
    "a shard elsewhere": (
        lambda folder: [
            (folder / "model.safetensors").rename(folder.parent / "out.safetensors"),
            (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../out.safetensors"}})),
        ],
        "names '../out.safetensors', which is no weight file of this folder",
    ),
    "nested shards": (
        lambda folder: [(folder / "model.safetensors").unlink(), (folder / "model.safetensors.index.json").write_bytes(DEEP)],
        "is nested too deep to be read",
    ),
    "more added tokens than any tokenizer has": (
        to_json("tokenizer.json", added_tokens=[{"single_word": False}] * 20_001),
        "adds 20,001 tokens to its vocabulary; at most 20,000 are read",
    ),
    "tokens added without end": (
        spoil("added_tokens.json", b" " * (9 << 20)),
        "has 9,437,184 bytes; such a file has at most 8,388,608",
    ),
    "padding that the model does not know": (
        to_json("tokenizer_config.json", pad_token="[NEW]"),
        "word embeddings: they do not belong together",
    ),
    "a mask that the model does not know": (
        to_json("tokenizer_config.json", mask_token="[NEW]"),
        "word embeddings: they do not belong together",
    ),
    "half a surrogate pair in the tokenizer's settings": (
        to_json("tokenizer_config.json", **{"\ud800": 1}),
        "cannot be saved: 'utf-8' codec can't encode",
    ),
    "shards without a map": (
        lambda folder: [(folder / "model.safetensors").unlink(), (folder / "model.safetensors.index.json").write_text("[]")],
        "does not say which file holds which weights",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_folder_that_is_no_classifier_is_refused_in_one_line(folder: Path, data: dict[str, str], case: str) -> None:
    change, message = UNFIT[case]
    change(folder)
    with pytest.raises(ModelError) as caught:
        build_workspace(folder.parent / "w", request(data, model=str(folder)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600
    assert not (folder.parent / "w").exists()


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "", "~/none", "../none", "a/b/c", "\ud800"])
def test_a_name_that_is_no_folder_is_one_line(data: dict[str, str], tmp_path: Path, name: str) -> None:
    with pytest.raises(WordtraceError) as caught:
        build_workspace(tmp_path / "w", request(data, model=name))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "w").exists()


# Tokenizers -------------------------------------------------------------------------------------------------------------


def to_tokenizer(change: Callable[[dict[str, Any]], Any]) -> Change:
    def apply(folder: Path) -> None:
        file = folder / "tokenizer.json"
        content = json.loads(file.read_text(encoding="utf-8"))
        change(content)
        file.write_text(json.dumps(content), encoding="utf-8")

    return apply


def no_start(content: dict[str, Any]) -> None:
    """Adds a token to every text that its table does not have: the library panics when it is used."""
    content["post_processor"]["special_tokens"] = {}


BAD_TOKENIZERS: dict[str, tuple[Change, str]] = {
    "panics when it is used": (to_tokenizer(no_start), "cannot be used: PanicException: no entry found for key"),
    "panics when it is read": (
        to_tokenizer(lambda content: content.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "AAAA"})),
        "cannot be loaded: PanicException: Precompiled: ",
    ),
    "panics on most texts": (
        to_tokenizer(lambda content: content.update(normalizer={"type": "Precompiled", "precompiled_charsmap": "BAAAAP////8="})),
        "cannot be used: PanicException: index out of bounds",
    ),
    "numbers without end": (
        to_tokenizer(lambda content: content["model"]["vocab"].update(film=4_294_967_295)),
        "numbers a token 4,294,967,295, and no model has so many word embeddings",
    ),
    "no expression": (
        to_tokenizer(lambda c: c.update(normalizer={"type": "Replace", "pattern": {"Regex": "(a+)+$("}, "content": "x"})),
        "cannot be loaded: ",
    ),
    "nested": (spoil("tokenizer.json", DEEP), "cannot be loaded: "),
    "settings nested": (spoil("tokenizer_config.json", DEEP), "cannot be loaded: RecursionError: "),
    "empty": (spoil("tokenizer.json", b""), "cannot be loaded: "),
}


@pytest.mark.parametrize("case", BAD_TOKENIZERS)
def test_a_tokenizer_that_cannot_be_used_is_one_line(folder: Path, case: str) -> None:
    change, message = BAD_TOKENIZERS[case]
    change(folder)
    with pytest.raises(ModelError) as caught:
        load_tokenizer(str(folder))
    assert str(caught.value).startswith(f"the tokenizer of {str(folder)!r} ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_how_much_may_be_asked_for_has_a_bound() -> None:
    """Numbers that would run for ever, or that no generator takes."""
    with pytest.raises(SettingsError, match=r"--models 100000000 --folds 5: at most 1,000 of either"):
        HeldOutSettings(models=10**8)
    with pytest.raises(SettingsError, match=r"--epochs 1000000000: at most 1,000; each of them is kept"):
        TrainingSettings(epochs=10**9, learning_rate=0.1, optimizer="sgd", batch_size=1)
    for settings in (HeldOutSettings, lambda seed: TrainingSettings(learning_rate=0.1, optimizer="sgd", batch_size=1, seed=seed)):
        settings(seed=2**63 - 1)
        with pytest.raises(SettingsError, match=r"--seed 9223372036854775808: at most 9223372036854775807"):
            settings(seed=2**63)


# Every architecture that the tiny models beside the repository come in -----------------------------------------------------

TOOLS = Path(__file__).parents[3] / "shared" / "tools"
ARCHITECTURES = [
    "bert",
    "roberta",
    "distilbert",
    "albert",
    "electra",
    "deberta",
    "deberta-v3",
    "xlm-roberta",
    "mpnet",
    "modernbert",
    "longformer",
    "gpt2",
    "llama",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "t5",
    "bart",
    "xlnet",
    "fnet",
    "gptneox",
    "opt",
    "bloom",
    "bigbird",
    "funnel",
    "convbert",
    "camembert",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_loaded_whole_and_keeps_its_head_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As plain transformers reads it; with the labels the other way round, the logits are; no weight is drawn unsaid."""
    if not (TOOLS / "tiny_models.py").is_file():
        pytest.skip("../shared/tools/tiny_models.py is not there")
    monkeypatch.syspath_prepend(str(TOOLS))
    import tiny_models  # type: ignore[import-not-found]

    folder = tmp_path / "model"
    _, tokenizer = tiny_models.make(name, str(folder))
    plain = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    found = load_classifier(str(folder)).state_dict()
    assert {k: v.tolist() for k, v in found.items()} == {k: v.tolist() for k, v in plain.state_dict().items()}
    swapped = new_classifier(str(folder), ["pos", "neg"], seed=0).eval()
    ids = tokenizer("the film was slow", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        torch.testing.assert_close(swapped(input_ids=ids).logits.flip(-1), plain(input_ids=ids).logits)
    assert head_notes(str(folder), ["neg", "pos"]) == []
    reweighed(lambda weights: dict(sorted(weights.items())[1:]))(folder)
    with pytest.raises(ModelError, match=r"the file lacks "):
        load_classifier(str(folder))


@pytest.mark.parametrize("change", [SAME["as saved"], sharded], ids=["one file", "shards"])
def test_a_model_of_the_hub_is_read_from_this_machines_copy(
    folder: Path, saved: Path, tokenizer: PreTrainedTokenizerFast, change: Change
) -> None:
    """In the layout of the Hub's own cache, without a network."""
    change(folder)
    cached = Path(os.environ["HF_HOME"]) / "hub" / "models--owner--cached"
    shutil.rmtree(cached, ignore_errors=True)
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0" * 40)
    shutil.copytree(folder, cached / "snapshots" / ("0" * 40))
    assert torch.equal(logits(load_classifier("owner/cached"), tokenizer), plainly(saved, tokenizer))
    assert load_tokenizer("owner/cached").get_vocab() == tokenizer.get_vocab()
    assert head_notes("owner/cached", ["pos", "mixed", "neg"]) == []
