"""Pretrained models cut to their first layers."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from influence.errors import SettingsError
from influence.models.model import load_classifier, new_classifier

LISTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # configurations with a list of layers, and the lists of one layer
    "ModernBert": ({"cls_token_id": 2, "sep_token_id": 3}, {"layer_types": ["full_attention"]}),
    "Gemma2": ({"num_key_value_heads": 1, "head_dim": 8}, {"layer_types": ["sliding_attention"]}),
    "Funnel": ({"d_head": 8, "d_inner": 24, "block_sizes": [2, 1]}, {"block_sizes": [1], "block_repeats": [1]}),
    "Longformer": ({"attention_window": [4, 8]}, {"attention_window": [4]}),
    "Deberta": ({"pos_att_type": ["c2p", "p2c"]}, {"pos_att_type": ["c2p", "p2c"]}),  # two of them, but not one a layer
}


@pytest.mark.parametrize("kind", LISTED)
def test_lists_of_layers_are_cut_with_the_layers(tmp_path: Path, kind: str) -> None:
    """The first layer's weights are its own, and the cut model can be saved and read again."""
    given, expected = LISTED[kind]
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "pad_token_id": 0}
    if kind == "Funnel":
        del shape["num_hidden_layers"]
    config = getattr(transformers, f"{kind}Config")(vocab_size=50, **{**shape, **given})
    whole = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    whole.save_pretrained(tmp_path / "whole")
    cut = new_classifier(str(tmp_path / "whole"), ["neg", "pos"], seed=0, num_hidden_layers=1)
    assert {name: getattr(cut.config, name) for name in expected} == expected
    own = whole.state_dict()
    body = {name: value for name, value in cut.state_dict().items() if not name.startswith(("classifier", "score", "head"))}
    assert 0 < len(body) < len(own)
    assert all(torch.equal(value, own[name]) for name, value in body.items())
    cut.save_pretrained(tmp_path / "cut")
    assert load_classifier(str(tmp_path / "cut")).config.num_hidden_layers == 1


def test_an_encoder_with_a_decoder_cannot_be_cut(tmp_path: Path) -> None:
    config = transformers.BartConfig(vocab_size=50, d_model=16, encoder_layers=2, decoder_layers=2, encoder_attention_heads=2,
                                     decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16)  # fmt: skip
    transformers.BartForSequenceClassification(config).save_pretrained(tmp_path)
    with pytest.raises(SettingsError) as caught:
        new_classifier(str(tmp_path), ["neg", "pos"], seed=0, num_hidden_layers=1)
    assert str(caught.value) == (
        f"--num-hidden-layers 1: {str(tmp_path)!r} is an encoder with a decoder, which cannot be cut; leave it out"
    )
