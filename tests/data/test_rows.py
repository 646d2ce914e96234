import numpy as np
import pytest
import torch

from graphmotion.data.rows import Column, Rows, pack_bits, unpack_bits


@pytest.mark.parametrize('width', [1, 7, 8, 9, 44])
def test_unpacked_bits_equal_the_originals(width):
    images = torch.randint(0, 2, (3, 2, width)).byte()
    packed = pack_bits(images)
    assert packed.shape == (3, 2, -(-width // 8))
    assert packed.dtype == torch.uint8
    expected = np.packbits(images.numpy(), axis=-1)
    assert (packed.numpy() == expected).all()
    assert torch.equal(unpack_bits(packed, width), images)
    assert torch.equal(pack_bits(images.bool()), packed)


@pytest.mark.parametrize('dtype', [torch.float32, torch.uint8, torch.bool, torch.int64])
def test_columns_in_files_equal_those_in_memory(tmp_path, dtype):
    parts = [torch.randint(0, 2, (n, 3, 2)).to(dtype) for n in (2, 0, 5)]
    columns = [Column(parts[0], folder) for folder in (None, str(tmp_path))]
    for column in columns:
        for part in parts:
            column.append(part)
        assert column.lengths == [2, 0, 5]
        joined = column.joined()
        column.close()
        assert joined.dtype == dtype
        assert torch.equal(joined, torch.cat(parts))
    assert list(tmp_path.iterdir()) == []


def test_rows_of_samples_of_different_sizes():
    samples = [torch.rand(n, t, 2) for n, t in ((3, 4), (1, 2), (2, 4))]
    rows = torch.cat([sample.flatten(0, 1) for sample in samples])
    layout = Rows(torch.tensor([0, 12, 14, 22]), torch.tensor([4, 2, 4]))
    assert layout.items.tolist() == [3, 1, 2]
    for number, sample in enumerate(samples):
        assert torch.equal(layout.get(rows, number), sample)
    index, offsets = layout.find(torch.tensor([2, 1]))
    assert offsets.tolist() == [0, 2, 3]
    padded = torch.cat([samples[1], samples[1][:, -1:].expand(-1, 2, -1)], dim=1)
    assert torch.equal(layout.take(rows, index), torch.cat([samples[2], padded]))


@pytest.mark.parametrize('frames', [None, torch.tensor([2, 2, 2])])
def test_rows_of_samples_of_equal_size(frames):
    rows = torch.rand(12, 5)
    layout = Rows(torch.tensor([0, 4, 8, 12]), frames)
    index, offsets = layout.find(torch.tensor([2, 0]))
    expected = torch.cat([rows[8:], rows[:4]])
    assert torch.equal(layout.take(rows, index).view(-1, 5), expected)
    assert torch.equal(layout.get(rows, 1).view(-1, 5), rows[4:8])
    assert offsets.tolist() == ([0, 4, 8] if frames is None else [0, 2, 4])
    assert layout.same(Rows(torch.tensor([0, 4, 8, 12]), frames))
    assert not layout.same(Rows(torch.tensor([0, 4, 6, 12]), frames))
    assert not layout.same(Rows(torch.tensor([0, 4, 8, 12]), torch.tensor([1, 1, 1])))
