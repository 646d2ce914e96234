import pytest
import torch

from graphmotion.data.tensor_files import load_tensors, save_tensors


@pytest.mark.parametrize('mmap', [False, True])
def test_loaded_tensors_equal_the_originals(tmp_path, mmap):
    path = tmp_path / 'tensors.pt'
    for number in (1, 2):  # the second over the first
        content = {'version': number, 'fields': {'x': torch.rand(3, 2)}, 'names': ['a', 'b']}
        save_tensors(content, path)
        loaded = load_tensors(str(path), mmap)
        assert torch.equal(loaded.pop('fields')['x'], content.pop('fields')['x'])
        assert loaded == content
    assert [file.name for file in tmp_path.iterdir()] == ['tensors.pt']


class Foreign:
    """An object whose unpickling executes code."""


def test_other_files_raise(tmp_path):
    path = tmp_path / 'tensors.pt'
    with pytest.raises(FileNotFoundError, match=r'tensors\.pt: no such file'):
        load_tensors(path)
    torch.save(Foreign(), path)
    message = r'tensors\.pt: damaged or not written by this library'
    with pytest.raises(ValueError, match=message):
        load_tensors(path)
    path.write_bytes(b'not this')
    with pytest.raises(ValueError, match=message):
        load_tensors(path)
