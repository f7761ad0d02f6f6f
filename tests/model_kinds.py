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
KINDS: dict[str, dict[str, Any]] = {
    "Albert": {"embedding_size": 8},
    "Bert": {},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8},
    "DistilBert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24},
    "Electra": {"embedding_size": 8},
    "GPT2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "MPNet": {"pad_token_id": 1},
    "ModernBert": {"cls_token_id": 2, "sep_token_id": 3},
    "Roberta": {"type_vocab_size": 1},
    "XLMRoberta": {"type_vocab_size": 1},
}
ONE_FEATURE_VECTOR = set(KINDS) - {"GPT2"}  # a decoder's head stands at every position


def make(kind: str, vocabulary: int) -> Any:
    """A tiny classifier of that kind with weights far from 0."""
    config = getattr(transformers, f"{kind}Config")(vocab_size=vocabulary, max_position_embeddings=64, **{**SMALL, **KINDS[kind]})
    torch.manual_seed(0)
    model = getattr(transformers, f"{kind}ForSequenceClassification")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.2)
    return model.eval()
