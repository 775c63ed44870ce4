from __future__ import annotations

import hashlib
import os
import struct

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.backends.bmodel.graphs import same, small_graph
from tpuc.backends.bmodel import info, info_text, read_bmodel, read_summary, write_bmodel
from tpuc.backends.bmodel.container import pack_container, read_container
from tpuc.errors import ArtifactError, GraphError, TpucError
from tpuc.ir import DType, Graph, QuantType, Value


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.bmodel"
    write_bmodel(path, small_graph(), chip="BM1684X", facts={"mode": "INT8", "seed": 1})
    return path


@pytest.mark.parametrize("float_type", [DType.F32, DType.F16, DType.BF16])
def test_round_trip(tmp_path, float_type):
    graph = small_graph(float_type)
    write_bmodel(tmp_path / "x", graph, chip="BM1684X", facts={"mode": "F", "k": 2.5})
    back = read_bmodel(tmp_path / "x")
    assert same(back.graph, graph)
    assert dict(back.facts) == {"mode": "F", "k": 2.5}


def test_attribute_types_survive(path):
    clip = next(n for n in read_bmodel(path).graph if n.op == "Clip")
    assert clip.attrs["min"] == float("-inf")
    assert clip.attrs["max"] == float(np.float32(0.1))
    conv = read_bmodel(path).graph.find("conv0").producer
    assert conv.attrs["multiplier"] == (2**30, 2**30 + 1, 2**30 + 2)
    assert all(type(m) is int for m in conv.attrs["multiplier"])
    assert conv.attrs["do_relu"] is False and conv.inputs[2] is None


def test_weights_are_read_only_and_not_copied(path):
    weight = read_bmodel(path).graph.find("conv0").producer.weight(1)
    assert not weight.flags.writeable and not weight.flags.owndata


def test_half_weights_take_two_bytes_and_nibbles_half_a_byte(path):
    sizes = {name: size for name, _, size in read_summary(path).nets[0].weights}
    assert sizes == {"w0": 9, "w1": 9, "bias": 12, "factor": 6, "nibbles": 4}


def test_summary(path):
    summary = read_summary(path)
    net = summary.nets[0]
    assert (summary.chip, net.name, net.is_ours) == ("BM1684X", "small", True)
    assert [(t.name, t.dtype, t.shape) for t in net.inputs] == [("data é", "f32", (1, 3, 8, 8))]
    out = net.outputs[1]
    assert (out.dtype, out.zero_point, out.scale) == ("ui8", 5, pytest.approx(1 / 3))
    assert net.instruction_bytes == 0 and net.runtime_bytes % 4096 == 0


def test_integer_input(tmp_path):
    graph = Graph("bare", "tpu")
    x = Value("x", (2,), DType.SI8, QuantType(0.0078125, 3))
    graph.add("Input", [], [x])
    graph.outputs = [x]
    write_bmodel(tmp_path / "x", graph, chip="BM1684X")
    net = read_container(tmp_path / "x").model["net"][0]["parameter"][0]
    assert net["input_tensor"][0]["scale"] == 128.0  # TPU-MLIR's: what to multiply a float with
    assert net["output_tensor"][0]["scale"] == 0.0078125
    summary = read_summary(tmp_path / "x").nets[0]
    assert summary.inputs[0] == summary.outputs[0]


def test_container_is_the_public_one(path):
    raw = path.read_bytes()
    magic, header, buffer, segment = struct.unpack_from("<IIIQ", raw)
    assert (magic, header, header + buffer + segment) == (0xFF55AAEE, 64, len(raw))
    assert (header + buffer) % 4096 == 0
    parameter = read_container(path).model["net"][0]["parameter"][0]
    memory = parameter["coeff_mem"]
    start, size = memory["binary_coeff"]
    blob = raw[64 + buffer + start :][:size]
    assert start % 4096 == 0 and hashlib.sha256(blob).digest() == memory["check_code"]
    assert parameter["ctx_addr"] == memory["address"] + size


def test_never_looks_like_chip_code(path):
    container = read_container(path)
    net = container.model["net"][0]["parameter"][0]
    assert "sub_net" not in net and "cmd_group" not in net and "binary_ir" not in net
    assert "tpuc" in container.model["version"]
    assert bytes(container.blob(net["net_stat"], "")[:8]) == b"TPUCPROG"


def test_equal_builds_are_equal_bytes(path, tmp_path):
    again = tmp_path / "again"
    write_bmodel(again, small_graph(), chip="BM1684X", facts={"seed": 1, "mode": "INT8"})
    assert again.read_bytes() == path.read_bytes()
    os.utime(again, (0, 0))
    write_bmodel(again, read_bmodel(path).graph, chip="BM1684X", facts=read_bmodel(path).facts)
    assert again.read_bytes() == path.read_bytes()


def test_net_without_weights(tmp_path):
    graph = Graph("bare", "tpu")
    x = Value("x", (2,))
    graph.add("Input", [], [x])
    graph.outputs = [x]
    write_bmodel(tmp_path / "x", graph, chip="BM1688")
    assert same(read_bmodel(tmp_path / "x").graph, graph)
    assert read_summary(tmp_path / "x").nets[0].weight_bytes == 0


def test_info(path):
    facts = info(path)
    assert facts["program"]["ops"] == 8 and facts["program"]["facts"]["mode"] == "INT8"
    short, full = info_text(path), info_text(path, every=True)
    assert "BM1684X" in short and "no chip instructions" in short and "conv1" not in short
    assert "resize_dims: (8, 8)" in full and "si8[3x3x1x1]" in full
    assert len(full) > len(short)


# ---- damage --------------------------------------------------------------------------------------


def _refused(path) -> str:
    with pytest.raises(ArtifactError) as caught:
        read_bmodel(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    with pytest.raises(ArtifactError):
        info_text(path)
    return message


def test_every_flipped_byte_is_found(path, tmp_path):
    raw = path.read_bytes()
    places = sorted({*range(200), *range(0, len(raw), 7), len(raw) - 1})
    broken = tmp_path / "broken"
    for place in places:
        damaged = bytearray(raw)
        damaged[place] ^= 1 << (place % 8)
        broken.write_bytes(damaged)
        with pytest.raises(ArtifactError) as caught:
            read_bmodel(broken)
        assert "\n" not in str(caught.value)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255), st.integers(1, 4096))
def test_any_damage_is_found(path, tmp_path, share, mask, length):
    """Any bytes, changed in any way."""
    raw = path.read_bytes()
    place = int(share * len(raw))
    damaged = bytearray(raw)
    damaged[place] ^= mask
    for i in range(place + 1, min(place + length, len(raw))):
        damaged[i] ^= (mask * i) & 255
    (tmp_path / "broken").write_bytes(damaged)
    _refused(tmp_path / "broken")


def test_every_truncation_is_found(path, tmp_path):
    raw = path.read_bytes()
    broken = tmp_path / "broken"
    for length in sorted({*range(100), *range(0, len(raw), 61), len(raw) - 1}):
        broken.write_bytes(raw[:length])
        _refused(broken)


def test_damage_is_named(path, tmp_path):
    raw = path.read_bytes()
    container = read_container(path)
    start = len(raw) - len(container.segment)
    net = container.model["net"][0]["parameter"][0]
    broken = tmp_path / "broken"
    for place, word in [
        (0, "starts with"),
        (30, "header and flatbuffer"),
        (70, "header and flatbuffer"),
        (start + 3, "coefficients"),
        (start + net["net_stat"][0] + 100, "program"),
        (len(raw) - 1, "not padding"),
    ]:
        damaged = bytearray(raw)
        damaged[place] ^= 255
        broken.write_bytes(damaged)
        assert word in _refused(broken)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a bmodel" * 10])
def test_not_a_bmodel(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    _refused(tmp_path / "x")


def test_missing_file(tmp_path):
    assert "can not be read" in _refused(tmp_path / "none.bmodel")
    assert "can not be read" in _refused(tmp_path)


def _rewrite(path, change) -> None:
    """Apply `change(model, segment)` and sign again, as a hostile writer would."""
    container = read_container(path)
    segment = bytearray(container.segment)
    model = dict(container.model)
    change(model, segment)
    path.write_bytes(b"".join(pack_container(model, bytes(segment))))


def _rewrite_payload(path, change) -> None:
    def edit(model, segment):
        parameter = model["net"][0]["parameter"][0]
        start, size = parameter["net_stat"]
        payload = change(bytes(segment[start + 64 : start + size]))
        head = struct.pack("<8sIIQ8x32s", b"TPUCPROG", 1, 0, len(payload), _digest(payload))
        segment[start:] = head + payload + bytes(-(len(payload) + 64) % 4096)
        parameter["net_stat"] = (start, 64 + len(payload))

    _rewrite(path, edit)


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"si8"', b'"si9"'),
        (b'"Conv2D"', b'"Conv9D"'),
        (b'"do_relu":false', b'"do_relu":"no"'),
        (b'"do_relu":false', b'"do_what":false'),
        (b'"group":1', b'"group":1.5'),
        (b'"si8",0.03125,0]', b'"si8",0.03125,-2147483648]'),
        (b"[1,3,8,8]", b"[1,3,8,-8]"),
        (b"[1,3,8,8]", b"[1,3,8,true]"),
        (b'"pads":[0,0,0,0]', b'"pads":[0,0,0,[0]]'),
        (b'"outputs":[', b'"outputs":[99999,'),
        (b'"outputs":[', b'"outputs":[-1,'),
        (b'"facts"', b'"fakes"'),
        (b'"name":"small"', b'"name":7'),
        (b'{"facts"', b"[" * 100000 + b'{"facts"'),
        (b'{"facts"', b'{"facts'),
    ],
)
def test_hostile_programs_are_refused(path, old, new):
    def change(payload: bytes) -> bytes:
        assert old in payload
        return payload.replace(old, new, 1)

    _rewrite_payload(path, change)
    assert "program" in _refused(path)


@pytest.mark.parametrize("offset", [-64, 1, 1 << 40])
def test_weights_outside_the_segment_are_refused(path, offset):
    def change(payload: bytes) -> bytes:
        old = b'["w1",[3,3,1,1],"si8",null,0,64]'
        assert old in payload
        return payload.replace(old, old[:-3] + f"{offset}]".encode())

    _rewrite_payload(path, change)
    assert "weight at bytes" in _refused(path)


def test_blobs_outside_the_segment_are_refused(path):
    for place in [(4096, 1 << 60), (1 << 60, 8), (0, 4096)]:

        def change(model, segment, place=place):
            model["net"][0]["parameter"][0]["net_stat"] = place

        _rewrite(path, change)
        _refused(path)


def test_program_of_another_version(path):
    def edit(model, segment):
        start = model["net"][0]["parameter"][0]["net_stat"][0]
        segment[start + 8] = 9

    _rewrite(path, edit)
    assert "version 9" in _refused(path)


def test_flips_in_an_unsigned_container_never_crash(path, tmp_path):
    """As TPU-MLIR writes it: no digest over the flatbuffer, so the parser itself must hold."""
    raw = bytearray(path.read_bytes())
    raw[20:56] = bytes(36)
    where = raw.index(b"+tpuc")
    raw[where : where + 5] = b"+v1.3"
    broken = tmp_path / "broken"
    broken.write_bytes(raw)
    assert read_summary(broken).nets[0].name == "small"
    assert not read_summary(broken).nets[0].is_ours
    end = len(raw) - len(read_container(broken).segment)
    for place in range(20, min(end, 2500), 2):
        for mask in (1, 0xFF):
            damaged = bytearray(raw)
            damaged[place] ^= mask
            broken.write_bytes(damaged)
            try:
                info_text(broken)
            except ArtifactError as error:
                assert "\n" not in str(error)


# ---- writing -------------------------------------------------------------------------------------


def test_unrounded_half_weights_are_a_bug(tmp_path):
    graph = small_graph()
    graph.find("product").producer.inputs[1].data = np.full((1, 3, 1, 1), 0.1, np.float32)
    with pytest.raises(GraphError, match="factor"):
        write_bmodel(tmp_path / "x", graph, chip="BM1684X")
    assert not list(tmp_path.iterdir())


def test_wrong_kind_of_attribute_is_a_bug(tmp_path):
    graph = small_graph()
    graph.find("conv0").producer.attrs["group"] = "one"
    with pytest.raises(GraphError, match="group"):
        write_bmodel(tmp_path / "x", graph, chip="BM1684X")


def test_failed_write_leaves_the_old_file(path, tmp_path, monkeypatch):
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TpucError, match="No space left"):
        write_bmodel(path, small_graph(DType.F32), chip="BM1684X")
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
