import math

import numpy as np
import pytest
import torch

from graphmotion.skeletons import get_skeleton
from graphmotion.synthetic.camera import Camera, self_occlusion, simulate_pose_estimator
from graphmotion.synthetic.walker import simulate_walk
from graphmotion.synthetic.walking_styles import sample_walks

COCO = list(get_skeleton('coco17').joints)


def test_projection_by_hand():
    camera = Camera(width=320, height=240, focal_length=400, distance=8, height_above_ground=1.2)
    point = torch.tensor([[[0.5, 1.7, 2.0]]] * 3)  # left, up, ahead
    pixels, depth = camera.project(point, torch.tensor([0.0, 90.0, 180.0]))
    # From the front, the left of the walker is on the right of the image, and ahead is nearer.
    assert depth[0, 0] == pytest.approx(6.0)
    assert pixels[0, 0].tolist() == pytest.approx([160 + 400 * 0.5 / 6, 120 - 400 * 0.5 / 6])
    # From the left, the walker moves to the left of the image, and the left arm is nearer.
    assert depth[1, 0] == pytest.approx(7.5)
    assert pixels[1, 0].tolist() == pytest.approx(
        [160 - 400 * 2 / 7.5, 120 - 400 * 0.5 / 7.5], rel=1e-5
    )
    # From behind, left is on the left, and ahead is farther.
    assert depth[2, 0] == pytest.approx(10.0)
    assert pixels[2, 0].tolist() == pytest.approx([160 - 400 * 0.5 / 10, 120 - 400 * 0.5 / 10])


@pytest.mark.parametrize('view', [18, 54, 126, 250])
def test_pinhole_projection(view):
    camera = Camera(focal_length=500, distance=6, height_above_ground=1.0)
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


def test_invalid_cameras_and_points():
    with pytest.raises(ValueError, match='distance must be positive, got 0'):
        Camera(distance=0)
    with pytest.raises(
        ValueError, match=r'in front of the camera at a distance of 7.0 m.*travel=False'
    ):
        Camera().project(torch.tensor([[[0.0, 1.0, 7.5]]]), torch.tensor([0.0]))
    inside = Camera().in_image(
        torch.tensor([[0.0, 0.0], [319.9, 239.9], [320, 10], [-1, 10], [5, 240]])
    )
    assert inside.tolist() == [True, True, False, False, False]


def filmed(view, subjects=8, frames=40):
    walks = sample_walks(0, [(s, 'neutral', 'normal', 1) for s in range(subjects)])
    points = simulate_walk(
        walks.traits, walks.phase(frames, 30), [*COCO, 'pelvis', 'thorax'], travel=False
    )
    camera, angles = Camera(), torch.full((subjects,), float(view))
    pixels, depth = camera.project(points, angles)
    trunk = torch.cat([pixels, depth.unsqueeze(-1)], dim=-1)[:, :, -2:].mean(2)
    pixels, depth = pixels[:, :, :17], depth[:, :, :17]
    occlusion = self_occlusion(pixels, depth, trunk, angles, COCO, camera.focal_length)
    return pixels, occlusion, camera.focal_length / depth


def test_self_occlusion():
    mean = {}
    for view in (0, 90, 180, 270):
        _, occlusion, _ = filmed(view)
        assert ((occlusion >= 0) & (occlusion <= 1)).all()
        mean[view] = dict(zip(COCO, occlusion.mean((0, 1)).tolist()))
    assert mean[0]['nose'] < 0.05
    assert mean[180]['nose'] > 0.95
    for near, far, view in (('left', 'right', 90), ('right', 'left', 270)):
        assert mean[view][f'{far}_hip'] > mean[view][f'{near}_hip'] + 0.5
        assert mean[view][f'{far}_ear'] > mean[view][f'{near}_ear'] + 0.8
        assert mean[view][f'{far}_wrist'] > mean[view][f'{near}_wrist'] + 0.15
    assert mean[0]['left_knee'] < 0.2


def generators(count, seed=0):
    return [np.random.default_rng((seed, i)) for i in range(count)]


def test_errors_grow_with_occlusion_and_scores_decrease_with_errors():
    pixels, occlusion, scale = filmed(90, subjects=30)
    found, score = simulate_pose_estimator(pixels, occlusion, scale, COCO, 1.0, generators(30))
    error = (found - pixels).norm(dim=-1)
    present = score > 0
    assert (
        error[present & (occlusion > 0.7)].mean() > 1.8 * error[present & (occlusion < 0.1)].mean()
    )
    assert (
        0.3 < error[present & (occlusion < 0.1)].median() < 2.0
    )  # pixels; the body is about 100 pixels high
    both = torch.stack([error[present], score[present]])
    assert torch.corrcoef(both)[0, 1] < -0.5
    assert (score <= 1).all()
    assert 0.001 < (~present).float().mean() < 0.03
    lost_occluded = (~present)[occlusion > 0.7].float().mean()
    assert lost_occluded > 3 * (~present)[occlusion < 0.1].float().mean()


def test_errors_drift():
    pixels, occlusion, scale = filmed(0, subjects=30)
    found, _ = simulate_pose_estimator(pixels, occlusion, scale, COCO, 1.0, generators(30))
    error = (found - pixels)[..., 5:, :]
    now, after = error[:, :-1].flatten(), error[:, 1:].flatten()
    assert 0.2 < torch.corrcoef(torch.stack([now, after]))[0, 1] < 0.9


def test_left_and_right_are_rarely_swapped():
    pixels, occlusion, scale = filmed(0, subjects=8, frames=20)
    swapped = 0
    for seed in range(40):
        found, score = simulate_pose_estimator(
            pixels, occlusion, scale, COCO, 1.0, generators(8, seed)
        )
        left, right = COCO.index('left_ankle'), COCO.index('right_ankle')
        seen = (score[..., left] > 0) & (score[..., right] > 0)
        # From the front, the left ankle is on the right of the image.
        true = pixels[..., left, 0] - pixels[..., right, 0]
        swapped += (
            (found[..., left, 0] - found[..., right, 0] < -0.3 * true) & (true > 6) & seen
        ).sum()
    assert 0 < swapped / (40 * 8 * 20) < 0.03


def test_without_noise():
    pixels, occlusion, scale = filmed(36, subjects=2)
    found, score = simulate_pose_estimator(pixels, occlusion, scale, COCO, 0, [])
    assert torch.equal(found, pixels)
    assert (score == 1).all()


def test_sequences_are_independent():
    pixels, occlusion, scale = filmed(36, subjects=3)
    all_found, _ = simulate_pose_estimator(pixels, occlusion, scale, COCO, 1.0, generators(3))
    one, _ = simulate_pose_estimator(
        pixels[1:2], occlusion[1:2], scale[1:2], COCO, 1.0, generators(3)[1:2]
    )
    assert torch.equal(one[0], all_found[1])
