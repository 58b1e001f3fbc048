"""Makes tiny-llama.gguf, tiny-mamba.gguf and tiny-embedding.gguf: models with random weights for tests that need no
language. The last is a transformer whose file says how it pools a text into one vector.

Run by hand (`pip install gguf`, then `python make_tiny.py`) when they must change; the results are
committed. The weights are seeded, so the same script makes the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, PoolingType, TokenType, quants

WIDTH, BLOCKS, CONTEXT = 64, 2, 2048
CONTROLS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VOCABULARY = 288  # 256 bytes and the controls, padded to a multiple of 32 as Q8_0 wants it
CHAT_TEMPLATE = (
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def gpt2_bytes() -> list[str]:
    """GPT-2's 256 byte tokens: printable bytes stand for themselves, the others for U+0100 and up, in byte order."""
    printable = {*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


class Maker:
    def __init__(self, architecture: str, seed: int, name: str | None = None) -> None:
        self.name = f"tiny-{name or architecture}"
        self.writer = GGUFWriter(None, architecture)
        self.random = np.random.default_rng(seed)
        self._describe()
        self._tokenizer()

    def _describe(self) -> None:
        self.writer.add_name(self.name.replace("tiny-", "tiny-random-"))
        self.writer.add_license("CC0-1.0")
        self.writer.add_file_type(LlamaFileType.MOSTLY_Q8_0)
        self.writer.add_quantization_version(2)
        self.writer.add_context_length(CONTEXT)
        self.writer.add_embedding_length(WIDTH)
        self.writer.add_block_count(BLOCKS)
        self.writer.add_vocab_size(VOCABULARY)
        self.writer.add_layer_norm_rms_eps(1e-5)

    def _tokenizer(self) -> None:
        padding = [f"<|pad{number}|>" for number in range(256 + len(CONTROLS), VOCABULARY)]
        kinds = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(CONTROLS) + [TokenType.UNUSED] * len(padding)
        self.writer.add_tokenizer_model("gpt2")
        self.writer.add_tokenizer_pre("gpt-2")
        self.writer.add_token_list(gpt2_bytes() + CONTROLS + padding)
        self.writer.add_token_types(kinds)
        self.writer.add_token_merges(["Ġ Ġ"])  # llama.cpp wants one; it never applies
        self.writer.add_bos_token_id(257)
        self.writer.add_eos_token_id(258)
        self.writer.add_pad_token_id(256)
        self.writer.add_add_bos_token(False)
        self.writer.add_chat_template(CHAT_TEMPLATE)

    def matrix(self, name: str, rows: int, columns: int) -> None:
        """Normals scaled by 1/sqrt(fan-in), in Q8_0; `columns` is a multiple of 32."""
        values = self.random.standard_normal((rows, columns)).astype(np.float32) / np.sqrt(columns)
        packed = quants.quantize(values, GGMLQuantizationType.Q8_0)
        self.writer.add_tensor(f"{name}.weight", packed, raw_dtype=GGMLQuantizationType.Q8_0)

    def plain(self, name: str, values: np.ndarray) -> None:
        self.writer.add_tensor(name, np.ascontiguousarray(values, dtype=np.float32))

    def embeddings(self) -> None:
        self.matrix("token_embd", VOCABULARY, WIDTH)
        self.plain("output_norm.weight", np.ones(WIDTH))
        self.matrix("output", VOCABULARY, WIDTH)

    def save(self) -> None:
        self.writer.write_header_to_file(Path(__file__).with_name(f"{self.name}.gguf"))
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def llama(name: str | None = None, seed: int = 1) -> None:
    heads, kv_heads, inner = 4, 2, 128
    maker = Maker("llama", seed=seed, name=name)
    if name == "embedding":
        maker.writer.add_pooling_type(PoolingType.MEAN)
    maker.writer.add_feed_forward_length(inner)
    maker.writer.add_head_count(heads)
    maker.writer.add_head_count_kv(kv_heads)
    maker.writer.add_rope_dimension_count(WIDTH // heads)
    maker.writer.add_rope_freq_base(10000.0)
    maker.embeddings()
    for block in range(BLOCKS):
        prefix = f"blk.{block}"
        maker.plain(f"{prefix}.attn_norm.weight", np.ones(WIDTH))
        maker.plain(f"{prefix}.ffn_norm.weight", np.ones(WIDTH))
        maker.matrix(f"{prefix}.attn_q", WIDTH, WIDTH)
        maker.matrix(f"{prefix}.attn_k", WIDTH * kv_heads // heads, WIDTH)
        maker.matrix(f"{prefix}.attn_v", WIDTH * kv_heads // heads, WIDTH)
        maker.matrix(f"{prefix}.attn_output", WIDTH, WIDTH)
        maker.matrix(f"{prefix}.ffn_gate", inner, WIDTH)
        maker.matrix(f"{prefix}.ffn_up", inner, WIDTH)
        maker.matrix(f"{prefix}.ffn_down", WIDTH, inner)
    maker.save()


def mamba() -> None:
    inner, state, kernel, rank = 128, 16, 4, 32
    maker = Maker("mamba", seed=2)
    maker.writer.add_feed_forward_length(0)
    maker.writer.add_head_count(0)
    maker.writer.add_ssm_conv_kernel(kernel)
    maker.writer.add_ssm_inner_size(inner)
    maker.writer.add_ssm_state_size(state)
    maker.writer.add_ssm_time_step_rank(rank)
    maker.embeddings()
    for block in range(BLOCKS):
        prefix = f"blk.{block}"
        maker.plain(f"{prefix}.attn_norm.weight", np.ones(WIDTH))
        maker.matrix(f"{prefix}.ssm_in", 2 * inner, WIDTH)
        maker.plain(f"{prefix}.ssm_conv1d.weight", maker.random.standard_normal((inner, kernel)) / np.sqrt(kernel))
        maker.plain(f"{prefix}.ssm_conv1d.bias", np.zeros(inner))
        maker.matrix(f"{prefix}.ssm_x", rank + 2 * state, inner)
        maker.matrix(f"{prefix}.ssm_dt", inner, rank)
        maker.plain(f"{prefix}.ssm_dt.bias", np.full(inner, -4.0))
        maker.plain(f"{prefix}.ssm_a", -np.tile(np.arange(1, state + 1), (inner, 1)))
        maker.plain(f"{prefix}.ssm_d", np.ones(inner))
        maker.matrix(f"{prefix}.ssm_out", WIDTH, inner)
    maker.save()


if __name__ == "__main__":
    llama()
    mamba()
    llama("embedding", seed=3)
