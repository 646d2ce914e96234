import math

import numpy as np
import pytest
import torch

import graphmotion.transforms as T
from graphmotion.datasets import SyntheticGait
from graphmotion.inference import Gallery, Recognizer, embed
from graphmotion.io import MalformedFileError
from graphmotion.models import gaitformer, gaitmixer, lmgcs, st_gcn

OPTIONS = {'num_subjects': 3, 'num_frames': 36, 'views': [0, 90]}
WALKS = SyntheticGait.casia_b(**OPTIONS)
SILHOUETTES = SyntheticGait.casia_b(**(OPTIONS | {'num_frames': 8}), silhouettes=True)
SUBJECT = WALKS.labels('subject')
SMALL = {
    'channels': (4, 8),
    'feature_dim': 6,
    'width': 8,
    'bins': (4,),
    'pools': (1, 2),
    'num_blocks': (1, 1),
    'heads': 2,
    'feedforward_channels': 16,
}


def network(name='gaitmixer'):
    torch.manual_seed(0)
    if name == 'lmgcs':
        return lmgcs(**SMALL)
    build = {'gaitmixer': gaitmixer, 'gaitformer': gaitformer}[name]
    options = {'channels': 16, 'depth': 2, 'heads': 2}
    own = {'gaitmixer': {'temporal_channels': (16, 16)}, 'gaitformer': {'num_frames': 31}}
    return build(WALKS.skeleton, embedding_dim=8, in_channels=2, **options, **own[name])


def recognizer_of(name='gaitmixer', **options):
    if name == 'lmgcs':
        return Recognizer(network(name), T.DownsampleSilhouettes(4), **options)
    transforms = T.gait_test_transforms(31, shifts=(0,), reverse=False)
    return Recognizer(network(name), transforms, skeleton=WALKS.skeleton, **options)


def samples_of(name):
    return SILHOUETTES if name == 'lmgcs' else WALKS


def expected_embeddings(name, dataset):
    recognizer = recognizer_of(name)
    out = embed(network(name), dataset, recognizer.transforms[0])
    return out.view(len(out), -1, 6) if name == 'lmgcs' else out


@pytest.mark.parametrize('name', ['gaitmixer', 'gaitformer', 'lmgcs'])
def test_answers_equal_those_of_the_embeddings(name, tmp_path):
    recognizer, walks = recognizer_of(name), samples_of(name)
    embeddings = expected_embeddings(name, walks)
    gallery = Gallery()
    for person in (0, 1):
        rows = (person == SUBJECT).nonzero().view(-1)
        recognizer.enroll(f'person {person}', walks[rows[:6]])
        gallery.enroll(f'person {person}', embeddings[rows[:6]])
    strangers = (SUBJECT == 2).nonzero().view(-1)
    recognizer.calibrate(walks[strangers], SUBJECT[strangers], 0.1)
    gallery.calibrate(embeddings[strangers], SUBJECT[strangers], 0.1)
    recognizer.save(tmp_path / 'recognizer.safetensors')
    for each in (recognizer, Recognizer.load(tmp_path / 'recognizer.safetensors')):
        assert repr(each.gallery) == repr(gallery)
        probes = walks[6:30:3]
        found, expected = each.identify(probes, k=2), gallery.identify(embeddings[6:30:3], k=2)
        torch.testing.assert_close(found.distance, expected.distance, atol=1e-5, rtol=1e-3)
        assert found.threshold == pytest.approx(expected.threshold, rel=1e-3, abs=1e-6)
        decision = each.verify(probes, 'person 1')
        column = gallery.distances(embeddings[6:30:3])[:, 1]
        torch.testing.assert_close(decision.distance, column, atol=1e-5, rtol=1e-3)
        assert decision.threshold == pytest.approx(gallery.verification_threshold, rel=1e-3)
    assert found.distance.std() > 1e-4


def test_parts_of_lmgcs_are_not_compared_as_one_vector():
    embeddings = expected_embeddings('lmgcs', SILHOUETTES)
    orders = []
    for each in (embeddings, embeddings.flatten(1)):
        gallery = Gallery('euclidean')
        for i in range(20):
            gallery.enroll(str(i), each[i : i + 1])
        orders.append(gallery.identify(each[20:], k=20).names)
    assert orders[0] != orders[1]


def test_sources(tmp_path):
    recognizer = recognizer_of(gallery=Gallery(templates='all'))
    walk = WALKS[0].pos.permute(1, 0, 2).numpy()
    path = tmp_path / 'walk.npy'
    np.save(path, walk)
    recognizer.enroll('anna', walk)
    sources = [walk, path, str(path), [walk, walk], [path, path], torch.from_numpy(walk)]
    for source in sources:
        found = recognizer.identify(source)
        assert found.labels == ['anna'] * (len(source) if isinstance(source, list) else 1)
        np.testing.assert_allclose(found.distance, 0, atol=1e-6)
    assert recognizer.verify(path, 'anna', threshold=1e-3)
    recognizer.enroll('ben', [WALKS[30], WALKS[31]])
    assert len(recognizer.gallery['ben']) == 2
    assert recognizer.identify(WALKS[30]).labels == ['ben']
    assert recognizer.identify([WALKS[30], WALKS[0]]).distance.shape == (2, 2)


def test_windows_are_averaged():
    recognizer = recognizer_of()
    walk = WALKS[0].pos.permute(1, 0, 2)
    recognizer.enroll('anna', walk, window=33, hop=3)
    windows = torch.stack(
        [
            embedding
            for start in (0, 3)
            for embedding in recognizer_of()._embed(walk[start : start + 33], {})[1]
        ]
    )
    expected = torch.nn.functional.normalize(windows.mean(dim=0, keepdim=True), dim=1)
    found = torch.nn.functional.normalize(recognizer.gallery['anna'][:, 0], dim=1)
    torch.testing.assert_close(found, expected)
    other = recognizer_of()
    other.enroll('anna', walk)
    assert not torch.allclose(other.gallery['anna'], recognizer.gallery['anna'])


def test_gallery_that_is_given():
    gallery = Gallery('euclidean', templates='all')
    recognizer = recognizer_of(gallery=gallery)
    recognizer.enroll('anna', WALKS[0])
    assert recognizer.gallery is gallery
    assert gallery.names == ['anna']
    text = "gallery=Gallery(1 people, 1 samples, distance='euclidean', templates='all')"
    assert text in repr(recognizer)


def test_bad_input_raises(tmp_path):
    recognizer = recognizer_of()
    for call in (recognizer.identify, lambda walk: recognizer.verify(walk, 'anna')):
        with pytest.raises(ValueError, match='gallery must have at least one enrolled person'):
            call(WALKS[0])
    with pytest.raises(ValueError, match="name must be a string other than 'unknown'"):
        recognizer.enroll('unknown', WALKS[0])
    assert recognizer.gallery is None
    two = np.stack([WALKS[i].pos.permute(1, 0, 2).numpy() for i in (0, 30)])
    with pytest.raises(ValueError, match="source must show only 'anna', got recordings of several"):
        recognizer.enroll('anna', two, axes='MTVC')
    recognizer.enroll('anna', WALKS[0])
    with pytest.raises(ValueError, match=r"name must be one of 1 people \(anna\), got 'ben'"):
        recognizer.verify(WALKS[0], 'ben', threshold=0.5)
    classifier = Recognizer(st_gcn('emotion_gait16', 2, channels=[4]), class_names=['a', 'b'])
    with pytest.raises(ValueError, match='the network classifies and has no embeddings'):
        classifier.enroll('anna', torch.zeros(9, 16, 3))
    # A gallery that is damaged in the file.
    recognizer.gallery._samples['anna'] *= math.nan
    recognizer.save(tmp_path / 'broken.safetensors')
    with pytest.raises(MalformedFileError, match='embeddings must be finite'):
        Recognizer.load(tmp_path / 'broken.safetensors')
