import numpy as np
import pytest
import torch
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.inference import Recognizer
from graphmotion.inference.streaming import read_frames
from graphmotion.models import create_model
from graphmotion.skeletons import get_skeleton

NAMES = ('calm', 'happy', 'sad')
JOINT = T.ToStream('joint')


def network(name='st_gcn', skeleton='emotion_gait16', in_channels=3, **options):
    torch.manual_seed(0)
    options = {'channels': (8, 8, 16)} | options
    model = create_model(name, skeleton=skeleton, num_classes=3, in_channels=in_channels, **options)
    for module in model.modules():  # so that outputs differ between windows
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.uniform_(module.running_var, 0.2, 1.0)
    if hasattr(model, 'lin'):
        torch.nn.init.normal_(model.lin.weight, std={'agcn': 0.02, 'ctr_gcn': 0.02}.get(name, 0.5))
    return model


def make(transform=JOINT, model=None, **options):
    return Recognizer(model or network(), transform, class_names=NAMES, **options)


def walk(num_frames=40, num_joints=16, seed=0, dim=3):
    generator = np.random.default_rng(seed)
    return np.sin(generator.normal(size=(num_frames, num_joints, dim)).cumsum(axis=0) / 4)


def check(recognizer, stream, pos, score=None, window=20, hop=1, axes='TVC'):
    """Compares the answers for pushed frames with those for the array of each window."""
    answers = []
    for n, joints in enumerate(pos, start=1):
        out = stream.push(joints if score is None else (joints, score[n - 1]))
        due = n >= window and (n - window) % hop == 0
        assert (out is not None) == due
        if out is not None:
            part = slice(n - window, n)
            expected = recognizer(
                pos[part], axes=axes, score=None if score is None else score[part], window=10**6
            )
            (answer,) = out
            assert answer.frames == (n - window, n)
            for name in NAMES:
                difference = answer.probabilities[name] - expected[0].probabilities[name]
                assert abs(difference) < 1e-5
            answers.append(list(answer.probabilities.values()))
    return torch.tensor(answers)


@pytest.mark.parametrize('name', ['st_gcn', 'msa_gcn', 'agcn', 'ctr_gcn', 'fg_stformer'])
@pytest.mark.parametrize('hop', [1, 3])
def test_answers_equal_those_for_each_window(name, hop):
    recognizer = make(model=network(name))
    answers = check(recognizer, recognizer.stream(hop, 20), walk(30), hop=hop)
    assert answers.diff(dim=0).abs().amax(dim=1).median() > 1e-4  # ten times the tolerance


TRANSFORMS = {
    'centre of the window': Compose([T.CenterJoint('emotion_gait16', per_frame=False), JOINT]),
    'centre of each frame': Compose([T.CenterJoint('emotion_gait16'), JOINT]),
    'motion': T.ToStream('joint_motion', 'emotion_gait16'),
    'fill': Compose([T.FillMissing(), JOINT]),
    'range': Compose([T.MinMaxNormalize(), T.ResampleFrames(13), JOINT]),
    'random': Compose([T.RandomTimeShift(), T.CropFrames(16), JOINT]),
    'padded': Compose([T.PadFrames(32), JOINT]),
    'heading': Compose([T.AlignHeading('emotion_gait16'), JOINT]),
}


@pytest.mark.parametrize('name', TRANSFORMS)
@pytest.mark.parametrize('scores', [False, True])
def test_transforms_and_missing_joints(name, scores):
    recognizer = make(TRANSFORMS[name], num_augmentations=2, seed=3)
    pos = walk(26)
    generator = np.random.default_rng(1)
    missing = generator.random(pos.shape[:2]) < 0.1
    missing[:, 0] = False
    score = None
    if scores:
        score = generator.random(pos.shape[:2])
        score[missing] = 0
    else:
        pos[missing] = np.nan
    check(recognizer, recognizer.stream(window=20), pos, score)


def test_changed_weights_are_used():
    recognizer = make()
    stream, pos = recognizer.stream(window=20), walk(42)
    check(recognizer, stream, pos[:21])
    torch.nn.init.normal_(recognizer.model.lin.weight)
    for joints in pos[21:41]:
        (answer,) = stream.push(joints)
    expected = recognizer(pos[21:41], axes='TVC', window=10**6)[0]
    assert answer.probability == pytest.approx(expected.probability, abs=1e-5)


def test_features_are_reused(monkeypatch):
    """Only frames near the ends are evaluated, also with an interpolated joint."""
    monkeypatch.setattr('graphmotion.nn.sliding.MIN_FLOPS', 0)
    model = network(channels=(8, 8))
    recognizer = make(Compose([T.FillMissing(), JOINT]), model)
    stream = recognizer.stream(window=40)
    frames = []
    recognizer.fused_model().layers[0].spatial.register_forward_hook(
        lambda _, args, out: frames.append(args[0].size(1))
    )
    pos = walk(70)
    pos[50:52, 3] = np.nan
    answers = [stream.push(joints) for joints in pos]
    assert frames[0] == 40
    assert max(frames[1:]) < 10
    expected = recognizer(pos[-40:], axes='TVC')[0]
    assert answers[-1][0].probability == pytest.approx(expected.probability, abs=1e-5)


def test_several_networks_and_transforms():
    models = [network(), network('agcn')]
    models[1].lin.weight.data.mul_(-2)
    crops = [Compose([T.CropFrames(12, 'center', shift=s), JOINT]) for s in (-2, 2)]
    for recognizer in (
        Recognizer(models, [JOINT, crops[0]], class_names=NAMES, weights=(0.6, 0.4)),
        Recognizer(models[0], crops, class_names=NAMES),
        Recognizer(models[0], JOINT, class_names=NAMES, dataset_transform=T.FillMissing()),
    ):
        check(recognizer, recognizer.stream(2, 20), walk(30), hop=2)


def test_several_people():
    recognizer = make()
    walks = {7: walk(60, seed=1), 3: walk(60, seed=2), 12: walk(60, seed=3)}
    present = {7: range(60), 3: range(10, 60), 12: range(5, 30)}
    stream = recognizer.stream(window=20)
    for n in range(60):
        out = stream.push({i: walks[i][n] for i in walks if n in present[i]})
        frames = range(n - 19, n + 1)
        expected = {}
        for i in walks:
            seen = [t for t in frames if t in present[i]]
            if n + 1 - present[i].start >= 20 and seen:
                pos = walks[i][n - 19 : n + 1].copy()
                pos[[t not in present[i] for t in frames]] = np.nan
                expected[i] = recognizer(pos, axes='TVC')[0]
        got = {} if out is None else {answer.person: answer for answer in out}
        assert got.keys() == expected.keys()
        for i, answer in got.items():
            assert answer.frames == (n - 19, n + 1)
            assert answer.probability == pytest.approx(expected[i].probability, abs=1e-5)
            assert answer.label == expected[i].label
    assert list(stream._people) == [7, 3]  # person 12 was removed


def test_a_network_of_two_people():
    recognizer = make(model=network('ctr_gcn', num_people=2))
    one, other = walk(40, seed=1), walk(40, seed=2)
    stream = recognizer.stream(4, 20)
    for n in range(1, 41):
        out = stream.push({5: one[n - 1], 8: other[n - 1]} | ({9: one[n - 1]} if n == 30 else {}))
        if out is not None:
            both = np.stack([one, other])[:, n - 20 : n]
            (answer,), (expected,) = out, recognizer(both, axes='MTVC')
            assert answer.person is None
            assert answer.probability == pytest.approx(expected.probability, abs=1e-5)


def test_missing_frames():
    recognizer = make()
    pos = walk(40)
    gaps = (3, 15, 16, 30)
    stream = recognizer.stream(window=20)
    assert stream.push(None) is None
    for n in range(40):
        out = stream.push(None if n in gaps else pos[n])
        if n >= 19:
            part = pos.copy()
            part[list(gaps)] = np.nan
            expected = recognizer(part[n - 19 : n + 1], axes='TVC')[0]
            assert out[0].probability == pytest.approx(expected.probability, abs=1e-5)
            assert out[0].frames == (n - 18, n + 2)
    for _ in range(19):
        assert stream.push(None) is not None
    assert stream.push(None) is None  # the person was missing for an entire window
    assert stream.push(pos[0]) is None


def test_answers_before_the_window_is_full():
    recognizer = make(window=20)
    pos = walk(30)
    stream = recognizer.stream(hop=2, min_frames=5)
    for n in range(1, 31):
        out = stream.push(torch.from_numpy(pos[n - 1]))
        assert (out is not None) == (n >= 5 and n % 2 == 1)
        if out is not None:
            first = max(0, n - 20)
            expected = recognizer(pos[first:n], axes='TVC', window=100)[0]
            assert out[0].frames == (first, n)
            assert out[0].probability == pytest.approx(expected.probability, abs=1e-5)


def test_another_stream_after_a_reset():
    recognizer = make()
    stream = recognizer.stream(window=20)
    for seed in range(2):
        check(recognizer, stream, walk(30, seed=seed))
        stream.reset()


def test_joints_are_converted():
    skeleton = get_skeleton('coco17')
    model = network(skeleton='openpose18', in_channels=2)
    recognizer = make(model=model)
    stream = recognizer.stream(window=20, skeleton=skeleton, frame_rate=30)
    pos = walk(25, 17, dim=2)
    for joints in pos:
        out = stream.push(joints)
    expected = recognizer(pos[-20:], skeleton='coco17', axes='TVC')[0]
    assert out[0].probability == pytest.approx(expected.probability, abs=1e-5)


def test_memory_is_bounded(monkeypatch):
    monkeypatch.setattr('graphmotion.nn.sliding.MIN_FLOPS', 0)
    recognizer = make(model=network(channels=(4, 4)))
    stream = recognizer.stream(window=20)
    pos = walk(140)

    def size():
        frames = sum(len(person.detections) for person in stream._people.values())
        models = [m for networks in stream._sliding.values() for m in networks.values()]
        numbers = sum(
            result.features.numel()
            for model in models
            for call in model.cache._calls
            for result in call.results.values()
        )
        return frames, len(models), numbers

    sizes = []
    for n in range(140):
        # A new person every 25 frames.
        stream.push({0: pos[n], 1 + n // 25: pos[n]} if n % 25 < 22 else {0: pos[n]})
        sizes.append(size())
    assert sizes[60] == sizes[85] == sizes[110] == sizes[135]
    assert sizes[60][2] > 0
    assert max(frames for frames, _, _ in sizes) <= 3 * 20
    assert max(models for _, models, _ in sizes) <= 3


def test_bad_input():
    recognizer = make()
    with pytest.raises(ValueError, match='window must be given, since the recognizer has none'):
        recognizer.stream()
    with pytest.raises(ValueError, match='min_frames must be at most window=20, got 21'):
        recognizer.stream(window=20, min_frames=21)
    for name in ('hop', 'window', 'min_frames'):
        with pytest.raises(ValueError, match=f'{name} must be'):
            recognizer.stream(**({'window': 20} | {name: 0}))
    with pytest.raises(ValueError, match='must have class_names'):
        Recognizer(network(), JOINT).stream(window=20)
    stream = recognizer.stream(window=20)
    for joints in (np.zeros((15, 3)), np.zeros((16, 4)), np.zeros((1, 16, 3))):
        with pytest.raises(ValueError, match=r'joints must have shape \[16, 3\]'):
            stream.push(joints)
    with pytest.raises(ValueError, match=r'scores must have shape \[16\], got \[15\]'):
        stream.push((np.zeros((16, 3)), np.zeros(15)))
    assert stream.num_frames == 0
    stream = make(lambda data: data).stream(window=20)  # which may read any coordinates
    with pytest.raises(ValueError, match=r'joints must have shape \[16, 2 or 3\]'):
        stream.push(np.zeros((16, 4)))
    stream.push(np.zeros((16, 3)))
    with pytest.raises(ValueError, match=r'joints must have shape \[16, 3\]'):
        stream.push(np.zeros((16, 2)))


@pytest.mark.parametrize('num_people', [1, 2])
def test_a_recorded_file_is_replayed(tmp_path, num_people):
    recognizer = make(model=network('ctr_gcn', num_people=num_people))
    pos = np.stack([walk(25, seed=1), walk(25, seed=2)]).astype(np.float32)
    path = str(tmp_path / 'walk.npy')
    np.save(path, pos)
    frames, frame_rate = read_frames(recognizer, path, format='numpy')
    assert (len(frames), frame_rate) == (25, None)
    stream = recognizer.stream(window=25)
    out = [stream.push(frame) for frame in frames][-1]
    expected = recognizer(path, format='numpy')
    assert [a.person for a in out] == [a.person for a in expected]
    for answer, other in zip(out, expected, strict=True):
        assert answer.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_identities_equal_those_of_each_window():
    torch.manual_seed(0)
    model = create_model('gaitmixer', skeleton='emotion_gait16', in_channels=3, embedding_dim=8)
    recognizer = Recognizer(model, [JOINT, Compose([T.CenterJoint('emotion_gait16'), JOINT])])
    with pytest.raises(ValueError, match='must have class_names or a gallery'):
        recognizer.stream(window=40)
    for name, seed in (('anna', 1), ('ben', 2)):
        recognizer.enroll(name, walk(seed=seed), axes='TVC')
    stream = recognizer.stream(window=40, hop=4)
    first, second = walk(48, seed=1), walk(48, seed=2)
    count = 0
    for n, pair in enumerate(zip(first, second), start=1):
        answer = stream.push(dict(zip((3, 5), pair)))
        assert (answer is not None) == (n >= 40 and n % 4 == 0)
        if answer is not None:
            count += 1
            assert answer.people == (3, 5)
            for row, pos in enumerate((first, second)):
                expected = recognizer.identify(pos[n - 40 : n], axes='TVC')
                assert answer.names[row] == expected.names[0]
                torch.testing.assert_close(
                    answer.distance[row], expected.distance[0], atol=1e-5, rtol=1e-4
                )
            assert str(answer).splitlines()[1].startswith(f'person 5: {answer.labels[1]} (')
    assert count == 3


@pytest.mark.parametrize('number', [int, np.int64, torch.tensor], ids=['int', 'numpy', 'torch'])
def test_numbers_of_a_tracker_have_any_integer_type(number):
    stream = make().stream(window=8)
    for joints in walk(8):
        out = stream.push({number(3): joints, number(7): joints, 'left': joints})
    assert [answer.person for answer in out] == [3, 7, None]
