"""A language model with random weights in llama.cpp's file format: nothing is downloaded, and it has learnt nothing.

Its tokens are printable ASCII, one character each, and single bytes for the rest. Its weights are random but for two
numbers of the hidden state. The first is the same everywhere, so that the output layer can make a token likelier or
rarer: the bytes never come, and the end does once in some fifty tokens. The second is set only by the end of a tool
call, and ends the answer. A `caller` calls a tool whenever it may.
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

from pathlib import Path
from typing import Any

from gguf import GGUFWriter, TokenType
from numpy import float32, ones
from numpy.random import default_rng

WIDTH, INNER, LAYERS, HEADS = 256, 768, 4, 4  # slow enough that a call can be left while it runs
WINDOW = 4096  # tokens
END, BYTES, TEXT = 2, 3, 259  # where the end of a text, the bytes and the characters stand in the vocabulary
NEVER, SOMETIMES, ALWAYS = -200.0, 20.0, 200.0
OPENED, CLOSED = "<tool_call>", "</tool_call>"
TEMPLATE = Path(__file__).with_name("tiny_chat.jinja")


def vocabulary() -> list[tuple[str, int]]:
    """Each token with its kind."""
    control = [("<unk>", TokenType.UNKNOWN), ("<s>", TokenType.CONTROL), ("</s>", TokenType.CONTROL)]
    raw = [(f"<0x{b:02X}>", TokenType.BYTE) for b in range(256)]
    text = [("▁", TokenType.NORMAL), *((chr(c), TokenType.NORMAL) for c in range(33, 127))]
    tools = [(OPENED, TokenType.USER_DEFINED), (CLOSED, TokenType.USER_DEFINED)]
    return [(token, int(kind)) for token, kind in (*control, *raw, *text, *tools)]


def write_gguf(path: Path, caller: bool = False) -> None:
    """Write the model to `path`, some 14 MB; the same bytes every time."""
    tokens = vocabulary()
    file = GGUFWriter(str(path), "llama")
    _describe(file, tokens)
    for name, weights in _weights(len(tokens), caller).items():
        file.add_tensor(name, weights)
    file.write_header_to_file()
    file.write_kv_data_to_file()
    file.write_tensors_to_file()
    file.close()


def _describe(file: Any, tokens: list[tuple[str, int]]) -> None:
    file.add_name("tiny")
    file.add_context_length(WINDOW)
    file.add_embedding_length(WIDTH)
    file.add_block_count(LAYERS)
    file.add_feed_forward_length(INNER)
    file.add_head_count(HEADS)
    file.add_head_count_kv(HEADS)
    file.add_layer_norm_rms_eps(1e-5)
    file.add_rope_dimension_count(WIDTH // HEADS)
    file.add_vocab_size(len(tokens))
    file.add_tokenizer_model("llama")
    file.add_tokenizer_pre("default")
    file.add_token_list([token for token, _ in tokens])
    file.add_token_scores([0.0] * len(tokens))
    file.add_token_types([kind for _, kind in tokens])
    file.add_bos_token_id(1)
    file.add_eos_token_id(END)
    file.add_unk_token_id(0)
    file.add_add_space_prefix(False)
    file.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))


def _weights(size: int, caller: bool) -> dict[str, Any]:
    random = default_rng(0)

    def drawn(rows: int, columns: int, scale: float) -> Any:
        return (random.standard_normal((rows, columns)) * scale).astype(float32)

    def inner(columns: int) -> Any:
        made = drawn(WIDTH, columns, 0.5)
        made[:2] = 0  # no layer touches the two numbers
        return made

    opened, closed = size - 2, size - 1
    seen, said = drawn(size, WIDTH, 0.5), drawn(size, WIDTH, 0.1)
    seen[:, :2], said[:, :2] = (60, 0), 0
    said[[0, 1, *range(BYTES, TEXT)], 0] = NEVER
    said[[END, opened, closed]] = 0
    said[END, 0] = SOMETIMES
    said[[opened, closed], 0] = (ALWAYS, ALWAYS / 2) if caller else NEVER
    seen[closed, 1], said[END, 1] = 600, ALWAYS
    made: dict[str, Any] = {
        "token_embd.weight": seen,
        "output.weight": said,
        "output_norm.weight": ones(WIDTH, float32),
    }
    for layer in range(LAYERS):
        at = f"blk.{layer}."
        made |= {f"{at}{part}_norm.weight": ones(WIDTH, float32) for part in ("attn", "ffn")}
        made |= {f"{at}attn_{part}.weight": drawn(WIDTH, WIDTH, 0.5) for part in "qkv"}
        made |= {f"{at}ffn_{part}.weight": drawn(INNER, WIDTH, 0.5) for part in ("gate", "up")}
        made |= {f"{at}attn_output.weight": inner(WIDTH), f"{at}ffn_down.weight": inner(INNER)}
    return made
