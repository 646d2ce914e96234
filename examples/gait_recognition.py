r"""Recognise people by their walk from skeletons, with GaitMixer, GaitFormer or ST-GCN.

    python examples/gait_recognition.py                                   # generated walks
    python examples/gait_recognition.py --model gaitformer --subjects 124
    python examples/gait_recognition.py --open-set                        # with strangers
    python examples/gait_recognition.py --dataset casia_b --root DIR --preset paper

Trains a network by triplets of walks and prints the table of the papers: rank-1 by condition and
view, excluding the identical view. Writes figures, checkpoints, embeddings and results.json to the
folder --out. The same command resumes an interrupted run; --evaluate tests without training. With
--open-set, some test subjects are enrolled and the others are strangers to be rejected.
Comparisons of networks are papers/gaitmixer.py, and papers/ucalgary.py on recordings of a Kinect.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from shared import common, open_set, recognition
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
import graphmotion.visualization as vis
from graphmotion.datasets import CASIABPose, MotionDataset, SyntheticGait
from graphmotion.inference import Gallery, Recognizer, embed, load_weights
from graphmotion.metrics import GalleryProbeProtocol, format_recognition_table
from graphmotion.models import create_model
from graphmotion.training import (
    GraphDataModule,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    fit,
    gaitmixer_recipe,
    oversample,
    training_seconds,
)

TITLES = {'gaitmixer': 'GaitMixer', 'gaitformer': 'GaitFormer', 'st_gcn': 'ST-GCN'}
ST_GCN_WIDTH = {'cpu': 16, 'paper': 64}


@dataclass(frozen=True)
class Preset:
    """Input and training for a dataset."""

    frames: int  # input frames
    crops: int  # windows of a test walk: one, or three and their reversals
    recipe: RecognitionRecipe
    joint_pooling: str = 'mean'  # of GaitMixer


CPU = RecognitionRecipe(
    OneCycle(lr=1e-3, weight_decay=0.01, max_epochs=20, gradient_clip=5.0),
    subjects_per_batch=16,
    samples_per_subject=4,
    batches_per_epoch=27,
    margin=0.2,
)
PRESETS = {
    ('synthetic', 'cpu'): Preset(40, 1, CPU, joint_pooling='concat'),
    ('synthetic', 'paper'): Preset(40, 1, gaitmixer_recipe()),
    ('casia_b', 'cpu'): Preset(60, 3, CPU, joint_pooling='concat'),
    ('casia_b', 'paper'): Preset(60, 3, gaitmixer_recipe()),
}


def add_model_options(parser: ArgumentParser, out: str) -> None:
    model = parser.add_argument_group('recognition')
    model.add_argument('--embedding', type=int, default=128, help='size of the embedding')
    model.add_argument('--distance', default='cosine', choices=['cosine', 'euclidean'])
    model.add_argument(
        '--crops',
        type=int,
        choices=[1, 3],
        help='windows of a test walk to average over: 1 is the middle one, as in the paper; '
        '3 are shifted and reversed windows, as in the published code',
    )
    model.add_argument(
        '--joint-pooling',
        choices=['mean', 'concat'],
        help='GaitMixer averages over the joints, as in the paper, or keeps them apart, which '
        'needs far fewer steps',
    )
    model.add_argument('--lr', type=float, help='maximum learning rate')
    common.add_training_options(parser, out, evaluate=True)


def parse(argv: list[str] | None = None) -> Namespace:
    parser = common.make_parser(__doc__)
    recognition.add_data_options(parser, ['casia_b'], subjects=40)
    parser.add_argument('--model', default='gaitmixer', choices=list(TITLES))
    open_set.add_option(parser)
    add_model_options(parser, 'results/gait_recognition')
    args = parser.parse_args(argv)
    check_options(parser, argv, args, [args.model])
    open_set.check_option(parser, args, recognition.num_test_subjects(args))
    return args


def check_options(
    parser: ArgumentParser, argv: list[str] | None, args: Namespace, models: list[str]
) -> None:
    """Exits with an error if options do not fit the dataset or the models."""
    recognition.check_data_options(parser, argv, args)
    if args.dataset == 'synthetic' and args.crops == 3:
        parser.error('--crops 3 is only valid for walks longer than --frames, not generated ones')
    set_windows(parser, args, get_preset(args), models)


def set_windows(parser: ArgumentParser, args: Namespace, preset: Preset, models: list[str]) -> None:
    """Takes frames, crops and pooling from the preset if they were not given."""
    common.fill_from_preset(args, preset, ('frames', 'crops', 'joint_pooling'))
    if args.frames < 31 and models != ['st_gcn']:
        parser.error(f'gaitmixer and gaitformer need --frames 31 or more, got {args.frames}')


def get_preset(args: Namespace) -> Preset:
    preset = PRESETS[args.dataset, args.preset]
    if args.preset == 'paper' and args.protocol == 'ST':  # as in the published code
        preset = replace(preset, recipe=replace(preset.recipe, samples_per_subject=8))
    return preset


def make_dataset(args: Namespace) -> tuple[MotionDataset, GalleryProbeProtocol]:
    if args.dataset == 'casia_b':
        return CASIABPose(args.root), recognition.PROTOCOLS[args.protocol]
    views = {} if args.views is None else {'views': args.views}
    dataset = SyntheticGait.casia_b(
        num_subjects=args.subjects, num_frames=args.frames, seed=args.seed, **views
    )
    return dataset, recognition.generated_protocol(args)


class Transforms(NamedTuple):
    """The transform of training walks, those of each window of a test walk, and their channels."""

    train: Compose
    test: list[Compose]
    channels: int


def make_transforms(args: Namespace, dataset: MotionDataset) -> Transforms:
    reverse = args.crops == 3
    shifts = None if reverse else (0,)
    return Transforms(
        T.gait_train_transform(dataset.skeleton, args.frames),
        T.gait_test_transforms(args.frames, shifts=shifts, reverse=reverse),
        channels=2,
    )


def make_recipe(args: Namespace, preset: Preset) -> RecognitionRecipe:
    changes = {'lr': args.lr, 'max_epochs': args.epochs}
    given = {name: value for name, value in changes.items() if value is not None}
    return preset.recipe.with_optimization(**given)


def run_model(
    args: Namespace, parts: Any, name: str, transforms: Transforms, recipe: RecognitionRecipe
) -> recognition.Run:
    """Trains a network, or loads it, and embeds the test walks."""
    train, test = parts
    folder = args.out / name
    folder.mkdir(parents=True, exist_ok=True)
    options: dict[str, Any] = {'in_channels': transforms.channels}
    if name == 'st_gcn':
        width = ST_GCN_WIDTH[args.preset]
        options |= {
            'num_classes': args.embedding,
            'channels': [width * growth for growth in (1, 1, 2, 2, 4, 4)],
            'dropout': 0.1,
        }
    else:
        options['embedding_dim'] = args.embedding
    if name == 'gaitformer':
        options['num_frames'] = args.frames
    if name == 'gaitmixer':
        options['joint_pooling'] = args.joint_pooling
    torch.manual_seed(args.seed)
    model = create_model(name, skeleton=test.skeleton, **options)
    recipe = recognition.limit_subjects(recipe, train)
    walks = oversample(train)
    if recipe.batches_per_epoch is not None:  # not more than there are
        batches = min(recipe.batches_per_epoch, max(1, len(walks) // recipe.batch_size))
        recipe = replace(recipe, batches_per_epoch=batches)
    module = RecognitionModule(model, recipe)
    if args.evaluate:
        load_weights(module, str(folder / 'last.ckpt'))
        seconds = training_seconds(str(folder / 'last.ckpt'))
    else:
        data = GraphDataModule(
            walks, train_transform=transforms.train, seed=args.seed, **module.batch_options()
        )
        fitted = fit(module, data, str(folder), seed=args.seed, **common.fit_options(args))
        seconds = fitted.seconds
        path = folder / 'curves.png'
        vis.plot_training_curves(fitted.history, title=TITLES[name], path=path)
    embedding = embed(model, test, transforms.test)
    torch.save({'embedding': embedding}, folder / 'embedding.pt')
    report = {
        'parameters': common.count_parameters(model),
        'seconds': seconds,
        'recipe': recipe,
    }
    print(f'{TITLES[name]}: {report["parameters"]:,} parameters, {report["seconds"]:.0f} s')
    recognizer = Recognizer(
        model.cpu(), transforms.test, test.skeleton, gallery=Gallery(args.distance)
    )
    common.save_recognizer(recognizer, folder, "recognizer.enroll('anna', 'walk.json')")
    return recognition.Run(model.cpu().eval(), embedding, report)


def draw_data(args: Namespace, dataset: MotionDataset) -> None:
    """Draws six walks."""
    fill, step = T.FillMissing(), max(1, len(dataset) // 6)
    walks = [fill(dataset[i]).pos for i in range(0, len(dataset), step)][:6]
    vis.plot_pose_strip(walks, dataset.skeleton, view='front', path=args.out / 'walks.png')


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    common.start(args)
    dataset, protocol = make_dataset(args)
    parts = train, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(train)} training, {len(test)} test walks')
    draw_data(args, dataset)
    recipe = make_recipe(args, get_preset(args))
    run = run_model(args, parts, args.model, make_transforms(args, dataset), recipe)
    title = TITLES[args.model]
    embeddings = {title: run.embedding}
    rows = recognition.score(args, protocol, test, embeddings, skeleton=dataset.skeleton)
    print(f'\n{protocol.name}, rank-1 in per cent\n\n{format_recognition_table(rows)}\n')
    more = recognition.outcomes(args, protocol, test, embeddings)
    if args.open_set is not None:
        more['open_set'] = open_set.evaluate(args, protocol, test, embeddings)
    return recognition.save(args, rows, {title: run}, **more)


if __name__ == '__main__':
    main()
