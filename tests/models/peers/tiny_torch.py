"""A language model with random weights in the form of Hugging Face's transformers: python tiny_torch.py FOLDER."""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

WINDOW = 2048  # tokens
SPACE, NEWLINE = "Ġ", "Ċ"  # as byte-level tokenizers write them


def main(folder: str) -> None:
    """Write a model whose tokens are single characters of ASCII."""
    tokens = ["<pad>", "<s>", "</s>", *(chr(c) for c in range(33, 127)), SPACE, NEWLINE]
    bytewise = Tokenizer(models.BPE(vocab={token: at for at, token in enumerate(tokens)}, merges=[]))
    bytewise.pre_tokenizer, bytewise.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bytewise, bos_token="<s>", eos_token="</s>", pad_token="<pad>", model_max_length=WINDOW
    )
    tokenizer.chat_template = Path(__file__).with_name("tiny_chat.jinja").read_text(encoding="utf-8")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokens), max_position_embeddings=WINDOW, **shape, **ids))
    model.generation_config = GenerationConfig(do_sample=True, **ids)
    model.save_pretrained(folder)


if __name__ == "__main__":
    main(sys.argv[1])
