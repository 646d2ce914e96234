import pytest
import torch

from graphmotion.training import embed, predict
from graphmotion.transforms import CropFrames
from tests.toy import joints, noisy_joints
from tests.training.walkers import Projection, Walkers


def first_frames(batch):
    batch.x = batch.pos[:, :4]
    return batch


def crop(batch):
    return joints(CropFrames(4, 'center')(batch))


def test_embeddings_of_samples_of_different_length_against_a_loop():
    dataset, model = Walkers(3, 5, frames=(6, 11)), Projection(dropout=0.5)
    out = embed(model, dataset, [first_frames, crop], batch_size=4)
    model.eval()
    for i in range(15):
        data = dataset[i]
        start = (data.pos.size(1) - 4) // 2
        windows = [data.pos[:, :4], data.pos[:, start : start + 4]]
        expected = sum(model(window).detach() for window in windows) / 2
        torch.testing.assert_close(out[i : i + 1], expected)
    assert bool((out.norm(dim=1) < 0.9999).any())
    once = embed(model, dataset, [first_frames, crop], batch_size=15, normalize=True)
    torch.testing.assert_close(once, torch.nn.functional.normalize(out, dim=1))


def test_one_transform_or_none():
    dataset, model = Walkers(2, 3), Projection()
    out = embed(model, dataset, joints)
    torch.testing.assert_close(out, embed(model, dataset, [joints, joints]))
    model.inputs = ('pos',)
    torch.testing.assert_close(embed(model, dataset), out)
    assert not out.requires_grad
    assert out.dtype == torch.float32


def test_random_transforms_follow_the_seed_and_differ():
    dataset, model = Walkers(2, 3), Projection()
    one, two = (
        embed(model, dataset, noisy_joints, seed=5),
        embed(model, dataset, noisy_joints, seed=6),
    )
    assert not torch.allclose(one, two)
    both = embed(model, dataset, [noisy_joints] * 2, seed=5)
    torch.testing.assert_close(both, (one + two) / 2)


def test_logits_are_those_of_the_model_and_averaged_over_views():
    dataset, model = Walkers(2, 3), Projection()
    logits = predict(model, dataset, joints, kind='logits')
    for i in range(6):
        expected = model(dataset[i].pos).detach()
        torch.testing.assert_close(logits[i : i + 1], expected)
    torch.testing.assert_close(predict(model, dataset, joints), logits.softmax(dim=1))
    both = predict(model, dataset, noisy_joints, views=2, seed=5, kind='logits')
    parts = [predict(model, dataset, noisy_joints, seed=s, kind='logits') for s in (5, 6)]
    torch.testing.assert_close(both, sum(parts) / 2)
    with pytest.raises(ValueError, match=r"kind must be one of .*'logits'.*got 'votes'"):
        predict(model, dataset, joints, kind='votes')


@pytest.mark.parametrize('fails', [False, True])
def test_the_model_is_left_as_it_was(fails):
    class Strict(Projection):
        def forward(self, x):
            assert not self.training
            assert not torch.is_grad_enabled()
            if fails:
                raise RuntimeError('on purpose')
            return super().forward(x)

    model = Strict(dropout=0.5).train()
    model.lin.eval()  # as one that is frozen
    if fails:
        with pytest.raises(RuntimeError, match='on purpose'):
            embed(model, Walkers(2, 3), joints)
    else:
        embed(model, Walkers(2, 3), joints)
    assert model.training
    assert model.dropout.training
    assert not model.lin.training
    assert torch.is_grad_enabled()


def test_what_cannot_be_embedded_is_refused():
    dataset, model = Walkers(2, 3), Projection()
    with pytest.raises(ValueError, match='empty sequence'):
        embed(model, dataset, [])
    with pytest.raises(ValueError, match=r"Projection reads the fields \['x'\], the batch lacks"):
        embed(model, dataset)
    model.forward = lambda x: x
    with pytest.raises(ValueError, match=r'shape \[96, 8, 3\], expected embeddings \[6, D\]'):
        embed(model, dataset, joints)
