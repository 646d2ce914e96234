import pytest
import torch

from graphmotion.inference import Recognizer, embed, predict
from graphmotion.models import gaitmixer, st_gcn
from graphmotion.training import (
    ClassificationModule,
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    fit,
)
from graphmotion.transforms import CropFrames, RandomScaling, ToStream
from tests.toy import Waves
from tests.training.walkers import Walkers

QUIET = {'enable_progress_bar': False, 'accelerator': 'cpu', 'max_epochs': 1}
RECIPE = ClassificationRecipe(OneCycle(ema_decay=0.5))


def classifier():
    return ClassificationModule(st_gcn('emotion_gait16', 3, channels=(4, 8)), 3, RECIPE)


def test_fit_leaves_the_recognizer_of_a_classifier(tmp_path):
    samples, module = Waves(8), classifier()
    data = GraphDataModule(samples, transform=ToStream('joint'))
    path = fit(module, data, str(tmp_path), seed=3, **QUIET).recognizer
    assert path == str(tmp_path / 'recognizer.safetensors')
    recognizer = Recognizer.load(path)
    expected = predict(module.model, samples, ToStream('joint'), seed=3)
    torch.testing.assert_close(recognizer.probabilities(samples), expected)
    assert recognizer.class_names == ('slow', 'middle', 'fast')
    assert recognizer.seed == recognizer.info['seed'] == 3
    assert recognizer.info['recipe']['optimization']['ema_decay'] == 0.5


def test_fit_does_not_change_the_mode_of_the_model(tmp_path):
    module = classifier()
    modes = []
    for number, samples in enumerate((Waves(6), Waves(6))):
        transform = None if number else ToStream('joint')
        samples.transform = ToStream('joint') if number else None
        data = GraphDataModule(samples, transform=transform)
        fit(module, data, str(tmp_path / str(number)), **QUIET)
        modes.append([part.training for part in module.model.modules()])
    assert modes[0] == modes[1]
    assert any(modes[0])


def test_fit_leaves_the_recognizer_of_an_embedding_network(tmp_path):
    options = {'channels': 8, 'temporal_channels': [8], 'heads': 2, 'kernel_size': 3}
    model = gaitmixer('emotion_gait16', 6, 3, **options)
    data = GraphDataModule(
        Walkers(4, 3), batch_size=6, balance='subject', samples_per_class=3,
        transform=ToStream('joint'),
    )  # fmt: skip
    recipe = RecognitionRecipe(subjects_per_batch=2, samples_per_subject=3)
    fit(RecognitionModule(model, recipe), data, str(tmp_path), **QUIET)
    recognizer = Recognizer.load(tmp_path / 'recognizer.safetensors')
    assert recognizer.class_names is None
    expected = embed(model, Walkers(2, 3), ToStream('joint'))
    torch.testing.assert_close(recognizer.embeddings(Walkers(2, 3)), expected)


def test_the_transform_of_a_dataset_is_applied_to_other_sources(tmp_path):
    samples, module = Waves(8), classifier()
    samples.transform = RandomScaling((3, 3))
    data = GraphDataModule(samples, transform=ToStream('joint'))
    fit(module, data, str(tmp_path), **QUIET)
    recognizer = Recognizer.load(tmp_path / 'recognizer.safetensors')
    expected = predict(module.model, samples, ToStream('joint'))
    torch.testing.assert_close(recognizer.probabilities(samples), expected)
    plain = Waves(8)
    array = plain[5].pos.transpose(0, 1).numpy()
    (answer,) = recognizer(array, axes='TVC')
    assert list(answer.probabilities.values()) == pytest.approx(expected[5].tolist(), abs=1e-6)


def test_there_is_none_if_only_the_transform_of_training_is_known(tmp_path):
    data = GraphDataModule(Waves(8), train_transform=ToStream('joint'))
    assert fit(classifier(), data, str(tmp_path), **QUIET).recognizer is None
    assert not (tmp_path / 'recognizer.safetensors').exists()


def test_samples_without_class_names_have_numbers(tmp_path):
    samples = [CropFrames(8)(data) for data in Waves(6)]
    data = GraphDataModule(samples, transform=ToStream('joint'))
    fit(classifier(), data, str(tmp_path), **QUIET)
    recognizer = Recognizer.load(tmp_path / 'recognizer.safetensors')
    assert recognizer.class_names == ('0', '1', '2')
