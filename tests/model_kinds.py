"""Tiny Hugging Face classifiers of many kinds, made from their configurations."""

from typing import Any

import torch
import transformers

SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "num_labels": 3,
    "pad_token_id": 0,
    "attn_implementation": "eager",
}
# Among them an embedding with a factor (Gemma), a matrix that two halves share (Bart), one that is narrower than the model
# (Albert, Electra), outputs that hang on padding (ConvBert, FNet, Funnel), padding inside (Longformer), a batch on its side
# (XLNet), and a head at every position (GPT2, Gemma).
# fmt: off
KINDS: dict[str, dict[str, Any]] = {
    "Albert": {"embedding_size": 8},
    "Bart": {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2, "decoder_attention_heads": 2,
             "encoder_ffn_dim": 24, "decoder_ffn_dim": 24, "bos_token_id": 2, "eos_token_id": 3, "decoder_start_token_id": 3},
    "Bert": {},
    "ConvBert": {"embedding_size": 16, "conv_kernel_size": 3},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "DistilBert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "Electra": {"embedding_size": 8},
    "FNet": {},
    "Funnel": {"d_model": 16, "d_inner": 24, "n_head": 2, "d_head": 8, "block_sizes": [1, 1]},
    "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "Gemma": {"num_key_value_heads": 1, "head_dim": 8},
    "Longformer": {"attention_window": 4, "max_position_embeddings": 72},
    "MPNet": {"pad_token_id": 1},
    "ModernBert": {"cls_token_id": 2, "sep_token_id": 3},
    "Roberta": {"type_vocab_size": 1},
    "XLMRoberta": {"type_vocab_size": 1},
    "XLNet": {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 24},
}
# fmt: on


def make(kind: str, vocabulary: int) -> Any:
    """A tiny classifier of that kind with weights far from 0."""
    given = {"vocab_size": vocabulary, "max_position_embeddings": 64, **SMALL, **KINDS[kind]}
    for name in {"Funnel": ["num_hidden_layers"], "XLNet": ["max_position_embeddings"]}.get(kind, []):
        del given[name]  # which follows from others, or has no bound
    config = getattr(transformers, f"{kind}Config")(**given)
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.2)
    return model.eval()
