from __future__ import annotations

import hashlib
import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.dataset.graphs import input_graph
from tpuc.dataset import Samples, load_sample, open_samples, select_files
from tpuc.errors import DataError
from tpuc.frontend import Preprocess
from tpuc.ir import Graph, Value, with_defaults

GOLDEN = Path(__file__).parents[1] / "golden" / "preprocess"


def collect(samples: Samples, size: int) -> list[np.ndarray]:
    return [b["x"] for b in samples.batches(size)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Seven pictures whose first number tells which one it is."""
    for i in range(7):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((5, 6, 3), i, np.uint8))
    return tmp_path


def listed(folder: Path, kind: str = "png") -> list[tuple[Path, ...]]:
    return [(f,) for f in sorted(folder.glob(f"*.{kind}"))]


def graph_of(*shape: int) -> Graph:
    return input_graph({"x": shape}, Preprocess())


def test_batches_keep_the_order(pictures: Path) -> None:
    samples = open_samples(listed(pictures), graph_of(1, 3, 4, 4))
    assert len(samples) == 7
    for size in (1, 2, 3, 7, 50):
        parts = collect(samples, size)
        assert [len(p) for p in parts] == [size] * (7 // size) + [7 % size] * (7 % size > 0)
        x = np.concatenate(parts)
        assert x.shape == (7, 3, 4, 4)
        assert x[:, 0, 0, 0].tolist() == list(range(7))


def test_slices_and_items(pictures: Path) -> None:
    samples = open_samples(listed(pictures), graph_of(1, 3, 4, 4))
    assert [x[0, 0, 0, 0] for x in collect(samples[2:4], 1)] == [2, 3]
    assert samples[1].files == (pictures / "1.png",)
    assert str(samples[1]) == "1.png"
    assert len(open_samples(listed(pictures), graph_of(1, 3, 4, 4), num=3)) == 3


def test_compiled_batch_is_filled_with_the_last_sample(pictures: Path) -> None:
    samples = open_samples(listed(pictures), graph_of(2, 3, 4, 4))
    parts = [x[:, 0, 0, 0].tolist() for x in collect(samples, 1)]
    assert parts == [[0, 1], [2, 3], [4, 5], [6, 6]]
    assert [x.shape[0] for x in collect(samples, 2)] == [4, 4]
    feed = load_sample((pictures / "5.png",), samples.inputs)["x"]
    assert feed[:, 0, 0, 0].tolist() == [5, 5]


def test_early_stop_leaves_no_thread(pictures: Path) -> None:
    before = threading.active_count()
    batches = open_samples(listed(pictures), graph_of(1, 3, 4, 4)).batches(1)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_error_in_a_thread_reaches_the_caller(pictures: Path) -> None:
    (pictures / "3.png").write_bytes(b"no picture")
    samples = open_samples(listed(pictures), graph_of(1, 3, 4, 4))
    seen = []
    with pytest.raises(DataError, match=r"3\.png"):
        for batch in samples.batches(1):
            seen.append(batch["x"][0, 0, 0, 0])
    assert seen == [0, 1, 2]


def test_only_a_few_samples_are_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.save(tmp_path / "a.npy", np.zeros((1, 2), np.float32))
    started = []
    from tpuc.dataset import samples as module

    load = module._load
    monkeypatch.setattr(module, "_load", lambda *a: started.append(1) or load(*a))
    batches = open_samples([(tmp_path / "a.npy",)] * 100, input_graph({"x": (1, 2)})).batches(4)
    next(batches)
    assert len(started) <= 4 + 2 * 4
    batches.close()


def test_digest_is_the_content(pictures: Path) -> None:
    shutil.copy(pictures / "2.png", pictures / "copy.png")
    samples = open_samples(listed(pictures), graph_of(1, 3, 4, 4))
    assert samples.digests[2] == samples.digests[7]
    assert len(set(samples.digests)) == 7
    inner = hashlib.sha256((pictures / "0.png").read_bytes()).digest()
    assert samples.digests[0] == hashlib.sha256(inner).hexdigest()


def test_npz_with_several_inputs(tmp_path: Path) -> None:
    graph = input_graph({"x": (1, 2, 3), "y": (1, 4)})
    for i in range(3):
        np.savez(tmp_path / f"{i}.npz", x=np.full((1, 2, 3), i), y=np.full(4, i, np.uint8), z=0)
    batches = list(open_samples(listed(tmp_path, "npz"), graph).batches(2))
    assert [b["x"].shape for b in batches] == [(2, 2, 3), (1, 2, 3)]
    assert batches[0]["y"].tolist() == [[0] * 4, [1] * 4]
    assert batches[0]["y"].dtype == np.float32


def test_list_of_one_file_an_input(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((1, 2), np.float64))
    np.save(tmp_path / "b.npy", np.zeros((1, 3), np.float16))
    (tmp_path / "list.txt").write_text("a.npy,b.npy\n")
    graph = input_graph({"x": (1, 2), "y": (1, 3)})
    (batch,) = open_samples(select_files(None, tmp_path / "list.txt"), graph).batches(1)
    assert batch["x"].tolist() == [[1, 1]]
    assert batch["y"].shape == (1, 3)


def test_set_of_samples_with_labels(tmp_path: Path) -> None:
    data = np.arange(10, dtype=np.uint8).reshape(5, 2)
    np.savez(tmp_path / "set.npz", x=data, labels=np.array([3, 1, 4, 1, 5], np.int32))
    samples = open_samples([(tmp_path / "set.npz",)], input_graph({"x": (1, 2)}))
    assert len(samples) == 5
    np.testing.assert_array_equal(np.concatenate(collect(samples, 2)), data)
    assert samples.labels is not None
    assert samples.labels.tolist() == [3, 1, 4, 1, 5]
    assert samples[1:3].labels.tolist() == [1, 4]
    assert len(set(samples.digests)) == 5
    assert str(samples[4]) == "set.npz, sample 4"
    assert len(open_samples([(tmp_path / "set.npz",)], input_graph({"x": (1, 2)}), num=2)) == 2


def test_npy_set_has_no_labels(tmp_path: Path) -> None:
    np.save(tmp_path / "set.npy", np.arange(6.0).reshape(3, 2))
    samples = open_samples([(tmp_path / "set.npy",)], input_graph({"x": (1, 2)}))
    assert [x.tolist() for x in collect(samples, 1)] == [[[0, 1]], [[2, 3]], [[4, 5]]]
    assert samples.labels is None


def test_labels_of_single_samples(tmp_path: Path) -> None:
    for i in range(3):
        np.savez(tmp_path / f"{i}.npz", x=np.zeros((1, 2)), labels=i * 10)
    graph = input_graph({"x": (1, 2)})
    labels = open_samples(listed(tmp_path, "npz"), graph).labels
    assert labels is not None
    assert labels.tolist() == [0, 10, 20]
    np.savez(tmp_path / "2.npz", x=np.zeros((1, 2)))
    assert open_samples(listed(tmp_path, "npz"), graph).labels is None


@pytest.mark.parametrize(
    ("labels", "reason"), [([1, 2], "has 2 labels"), ([0.5, 1.0, 2.0], "expected whole numbers")]
)
def test_wrong_labels(tmp_path: Path, labels: list, reason: str) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((3, 2)), labels=np.array(labels))
    samples = open_samples([(tmp_path / "set.npz",)], input_graph({"x": (1, 2)}))
    with pytest.raises(DataError, match=reason):
        _ = samples.labels


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"y": np.zeros((1, 2))}, r"no array 'x'; it has \['y'\]; expected \['x'\]"),
        ({"x": np.zeros((1, 3))}, r"'x': shape \(1, 3\); expected \(1, 2\)"),
        ({"x": np.zeros((2, 1, 2))}, r"'x': shape \(2, 1, 2\); expected \(1, 2\)"),
        ({"x": np.array([["a", "b"]])}, r"'x': type <U1; expected numbers"),
        ({"x": np.zeros((1, 2), complex)}, "type complex128"),
        ({"x": np.array([[0, np.nan]])}, "'x': has NaN or infinite"),
        ({"x": np.array([[0, 1e300]])}, "'x': has NaN or infinite"),
    ],
)
def test_wrong_npz(tmp_path: Path, arrays: dict, reason: str) -> None:
    np.savez(tmp_path / "s.npz", **arrays)
    with pytest.raises(DataError, match=rf"s\.npz.*{reason}"):
        list(open_samples([(tmp_path / "s.npz",)] * 2, input_graph({"x": (1, 2)})).batches(1))


def test_wrong_npy(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([[np.inf, 0]]))
    with pytest.raises(DataError, match=r"s\.npy: has NaN or infinite"):
        list(open_samples([(tmp_path / "s.npy",)], input_graph({"x": (1, 2)})).batches(1))


@pytest.mark.parametrize("kind", ["npy", "npz"])
@pytest.mark.parametrize("content", [b"", b"not an array", b"PK\x03\x04" + bytes(40)])
def test_damaged_array_file(tmp_path: Path, kind: str, content: bytes) -> None:
    file = tmp_path / f"s.{kind}"
    file.write_bytes(content)
    with pytest.raises(DataError, match=rf"s\.{kind}: not an {kind} file, or damaged"):
        load_sample((file,), tuple(input_graph({"x": (1, 2)}).nodes))


def test_pickled_array_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "s.npy", np.array([[{}, 0]]), allow_pickle=True)
    with pytest.raises(DataError, match=r"s\.npy: not an npy file"):
        load_sample((tmp_path / "s.npy",), tuple(input_graph({"x": (1, 2)}).nodes))


def test_picture_for_several_inputs() -> None:
    graph = input_graph({"x": (1, 3, 4, 4), "y": (1, 2)}, Preprocess())
    with pytest.raises(DataError, match=r"1 file\(s\) for 2 inputs \(x, y\); expected npz"):
        open_samples([(GOLDEN / "colour.png",)], graph)


def test_picture_for_an_input_that_takes_none() -> None:
    graph = input_graph({"x": (1, 7)}, Preprocess())
    with pytest.raises(DataError, match=r"'x' of shape \(1, 7\) takes no pictures.*Hint"):
        open_samples([(GOLDEN / "colour.png",)], graph)


def test_unknown_type(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"a\.txt: unknown type"):
        open_samples([(tmp_path / "a.txt",)], input_graph({"x": (1, 7)}))


def test_several_picture_inputs(tmp_path: Path) -> None:
    shutil.copy(GOLDEN / "colour.png", tmp_path / "a.png")
    shutil.copy(GOLDEN / "gray.png", tmp_path / "b.png")
    (tmp_path / "list.txt").write_text("a.png,b.png\n")
    graph = input_graph({"x": (1, 3, 4, 4), "y": (1, 3, 8, 8)}, Preprocess())
    (batch,) = open_samples(select_files(None, tmp_path / "list.txt"), graph).batches(1)
    assert (batch["x"].shape, batch["y"].shape) == ((1, 3, 4, 4), (1, 3, 8, 8))
    assert (batch["y"][0, 0] == batch["y"][0, 1]).all()


def test_rows_beyond_a_table_name_the_sample(tmp_path: Path) -> None:
    graph = input_graph({"ids": (1, 4)})
    table = Value("table", (10, 2), data=np.zeros((10, 2), np.float32))
    ids = graph.nodes[0].output
    graph.add("Gather", [table, ids], [Value("rows", (1, 4, 2))], with_defaults("Gather", {}))
    for i, ids_ in enumerate([[0, 9, -10, 3], [0, 1, 10, 2]]):
        np.savez(tmp_path / f"{i}.npz", ids=np.array([ids_]))
    batches = open_samples(listed(tmp_path, "npz"), graph).batches(1)
    next(batches)
    with pytest.raises(DataError, match=r"1\.npz: 'ids': 10 is out of range; expected 0 to 9"):
        next(batches)
