"""Model files of every kind of damage: refused with one code, or read as something that can be stored and shown."""

from __future__ import annotations

import json
import random
import struct
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.domain.gguf import ModelFileError, ModelMetadata, describe, read_metadata
from inference.domain.gguf_reader import MAX_INTEGER, GgufReader
from inference.models import Model
from tests.api import Api
from tests.examples import examples
from tests.inference.engine_process import MODELS

MUTANTS = 20_000
SEED = 14
FILES = [path.read_bytes() for path in sorted(MODELS.glob("*.gguf"))]
#: What damages lengths, counts and kinds.
EXTREMES = [0, 1, 8, 9, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**61, 2**63 - 1, 2**63, 2**64 - 1]


def text(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def field(name: str, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


def string(name: str, value: bytes | str) -> bytes:
    return field(name, 8, text(value))


def tensor(name: str = "t", dimensions: tuple[int, ...] = (4, 4), offset: int = 0) -> bytes:
    shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
    return text(name) + shape + struct.pack("<IQ", 0, offset)


def model(
    *fields: bytes, tensors: tuple[bytes, ...] = (), version: int = 3, counts: tuple[int, int] | None = None
) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, *(counts or (len(tensors), len(fields))))
    return head + b"".join(fields) + b"".join(tensors) + bytes(128)


def header_of(content: bytes) -> int:
    """Where the data of a file's tensors begins."""
    reader = GgufReader(content)
    describe("m", reader)
    return reader.position


def require_storable(about: ModelMetadata) -> None:
    """Everything of the metadata fits the database's columns, and goes out as JSON."""
    columns = {one.name: one for one in Model._meta.get_fields()}
    for name in ("name", "architecture", "quantization", "license"):
        value = getattr(about, name)
        assert len(value) <= columns[name].max_length
        assert value.isprintable() or value.encode()  # no half of a surrogate pair
        assert "\x00" not in value
    numbers = [value for value in asdict(about).values() if isinstance(value, int)]
    assert all(0 <= value <= MAX_INTEGER for value in numbers)
    assert about.context_length < 2**31
    assert json.loads(json.dumps(asdict(about))) == asdict(about)


def mutant(chance: random.Random, content: bytes, header: int) -> bytes:
    """A file with one to three things wrong, all of them where the parser looks."""
    made = bytearray(content)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(max(min(header, len(made)), 1))
        match chance.randrange(6):
            case 0:
                made[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                made[at : at + 8] = struct.pack("<Q", chance.choice(EXTREMES))
            case 2:
                made[at : at + 4] = struct.pack("<I", chance.choice(EXTREMES) & 0xFFFFFFFF)
            case 3:
                del made[at:]
            case 4:
                del made[at : at + chance.randint(1, 64)]
            case 5:
                part = made[at : at + chance.randint(1, 64)]
                made[at:at] = part
    return bytes(made)


def test_20000_mutants_are_refused_or_read_with_work_bounded_by_their_length() -> None:
    chance = random.Random(SEED)
    files = [(content, header_of(content)) for content in FILES]
    codes = []
    for number in range(MUTANTS):
        content = mutant(chance, *files[number % len(files)])
        reader = GgufReader(content)
        try:
            require_storable(describe("mutant", reader))
        except ModelFileError as error:
            codes.append(error.code)
        assert reader.steps <= len(content)  # no step without a byte of its own
        assert reader.taken <= len(content)
    assert set(codes) == {"model_file_invalid"}
    assert MUTANTS // 3 < len(codes) < MUTANTS


SHAPES: dict[str, bytes] = {
    "empty": b"",
    "only magic": b"GGUF",
    "another format": b"PK\x03\x04" + bytes(64),
    "version 1": model(version=1),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "more fields than bytes": model(counts=(0, 2**63)),
    "more tensors than bytes": model(counts=(2**61, 0)),
    "list of overflowing length": model(field("a", 9, struct.pack("<IQ", 10, 2**61))),
    "list of texts of overflowing length": model(field("a", 9, struct.pack("<IQ", 8, 2**61))),
    "list whose text overflows": model(field("a", 9, struct.pack("<IQQ", 8, 1, 2**64 - 1))),
    "list that ends too early": model(field("a", 9, struct.pack("<IQ", 8, 17))),
    "nested lists": model(field("a", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 9, 1))),
    "unknown kind": model(field("a", 99, bytes(8))),
    "text of overflowing length": model(text("a") + struct.pack("<IQ", 8, 2**64 - 1)),
    "name of overflowing length": model(struct.pack("<Q", 2**64 - 1)),
    "name of 70,000 bytes": model(string("a" * 70_000, "")),
    "name that is not UTF-8": model(string("general.name", b"\xff\xfe")),
    "name with half a surrogate pair": model(string("general.name", b"\xed\xa0\x80")),
    "NUL in the name": model(string("general.name", "a\x00b")),
    "NUL in the architecture": model(string("general.architecture", "a\x00b")),
    "NUL in the licence": model(string("general.license", "a\x00b")),
    "line break in the name": model(string("general.name", "a\r\nb")),
    "long name": model(string("general.name", "n" * 201)),
    "long architecture": model(string("general.architecture", "a" * 65)),
    "template of two megabytes": model(string("tokenizer.chat_template", "t" * 2**21)),
    "duplicate key": model(string("general.name", "a"), string("general.name", "b")),
    "duplicate tensor": model(tensors=(tensor("t"), tensor("t"))),
    "negative context": model(string("general.architecture", "x"), field("x.context_length", 5, struct.pack("<i", -1))),
    "huge context": model(string("general.architecture", "x"), field("x.context_length", 10, struct.pack("<Q", 2**31))),
    "negative file type": model(field("general.file_type", 11, struct.pack("<q", -(2**63)))),
    "cache above bigint": model(
        string("general.architecture", "x"),
        *(field(f"x.{name}", 10, struct.pack("<Q", 2**40)) for name in (
            "block_count", "embedding_length", "attention.head_count", "attention.head_count_kv",
            "attention.key_length",
        )),
    ),
    "parameters above bigint": model(tensors=(tensor(dimensions=(2**32, 2**32)),)),
    "parameters above bigint in sum": model(tensors=tuple(tensor(n, (2**62,)) for n in "abc")),
    "too many dimensions": model(tensors=(tensor(dimensions=(1, 1, 1, 1, 1)),)),
    "data beyond the end": model(tensors=(tensor(offset=2**63),)),
    "huge alignment": model(field("general.alignment", 4, struct.pack("<I", 2**31))),
    "alignment of 0": model(field("general.alignment", 4, struct.pack("<I", 0))),
    "odd alignment": model(field("general.alignment", 4, struct.pack("<I", 33))),
}  # fmt: skip


@pytest.mark.django_db
def test_every_shape_of_damage_answers_422_with_one_code(api: Api, settings: Any, tmp_path: Path) -> None:
    settings.MODEL_DIR = str(tmp_path)
    for name, content in SHAPES.items():
        (tmp_path / "damaged.gguf").write_bytes(content)
        answer = api.post("models", {"file": "damaged.gguf"})
        assert (name, answer.status_code, answer.json()["code"]) == (name, 422, "model_file_invalid")
        assert str(tmp_path) not in answer.content.decode()
    for length in range(0, 2_000, 97):
        (tmp_path / "cut.gguf").write_bytes(FILES[1][:length])
        assert api.post("models", {"file": "cut.gguf"}).json()["code"] == "model_file_invalid"
    assert not Model.objects.exists()


@pytest.mark.django_db
def test_the_most_that_is_read_can_be_stored_and_shown(api: Api, settings: Any, tmp_path: Path) -> None:
    settings.MODEL_DIR = str(tmp_path)
    most = model(
        string("general.architecture", "a" * 64),
        string("general.name", "€" * 200),
        string("general.license", "Licence\n" * 100),
        field("general.file_type", 10, struct.pack("<Q", MAX_INTEGER)),
        field(f"{'a' * 64}.context_length", 10, struct.pack("<Q", 2**31 - 1)),
        field(f"{'a' * 64}.pooling_type", 10, struct.pack("<Q", MAX_INTEGER)),
        tensors=(tensor(dimensions=(MAX_INTEGER,)),),
    )
    (tmp_path / "most.gguf").write_bytes(most)
    added = api.post("models", {"file": "most.gguf"})
    assert added.status_code == 201, added.content
    assert added.json()["parameters"] == MAX_INTEGER
    assert len(added.json()["license"]) == 200
    assert api.get("models").json()["data"] == [added.json()]
    assert Model.objects.get().metadata == asdict(read_metadata(tmp_path / "most.gguf"))


KINDS = st.sampled_from([(4, "<I"), (5, "<i"), (10, "<Q"), (11, "<q"), (7, "<?")])
NAMES = st.sampled_from(
    ["x.context_length", "x.block_count", "x.embedding_length", "x.attention.head_count", "x.attention.head_count_kv",
     "x.attention.key_length", "x.pooling_type", "x.ssm.inner_size", "x.ssm.conv_kernel", "x.ssm.state_size",
     "general.file_type", "general.alignment", "tokenizer.ggml.tokens"]
)  # fmt: skip


@given(st.data(), st.text(max_size=220), st.text(max_size=220), st.lists(st.integers(0, 2**64 - 1), max_size=5))
@settings(max_examples=examples(50, thorough=1000))
def test_whatever_is_read_can_be_stored(data: st.DataObject, name: str, license: str, shape: list[int]) -> None:
    fields = [string("general.architecture", "x")]
    for key in data.draw(st.lists(NAMES, unique=True, max_size=6)):
        kind, form = data.draw(KINDS)
        size = struct.calcsize(form) * 8
        low, high = (-(2 ** (size - 1)), 2 ** (size - 1) - 1) if form.islower() else (0, 2**size - 1)
        number = data.draw(st.booleans() if form == "<?" else st.integers(low, high))
        fields.append(field(key, kind, struct.pack(form, number)))
    encoded = [string(f"general.{key}", value.encode(errors="surrogatepass")) for key, value in
               (("name", name), ("license", license))]  # fmt: skip
    content = model(*fields, *encoded, tensors=(tensor(dimensions=tuple(shape)),))
    try:
        about = describe("stem", GgufReader(content))
    except ModelFileError:
        return
    require_storable(about)
    assert replace(about) == about


def test_a_negative_number_where_the_tokens_should_be_is_refused() -> None:
    content = model(string("general.architecture", "x"), field("tokenizer.ggml.tokens", 5, struct.pack("<i", -1)))
    with pytest.raises(ModelFileError, match=r"tokenizer\.ggml\.tokens"):
        describe("stem", GgufReader(content))
