r"""Recognise people by their walk from skeletons, with GaitMixer, GaitFormer or ST-GCN.

    python examples/gait_recognition.py                                   # generated walks
    python examples/gait_recognition.py --models gaitmixer gaitformer st_gcn
    python examples/gait_recognition.py --dataset casia_b --root DIR --preset paper
    python examples/gait_recognition.py --dataset ucalgary --root DIR     # Calgary's gaits
    python examples/gait_recognition.py --dataset ucalgary --root DIR --task condition

Trains a network for each of --models by triplets of walks, and prints the rank-1 table of the
papers: rows by condition, columns by view, beside limb lengths and cadence and a random embedding,
which is chance. The task "condition" is which leg is hindered, for people who were not trained
with. Writes figures, checkpoints, embeddings and results.json to the folder --out. A run that was
cut off is continued by the same command, and --evaluate tests without training.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from options import refuse_unused
from torch import Tensor
from torch.nn import Module
from torch_geometric.transforms import Compose

import graphmotion.transforms as T
from graphmotion.data import gait_features
from graphmotion.datasets import CASIABPose, MotionDataset, SyntheticGait, UCalgaryGait
from graphmotion.metrics import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    ODD_TO_EVEN_TAKES,
    GalleryProbeProtocol,
    GalleryProbeScores,
    fold_summary,
    format_recognition_table,
    format_table,
    gallery_probe,
    retrieve,
)
from graphmotion.models import create_model
from graphmotion.training import (
    ClassificationRecipe,
    GraphDataModule,
    OneCycle,
    RecognitionModule,
    RecognitionRecipe,
    cross_validate,
    embed,
    fit,
    gaitmixer_recipe,
    load_weights,
    oversample,
)
from graphmotion.visualization import (
    cosine_to,
    grad_cam,
    plot_cmc,
    plot_confusion_matrix,
    plot_feature_spectrum,
    plot_grad_cam,
    plot_pose_strip,
    plot_rank_by_view,
    plot_retrieval,
    plot_training_curves,
)

TITLES = {'gaitmixer': 'GaitMixer', 'gaitformer': 'GaitFormer', 'st_gcn': 'ST-GCN'}
PROTOCOLS = {'LT': CASIA_B_LT, 'MT': CASIA_B_MT, 'ST': CASIA_B_ST}
CASIA_B_SUBJECTS = 124


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset', default='synthetic', choices=['synthetic', 'casia_b', 'ucalgary']
    )
    data.add_argument('--root', help='folder of the dataset, its files in raw/')
    data.add_argument('--task', default='identity', choices=['identity', 'condition'])
    data.add_argument('--protocol', default='LT', choices=list(PROTOCOLS), help='of CASIA-B')
    data.add_argument(
        '--subjects', type=int, help='of the generated walks: 40; 124 are CASIA-B in full'
    )
    data.add_argument('--views', type=int, nargs='+', help='of the generated walks, in degrees')
    data.add_argument('--frames', type=int, help='frames that a model sees')
    data.add_argument(
        '--one-height', action='store_true', help='scale bodies to one size (Calgary, in metres)'
    )
    model = parser.add_argument_group('model')
    model.add_argument('--models', nargs='+', choices=list(TITLES))
    model.add_argument('--embedding', type=int, default=128, help='size of the embedding')
    model.add_argument('--distance', default='cosine', choices=['cosine', 'euclidean'])
    training = parser.add_argument_group('training')
    training.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='small batches, for minutes on two cores; or the recipe of the paper',
    )
    training.add_argument('--epochs', type=int)
    training.add_argument('--lr', type=float, help='the highest learning rate')
    training.add_argument('--folds', type=int, default=5, help='of the task condition')
    training.add_argument('--seed', type=int, default=0)
    training.add_argument(
        '--crops',
        type=int,
        choices=[1, 3],
        help='windows of a test walk, averaged: three and each backwards as in the published code,'
        ' or the middle one as in the paper, which is the default for generated walks',
    )
    training.add_argument('--evaluate', action='store_true', help='only test what was trained')
    training.add_argument('--fresh', action='store_true', help='do not continue an earlier run')
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--precision', default='32-true', help="Lightning's, as bf16-mixed")
    training.add_argument('--devices', default='auto', help="Lightning's")
    training.add_argument('--out', type=Path, default=Path('results/gait_recognition'))
    args = parser.parse_args(argv)
    if (args.dataset == 'synthetic') == bool(args.root):
        parser.error(
            f'--dataset {args.dataset} ' + ('takes no' if args.root else 'needs a') + ' --root'
        )
    synthetic, ucalgary = args.dataset == 'synthetic', args.dataset == 'ucalgary'
    if args.task == 'condition' and not ucalgary:
        parser.error('--task condition goes with --dataset ucalgary')
    identity = args.task == 'identity'
    rules = [
        ('--subjects', synthetic, 'generated walks'),
        ('--views', synthetic, 'generated walks'),
        ('--protocol', not ucalgary, 'CASIA-B or generated walks'),
        ('--one-height', ucalgary, '--dataset ucalgary, whose bodies are in metres'),
        ('--one-height', identity, '--task identity: --task condition always does so'),
        ('--embedding', identity, '--task identity'),
        ('--distance', identity, '--task identity'),
        ('--crops', identity, '--task identity'),
        ('--lr', identity, '--task identity'),
        ('--folds', not identity, '--task condition'),
        ('--fresh', not args.evaluate, 'training, without --evaluate'),
    ]
    refuse_unused(parser, argv, rules)
    if synthetic and args.crops == 3:
        parser.error('generated walks are as long as --frames, which leaves one window')
    if args.crops is None:
        args.crops = 1 if synthetic else 3
    args.subjects = args.subjects or 40
    if synthetic and not 1 <= count_train(args) < args.subjects:
        parser.error(f'--subjects {args.subjects} are too few for --protocol {args.protocol}')
    if args.models is None:
        args.models = ['st_gcn'] if args.task == 'condition' else ['gaitmixer']
    if args.task == 'condition' and (args.models != ['st_gcn'] or args.evaluate):
        parser.error('--task condition has the classifier st_gcn and no --evaluate')
    if args.frames is None:
        args.frames = {'synthetic': 40, 'casia_b': 60, 'ucalgary': 60}[args.dataset]
        if args.task == 'condition':
            args.frames = 48
    return args


def count_train(args: argparse.Namespace) -> int:
    """How many generated subjects train: as large a part of them as in CASIA-B."""
    whole = PROTOCOLS[args.protocol].train_subjects
    return round(whole * args.subjects / CASIA_B_SUBJECTS)


# Data ##########################################################################################


def make_dataset(args: argparse.Namespace) -> tuple[MotionDataset, GalleryProbeProtocol]:
    """The walks, and who is known and to be recognised."""
    if args.dataset == 'ucalgary':
        target = 'condition' if args.task == 'condition' else 'subject'
        return UCalgaryGait(args.root, target), ODD_TO_EVEN_TAKES
    protocol = PROTOCOLS[args.protocol]
    if args.dataset == 'casia_b':
        return CASIABPose(args.root), protocol
    views = {} if args.views is None else {'views': args.views}
    dataset = SyntheticGait.casia_b(
        num_subjects=args.subjects, num_frames=args.frames, seed=args.seed, **views
    )
    if args.subjects != CASIA_B_SUBJECTS:
        share = count_train(args)
        protocol = replace(
            protocol,
            name=f'{protocol.name}, {share} of {args.subjects} subjects to train',
            train_subjects=share,
        )
    return dataset, protocol


def make_transforms(args, dataset) -> tuple[Compose, list[Compose], int]:
    """What happens to training walks, to test walks in each of their windows, and channels."""
    reverse = args.crops == 3
    shifts = None if reverse else (0,)
    skeleton = dataset.skeleton
    if args.dataset != 'ucalgary':
        train = T.gait_train_transform(skeleton, args.frames)
        return train, T.gait_test_transforms(args.frames, shifts=shifts, reverse=reverse), 2
    fixed_size = args.one_height or args.task == 'condition'
    size = [T.ScaleByBodySize(skeleton)] if fixed_size else []
    begin = [T.FillMissing(), T.CenterJoint(skeleton, per_frame=True), *size]
    streams = ['joint', 'joint_motion', *([] if args.task == 'condition' else ['bone_length'])]
    last = T.ToStream(streams, skeleton)
    turn = T.RandomRotateAxes({'y': 5})
    if args.task == 'condition':  # at half the rate of frames
        # The mirror image of a hindered right leg is a hindered left one.
        mirror = T.RandomMirror(skeleton, center='sequence', mirrored_classes=(0, 2, 1))
        sample = T.ResampleFrames(args.frames)
        vary = [mirror, turn, T.RandomScaling((0.9, 1.1)), T.CropFrames(2 * args.frames)]
        crop = T.CropFrames(2 * args.frames, 'center')
        return (
            Compose([*begin, *vary, sample, last]),
            [Compose([*begin, crop, sample, last])],
            last.num_channels(3),
        )
    crops = T.center_crops(args.frames, shifts, reverse)
    train = [*begin, turn, T.CropFrames(args.frames), T.JointNoise(0.003)]
    return (
        Compose([*train, last]),
        [Compose([*begin, crop, last]) for crop in crops],
        last.num_channels(3),
    )


def feature_embedding(args, dataset, train: MotionDataset, test: MotionDataset) -> Tensor:
    """Limb lengths, cadence and joint speeds, scaled by their deviation in training."""
    fps = dataset.fps if args.dataset == 'synthetic' else 30 if args.dataset == 'ucalgary' else 25
    size = T.ScaleByBodySize(dataset.skeleton) if args.one_height else T.FillMissing()

    def measure(part: MotionDataset) -> Tensor:
        rows = torch.arange(len(part)).split(256)
        return torch.cat(
            [gait_features(size(part.get_batch(r)), dataset.skeleton, fps).values for r in rows]
        )

    known = measure(train)
    return (measure(test) - known.mean(dim=0)) / known.std(dim=0).clamp(min=1e-6)


# Models and training ###########################################################################


def make_model(args, dataset, name: str, channels: int, outputs: int) -> Module:
    options: dict[str, Any] = {}
    if name == 'gaitformer':
        options['num_frames'] = args.frames
    if name == 'st_gcn':
        width = 64 if args.preset == 'paper' else 16
        condition = args.task == 'condition'
        growths = (1, 1, 2, 2) if condition else (1, 1, 2, 2, 4, 4)
        options['channels'] = [width * growth for growth in growths]
        options['dropout'] = 0.2 if condition else 0.1
    elif args.frames < 31:
        raise SystemExit('gaitmixer and gaitformer need --frames 31 or more')
    sizes = {'num_classes' if name == 'st_gcn' else 'embedding_dim': outputs}
    return create_model(name, skeleton=dataset.skeleton, in_channels=channels, **sizes, **options)


def make_recipe(args: argparse.Namespace) -> RecognitionRecipe:
    if args.preset == 'paper':
        recipe = gaitmixer_recipe()
        if args.protocol == 'ST':  # as in the published code
            recipe = replace(recipe, samples_per_subject=8)
    elif args.dataset == 'ucalgary':
        recipe = RecognitionRecipe(
            OneCycle(lr=3e-3, weight_decay=0.01, max_epochs=150, gradient_clip=5.0),
            subjects_per_batch=16,
            samples_per_subject=3,
            margin=0.2,
        )
    else:
        recipe = RecognitionRecipe(
            OneCycle(lr=1e-3, weight_decay=0.01, max_epochs=5, gradient_clip=5.0),
            subjects_per_batch=16,
            samples_per_subject=4,
            margin=0.2,
        )
    changes = {'lr': args.lr, 'max_epochs': args.epochs}
    return recipe.with_optimization(**{k: v for k, v in changes.items() if v is not None})


def run_model(args, dataset, parts, name: str, folder: Path) -> dict[str, Any]:
    """Train a network, unless it is only to be tested, and embed the test walks."""
    train, test = parts
    train_transform, transforms, channels = make_transforms(args, dataset)
    torch.manual_seed(args.seed)
    model = make_model(args, dataset, name, channels, args.embedding)
    module = RecognitionModule(model, make_recipe(args))
    begin = time.perf_counter()
    history = None
    if args.evaluate:
        load_weights(module, str(folder / 'last.ckpt'))
    else:
        recipe = module.recipe
        subjects = len(train.labels('subject').unique())
        if subjects < recipe.subjects_per_batch:
            recipe = module.recipe = replace(recipe, subjects_per_batch=subjects)
        data = GraphDataModule(
            oversample(train),
            batch_size=recipe.batch_size,
            train_transform=train_transform,
            seed=args.seed,
            balance='subject',
            samples_per_class=recipe.samples_per_subject,
        )
        history = fit(
            module,
            data,
            str(folder),
            seed=args.seed,
            resume=not args.fresh,
            enable_progress_bar=not args.quiet,
            precision=args.precision,
            devices=args.devices,
        ).history
    embedding = embed(model, test, transforms)
    torch.save({'embedding': embedding}, folder / 'embedding.pt')
    return {
        'model': model.cpu().eval(),
        'history': history,
        'embedding': embedding,
        'transform': transforms[0],
        'recipe': asdict(module.recipe),
        'parameters': sum(p.numel() for p in model.parameters()),
        'seconds': time.perf_counter() - begin,
    }


# Figures #######################################################################################


def draw_attribution(args, dataset, protocol, test, runs: dict[str, dict[str, Any]]) -> None:
    """Where the networks look in one probe, compared to its subject's mean in the gallery."""
    gallery, probes = protocol.select(test)
    subject = test.labels('subject')
    position = int(next(iter(probes.values()))[0])
    own = gallery[subject[gallery] == subject[position]]
    maps, features = {}, {}
    for title, run in runs.items():
        model = run['model']
        x = run['transform'](test.get_batch([position])).x
        layer, layout = find_layer(model, args.frames)
        target = cosine_to(run['embedding'][own].mean(dim=0))
        maps[title] = grad_cam(model, layer, x, target=target, layout=layout)[0]
        kept: list[Tensor] = []
        hook = layer.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out))
        with torch.no_grad():
            model(x)
        hook.remove()
        features[title] = kept[0] if layout is None else layout(kept[0])
    plot_grad_cam(maps, dataset.skeleton, path=args.out / 'grad_cam.png')
    plot_feature_spectrum(features, path=args.out / 'spectrum.png')


def find_layer(model: Module, frames: int) -> tuple[Module, Callable | None]:
    """The last layer with a feature for each joint and frame."""
    if hasattr(model, 'temporal'):
        return model.temporal[-1], None
    if hasattr(model, 'layers'):
        return model.layers[-1], None
    # GaitFormer: frames are nodes there, behind the token of each joint.
    return model.blocks[-2], lambda out: out.reshape(-1, 1 + frames, out.size(-1))[:, 1:]


def draw(args, dataset, protocol, test, runs, rows: dict[str, GalleryProbeScores]) -> None:
    if rows[next(iter(rows))].probe_views:
        plot_rank_by_view(rows, path=args.out / 'views.png')
        plot_rank_by_view(rows, kind='polar', path=args.out / 'views_polar.png')
    plot_cmc(rows, path=args.out / 'cmc.png')
    for title, run in runs.items():
        if run['history']:
            plot_training_curves(
                run['history'], title=title, path=args.out / f'{slug(title)}_curves.png'
            )
    title, run = next(reversed(runs.items()))
    probes = torch.cat(list(protocol.select(test)[1].values()))
    generator = torch.Generator().manual_seed(args.seed)
    chosen = probes[torch.randperm(len(probes), generator=generator)[:5]]
    found = retrieve(run['embedding'], test, protocol, chosen, distance=args.distance)
    plot_retrieval(
        test, found, dataset.skeleton, title=title, path=args.out / 'retrieval.png',
        **({'view': 'front'} if args.dataset == 'ucalgary' else {}),
    )  # fmt: skip
    draw_attribution(args, dataset, protocol, test, runs)


def slug(title: str) -> str:
    return title.lower().replace('-', '_')


# Tasks #########################################################################################


def recognise(args, dataset, protocol) -> dict[str, Any]:
    """Who walks."""
    parts = train, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(train)} walks to train, {len(test)} to test')
    generator = torch.Generator().manual_seed(args.seed)
    embeddings = {
        'chance': torch.randn(len(test), args.embedding, generator=generator),
        'limb lengths, cadence, speeds': feature_embedding(args, dataset, train, test),
    }
    runs = {}
    for name in args.models:
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        runs[TITLES[name]] = run = run_model(args, dataset, parts, name, folder)
        embeddings[TITLES[name]] = run['embedding']
        print(f'{TITLES[name]}: {run["parameters"]:,} parameters, {run["seconds"]:.0f} s')
    rows = {
        title: gallery_probe(embedding, test, protocol, args.distance)
        for title, embedding in embeddings.items()
    }
    print(f'\n{protocol.name}, rank-1 in per cent\n\n{format_recognition_table(rows)}\n')
    draw(args, dataset, protocol, test, runs, rows)
    return {
        'scores': {title: scores.as_dict() for title, scores in rows.items()},
        'runs': {
            t: {k: run[k] for k in ('parameters', 'seconds', 'recipe')} for t, run in runs.items()
        },
    }


def classify_condition(args, dataset) -> dict[str, Any]:
    """Which leg is hindered, with nobody both in training and in test."""
    train_transform, transforms, channels = make_transforms(args, dataset)
    optimization = OneCycle(
        lr=3e-3,
        weight_decay=0.05,
        max_epochs=60 if args.epochs is None else args.epochs,
        gradient_clip=5.0,
        ema_decay=0.98,
    )
    recipe = ClassificationRecipe(optimization, batch_size=16, label_smoothing=0.1)
    evaluations = cross_validate(
        lambda: make_model(args, dataset, 'st_gcn', channels, dataset.num_classes),
        dataset.folds(args.folds, seed=args.seed, by='subject'),
        recipe,
        str(args.out / 'condition'),
        transform=transforms[0],
        train_transform=train_transform,
        seed=args.seed,
        resume=not args.fresh,
        enable_progress_bar=not args.quiet,
        precision=args.precision,
        devices=args.devices,
    )
    summary = fold_summary([evaluation.scores for evaluation in evaluations])
    print(format_table({'ST-GCN': summary}, percent=True))
    plot_confusion_matrix(
        summary.pooled, title='ST-GCN', path=args.out / 'condition' / 'confusion.png'
    )
    return {'condition': summary.as_dict(), 'recipe': asdict(recipe)}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)
    dataset, protocol = make_dataset(args)
    fill = T.FillMissing()
    walks = [fill(dataset[i]).pos for i in range(0, len(dataset), max(1, len(dataset) // 6))][:6]
    plot_pose_strip(walks, dataset.skeleton, view='front', path=args.out / 'walks.png')
    if args.task == 'condition':
        results = classify_condition(args, dataset)
    else:
        results = recognise(args, dataset, protocol)
    arguments = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    (args.out / 'results.json').write_text(json.dumps({'arguments': arguments} | results, indent=1))
    print(f'Figures, checkpoints, embeddings and results.json are in {args.out}')
    return results


if __name__ == '__main__':
    main()
