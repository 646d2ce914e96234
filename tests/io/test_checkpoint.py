import pytest
import torch
from safetensors.torch import save_file

from graphmotion.io import read_weights
from graphmotion.io.checkpoint import read_checkpoint

STATE = {'lin.weight': torch.ones(2, 3), 'lin.bias': torch.zeros(2)}


@pytest.mark.parametrize(
    'content',
    [
        STATE,
        {'state_dict': STATE, 'epoch': 3},
        {'state_dict': {f'model.{k}': v for k, v in STATE.items()} | {'loss.w': torch.ones(1)}},
    ],
)
def test_weights_of_the_model(tmp_path, content):
    torch.save(content, tmp_path / 'a.ckpt')
    weights = read_weights(str(tmp_path / 'a.ckpt'))
    assert weights.keys() == STATE.keys()
    for name, value in weights.items():
        assert torch.equal(value, STATE[name])


@pytest.mark.parametrize('content', [{}, {'state_dict': {}}, {'epoch': 3}, [1], {'state_dict': 3}])
def test_files_without_weights_raise(tmp_path, content):
    path = str(tmp_path / 'a.ckpt')
    torch.save(content, path)
    with pytest.raises(ValueError, match=r'a\.ckpt: weights must map names to tensors, got no'):
        read_weights(path)


def test_weights_of_a_recognizer(tmp_path):
    path = str(tmp_path / 'recognizer.safetensors')
    network = {f'models.0.{name}': value for name, value in STATE.items()}
    for content in (network | {'config.0': torch.ones(1)}, STATE):
        save_file(content, path)
        assert read_weights(path).keys() == STATE.keys()
    save_file(network | {'models.1.lin.bias': torch.zeros(2)}, path)
    with pytest.raises(
        ValueError, match=r'recognizer\.safetensors: .* got a recognizer of 2; pass'
    ):
        read_weights(path)
    with open(path, 'r+b') as file:
        file.truncate(20)
    with pytest.raises(ValueError, match=r'recognizer\.safetensors: not a file of safetensors'):
        read_weights(path)


def test_invalid_files_raise(tmp_path):
    path = str(tmp_path / 'a.ckpt')
    for read in (read_weights, lambda path: read_checkpoint(path, 'state_dict')):
        with pytest.raises(ValueError, match=r'a\.ckpt: not a checkpoint, or damaged: .*No such'):
            read(str(tmp_path / 'no' / 'a.ckpt'))
        torch.save({'state_dict': print}, path)
        with pytest.raises(ValueError, match=r'a\.ckpt: the checkpoint must hold tensors and'):
            read(path)
    for content in ([1], {'epoch': 3}):
        torch.save(content, path)
        with pytest.raises(ValueError, match=r'a\.ckpt: not a checkpoint, or damaged'):
            read_checkpoint(path, 'state_dict')


def test_a_changed_byte_is_found(tmp_path):
    path = tmp_path / 'a.ckpt'
    torch.save({'state_dict': {'w': torch.full((99,), 1.5)}}, path)
    content = path.read_bytes()
    value = torch.tensor([1.5]).numpy().tobytes()
    position = content.index(value * 99) + 200
    path.write_bytes(content[:position] + b'\xff' + content[position + 1 :])
    assert torch.load(path)['state_dict']['w'][50] != 1.5  # not found by torch
    for read in (read_weights, lambda path: read_checkpoint(path, 'state_dict')):
        with pytest.raises(
            ValueError, match=r'a\.ckpt: not a checkpoint, or damaged: the checksum'
        ):
            read(str(path))
