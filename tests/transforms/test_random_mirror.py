import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.skeletons import Skeleton, get_skeleton
from graphmotion.transforms import RandomMirror


def by_loops(data, skeleton, axis, centers, swap_sides=True):
    out = data.clone()
    for i in range(data.pos.size(0)):
        body, joint = divmod(i, skeleton.num_joints)
        source = body * skeleton.num_joints + skeleton.mirror[joint] if swap_sides else i
        for t in range(data.pos.size(1)):
            out.pos[i, t] = data.pos[source, t]
            out.score[i, t] = data.score[source, t]
            if out.score[i, t] > 0:
                out.pos[i, t, axis] = 2 * centers[t] - data.pos[source, t, axis]
    return out


@pytest.mark.parametrize('axis', [0, 2])
@pytest.mark.parametrize('center', [0.0, 1.5, 'sequence', 'frame'])
@pytest.mark.parametrize('swap_sides', [True, False])
def test_matches_loops(axis, center, swap_sides, make, assert_same):
    data = make('ntu25', num_frames=5, padding=2, people=2, missing=0.2)
    there = data.score > 0
    if center == 'frame':
        centers = [float(data.pos[there[:, t], t, axis].mean()) for t in range(7)]
    elif center == 'sequence':
        centers = [float(data.pos[:, :5][there[:, :5]][:, axis].mean())] * 7
    else:
        centers = [center] * 7
    skeleton = get_skeleton('ntu25')
    out = RandomMirror('ntu25', p=1, axis=axis, center=center, swap_sides=swap_sides)(data)
    expected = by_loops(data, skeleton, axis, centers, swap_sides)
    torch.testing.assert_close(out.score, expected.score)
    valid = 5 if center == 'frame' else 7  # in frames of padding no joint counts
    torch.testing.assert_close(out.pos[:, :valid], expected.pos[:, :valid])
    twice = RandomMirror('ntu25', p=1, axis=axis, center=center, swap_sides=swap_sides)(out)
    torch.testing.assert_close(twice.pos[:, :valid], data.pos[:, :valid], atol=1e-5, rtol=0)


def test_never(make, assert_same):
    data = make(silhouettes=True)
    assert_same(RandomMirror('coco17', p=0)(data), data, atol=0)


def test_silhouettes_follow_the_horizontal_axis(make):
    data = make(silhouettes=True)
    assert torch.equal(RandomMirror('coco17', p=1)(data).silhouettes, data.silhouettes.flip(-1))
    out = RandomMirror('coco17', p=1, axis=1)(data)
    assert torch.equal(out.silhouettes, data.silhouettes)
    del data.pos, data.score
    data.num_nodes = 16
    assert torch.equal(RandomMirror('coco17', p=1)(data).silhouettes, data.silhouettes.flip(-1))


def test_graphs_are_mirrored_with_probability_p(make):
    torch.manual_seed(0)
    samples = [make(num_frames=2, seed=i, silhouettes=True, people=2) for i in range(400)]
    batch = Batch.from_data_list(samples)
    out = RandomMirror('coco17', p=0.3)(batch)
    mirrored = RandomMirror('coco17', p=1)(batch)
    chosen = (out.pos.view(400, -1) == mirrored.pos.view(400, -1)).all(1)
    same = (out.pos.view(400, -1) == batch.pos.view(400, -1)).all(1)
    assert bool((chosen ^ same).all())
    assert 80 < int(chosen.sum()) < 160
    assert torch.equal(out.silhouettes[chosen], batch.silhouettes[chosen].flip(-1))
    assert torch.equal(out.silhouettes[~chosen], batch.silhouettes[~chosen])


def test_invalid_arguments(make):
    with pytest.raises(ValueError, match=r'axis must be in \[0, 1\], got 2'):
        RandomMirror('coco17', axis=2)(make(dims=2))
    with pytest.raises(ValueError, match=r"\['sequence', 'frame'\], got 'mean'"):
        RandomMirror('coco17', center='mean')
    with pytest.raises(ValueError, match=r'p must be in \[0, 1\]'):
        RandomMirror('coco17', p=2)


def test_silhouettes_alone_need_no_skeleton(make):
    data = make(silhouettes=True)
    silhouettes = data.silhouettes.clone()
    with pytest.raises(ValueError, match='skeleton must be given to swap left and right joints'):
        RandomMirror(p=1)(data.clone())
    assert torch.equal(
        RandomMirror(p=1, swap_sides=False)(data.clone()).pos[..., 1], data.pos[..., 1]
    )
    del data.pos, data.score
    assert torch.equal(RandomMirror(p=1)(data).silhouettes, silhouettes.flip(-1))


def test_classes_are_mirrored(make):
    torch.manual_seed(0)
    samples = [make(num_frames=2, seed=i) for i in range(300)]
    for i, sample in enumerate(samples):
        sample.y = torch.tensor([i % 3])
    batch = Batch.from_data_list(samples)
    out = RandomMirror('coco17', p=0.5, mirrored_classes=(0, 2, 1))(batch.clone())
    same = (out.pos.view(300, -1) == batch.pos.view(300, -1)).all(1)
    assert 100 < int(same.sum()) < 200
    expected = [y if kept else (0, 2, 1)[y] for y, kept in zip(batch.y.tolist(), same.tolist())]
    assert out.y.tolist() == expected
    one = RandomMirror('coco17', p=1, mirrored_classes=(0, 2, 1))(samples[1].clone())
    assert one.y.tolist() == [2]


def test_invalid_mirrored_classes(make):
    for classes in ((1, 2, 0), (0, 3, 1), (-1,)):
        with pytest.raises(ValueError, match='mirrored_classes must be its own inverse'):
            RandomMirror('coco17', mirrored_classes=classes)
    mirror = RandomMirror('coco17', mirrored_classes=(1, 0))
    data = make()
    if 'y' in data:
        del data.y
    with pytest.raises(ValueError, match=r"field 'y' must be integers in \[0, 1\], got no field"):
        mirror(data)
    data.y = torch.tensor([2])
    with pytest.raises(ValueError, match=r'got \[2\]'):
        mirror(data)


def test_a_skeleton_without_pairs_raises():
    skeleton = Skeleton(['a', 'b'], [('a', 'b')])
    with pytest.raises(ValueError, match="swap_sides must be False for 'custom'"):
        RandomMirror(skeleton)
    assert RandomMirror(skeleton, swap_sides=False).p == 0.5
