import os
import pickle

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from graphmotion.data import from_array, write_skeleton_pickle
from graphmotion.datasets import SkeletonPickle
from graphmotion.io import read_skeleton_pickle
from graphmotion.skeletons import Skeleton


def annotation(name, frames=5, people=1, dims=2, **fields):
    random = np.random.default_rng(frames)
    return {
        'frame_dir': name,
        'label': frames % 3,
        'total_frames': frames,
        'keypoint': random.normal(size=(people, frames, 17, dims)).astype(np.float16),
        **fields,
    }


def content(*annotations, **split):
    return {'split': split, 'annotations': list(annotations)}


def write(root, file, name='set.pkl'):
    os.makedirs(root / 'raw', exist_ok=True)
    with open(root / 'raw' / name, 'wb') as out:
        pickle.dump(file, out)
    return str(root)


def same(dataset, other):
    assert len(dataset) == len(other)
    for a, b in zip(dataset, other):
        assert set(a.keys()) - {'annotation'} == set(b.keys()) - {'annotation'}
        for key in set(b.keys()) - {'annotation'}:
            assert torch.equal(a[key], b[key]), key


def test_reads_samples_and_splits(tmp_path):
    annotations = [annotation('a', 5), annotation('b', 7, people=2), annotation('c', 6)]
    file = content(*annotations, xsub_train=['c', 'a'], xsub_val=['b'], xview_train=['b'])
    dataset = SkeletonPickle(write(tmp_path, file), 'set.pkl', 'coco17', ['x', 'y', 'z'])
    assert dataset.names() == ['a', 'b', 'c']
    assert dataset.labels().tolist() == [2, 1, 0]
    assert [data.pos.shape for data in dataset] == [(17, 5, 2), (34, 7, 2), (17, 6, 2)]
    assert 'score' not in dataset[0]
    expected = torch.from_numpy(annotations[1]['keypoint'][1]).float().transpose(0, 1)
    assert torch.equal(dataset[1].pos[17:], expected)
    train, test = dataset.official_split('xsub')
    assert (train.names(), test.names()) == (['a', 'c'], ['b'])
    assert dataset.official_split()[0].names() == ['a', 'c']
    assert dataset.part('xview_train').names() == ['b']
    assert dataset[1:].part('xsub_train').names() == ['c']
    assert dataset.num_classes == 3
    again = SkeletonPickle(str(tmp_path), 'set.pkl', 'coco17')
    assert again.names() == ['a', 'b', 'c']
    assert again.num_classes == 3
    with pytest.raises(ValueError, match=r"protocol must be one of \['xsub'\], got 'xview'"):
        dataset.official_split('xview')
    with pytest.raises(ValueError, match=r"name must be one of \['xsub_train', .*got 'val'"):
        dataset.part('val')


@pytest.mark.parametrize(
    ('parts', 'protocols'),
    [
        (['train', 'val'], ['official']),
        (['train', 'test'], ['official']),
        (['train1', 'test1', 'train2', 'test2'], ['1', '2']),
        (['xset_train', 'xset_val'], ['xset']),
        (['val'], []),
    ],
)
def test_names_of_splits(tmp_path, parts, protocols):
    file = content(annotation('a'), **{part: ['a'] for part in parts})
    dataset = SkeletonPickle(write(tmp_path, file), 'set.pkl', 'coco17')
    assert list(dataset.protocols) == protocols
    if not protocols:
        with pytest.raises(ValueError, match=r'protocol must be one of \[\], got None'):
            dataset.official_split()


def test_a_list_of_annotations_has_no_splits(tmp_path):
    dataset = SkeletonPickle(write(tmp_path, [annotation('a')]), 'set.pkl', 'coco17')
    assert dataset.protocols == {}


def test_scores_and_missing_joints(tmp_path):
    score = np.full((1, 5, 17), 0.5, np.float16)
    score[0, 1, 2], score[0, 1, 3], score[0, 1, 4], score[0, 1, 5] = 0, 1.02, -0.1, np.nan
    first = annotation('a', 5, keypoint_score=score)
    second = annotation('b', 6)
    second['keypoint'][0, 2, 3, 0] = np.nan
    dataset = SkeletonPickle(write(tmp_path, content(first, second)), 'set.pkl', 'coco17')
    assert dataset[0].score[1:7, 1].tolist() == [0.5, 0, 1, 0, 0, 0.5]
    assert dataset[0].pos[2, 1].tolist() == [0, 0]
    assert (dataset[1].score == 0).nonzero().tolist() == [[3, 2]]
    # A joint can be missing although there are no scores.
    dataset = SkeletonPickle(write(tmp_path, content(second), 'b.pkl'), 'b.pkl', 'coco17')
    assert dataset[0].score.sum() == 6 * 17 - 1


@pytest.mark.parametrize(('field', 'dims'), [('keypoint_score', 2), ('joint_score', 3)])
def test_scores_of_one_are_scores(tmp_path, field, dims):
    file = content(annotation('a', 5, dims=dims, **{field: np.ones((1, 5, 17))}))
    assert SkeletonPickle(write(tmp_path, file), 'set.pkl', 'coco17')[0].score.min() == 1


def test_labels_of_all_annotations_are_kept(tmp_path):
    file = content(
        annotation('a', subject=3, view=np.int64(2), img_shape=(2, 3), clip=1, keypoint_score=None),
        annotation('b', subject=4, img_shape=(2, 3)),
    )
    dataset = SkeletonPickle(write(tmp_path, file), 'set.pkl', 'coco17')
    assert dataset.labels('subject').tolist() == [3, 4]
    assert 'view' not in dataset[0]


def test_filtered_samples_keep_their_names(tmp_path):
    file = content(annotation('a', 5), annotation('b', 7), annotation('c', 6), train=['a', 'c'])
    dataset = SkeletonPickle(
        write(tmp_path, file), 'set.pkl', 'coco17', pre_filter=lambda data: data.num_frames > 5
    )
    assert dataset.names() == ['b', 'c']
    assert dataset.part('train').names() == ['c']


def bad(**change):
    out = annotation('bad') | change
    return {k: v for k, v in out.items() if v is not ...}


@pytest.mark.parametrize(
    ('wrong', 'reason'),
    [
        (bad(keypoint=np.zeros((1, 5, 18, 2))), r'keypoint not numbers of shape \[M, T, 17, 2\]'),
        (bad(keypoint=np.zeros((1, 5, 17, 4))), 'keypoint not numbers of shape'),
        (bad(keypoint=np.zeros((1, 0, 17, 2))), 'keypoint not numbers of shape'),
        (bad(keypoint=...), 'keypoint not numbers of shape'),
        (bad(keypoint='text'), 'keypoint not numbers of shape'),
        (bad(keypoint=[[[[1, 2]], [[1]]]]), 'keypoint not numbers of shape'),
        (bad(keypoint_score=[[1], [1, 2]]), 'keypoint_score not numbers of shape'),
        (
            bad(keypoint_score=np.ones((1, 5, 16))),
            r'keypoint_score not numbers of shape \[1, 5, 17',
        ),
        (bad(joint_score=np.ones((1, 5, 16))), r'joint_score not numbers of shape \[1, 5, 17'),
        (bad(total_frames=9), 'total_frames not the number of frames of keypoint'),
        (bad(label=...), 'label not a class index'),
        (bad(label=-1), 'label not a class index'),
        (bad(label='walk'), 'label not a class index'),
    ],
)
def test_invalid_samples_are_skipped(tmp_path, wrong, reason):
    root = write(tmp_path, content(annotation('a'), wrong, annotation('c'), train=['bad', 'c']))
    with pytest.warns(UserWarning, match=rf'set\.pkl: skipped 1 of 3 samples: 1 with {reason}'):
        dataset = SkeletonPickle(root, 'set.pkl', 'coco17')
    assert dataset.names() == ['a', 'c']
    assert dataset.part('train').names() == ['c']


@pytest.mark.parametrize(
    ('file', 'match'),
    [
        (3, 'annotations: expected a list, found int'),
        ({'split': {}}, 'annotations: expected a list, found NoneType'),
        ({'annotations': []}, 'split: expected a dict, found NoneType'),
        (content(), 'no samples found'),
        (content(3), r'annotations\[0\]: expected a dict with the text frame_dir, found 3'),
        (content({'label': 3}), r'annotations\[0\]: expected a dict with the text frame_dir'),
        (content(annotation('a'), train=3), r"split\['train'\]: expected a list of frame_dir"),
        (content(annotation('a'), train=[3]), r"split\['train'\]: expected a list of frame_dir"),
        (content(annotation('a'), train=['b', 'c']), "found 2 others, such as 'b'"),
    ],
)
def test_other_files_raise_and_leave_no_file(tmp_path, file, match):
    with pytest.raises(ValueError, match=rf'set\.pkl: .*{match}'):
        SkeletonPickle(write(tmp_path, file), 'set.pkl', 'coco17')
    folder = tmp_path / 'processed'
    assert not folder.exists() or not os.listdir(folder)


class Command:
    """Runs a command when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def test_files_that_execute_code_raise(tmp_path):
    root = write(tmp_path, content(annotation('a', extra=Command(tmp_path / 'ran'))))
    with pytest.raises(ValueError, match=r'set\.pkl: object: .* found posix\.system'):
        SkeletonPickle(root, 'set.pkl', 'coco17')
    assert os.listdir(tmp_path) == ['raw']


def test_missing_empty_and_truncated_files_raise(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'SkeletonPickle needs set\.pkl in .*raw'):
        SkeletonPickle(str(tmp_path), 'set.pkl', 'coco17')
    root = write(tmp_path, content(annotation('a')))
    path = tmp_path / 'raw' / 'set.pkl'
    whole = path.read_bytes()
    for part in (b'', whole[: len(whole) // 2]):
        path.write_bytes(part)
        with pytest.raises(ValueError, match=r'set\.pkl: content: expected a'):
            SkeletonPickle(root, 'set.pkl', 'coco17')


def test_failed_processing_keeps_the_old_files(tmp_path, monkeypatch):
    root = write(tmp_path, content(annotation('a')))
    SkeletonPickle(root, 'set.pkl', 'coco17')
    write(tmp_path, content(annotation('b')))
    monkeypatch.setattr(torch, 'save', lambda *_: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        SkeletonPickle(root, 'set.pkl', 'coco17', force_reload=True)
    monkeypatch.undo()
    names, stored = sorted(os.listdir(tmp_path / 'processed'))
    assert (names[:4], names[-5:], stored[-3:]) == ('set_', '.json', '.pt')
    write(tmp_path, content(annotation('a')))
    with pytest.warns(UserWarning, match='the raw files have changed'):
        assert SkeletonPickle(root, 'set.pkl', 'coco17').names() == ['a']
    (tmp_path / 'processed' / names).write_text('[]')
    with pytest.raises(ValueError, match=r'\.json: content: expected names and splits'):
        SkeletonPickle(root, 'set.pkl', 'coco17')


def samples(score=True, dims=3):
    random = np.random.default_rng(0)
    return [
        from_array(
            random.normal(size=(people, frames, 17, dims)).astype(np.float32),
            'coco17',
            random.uniform(0.1, 1, size=(people, frames, 17)).astype(np.float32) if score else None,
            axes='MTVC',
            y=people,
            subject=frames,
        )
        for people, frames in ((1, 5), (2, 4))
    ]


@pytest.mark.parametrize('dims', [2, 3])
@pytest.mark.parametrize('score', [True, False])
def test_round_trip_is_exact(tmp_path, score, dims):
    os.makedirs(tmp_path / 'raw')
    path = str(tmp_path / 'raw' / 'set.pkl')
    split = {'train': torch.tensor([1]), 'val': [0]}
    written = samples(score, dims)
    if score:  # a joint is missing, and a person for a while
        for data, nodes in ((written[0], [3]), (written[1], range(17, 34))):
            data.score[nodes, :2], data.pos[nodes, :2] = 0, 0
    write_skeleton_pickle(path, written, split, ['x', 'y'], 'coco17')
    dataset = SkeletonPickle(str(tmp_path), 'set.pkl', 'coco17')
    same(dataset, written)
    assert [part.names() for part in dataset.official_split()] == [['y'], ['x']]
    # Written once more, from the dataset
    write_skeleton_pickle(path, dataset, split, dataset.names())
    same(SkeletonPickle(str(tmp_path), 'set.pkl', 'coco17', force_reload=True), written)
    # And for others: nothing but arrays, plain numbers and text
    with open(path, 'rb') as file:
        loaded = pickle.load(file)
    assert loaded['split'] == {'train': ['y'], 'val': ['x']}
    first = loaded['annotations'][0]
    assert first['keypoint'].shape == (1, 5, 17, dims)
    # PYSKL and MMAction2 take scores of positions in the plane only.
    assert ('keypoint_score' in first) == (score and dims == 2)
    assert {type(v) for v in first.values()} == {np.ndarray, int, str}


def test_a_3d_person_at_the_origin_is_missing(tmp_path):
    one, two = annotation('a', 5, people=2, dims=3), annotation('b', 6, people=2, dims=2)
    one['keypoint'][1, :2] = 0
    one['keypoint'][0, 3, 4] = 0  # a single joint may well be at the origin
    two['keypoint'][1, :2] = 0
    root = write(tmp_path, content(one), 'space.pkl')
    data = SkeletonPickle(root, 'space.pkl', 'coco17')[0]
    assert (data.score == 0).nonzero().tolist() == [[17 + v, t] for v in range(17) for t in (0, 1)]
    write(tmp_path, content(two), 'plane.pkl')
    assert 'score' not in SkeletonPickle(root, 'plane.pkl', 'coco17')[0]


def test_default_names_are_numbers_without_a_split(tmp_path):
    path = str(tmp_path / 'set.pkl')
    write_skeleton_pickle(path, samples(), skeleton='coco17')
    split, annotations = read_skeleton_pickle(path)
    assert split == {}
    assert [a['frame_dir'] for a in annotations] == ['000000', '000001']


def test_bad_samples_raise_and_leave_no_file(tmp_path):
    path = str(tmp_path / 'set.pkl')
    nameless = samples()
    del nameless[1].y
    for arguments, match in (
        ((nameless, None, None, 'coco17'), "field 'y' of sample 1 must be its class, got None"),
        ((samples(), None, ['a', 'a'], 'coco17'), 'must be 2 distinct names, got 2 names, 1 of'),
        ((samples(), None, ['a'], 'coco17'), 'must be 2 distinct names, got 1 names'),
        (
            (samples(), {'train': [2]}, None, 'coco17'),
            r"split\['train'\] must hold numbers in \[0, 1\], got 2",
        ),
        ((samples(), None, None, 'coco18'), "unknown skeleton 'coco18'"),
    ):
        with pytest.raises(ValueError, match=match):
            write_skeleton_pickle(path, *arguments)
    with pytest.raises(TypeError, match='skeleton must be a Skeleton or the name of one'):
        write_skeleton_pickle(path, samples())
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_the_real_nw_ucla_reads_back_equal(tmp_path, nw_ucla):
    dataset = nw_ucla
    os.makedirs(tmp_path / 'raw')
    train, test = dataset.official_split()
    split = {'cross_view_train': train.indices(), 'cross_view_val': test.indices()}
    write_skeleton_pickle(str(tmp_path / 'raw' / 'ucla.pkl'), dataset, split, dataset.names())
    again = SkeletonPickle(str(tmp_path), 'ucla.pkl', 'kinect20', dataset.class_names)
    for field in ('pos', 'score', 'y', 'subject', 'view', 'take', 'num_frames'):
        assert torch.equal(again._data[field], dataset._data[field])
    assert again.names() == dataset.names()
    parts = again.official_split('cross_view')
    assert [part.names() for part in parts] == [train.names(), test.names()]


def test_another_layout_of_the_same_name_is_read_again(tmp_path):
    root = write(tmp_path, content(annotation('a')))
    skeletons = [
        Skeleton([f'j{i}' for i in range(17)], [(0, i) for i in range(1, 17)]),
        Skeleton([f'j{i}' for i in range(17)], [(i, i + 1) for i in range(16)]),
    ]
    first, second = (SkeletonPickle(root, 'set.pkl', skeleton) for skeleton in skeletons)
    assert not torch.equal(first[0].edge_index, second[0].edge_index)
    assert first.processed_paths != second.processed_paths


def test_image_sizes_are_read_and_written(tmp_path):
    first, second = annotation('a', img_shape=(480, 640)), annotation('b', img_shape=[1080, 1920])
    dataset = SkeletonPickle(write(tmp_path, content(first, second)), 'set.pkl', 'coco17')
    assert dataset.labels('image_size').tolist() == [[480, 640], [1080, 1920]]
    assert dataset[1].image_size.tolist() == [[1080, 1920]]
    assert dataset.get_batch([1, 0]).image_size.tolist() == [[1080, 1920], [480, 640]]
    path = tmp_path / 'raw' / 'again.pkl'
    write_skeleton_pickle(path, dataset)
    _, annotations = read_skeleton_pickle(str(path))
    assert annotations[0]['img_shape'] == annotations[0]['original_shape'] == (480, 640)
    same(dataset, SkeletonPickle(tmp_path, 'again.pkl', 'coco17'))
    # All samples must have a size.
    file = content(first, annotation('b', img_shape=None))
    assert 'image_size' not in SkeletonPickle(write(tmp_path, file, 'c.pkl'), 'c.pkl', 'coco17')[0]
    file = content(first, annotation('b', img_shape=(0, 640)), annotation('c', img_shape='x'))
    with pytest.warns(UserWarning, match=r'2 with img_shape not height and width in pixels \(b, c'):
        assert len(SkeletonPickle(write(tmp_path, file, 'd.pkl'), 'd.pkl', 'coco17')) == 1


def test_labels_that_are_plain_numbers(tmp_path):
    walk = Data(pos=torch.rand(17, 5, 2), y=3, subject=4, source='a.json')
    write_skeleton_pickle(tmp_path / 'a.pkl', [walk], skeleton='coco17')
    content = pickle.loads((tmp_path / 'a.pkl').read_bytes())
    (annotation,) = content['annotations'] if isinstance(content, dict) else content
    assert (annotation['label'], annotation['subject']) == (3, 4)
