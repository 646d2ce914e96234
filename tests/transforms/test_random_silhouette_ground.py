import pytest
import torch
from torch_geometric.data import Batch, Data

from graphmotion.transforms import RandomSilhouetteGround


def bodies(number, seed=0):
    random = torch.Generator().manual_seed(seed)
    images = (torch.rand(number, 2, 9, 12, generator=random) < 0.4).byte()
    images[:, :, :, 5] = 1  # so that each row can be told to be cleared
    return images, Batch.from_data_list([Data(silhouettes=i[None], num_nodes=1) for i in images])


def smeared(row, step):
    """A row and the same up to ``step`` pixels to the right, pixel by pixel."""
    out = row.clone()
    for x in range(len(row)):
        for k in range(abs(step) + 1):
            source = x - k if step > 0 else x + k
            if 0 <= source < len(row) and row[source]:
                out[x] = 1
    return out


def test_lowest_rows_are_cleared_or_smeared():
    images, batch = bodies(600)
    out = RandomSilhouetteGround(4, 3, p=0.6)(batch).silhouettes
    cleared, ways, rows = 0, {}, {}
    for before, after in zip(images, out):
        changed = (before != after).any(dim=-1).any(dim=0).nonzero().view(-1)
        assert torch.equal(before[:, :5], after[:, :5])
        if not len(changed):
            continue
        first = int(changed[0])
        if not after[:, first:].any():
            cleared += 1
            rows[9 - first] = rows.get(9 - first, 0) + 1
            continue
        matching = [
            step
            for step in (-3, -2, -1, 1, 2, 3)
            if all(
                torch.equal(after[t, r], smeared(before[t, r], step))
                for t in range(2)
                for r in range(first, 9)
            )
        ]
        assert matching
        if len(matching) == 1:
            ways[matching[0]] = ways.get(matching[0], 0) + 1
    assert 140 < cleared < 220  # 180 expected, deviation 11
    assert sorted(rows) == [1, 2, 3, 4]
    assert min(rows.values()) > 25  # 45 expected, deviation 6.7
    assert sorted(ways) == [-3, -2, -1, 1, 2, 3]
    assert min(ways.values()) > 10


def test_never_and_always():
    images, batch = bodies(50)
    assert torch.equal(RandomSilhouetteGround(p=0)(batch).silhouettes, images)
    out = RandomSilhouetteGround(1, 1, p=1)(bodies(50)[1]).silhouettes
    assert torch.equal(out[:, :, :8], images[:, :, :8])
    assert bool((out[:, :, 8] != images[:, :, 8]).any(dim=-1).any(dim=-1).all())


def test_invalid_arguments():
    with pytest.raises(ValueError, match='num_rows must be an integer >= 1'):
        RandomSilhouetteGround(0)
    with pytest.raises(ValueError, match='smear must be an integer >= 1'):
        RandomSilhouetteGround(smear=0)
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        RandomSilhouetteGround(p=1.5)
