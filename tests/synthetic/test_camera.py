import math

import numpy as np
import pytest
import torch

from graphmotion.skeletons import get_skeleton
from graphmotion.synthetic.camera import Camera, detect, hidden
from graphmotion.synthetic.walker import walk
from graphmotion.synthetic.walking_styles import draw_walks

COCO = list(get_skeleton('coco17').joints)


def test_projection_by_hand():
    camera = Camera(width=320, height=240, focal=400, distance=8, elevation=1.2)
    point = torch.tensor([[[0.5, 1.7, 2.0]]] * 3)  # left, up, ahead
    pixels, depth = camera.project(point, torch.tensor([0.0, 90.0, 180.0]))
    # From the front the walker's left is on the right of the image, and ahead is nearer.
    assert depth[0, 0] == pytest.approx(6.0)
    assert pixels[0, 0].tolist() == pytest.approx([160 + 400 * 0.5 / 6, 120 - 400 * 0.5 / 6])
    # From the left side the walker goes to the left of the image, and the left arm is nearer.
    assert depth[1, 0] == pytest.approx(7.5)
    assert pixels[1, 0].tolist() == pytest.approx(
        [160 - 400 * 2 / 7.5, 120 - 400 * 0.5 / 7.5], rel=1e-5
    )
    # From behind left is left, and ahead is farther.
    assert depth[2, 0] == pytest.approx(10.0)
    assert pixels[2, 0].tolist() == pytest.approx([160 - 400 * 0.5 / 10, 120 - 400 * 0.5 / 10])


@pytest.mark.parametrize('view', [18, 54, 126, 250])
def test_projection_is_that_of_a_pinhole(view):
    camera = Camera(focal=500, distance=6, elevation=1.0)
    points = torch.rand(1, 5, 3)
    pixels, _ = camera.project(points, torch.tensor([float(view)]))
    angle = math.radians(view)
    eye = np.array([6 * math.sin(angle), 1.0, 6 * math.cos(angle)])
    forward = np.array([-math.sin(angle), 0, -math.cos(angle)])
    up = np.array([0, 1.0, 0])
    right = np.cross(forward, up)
    for point, pixel in zip(points[0].double().numpy(), pixels[0]):
        ray = point - eye
        assert pixel[0] == pytest.approx(160 + 500 * ray @ right / (ray @ forward), abs=1e-3)
        assert pixel[1] == pytest.approx(120 - 500 * ray @ up / (ray @ forward), abs=1e-3)


def test_camera_refuses_what_it_cannot_see():
    with pytest.raises(ValueError, match='distance is positive, got 0'):
        Camera(distance=0)
    with pytest.raises(ValueError, match=r'past the camera at a distance of 7.0 m.*travel=False'):
        Camera().project(torch.tensor([[[0.0, 1.0, 7.5]]]), torch.tensor([0.0]))
    inside = Camera().sees(
        torch.tensor([[0.0, 0.0], [319.9, 239.9], [320, 10], [-1, 10], [5, 240]])
    )
    assert inside.tolist() == [True, True, False, False, False]


def filmed(view, subjects=8, frames=40):
    walks = draw_walks(0, [(s, 'neutral', 'normal', 1) for s in range(subjects)])
    points = walk(walks.traits, walks.phase(frames, 30), [*COCO, 'pelvis', 'thorax'], travel=False)
    camera, angles = Camera(), torch.full((subjects,), float(view))
    pixels, depth = camera.project(points, angles)
    trunk = torch.cat([pixels, depth.unsqueeze(-1)], dim=-1)[:, :, -2:].mean(2)
    pixels, depth = pixels[:, :, :17], depth[:, :, :17]
    share = hidden(pixels, depth, trunk, angles, COCO, camera.focal)
    return pixels, share, camera.focal / depth


def test_what_is_hidden():
    mean = {}
    for view in (0, 90, 180, 270):
        _, share, _ = filmed(view)
        assert ((share >= 0) & (share <= 1)).all()
        mean[view] = dict(zip(COCO, share.mean((0, 1)).tolist()))
    assert mean[0]['nose'] < 0.05
    assert mean[180]['nose'] > 0.95
    for near, far, view in (('left', 'right', 90), ('right', 'left', 270)):
        assert mean[view][f'{far}_hip'] > mean[view][f'{near}_hip'] + 0.5
        assert mean[view][f'{far}_ear'] > mean[view][f'{near}_ear'] + 0.8
        assert mean[view][f'{far}_wrist'] > mean[view][f'{near}_wrist'] + 0.15
    assert mean[0]['left_knee'] < 0.2


def sources(count, seed=0):
    return [np.random.default_rng((seed, i)) for i in range(count)]


def test_errors_grow_with_what_is_hidden_and_scores_fall_with_errors():
    pixels, share, scale = filmed(90, subjects=30)
    found, score = detect(pixels, share, scale, COCO, 1.0, sources(30))
    error = (found - pixels).norm(dim=-1)
    present = score > 0
    assert error[present & (share > 0.7)].mean() > 1.8 * error[present & (share < 0.1)].mean()
    assert 0.3 < error[present & (share < 0.1)].median() < 2.0  # pixels, of a body of about 100
    both = torch.stack([error[present], score[present]])
    assert torch.corrcoef(both)[0, 1] < -0.5
    assert (score <= 1).all()
    assert 0.001 < (~present).float().mean() < 0.03
    lost_hidden = (~present)[share > 0.7].float().mean()
    assert lost_hidden > 3 * (~present)[share < 0.1].float().mean()


def test_errors_drift():
    pixels, share, scale = filmed(0, subjects=30)
    found, _ = detect(pixels, share, scale, COCO, 1.0, sources(30))
    error = (found - pixels)[..., 5:, :]
    now, after = error[:, :-1].flatten(), error[:, 1:].flatten()
    assert 0.2 < torch.corrcoef(torch.stack([now, after]))[0, 1] < 0.9


def test_left_and_right_are_exchanged_rarely():
    pixels, share, scale = filmed(0, subjects=8, frames=20)
    exchanged = 0
    for seed in range(40):
        found, score = detect(pixels, share, scale, COCO, 1.0, sources(8, seed))
        left, right = COCO.index('left_ankle'), COCO.index('right_ankle')
        seen = (score[..., left] > 0) & (score[..., right] > 0)
        # From the front the left ankle is on the right of the image.
        true = pixels[..., left, 0] - pixels[..., right, 0]
        exchanged += (
            (found[..., left, 0] - found[..., right, 0] < -0.3 * true) & (true > 6) & seen
        ).sum()
    assert 0 < exchanged / (40 * 8 * 20) < 0.03


def test_no_noise_is_exact():
    pixels, share, scale = filmed(36, subjects=2)
    found, score = detect(pixels, share, scale, COCO, 0, [])
    assert torch.equal(found, pixels)
    assert (score == 1).all()


def test_each_sequence_has_its_own_source():
    pixels, share, scale = filmed(36, subjects=3)
    all_found, _ = detect(pixels, share, scale, COCO, 1.0, sources(3))
    one, _ = detect(pixels[1:2], share[1:2], scale[1:2], COCO, 1.0, sources(3)[1:2])
    assert torch.equal(one[0], all_found[1])
