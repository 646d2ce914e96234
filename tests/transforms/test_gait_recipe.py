import pytest
import torch
from torch_geometric.data import Batch

from graphmotion.transforms import center_crops, gait_test_transforms, gait_train_transform


def numbered(make, num_frames=100):
    """Returns a sample whose positions are the frame numbers."""
    data = make(num_frames=num_frames, dims=2, missing=None)
    data.pos = torch.arange(float(num_frames)).view(1, -1, 1).expand(17, -1, 2).clone()
    return data


def test_six_windows(make):
    data = numbered(make)
    frames = [crop(data).pos[0, :, 0].int().tolist() for crop in center_crops(60)]
    forward = [list(range(start, start + 60)) for start in (0, 20, 40)]
    assert frames == forward + [window[::-1] for window in forward]
    three = [crop(data).pos[0, :, 0].int().tolist() for crop in center_crops(60, reverse=False)]
    assert three == forward
    (one,) = center_crops(50, (5,), reverse=False)
    assert one(data).pos[0, :, 0].int().tolist() == list(range(30, 80))
    edge = center_crops(60, (0,), pad='edge')[0](numbered(make, 40))
    assert edge.num_frames.tolist() == [40]
    with pytest.raises(ValueError, match='shifts must be one or more integers, got none'):
        center_crops(60, ())


@pytest.mark.parametrize('num_frames', [1, 20, 31, 40, 59])
def test_outer_windows_are_a_third_of_their_length_away(make, num_frames):
    data = numbered(make)
    middle = (100 - num_frames) // 2
    starts = [int(crop(data).pos[0, 0, 0]) for crop in center_crops(num_frames, reverse=False)]
    assert starts == [middle - num_frames // 3, middle, middle + num_frames // 3]
    transforms = gait_test_transforms(num_frames, None)
    assert [int(t(data).x[0, 0, 0]) for t in transforms[:3]] == starts


def test_outer_windows_stay_inside_short_walks(make):
    frames = [crop(numbered(make, 65)).pos[0, 0, 0].item() for crop in center_crops(60)]
    assert frames[:3] == [0, 2, 5]


def test_features_of_the_windows(make):
    samples = [make(num_frames=80, dims=2, seed=i) for i in range(3)]
    transforms = gait_test_transforms()
    assert len(transforms) == 6
    for crop, transform in zip(center_crops(60), transforms):
        out = transform(Batch.from_data_list(samples))
        torch.testing.assert_close(out.x * 320, crop(Batch.from_data_list(samples)).pos)
        assert out.x.shape == (51, 60, 2)
    (middle,) = gait_test_transforms(40, None, (0,), reverse=False)
    assert torch.equal(middle(samples[0]).x, samples[0].pos[:, 20:60])


def test_training_in_the_order_of_the_paper(make):
    """The result is a window, possibly reversed or mirrored about each frame, with noise."""
    data = make(num_frames=90, dims=2, missing=None)
    data.pos = 100 * data.pos
    mirrored = data.pos.clone()
    mirrored[..., 0] = 2 * data.pos[..., 0].mean(dim=0) - data.pos[..., 0]
    wanted = {}
    for name, pos in (('as it is', data.pos), ('mirrored', mirrored)):
        for direction, way in (('forward', pos), ('backward', pos.flip(1))):
            for start in range(31):
                wanted[name, direction, start] = way[:, start : start + 60]
    windows = torch.stack(list(wanted.values()))
    transform = gait_train_transform(point_noise=0.01, joint_noise=0.3)
    seen = []
    for seed in range(40):
        torch.manual_seed(seed)
        out = transform(data)
        error = 320 * out.x - windows
        best = error.square().mean(dim=(1, 2, 3)).argmin()
        seen.append(list(wanted)[best])
        noise = error[best]
        assert float(noise.mean(dim=1).std()) == pytest.approx(0.3, rel=0.5)
        constant = noise.mean(dim=1, keepdim=True)
        assert float((noise - constant).std()) == pytest.approx(0.01, rel=0.1)
    assert {kind for kind, _, _ in seen} == {'as it is', 'mirrored'}
    assert {direction for _, direction, _ in seen} == {'forward', 'backward'}
    assert len({start for _, _, start in seen}) > 12


def test_defaults_and_options_of_training(make):
    data = make(num_frames=30, dims=2)
    assert gait_train_transform()(data).x.shape == (17, 60, 2)
    out = gait_train_transform(image_size=(320, 240), num_frames=20)(data)
    torch.testing.assert_close(out.x * out.x.new_tensor([320, 240]), out.pos * torch.tensor(
        [320.0, 240.0]))  # fmt: skip
    text = repr(gait_train_transform('ucalgary18', image_size=None, swap_sides=True))
    assert 'ScaleByImageSize' not in text
    assert 'swap_sides=True' in text
    assert 'JointNoise(std=0.05, joint_std=0.25)' in repr(gait_train_transform())
    assert 'swap_sides=False' in repr(gait_train_transform())
