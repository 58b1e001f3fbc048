"""Finding a model file, reading what it says of itself, and refusing what is not one."""

from __future__ import annotations

import hashlib

import pytest

from inference.domain.gguf import ModelFileError, read_metadata
from inference.engine import model_file
from tests.inference.engine_process import MODELS


def test_metadata_of_a_transformer_and_of_a_mamba_model():
    llama, mamba = (read_metadata(MODELS / f"tiny-{name}.gguf") for name in ("llama", "mamba"))
    assert (llama.architecture, llama.quantization, llama.context_length, llama.parameters) == (
        "llama",
        "Q8_0",
        2048,
        110_912,
    )
    assert (mamba.architecture, mamba.quantization, mamba.parameters) == ("mamba", "Q8_0", 116_672)
    assert llama.license == mamba.license == "CC0-1.0"
    assert llama.has_chat_template


def test_metadata_of_the_default_model():
    about = model_file.find_model_file("")
    assert about.id == "smollm2-135m-instruct"
    assert (about.metadata.architecture, about.metadata.quantization) == ("llama", "Q4_1")
    assert about.metadata.parameters == 134_515_008
    assert about.metadata.license == "apache-2.0"


def test_the_digest_is_that_of_the_bytes():
    path = MODELS / "tiny-llama.gguf"
    assert model_file.describe_model_file(path).digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_default_model_with_one_other_byte_is_refused(tmp_path, monkeypatch):
    content = bytearray((MODELS / "tiny-llama.gguf").read_bytes())
    content[-1] ^= 1
    path = tmp_path / model_file.DEFAULT_MODEL_FILE
    path.write_bytes(content)
    monkeypatch.setattr(model_file, "_default_path", lambda: path)
    with pytest.raises(ModelFileError, match="not the model it should be") as raised:
        model_file.find_model_file("")
    assert raised.value.code == "model_digest_mismatch"


@pytest.mark.parametrize("length", [0, 3, 4, 20, 100, 1000, 5000])
def test_a_file_cut_short_is_refused(tmp_path, length):
    path = tmp_path / "cut.gguf"
    path.write_bytes((MODELS / "tiny-llama.gguf").read_bytes()[:length])
    with pytest.raises(ModelFileError):
        read_metadata(path)


def test_a_file_that_claims_more_than_it_has_is_refused(tmp_path):
    path = tmp_path / "liar.gguf"
    path.write_bytes(b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 64)
    with pytest.raises(ModelFileError):
        read_metadata(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"nowhere\.gguf") as raised:
        model_file.find_model_file(str(tmp_path / "nowhere.gguf"))
    assert raised.value.code == "model_file_missing"
