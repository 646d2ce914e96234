import pytest
import torch

from graphmotion.skeletons import get_skeleton, list_skeletons
from graphmotion.synthetic.action_styles import sample_performances
from graphmotion.synthetic.actions import ACTIONS
from graphmotion.synthetic.actor import CURVES, simulate_action
from graphmotion.synthetic.body import SOLE_POINTS, body_lengths, find_landmarks

from .conftest import average_traits

SIDES = ('left', 'right')
CHAINS = ('hip', 'knee', 'ankle', 'shoulder', 'elbow', 'wrist')
LIMBS = [f'{side}_{joint}' for side in SIDES for joint in CHAINS]
FEET = [f'{side}_{point}' for side in SIDES for point in SOLE_POINTS]


def posed(names, traits=None, **curves):
    """Returns the landmarks {name: [3]} of the mean body in one pose."""
    traits = average_traits() | (traits or {})
    pose = {name: torch.tensor([[curves.get(name, 0.0)]]) for name in CURVES}
    return dict(zip(names, simulate_action(traits, pose, names)[0, 0]))


def performed(names, actions=tuple(ACTIONS), subjects=8):
    keys = [(subject, action, 1) for subject in range(subjects) for action in actions]
    sampled = sample_performances(0, keys, (60, 60), 30)
    return sampled, dict(
        zip(names, simulate_action(sampled.traits, sampled.curves, names).unbind(2))
    )


def test_standing():
    body = posed([*LIMBS, *FEET, 'pelvis', 'head'])
    leg = 0.491 * 1.7
    assert body['pelvis'][1] == pytest.approx(0.992 * leg + 0.039 * 1.7, abs=1e-4)
    assert body['pelvis'][[0, 2]].abs().max() == 0
    assert body['head'][1] > body['pelvis'][1] + 0.5
    for name in FEET:
        assert -1e-6 < body[name][1] < 0.012
    assert body['left_ankle'][0] == pytest.approx(0.08, abs=1e-3)
    for joint in ('ankle', 'knee', 'elbow'):
        mirrored = body[f'right_{joint}'] * torch.tensor([-1.0, 1.0, 1.0])
        torch.testing.assert_close(body[f'left_{joint}'], mirrored)
    for upper, lower in (('shoulder', 'elbow'), ('elbow', 'wrist')):
        assert body[f'left_{upper}'][1] - body[f'left_{lower}'][1] > 0.24


@pytest.mark.parametrize(
    ('curve', 'value', 'landmark', 'of', 'direction'),
    [
        ('flexion', 90, 'wrist', 'shoulder', (0, 0, 1)),
        ('flexion', 180, 'wrist', 'shoulder', (0, 1, 0)),
        ('abduction', 90, 'wrist', 'shoulder', (1, 0, 0)),
        ('elbow', 90, 'wrist', 'elbow', (0, 0, 1)),
    ],
)
@pytest.mark.parametrize('side', SIDES)
def test_arm_curves(side, curve, value, landmark, of, direction):
    names = [f'{side}_{landmark}', f'{side}_{of}']
    end, start = posed(names, **{f'{side}_elbow': 0.0, f'{side}_{curve}': value}).values()
    moved = torch.nn.functional.normalize(end - start, dim=0)
    expected = torch.tensor(direction, dtype=torch.float) * (
        torch.tensor([1.0 if side == 'left' else -1.0, 1.0, 1.0])
    )
    assert (moved * expected).sum() > 0.999


@pytest.mark.parametrize('side', SIDES)
def test_arm_turns(side):
    sign = 1 if side == 'left' else -1
    names = [f'{side}_{joint}' for joint in ('shoulder', 'elbow', 'wrist')]
    curves = {f'{side}_flexion': 90, f'{side}_outward': 90, f'{side}_elbow': 90}
    shoulder, elbow, wrist = posed(names, **curves).values()
    assert sign * (elbow - shoulder)[0] > 0.3  # the upper arm points outwards, the forearm up
    assert (wrist - elbow)[1] > 0.24
    curves = {f'{side}_inward': 90, f'{side}_elbow': 90}
    shoulder, elbow, wrist = posed(names, **curves).values()
    assert sign * (wrist - elbow)[0] < -0.24  # the forearm points inwards


def test_body_curves():
    plain = posed(['pelvis', 'head', 'left_shoulder', 'left_hip', 'left_ankle'])
    head, pelvis = plain['head'], plain['pelvis']

    def changed(**curves):
        return posed(['pelvis', 'head', 'left_shoulder', 'left_hip', 'left_ankle'], **curves)

    leg = 0.491 * 1.7
    moved = changed(drop=0.4, back=0.2, shift=0.05)
    expected = torch.tensor([0.05, -0.4, -0.2]) * leg
    torch.testing.assert_close(moved['pelvis'] - pelvis, expected)
    torch.testing.assert_close(moved['left_ankle'], plain['left_ankle'])
    assert (changed(lean=60)['head'] - head)[2] > 0.3
    assert (changed(nod=30)['head'] - head)[2] > 0.02
    assert (changed(side=30)['head'] - head)[0] < -0.15
    assert (changed(twist=40)['left_shoulder'] - plain['left_shoulder'])[2] < -0.05
    assert (changed(turn=40)['left_hip'] - plain['left_hip'])[2] < -0.04
    assert changed(tilt=20)['pelvis'].equal(pelvis)


def test_foot_curves():
    leg = 0.491 * 1.7
    plain, stepped = posed(FEET), posed(FEET, left_step=0.5, left_lift=0.25)
    for name in FEET:
        expected = torch.tensor([0.0, 0.25, 0.5]) * leg * name.startswith('left')
        torch.testing.assert_close(stepped[name] - plain[name], expected)
    raised = posed(FEET, right_heel=40)
    assert raised['right_heel'][1] > 0.08
    assert min(raised[name][1] for name in FEET) > -1e-6
    assert (raised['right_ball'] - plain['right_ball'])[[0, 2]].abs().max() < 1e-5
    toes = posed(FEET, right_heel=-20)
    assert toes['right_foot'][1] > 0.03
    assert (toes['right_heel'] - plain['right_heel']).abs().max() < 1e-5


def test_pelvis_is_lowered_for_a_wide_step_but_not_for_a_lifted_foot():
    standing, wide = posed(['pelvis']), posed(['pelvis', *FEET], left_step=0.5)
    assert wide['pelvis'][1] < standing['pelvis'][1] - 0.05
    assert max(abs(wide[name][1]) for name in FEET) < 0.012
    kicking = posed(['pelvis', 'left_hip', 'left_ankle'], left_step=1.0, left_lift=0.5)
    assert kicking['pelvis'][1] == standing['pelvis'][1]
    assert (kicking['left_hip'] - kicking['left_ankle']).norm() < 0.491 * 1.7


@pytest.mark.parametrize('name', list_skeletons())
def test_bones_have_constant_length(name):
    skeleton = get_skeleton(name)
    names = find_landmarks(skeleton)
    sampled, points = performed(names, subjects=2)
    points = torch.stack([points[landmark] for landmark in names], 2)
    assert points.isfinite().all()
    lengths = body_lengths(sampled.traits)
    bones = {'hip-knee': 'thigh', 'knee-ankle': 'shank', 'shoulder-elbow': 'upper_arm'}
    bones |= {'elbow-wrist': 'forearm'}
    count = 0
    for i, j in skeleton.bones:
        bone = '-'.join(names[k].partition('_')[2] for k in (j, i))
        if bone in bones:
            own = (points[:, :, i] - points[:, :, j]).norm(dim=-1)
            expected = lengths[bones[bone]].unsqueeze(1).expand_as(own)
            torch.testing.assert_close(own, expected, atol=1e-5, rtol=0)
            count += 1
    assert count == 8


def test_knees_and_elbows_bend_in_the_right_direction():
    _, points = performed(LIMBS)
    for side in SIDES:
        hip, knee, ankle, shoulder, elbow, wrist = (points[f'{side}_{j}'] for j in CHAINS)
        # In the sagittal plane, the leg turns backwards at the knee, and the arm forwards at the
        # elbow.
        u, v = knee - hip, ankle - knee
        assert (u[..., 1] * v[..., 2] - u[..., 2] * v[..., 1] > -1e-3).all()
        flexed = torch.nn.functional.cosine_similarity(elbow - shoulder, wrist - elbow, dim=-1)
        assert flexed.max() < 1 - 1e-4
        assert flexed.min() > torch.tensor(145.1).deg2rad().cos()
        hanging = (elbow - shoulder)[..., 1] < -0.9 * (elbow - shoulder).norm(dim=-1)
        assert ((wrist - elbow)[..., 2][hanging] > -0.14).all()


def test_feet_on_the_ground_do_not_slide():
    sampled, points = performed(FEET)
    lowest = torch.stack([points[name][..., 1] for name in FEET], -1).unflatten(-1, (2, 3)).amin(-1)
    assert lowest.min() > -1e-5
    for number, side in enumerate(SIDES):
        down = sampled.curves[f'{side}_lift'] < 1e-3
        assert lowest[..., number][down].max() < 0.008
        slide = 30 * points[f'{side}_ball'][..., [0, 2]].diff(dim=1).norm(dim=-1)
        slide = slide[down[:, 1:] & down[:, :-1]]
        assert slide.quantile(0.99) < 0.02
        assert slide.max() < 0.2


@pytest.mark.parametrize('action', ['squat', 'sit down', 'stand up', 'jump', 'pick up', 'kick'])
def test_movement_of_the_pelvis(action):
    sampled, points = performed(['pelvis', 'left_ankle', 'right_ankle'], (action,))
    height, ahead = points['pelvis'][..., 1], points['pelvis'][..., 2]
    leg = body_lengths(sampled.traits)
    leg = leg['thigh'] + leg['shank']
    low, change = height[:, 0] - height.amin(1), height[:, -1] - height[:, 0]
    ankle = torch.stack([points['left_ankle'], points['right_ankle']], -1)[:, :, 1].amax(-1)
    if action == 'squat':
        assert ((low > 0.3 * leg) & (change.abs() < 0.01)).all()
        assert (ahead.amin(1) < ahead[:, 0] - 0.05).all()
    elif action in ('sit down', 'stand up'):
        sign = -1 if action == 'sit down' else 1
        assert (sign * change > 0.35 * leg).all()
        assert (sign * (ahead[:, -1] - ahead[:, 0]) > 0.3 * leg).all()
    elif action == 'jump':
        both = torch.minimum(*(points[f'{side}_ankle'][..., 1] for side in SIDES))
        assert (both.amax(1) > both[:, 0] + 0.15).all()
        assert (height.amax(1) > height[:, 0] + 0.15).all()
    elif action == 'kick':
        assert (ankle.amax(1) > 0.35).all()
        assert (low < 0.08).all()
    else:
        assert (change.abs() < 0.01).all()


def test_movement_of_the_hands():
    names = ['left_hand', 'right_hand', 'head', 'left_shoulder', 'right_shoulder', 'left_hand_tip']
    names += ['right_hand_tip', 'thorax']

    def of(action):
        points = performed(names, (action,))[1]
        return points, torch.stack([points['left_hand'], points['right_hand']], 0)

    points, hands = of('wave')
    above = hands[..., 1] > points['thorax'][..., 1]
    assert (above.any(2).sum(0) == 1).all()  # one hand
    points, hands = of('clap')
    apart = (hands[0] - hands[1]).norm(dim=-1)
    assert apart.amin(1).median() < 0.06
    assert apart.amin(1).max() < 0.15
    points, hands = of('raise arms')
    assert (hands[:, :, -1, 1] > points['head'][:, -1, 1] + 0.2).all()
    assert (hands[:, :, 0, 1] < 1.0).all()
    points, hands = of('lower arms')
    assert (hands[:, :, 0, 1] > points['head'][:, 0, 1] + 0.2).all()
    points, hands = of('punch')
    assert ((hands - points['thorax'])[..., 2].amax(2).amax(0) > 0.55).all()
    points, hands = of('throw')
    assert (hands[..., 1].amax(2).amax(0) > points['head'][..., 1].amax(1)).all()
    points, hands = of('pick up')
    tips = torch.stack([points['left_hand_tip'], points['right_hand_tip']], 0)[..., 1]
    assert (tips.amin(2).amin(0) < 0.4).all()
    assert tips.min() > -0.03
