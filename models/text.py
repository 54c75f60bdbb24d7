"""The text network in torch: an encoder with LoRA, pooled over the text and over the marked company, with two linear heads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.passages import Tokens


class TextNetwork(nn.Module):
    """Encoder and heads. Companies are marked, and the one that is meant has a mean of its own beside that of the whole text.

    They are marked by token type 1; an encoder without token types gets `mark` added to the embeddings of their tokens.
    """

    def __init__(self, encoder: Any, sentiments: int, topics: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = encoder
        hidden = int(encoder.config.hidden_size)
        typed = getattr(encoder.config, "type_vocab_size", 0) > 1
        self.mark = None if typed else nn.Parameter(0.02 * torch.randn(hidden))
        self.sentiment = nn.Linear(2 * hidden, sentiments)
        self.topic = nn.Linear(hidden, topics)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
        """Score a padded batch.

        All inputs are int64 of shape (rows, tokens). Returns sentiment logits (rows, 3) and topic logits (rows, 20).
        """
        text, company = means(self.states(input_ids, attention_mask, token_type_ids), attention_mask, own)
        sentiment = self.sentiment(self.dropout(torch.cat([text, company], dim=1)))
        return sentiment, self.topic(self.dropout(text))

    def states(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """The last states (rows, tokens, hidden), float32."""
        if self.mark is None:
            read = {"input_ids": input_ids, "token_type_ids": token_type_ids}
        else:
            words = self.encoder.get_input_embeddings()(input_ids)
            read = {"inputs_embeds": words + token_type_ids.unsqueeze(-1) * self.mark}
            # As the encoder would write it down itself, but without a constant from the CPU, which no recorded step may read.
            attention_mask = (1 - attention_mask.to(words.dtype))[:, None, None] * torch.finfo(words.dtype).min
        states: Tensor = self.encoder(attention_mask=attention_mask, **read).last_hidden_state
        return states.float()


def means(states: Tensor, attention_mask: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the states (rows, tokens, hidden) over the text and over the company that is meant, each (rows, hidden).

    Where none is, the whole text stands in for it.
    """
    inside, meant = attention_mask.to(states.dtype), own.to(states.dtype)
    none = 1 - meant.amax(dim=1, keepdim=True)
    return masked_mean(states, inside), masked_mean(states, meant + none * inside)


def masked_mean(states: Tensor, weights: Tensor) -> Tensor:
    """Mean of `states` (rows, tokens, hidden) over the tokens, weighted by `weights` (rows, tokens)."""
    return (states * weights.unsqueeze(-1)).sum(dim=1) / weights.sum(dim=1, keepdim=True)


def trainable_network(base: Path, rank: int, sentiments: int, topics: int) -> TextNetwork:
    """The base encoder of a folder with fresh LoRA layers and heads; only these and what marks a company take gradients."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModel

    hush_transformers()
    encoder = AutoModel.from_pretrained(base, add_pooling_layer=False, local_files_only=True)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", bias="none")
    network = TextNetwork(get_peft_model(encoder, config), sentiments, topics)
    for name, parameter in network.named_parameters():
        if "token_type_embeddings" in name:
            parameter.requires_grad_(True)
    return network


def hush_transformers() -> None:
    """Keep the library's bars and its remarks on weights that we leave out on purpose off the terminal."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def collate(rows: Sequence[Tokens], length: int | None = None) -> dict[str, Tensor]:
    """Pad encoded passages to `length` tokens (default: the longest) and stack them into the network's inputs."""
    width = length or max(len(row.ids) for row in rows)
    batch = np.zeros((4, len(rows), width), dtype=np.int64)
    for i, row in enumerate(rows):
        count = len(row.ids)
        batch[0, i, :count], batch[1, i, :count], batch[2, i, :count], batch[3, i, :count] = row.ids, 1, row.marks, row.own
    names = ("input_ids", "attention_mask", "token_type_ids", "own")
    return dict(zip(names, torch.from_numpy(batch), strict=True))
