from itertools import pairwise

import pytest
import torch

from graphmotion.models import fg_stformer
from graphmotion.nn.encoding import sinusoidal_encoding
from graphmotion.skeletons import Skeleton, get_skeleton

SMALL = {'channels': (8, 16, 16, 16), 'num_joint_layers': 2, 'num_classes': 5}
# Left and right of the 25 joints exchanged.
MIRROR = list(get_skeleton('ntu25').mirror)


def small(skeleton='ntu25', **options):
    torch.manual_seed(0)
    return fg_stformer(skeleton, **SMALL | options)


def count(module):
    return sum(p.numel() for p in module.parameters())


def spatial_block(before, after, num_maps):
    """Number of parameters of a spatial block, computed from its layers."""
    attention = 2 * 3 * (after // 4) * (before + 1) + 3 * num_maps + (3 * before + 1) * after
    shortcuts = 2 * ((before + 1) * after + 2 * after) if before != after else 0
    return attention + 2 * after + (after + 1) * after + 2 * after + shortcuts


def temporal_block(size, stride):
    values = 2 * (7 * size + 1) * size // 2
    heads = 2 * (size // 2 + 1) * size // 2
    shortcut = (size + 1) * size + 2 * size if stride > 1 else 0
    return 2 * (size + 1) * size + values + heads + (size + 1) * size + 2 * size + shortcut


def test_numbers_of_parameters():
    model = fg_stformer()
    widths = [64, 64, 64, 128, 128, 256, 256]
    first = sum(
        spatial_block(a, b, 25 * 25) + temporal_block(b, 1 + (b > a)) for a, b in pairwise(widths)
    )
    assert count(model.spatial) + count(model.temporal) == first == 2_759_730
    then = sum(spatial_block(256, 256, n) for n in (25 * 25, 10 * 10, 25 * 10, 25 * 10))
    then = 2 * (then + 2 * temporal_block(256, 1))
    branches = (4 * 256 + 1) * 256 + 256  # the map of joined joints, and the focal scores
    rest = (3 + 1) * 64 + 2 * 64 + (512 + 1) * 256 + (256 + 1) * 60
    assert count(model) == first + then + branches + rest == 8_835_492


def test_shapes_of_the_paper():
    model = fg_stformer()
    seen = {}

    def watch(name, module):
        module.register_forward_hook(lambda _m, _i, o: seen.update({name: tuple(o.shape)}))

    watch('first', model.temporal[-1])
    watch('joints', model.joint_temporal[-1])
    watch('parts', model.part_temporal[-1])
    watch('pooled', model.classifier[0])
    assert model(torch.randn(25, 128, 3)).shape == (1, 60)
    assert seen == {
        'first': (25, 32, 256), 'joints': (15, 32, 256), 'parts': (10, 32, 256), 'pooled': (1, 512)
    }  # fmt: skip


def test_focal_joints_have_the_highest_scores():
    model = small().eval()
    entered = []
    model.focal.register_forward_hook(lambda _m, args, _o: entered.append(args[0]))
    _, seen = model(torch.randn(2 * 25, 12, 3), return_attention=True)
    x = entered[0].view(2, 25, 6, 16)
    score = (x @ model.focal.weight / model.focal.weight.norm()).sigmoid().transpose(1, 2)
    best = score.topk(15, dim=-1).indices.sort(dim=-1).values
    assert torch.equal(seen.joint_ids, best)
    torch.testing.assert_close(seen.score, score.gather(-1, best))
    assert seen.joint_to_part.shape == (2, 6, 15, 10)
    assert seen.part_to_joint.shape == (2, 6, 10, 15)
    # Rows of the softmax sum to one; the map that all sequences share is added.
    shared = model.joint_cross[-1].attention.global_map.mean(dim=0).sum(dim=-1)
    torch.testing.assert_close(seen.joint_to_part.sum(dim=-1), 1 + shared[best])


def test_keeping_all_joints_without_a_gate_equals_no_selection():
    every = small(num_focal_joints=25, gate=False).eval()
    none = small(focal_joints=False).eval()
    none.load_state_dict({k: v for k, v in every.state_dict().items() if 'focal' not in k})
    x = torch.randn(2 * 25, 12, 3)
    torch.testing.assert_close(every(x), none(x))


def test_scores_receive_gradients_only_through_the_gate():
    x = torch.randn(2 * 25, 12, 3)
    for gate in (True, False):
        model = small(gate=gate)
        model(x).square().sum().backward()
        gradient = model.focal.weight.grad
        assert (gradient is not None and bool((gradient != 0).any())) == gate


def test_focal_joints_keep_their_identity():
    """Focal joints have the position encodings and global map rows of the selected joints."""
    model = small(channels=(8, 8), num_joint_layers=1, num_focal_joints=4, part_branch=False).eval()
    block = model.joint_spatial[0]
    torch.nn.init.normal_(block.attention.global_map)
    ids = torch.tensor([[[1, 3, 7, 20], [0, 3, 9, 24]]])
    x = torch.randn(4, 2, 8)
    out = block(x, 4, ids)
    code = sinusoidal_encoding(25, 8)
    for t in range(2):
        chosen = ids[0, t]
        attention = block.attention
        q, k = attention.qkv(x[:, t] + code[chosen]).chunk(2, dim=-1)
        heads = []
        for h in range(3):
            part = slice(2 * h, 2 * h + 2)
            weights = (q[:, part] @ k[:, part].t() / 2**0.5).softmax(dim=-1)
            weights = weights + attention.global_map[h][chosen][:, chosen]
            heads.append(weights @ x[:, t])
        y = attention.proj(torch.cat(heads, dim=-1)).unsqueeze(1)
        y = torch.nn.functional.leaky_relu(block.norm(y) + x[:, t : t + 1], 0.1)
        y = torch.nn.functional.leaky_relu(block.feed_forward(y) + x[:, t : t + 1], 0.1)
        torch.testing.assert_close(out[:, t : t + 1], y, atol=1e-5, rtol=1e-5)


def test_mirrored_joints_without_encodings_give_the_same_output():
    """Only position encodings and the selection of joints distinguish left from right."""
    options = {'global_map': False, 'focal_joints': False}
    model = small(position=False, **options).eval().double()
    x = torch.randn(25, 12, 3).double()
    torch.testing.assert_close(model(x[MIRROR]), model(x), atol=1e-12, rtol=1e-12)
    coded = small(**options).eval().double()
    assert not torch.allclose(coded(x[MIRROR]), coded(x), atol=1e-6)


def test_two_people_are_averaged():
    one, two = small().eval(), small(num_people=2).eval()
    two.load_state_dict(one.state_dict())
    x = torch.randn(25, 12, 3)
    torch.testing.assert_close(two(x.repeat(2, 1, 1)), one(x), atol=1e-5, rtol=1e-5)
    both = torch.randn(2 * 25, 12, 3)
    swapped = both.view(2, 25, 12, 3).flip(0).flatten(0, 1)
    torch.testing.assert_close(two(swapped), two(both), atol=1e-5, rtol=1e-5)
    _, seen = two(both, return_attention=True)
    assert seen.joint_ids.shape == (2, 6, 15)
    with pytest.raises(ValueError, match='a multiple of 50 nodes'):
        two(x)


@pytest.mark.parametrize(
    ('options', 'branches'),
    [
        ({'focal_joints': False, 'part_branch': False}, (25, None, None)),
        ({'part_branch': False}, (15, None, None)),
        ({'cross_attention': False}, (15, 10, None)),
        ({}, (15, 10, (15, 10))),
        ({'focal_joints': False}, (25, 10, (25, 10))),
        ({'num_focal_joints': 3}, (3, 10, (3, 10))),
    ],
)
def test_rows_of_table_1_and_2(options, branches):
    model = small(**options).eval()
    seen = []
    for module in (*model.joint_temporal, *model.part_temporal):
        module.register_forward_hook(lambda _m, _i, o: seen.append(o.size(0)))
    out, focal = model(torch.randn(25, 12, 3), return_attention=True)
    joints, parts, cross = branches
    assert out.shape == (1, 5)
    assert seen == ([joints] * 2 if parts is None else [parts, joints] * 2)
    assert (focal.joint_ids is None) == (options.get('focal_joints') is False)
    found = None if focal.joint_to_part is None else tuple(focal.joint_to_part.shape[2:])
    assert found == cross
    assert model.classifier[1].in_features == (16 if parts is None else 32)


def test_rows_of_table_3():
    x = torch.randn(25, 12, 3)
    convolution = small(temporal_attention=False).eval()
    attention = small(temporal_convolution=False).eval()
    assert all(not m.attention for m in convolution.temporal)
    assert all(not m.convolution for m in attention.part_temporal)
    assert convolution(x).shape == attention(x).shape == (1, 5)


@pytest.mark.parametrize('num_joint_layers', [1, 2, 3, 4])
def test_rows_of_table_4(num_joint_layers):
    """The network may split at any layer; frames are halved in both branches."""
    model = small(channels=(8, 8, 16, 32), num_joint_layers=num_joint_layers).eval()
    out, focal = model(torch.randn(25, 13, 3), return_attention=True)
    assert out.shape == (1, 5)
    if num_joint_layers < 4:
        assert focal.joint_ids.shape == (1, 4, 15)
    else:
        assert focal.joint_ids is None


def test_attention_of_the_earlier_paper():
    model = small(normalization='tanh', per_frame=False, focal_joints=False).eval()
    assert model.spatial[0].attention.alpha.numel() == 3
    # Without the maps of the branches, its spatial blocks are those that its authors published.
    block = fg_stformer(normalization='tanh', channels=(64, 64, 128), num_joint_layers=3).spatial
    assert [count(b) for b in block][1:] == [24_886, 73_238]
    x = torch.randn(25, 12, 3)
    moved = x.clone()
    moved[:, 3] += 1
    spatial = model.spatial[0]
    x, moved = model.input(x), model.input(moved)
    changed = (spatial(x, 25) - spatial(moved, 25)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.all()
    alone = small().eval().spatial[0]
    changed = (alone(x, 25) - alone(moved, 25)).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.nonzero().flatten().tolist() == [3]


def test_any_skeleton_with_parts():
    kinect = small('kinect20')
    assert kinect.focal.k == 12
    assert kinect.parts.part_size == 2
    joints = ['a', 'b', 'c', 'd']
    bones = [('a', 'b'), ('b', 'c'), ('c', 'd')]
    halves = {'halves': [{'one': ['a', 'b'], 'two': ['c', 'd']}]}
    mine = small(Skeleton(joints, bones, hierarchies=halves), in_channels=2)
    assert mine(torch.randn(3 * 4, 9, 2)).shape == (3, 5)
    plain = Skeleton(joints, bones)
    with pytest.raises(ValueError, match='does not have a part hierarchy'):
        small(plain)
    assert small(plain, part_branch=False)(torch.randn(4, 9, 3)).shape == (1, 5)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        ({'num_joint_layers': 0}, r'in \[1, 4\], .* got 0'),
        ({'num_joint_layers': 5}, r'in \[1, 4\], .* got 5'),
        ({'num_focal_joints': 26}, r'in \[1, 25\], the number of joints, got 26'),
        ({'channels': (8, 9), 'num_joint_layers': 1}, 'must divide channels=9, got 2'),
        ({'per_frame': False}, 'per_frame must be True with focal_joints=True'),
        ({'hierarchy': 'organs'}, "the part hierarchy 'organs'"),
    ],
)
def test_invalid_options_raise(options, reason):
    with pytest.raises(ValueError, match=reason):
        small(**options)
