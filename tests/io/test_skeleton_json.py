import json

import pytest

from graphmotion.io import read_skeleton
from graphmotion.skeletons import Skeleton, get_skeleton

ARM = {'joints': ['shoulder', 'elbow', 'wrist'], 'bones': [['shoulder', 'elbow'], [1, 2]]}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(path)


def test_reads_a_layout(tmp_path):
    bones = [('shoulder', 'elbow'), ('elbow', 'wrist')]
    assert read_skeleton(write(tmp_path / 'a.json', ARM)) == Skeleton(ARM['joints'], bones)


def test_reads_everything_that_a_layout_has(tmp_path):
    expected = get_skeleton('kinect20')
    hierarchy = expected.hierarchy()
    members = hierarchy.members(1)
    parts = dict(zip(hierarchy.names(1), [[expected.joints[v] for v in m] for m in members]))
    content = {
        'name': expected.name,
        'joints': expected.joints,
        'bones': expected.bones,
        'center': expected.joints[expected.center],
        'pairs': [[expected.joints[i] for i in pair] for pair in expected.pairs],
        'hierarchies': {'parts': [parts]},
    }
    found = read_skeleton(write(tmp_path / 'a.json', content))
    for field in ('name', 'joints', 'bones', 'center', 'pairs'):
        assert getattr(found, field) == getattr(expected, field)
    assert found.assignment(1).equal(expected.assignment(1))
    assert hash(found) == hash(read_skeleton(str(tmp_path / 'a.json')))


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        ('', 'content: expected JSON, found an empty file'),
        ('{"joints": [', 'content: expected JSON'),
        ([1], r'content: expected an object, found \[1\]'),
        ({'joints': ['a', 'b']}, 'fields: expected joints, bones and optionally name'),
        (ARM | {'edges': []}, "fields: expected .* found .*'edges'"),
        (ARM | {'bones': [[0, 1]]}, 'expected a skeleton, found .*not connected'),
        (ARM | {'bones': [[0, 1], [1, 'knee']]}, "found .*unknown joint 'knee'"),
        (ARM | {'bones': 5}, 'expected a skeleton'),
        (ARM | {'joints': 5}, 'expected a skeleton'),
        (ARM | {'joints': None}, 'expected a skeleton'),
        (ARM | {'joints': [1, 2, 3]}, 'found .*non-empty str, got 1'),
        (ARM | {'hierarchies': [1]}, 'found .*hierarchies is a mapping'),
        (ARM | {'hierarchies': {'parts': 3}}, 'expected a skeleton'),
        (ARM | {'pairs': 3}, 'expected a skeleton'),
        (ARM | {'center': [1]}, 'expected a skeleton'),
    ],
)
def test_bad_files_raise(tmp_path, content, message):
    path = write(tmp_path / 'bad.json', content)
    with pytest.raises(ValueError, match=rf'bad\.json: .*{message}|bad\.json: {message}'):
        read_skeleton(path)


def test_missing_entries_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'none\.json: no such file'):
        read_skeleton(str(tmp_path / 'none.json'))
