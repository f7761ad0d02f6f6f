"""The paper's CNN (section 3.2) as a Hugging Face model, so that one code path serves every classifier.

Word embedding (128 wide), three convolutions (widths 5, 5, 1), global max pooling, one linear layer. Padding is
masked after every layer, so a sentence's logits do not depend on what it is batched with.
"""

from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class CnnConfig(PreTrainedConfig):  # type: ignore[misc]  # transformers ships no types
    """Shape of the CNN; `num_filters` is 50 as in the authors' code (their paper says 10)."""

    model_type = "wordtrace-cnn"

    vocab_size: int = 25_000
    embedding_size: int = 128
    num_filters: int = 50
    kernel_sizes: tuple[int, ...] = (5, 5, 1)
    pad_token_id: int = 0


class CnnForSequenceClassification(PreTrainedModel):  # type: ignore[misc]  # transformers ships no types
    """Logits of shape (B, Y) for token ids and an attention mask of shape (B, L)."""

    config_class = CnnConfig
    base_model_prefix = "cnn"
    _input_embed_layer = "embedding"

    def __init__(self, config: CnnConfig) -> None:
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id)
        widths = [config.embedding_size, *[config.num_filters] * len(config.kernel_sizes)]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, kernel, padding="same")
            for before, after, kernel in zip(widths, widths[1:], config.kernel_sizes, strict=False)
        )
        self.classifier = nn.Linear(config.num_filters, config.num_labels)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):
            # As wide as in Kim (2014): from the usual 0.05 the model stands still for its first few hundred steps.
            nn.init.uniform_(module.weight, -0.25, 0.25)
            with torch.no_grad():
                module.weight[self.config.pad_token_id].zero_()
        elif isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any) -> SequenceClassifierOutput:
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        real_B1L = attention_mask.unsqueeze(1).to(self.embedding.weight.dtype)
        hidden_BDL = self.embedding(input_ids).transpose(1, 2) * real_B1L
        for convolution in self.convolutions:
            hidden_BDL = torch.relu(convolution(hidden_BDL)) * real_B1L
        # After a ReLU everything is >= 0, so masked zeros never win over a real position's positive value.
        pooled_BF = hidden_BDL.amax(dim=2)
        return SequenceClassifierOutput(logits=self.classifier(pooled_BF))


AutoConfig.register(CnnConfig.model_type, CnnConfig)
AutoModelForSequenceClassification.register(CnnConfig, CnnForSequenceClassification)
