r"""Recognise people by their walk from silhouettes, with LMGCS.

    python examples/silhouette_gait.py                                    # generated silhouettes
    python examples/silhouette_gait.py --ablation                         # five rows of the paper
    python examples/silhouette_gait.py --windows 1 3 --fusion attention --no-decoder
    python examples/silhouette_gait.py --sweep-dimension 8 16 32 64
    python examples/silhouette_gait.py --compare-losses
    python examples/silhouette_gait.py --dataset casia_b --root DIR --preset paper --protocol ST
    python examples/silhouette_gait.py --dataset casia_b --root DIR --precision bf16-mixed
    python examples/silhouette_gait.py --dataset usf --root DIR --baseline

Trains the local features of the network and then its attention, as the paper does, or both at once
with --joint, and prints rank-1 by condition and view, beside the silhouettes themselves and their
linear discriminants. USF's people are known from their gallery, on which everything is trained; its
table has the probes A to G, recognised by a sample alone and by all samples of a walk. Figures,
checkpoints, embeddings and results.json go to the folder --out. A run that was cut off is continued
by the same command, and --evaluate tests without training. The figure of embeddings is made by
t-SNE if scikit-learn is installed, and else by principal components.

On CASIA-B the CPU preset is that of docs/results/lmgcs.md: eight frames, three apart, of half the
size, both stages at once, Euclidean distances. --validation tunes it without the test subjects.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from options import refuse_unused
from torch import Tensor
from torch_geometric.transforms import BaseTransform, Compose

import graphmotion.transforms as T
from graphmotion.data import GraphDataset, graph_loader
from graphmotion.datasets import OUMVLP, CASIABSilhouettes, SyntheticGait, USFGait
from graphmotion.metrics import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    OU_MVLP,
    USF,
    GalleryProbeProtocol,
    discriminant_projection,
    format_recognition_table,
    gallery_probe,
    match_sequences,
    retrieve,
)
from graphmotion.models import create_model
from graphmotion.training import (
    GraphDataModule,
    LMGCSModule,
    LMGCSRecipe,
    OneCycle,
    StepDecay,
    embed,
    fit,
    fit_two_stages,
    lmgcs_ou_mvlp_recipe,
    lmgcs_recipe,
    load_weights,
)
from graphmotion.visualization import (
    plot_accuracy_against,
    plot_cmc,
    plot_embedding,
    plot_rank_by_view,
    plot_retrieval,
    plot_training_curves,
)

PROTOCOLS = {'LT': CASIA_B_LT, 'MT': CASIA_B_MT, 'ST': CASIA_B_ST}
CASIA_B_SUBJECTS = 124
OFF = {'window_sizes': None, 'fusion': None, 'num_blocks': None}
# Table VIII of the paper: what is left in the network.
ABLATION = {
    'baseline': tuple(OFF),
    'local': ('fusion', 'num_blocks'),
    'local, fusion': ('num_blocks',),
    'local, attention': ('fusion',),
    'local, fusion, attention': (),
}
LOSSES = {
    'cross-entropy': {'triplet': False},
    'triplet': {'cross_entropy': False},
    'both': {},
}


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    data = parser.add_argument_group('data')
    data.add_argument(
        '--dataset', default='synthetic', choices=['synthetic', 'casia_b', 'ou_mvlp', 'usf']
    )
    data.add_argument('--root', help='folder of the dataset, its files in raw/')
    data.add_argument('--protocol', default='LT', choices=list(PROTOCOLS), help='of CASIA-B')
    data.add_argument(
        '--validation',
        action='store_true',
        help='of the training subjects of CASIA-B two thirds train and the others are tested',
    )
    data.add_argument('--subjects', type=int, default=24, help='of the generated walks')
    data.add_argument(
        '--views', type=int, nargs='+', default=[0, 54, 90, 126, 180], help='likewise'
    )
    data.add_argument('--frames', type=int, help='frames of a training clip')
    data.add_argument('--skip', type=int, help='distance of the frames that are used')
    data.add_argument('--shrink', type=int, help='make silhouettes so many times smaller')
    model = parser.add_argument_group('model')
    model.add_argument(
        '--model', choices=['lmgcs', 'lmgcs_ou_mvlp'], help='by default that of the dataset'
    )
    model.add_argument(
        '--windows', type=int, nargs='*', help='of local features, by default 1 3 5; none: off'
    )
    model.add_argument('--fusion', choices=['sum', 'attention', 'none'], help='by default sum')
    model.add_argument('--reverse', action='store_true', help='sums from the longest window on')
    model.add_argument('--blocks', type=int, nargs=2, help='encoder and decoder')
    model.add_argument('--no-decoder', action='store_true', help='no attention over frames')
    model.add_argument(
        '--baseline', action='store_true', help='no local features, fusion and attention'
    )
    model.add_argument('--feature-dim', type=int, help='size of the embedding of a strip')
    model.add_argument('--frame-kernel', type=int, nargs='+', help='frames of the convolutions')
    model.add_argument('--distance', choices=['cosine', 'euclidean'])
    several = parser.add_argument_group('several networks, with one budget')
    which = several.add_mutually_exclusive_group()
    which.add_argument('--ablation', action='store_true', help='what each module adds')
    which.add_argument('--sweep-dimension', type=int, nargs='+', metavar='SIZE')
    which.add_argument('--compare-losses', action='store_true')
    training = parser.add_argument_group('training')
    training.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='a narrow network and small batches, for minutes on two cores; or as in the paper',
    )
    training.add_argument('--epochs', type=int, help='of the first stage')
    training.add_argument('--global-epochs', type=int, help='of the second')
    training.add_argument('--batches', type=int, help='of an epoch')
    training.add_argument('--joint', action='store_true', help='both stages at once')
    training.add_argument('--seed', type=int, default=0)
    training.add_argument('--evaluate', action='store_true', help='only test what was trained')
    training.add_argument('--fresh', action='store_true', help='do not continue an earlier run')
    training.add_argument('--quiet', action='store_true', help='no progress bar')
    training.add_argument('--precision', default='32-true', help="Lightning's, as bf16-mixed")
    training.add_argument('--devices', default='auto', help="Lightning's")
    training.add_argument('--out', type=Path, default=Path('results/silhouette_gait'))
    args = parser.parse_args(argv)
    if (args.dataset == 'synthetic') == bool(args.root):
        parser.error(
            f'--dataset {args.dataset} ' + ('takes no' if args.root else 'needs a') + ' --root'
        )
    if args.validation and args.dataset != 'casia_b':
        parser.error('--validation is for --dataset casia_b')
    off = {
        '--baseline': args.baseline,
        '--no-decoder': args.no_decoder,
        '--fusion none': args.fusion == 'none',
        '--windows without numbers': args.windows == [],
    }
    clashes = [('--ablation', name) for name, given in off.items() if args.ablation and given]
    if args.blocks is not None and args.no_decoder:
        clashes.append(('--blocks', '--no-decoder'))
    if args.baseline:
        given = {name: getattr(args, name) for name in ('windows', 'fusion', 'blocks')}
        clashes += [(f'--{name}', '--baseline') for name in given if given[name] is not None]
    if args.sweep_dimension and args.feature_dim is not None:
        clashes.append(('--feature-dim', '--sweep-dimension'))
    if clashes:
        parser.error(' and '.join(clashes[0]) + ' do not go together')
    synthetic = args.dataset == 'synthetic'
    branches = 3 if args.windows is None else len(args.windows)
    summed = branches > 1 and args.fusion in (None, 'sum') and not args.baseline
    attention = not (args.baseline or args.no_decoder)
    rules = [
        ('--protocol', synthetic or args.dataset == 'casia_b', 'CASIA-B or generated walks'),
        ('--subjects', synthetic, 'generated walks'),
        ('--views', synthetic, 'generated walks'),
        ('--frames', args.dataset != 'usf', 'whole walks: the samples of USF are clips'),
        ('--fusion', branches > 1, 'several --windows'),
        ('--reverse', summed, '--fusion sum of several --windows'),
        ('--no-decoder', not args.baseline, 'attention, without --baseline'),
        ('--global-epochs', attention, 'attention, without --baseline or --no-decoder'),
        ('--global-epochs', not args.joint, 'two stages, without --joint'),
        ('--fresh', not args.evaluate, 'training, without --evaluate'),
    ]
    refuse_unused(parser, argv, rules)
    cpu = args.preset == 'cpu'
    args.tuned = cpu and args.dataset == 'casia_b'
    args.joint |= args.tuned
    if args.distance is None:
        args.distance = 'euclidean' if args.tuned else 'cosine'
    if args.skip is None:
        args.skip = 3 if args.tuned else 1
    if args.model is None:
        args.model = 'lmgcs_ou_mvlp' if args.dataset == 'ou_mvlp' else 'lmgcs'
    if args.windows is None:
        args.windows = [1, 3, 5]
    if args.fusion is None:
        args.fusion = 'sum'
    if args.frames is None:
        args.frames = 8 if args.tuned else 10 if cpu or args.dataset == 'usf' else 30
    if args.shrink is None:
        args.shrink = 2 if cpu and args.dataset != 'usf' else 1
    if args.blocks is None:
        args.blocks = [1, 1] if cpu else [4, 4]
    if args.frame_kernel is None:
        args.frame_kernel = [3, 1, 1] if args.tuned else [1] if cpu else [3]
    if args.feature_dim is None:
        args.feature_dim = 48 if args.tuned else 32 if cpu else 256
    return args


# Data ##########################################################################################


def make_dataset(args: argparse.Namespace) -> tuple[GraphDataset, GalleryProbeProtocol]:
    """The walks, and who is known and to be recognised."""
    if args.dataset == 'usf':
        return USFGait(args.root), USF
    if args.dataset == 'ou_mvlp':
        return OUMVLP(args.root), OU_MVLP
    protocol = PROTOCOLS[args.protocol]
    if args.dataset == 'casia_b':
        dataset = CASIABSilhouettes(args.root)
        if not args.validation:
            return dataset, protocol
        dataset = dataset.index_select(protocol.is_train(dataset))
        share = 2 * (protocol.train_subjects + 1) // 3
        name = f'{protocol.name}, validation'
        return dataset, replace(protocol, name=name, train_subjects=share)
    dataset = SyntheticGait.casia_b(
        num_subjects=args.subjects,
        num_frames=max(args.frames, 20),
        seed=args.seed,
        views=args.views,
        silhouettes=True,
    )
    # As large a part of the subjects as in CASIA-B.
    share = max(2, round(protocol.train_subjects * args.subjects / CASIA_B_SUBJECTS))
    name = f'{protocol.name}, {share} of {args.subjects} subjects to train'
    return dataset, replace(protocol, name=name, train_subjects=share)


def make_transforms(args: argparse.Namespace) -> tuple[BaseTransform, Compose]:
    """What happens to test walks, and to training walks."""
    begin = T.DownsampleSilhouettes(args.shrink, soft=args.tuned)
    if args.tuned:
        window = T.CropFrames((args.frames - 1) * args.skip + 1)
        skip = T.SkipFrames(args.skip)
        return Compose([skip, begin]), Compose([window, skip, begin])
    if args.preset == 'paper' and args.dataset != 'usf':
        return begin, Compose([begin, T.CropFrames(args.frames)])
    if args.dataset != 'usf':
        mild = T.RandomSilhouetteAffine(3, (0.95, 1.05), 0.03)
        return begin, Compose(
            [begin, T.CropFrames(args.frames), mild, T.RandomSilhouetteMorphology(p=0.2)]
        )
    # One walk of each person is known, and others are to be recognised, by another camera (other
    # widths, inclined), in other shoes, on other ground.
    varied = [
        T.RandomSilhouetteAffine(5, (0.9, 1.1), (0.03, 0.06), per_axis=True, p=0.8),
        T.RandomSilhouetteMorphology(),
        T.RandomSilhouetteGround(),
        T.SilhouetteNoise(),
        T.SilhouetteStripDropout(8, 0.08),
    ]
    return begin, Compose([begin, *varied])


def pixels(dataset: GraphDataset, transform: BaseTransform, frames: int, seed: int = 0) -> Tensor:
    """The silhouettes of all samples as vectors, of equally many frames each."""
    transform = Compose([T.CropFrames(frames, 'uniform'), transform])
    loader = graph_loader(dataset, 256, transform, seed=seed)
    return torch.cat([batch.silhouettes.flatten(1) for batch in loader]).float()


# Models and training ###########################################################################


def make_options(args: argparse.Namespace, rows: int) -> dict[str, Any]:
    """The network, for silhouettes of so many rows."""
    options: dict[str, Any] = {
        'feature_dim': args.feature_dim,
        'window_sizes': tuple(args.windows) or None,
        'fusion': None if args.fusion == 'none' or not args.windows else args.fusion,
        'reverse': args.reverse,
        'num_blocks': None if args.no_decoder else tuple(args.blocks),
        'bins': (rows // 4,),
        'frame_kernel': args.frame_kernel if len(args.frame_kernel) > 1 else args.frame_kernel[0],
    }
    if args.preset == 'cpu':
        wider = 2 if args.model == 'lmgcs_ou_mvlp' else 1
        options |= {
            'channels': tuple(wider * size for size in (8, 16, 32, 32)),
            'width': 64,
            'heads': 4,
            'feedforward_channels': 128,
        }
    if args.tuned:
        options |= {'channels': (16, 32, 64), 'hpp': 'sum', 'strided': (1,), 'pools': (2,)}
    return options | (OFF if args.baseline else {})


def make_recipe(args: argparse.Namespace, subjects: int | None = None) -> LMGCSRecipe:
    """How to train, with no more subjects in a batch than there are."""
    if args.tuned:
        recipe = LMGCSRecipe(
            OneCycle(lr=2e-3, weight_decay=0.01, max_epochs=40, warmup=0.1, gradient_clip=5.0),
            batches_per_epoch=100,
            label_smoothing=0.1,
        )
    elif args.preset == 'paper':
        recipe = lmgcs_ou_mvlp_recipe() if args.dataset == 'ou_mvlp' else lmgcs_recipe()
    else:
        usf = args.dataset == 'usf'
        epochs = 80 if usf else 20
        recipe = LMGCSRecipe(
            StepDecay(
                lr=4e-3, max_epochs=epochs, gradient_clip=5.0, milestones=(round(0.8 * epochs),)
            ),
            global_epochs=20 if usf else 15,
            subjects_per_batch=16 if usf else 8,
            samples_per_subject=4,
            batches_per_epoch=10,
        )
    if args.epochs is not None:
        recipe = recipe.with_optimization(max_epochs=args.epochs)
        if isinstance(recipe.optimization, StepDecay):
            recipe = recipe.with_optimization(milestones=(round(0.8 * args.epochs),))
    if args.batches is not None:
        recipe = replace(recipe, batches_per_epoch=args.batches)
    if args.global_epochs is not None:
        recipe = replace(recipe, global_epochs=args.global_epochs)
    if subjects is not None and subjects < recipe.subjects_per_batch:
        recipe = replace(recipe, subjects_per_batch=subjects)
    return recipe


def train(args, model, recipe: LMGCSRecipe, part: GraphDataset, folder: Path) -> dict[str, list]:
    """Train a network by its stages, and return their histories."""
    data = GraphDataModule(
        part,
        batch_size=recipe.batch_size,
        train_transform=make_transforms(args)[1],
        seed=args.seed,
        balance='subject',
        samples_per_class=recipe.samples_per_subject,
        batches_per_epoch=recipe.batches_per_epoch,
    )
    options = {
        'resume': not args.fresh,
        'enable_progress_bar': not args.quiet,
        'precision': args.precision,
        'devices': args.devices,
    }
    if not args.joint:
        results = fit_two_stages(model, recipe, data, str(folder), args.seed, **options)
        return {stage: result.history for stage, result in zip(('local', 'global'), results)}
    module = LMGCSModule(model, recipe, part.labels('subject'), 'joint')
    return {'joint': fit(module, data, str(folder / 'joint'), args.seed, **options).history}


def run_model(args, parts, title: str, options, recipe: LMGCSRecipe) -> dict[str, Any]:
    """Train a network, unless it is only to be tested, and embed the test walks."""
    part, test = parts
    folder = args.out / title.replace(', ', '_').replace(' ', '_')
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(args.seed)
    model = create_model(args.model, **options)
    begin = time.perf_counter()
    histories: dict[str, list] = {}
    if args.evaluate:
        stage = 'joint' if args.joint else 'global' if model.global_modules else 'local'
        module = LMGCSModule(model, recipe, part.labels('subject'), stage)
        load_weights(module, str(folder / stage / 'last.ckpt'))
    else:
        histories = train(args, model, recipe, part, folder)
    seconds = time.perf_counter() - begin
    embedding = embed(model, test, make_transforms(args)[0])
    embedding = embedding.unflatten(1, (-1, options['feature_dim']))
    torch.save({'embedding': embedding}, folder / 'embedding.pt')
    for stage, history in histories.items():
        plot_training_curves(history, title=title, path=folder / f'{stage}_curves.png')
    parameters = sum(p.numel() for p in model.parameters())
    print(f'{title}: {parameters:,} parameters, {seconds:.0f} s')
    return {
        'model': model,
        'embedding': embedding,
        'options': options,
        'recipe': asdict(recipe),
        'parameters': parameters,
        'seconds': seconds,
    }


def whitened(args, run, part: GraphDataset, test: GraphDataset, copies: int = 4) -> Tensor:
    """The discriminants of a network's embeddings, fitted to the augmented training walks."""
    plain, varied = make_transforms(args)
    model = run['model']
    known = [embed(model, part, plain)]
    known += [embed(model, part, varied, seed=args.seed + i) for i in range(copies)]
    subject = part.labels('subject').repeat(len(known))
    project = discriminant_projection(torch.cat(known), subject, 200, shrinkage=0.05)
    return project(embed(model, test, plain))


def pixel_embeddings(args, parts, copies: int = 3) -> dict[str, Tensor]:
    """Silhouettes themselves, and their discriminants without and with augmented walks."""
    part, test = parts
    plain, varied = make_transforms(args)
    subject, known = part.labels('subject'), pixels(part, plain, args.frames)
    probes = pixels(test, plain, args.frames)
    out = {'silhouettes': probes}
    out['PCA + LDA'] = discriminant_projection(known, subject)(probes)
    if args.dataset == 'usf':  # whose clips have one length
        more = [pixels(part, varied, args.frames, args.seed + i) for i in range(copies)]
        project = discriminant_projection(
            torch.cat([known, *more]), subject.repeat(1 + copies), 200, shrinkage=0.05
        )
        out['PCA + LDA, augmented'] = project(probes)
    return out


# Figures #######################################################################################


def to_plane(embedding: Tensor, seed: int) -> Tensor:
    """t-SNE if scikit-learn is installed, else principal components."""
    points = torch.nn.functional.normalize(embedding, dim=-1).flatten(1)
    try:
        from sklearn.manifold import TSNE
    except ImportError:
        points = points - points.mean(dim=0)
        return points @ torch.linalg.svd(points, full_matrices=False)[2][:2].t()
    perplexity = min(30, (len(points) - 1) / 3)
    return torch.from_numpy(TSNE(perplexity=perplexity, random_state=seed).fit_transform(points))


def draw(args, protocol, test: GraphDataset, runs, rows) -> None:
    gallery, probes = protocol.select(test)
    subject = test.labels('subject')
    chosen = torch.isin(subject, subject[gallery].unique()[:7])  # as many as the paper draws
    kinds = torch.zeros(len(test), dtype=torch.long)
    for number, positions in enumerate(probes.values(), start=1):
        kinds[positions] = number
    names = ['gallery', *probes]
    used = torch.zeros(len(test), dtype=torch.bool)
    used[torch.cat([gallery, *probes.values()])] = True
    shown = (chosen & used).nonzero().view(-1)
    shown = shown[:: -(-len(shown) // 1500)]
    plot_embedding(
        {title: to_plane(run['embedding'][shown], args.seed) for title, run in runs.items()},
        [f'{s + 1:03d}' for s in subject[shown].tolist()],
        [names[k] for k in kinds[shown].tolist()],
        path=args.out / 'embedding.png',
    )
    if next(iter(rows.values())).probe_views:
        plot_rank_by_view(rows, path=args.out / 'views.png')
    plot_cmc(rows, max_rank=10, path=args.out / 'cmc.png')
    title, run = next(reversed(runs.items()))
    every = torch.cat(list(probes.values()))
    generator = torch.Generator().manual_seed(args.seed)
    some = every[torch.randperm(len(every), generator=generator)[:5]]
    found = retrieve(run['embedding'], test, protocol, some, distance=args.distance)
    plot_retrieval(test, found, num_poses=4, title=title, path=args.out / 'retrieval.png')


# Tables ########################################################################################


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ['---', *['---:'] * (len(head) - 1)], *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def percent(values: Any) -> list[str]:
    return [f'{100 * value:.1f}' for value in values]


def usf_table(rows, embeddings: dict[str, Tensor], test, distance: str) -> tuple[str, dict]:
    """Rank-1 of each set of probes and their mean, by samples and by whole walks."""
    lines, figures = [], {}
    for title, embedding in embeddings.items():
        by_sample = dict(zip(rows[title].probe_sets, rows[title].accuracy().tolist()))
        by_walk = match_sequences(embedding, test, USF, distance)
        figures[title] = {'sample': by_sample, 'sequence': by_walk}
        for level, rates in figures[title].items():
            values = [*rates.values(), sum(rates.values()) / len(rates)]
            lines.append([title, level, *percent(values)])
    return table(['', 'level', *rows[title].probe_sets, 'mean'], lines), figures


def settings(args, options, recipe) -> dict[str, tuple[dict[str, Any], LMGCSRecipe]]:
    """The networks to train, by their titles."""
    if args.ablation:
        return {t: (options | {k: OFF[k] for k in off}, recipe) for t, off in ABLATION.items()}
    if args.sweep_dimension:
        return {
            f'{size} features': (options | {'feature_dim': size}, recipe)
            for size in args.sweep_dimension
        }
    if args.compare_losses:
        return {title: (options, replace(recipe, **change)) for title, change in LOSSES.items()}
    return {'LMGCS': (options, recipe)}


def main(argv: list[str] | None = None) -> dict[str, Any]:
    args = parse(argv)
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)
    dataset, protocol = make_dataset(args)
    parts = part, test = protocol.split(dataset)
    print(f'{dataset}, {protocol.name}: {len(part)} walks to train, {len(test)} to test')
    rows_of_image = make_transforms(args)[0](dataset.get_batch([0])).silhouettes.size(2)
    recipe = make_recipe(args, len(part.labels('subject').unique()))
    networks = settings(args, make_options(args, rows_of_image), recipe)
    single = len(networks) == 1
    embeddings = pixel_embeddings(args, parts) if single else {}
    runs = {}
    for title, (options, recipe) in networks.items():
        runs[title] = run_model(args, parts, title, options, recipe)
        embeddings[title] = runs[title]['embedding']
        if args.dataset == 'usf' and single:
            own = whitened(args, runs[title], part, test)
            embeddings[f'{title} + LDA'] = own
            # The mean of two cosines.
            both = embeddings['PCA + LDA, augmented'], own
            embeddings['both'] = torch.cat(
                [torch.nn.functional.normalize(e.float(), dim=1) for e in both], dim=1
            )
    scores = {
        title: gallery_probe(embedding, test, protocol, args.distance)
        for title, embedding in embeddings.items()
    }
    results: dict[str, Any] = {
        'scores': {title: one.as_dict() for title, one in scores.items()},
        'runs': {
            t: {k: r[k] for k in ('parameters', 'seconds', 'recipe')} for t, r in runs.items()
        },
    }
    print(f'\n{protocol.name}, rank-1 in per cent\n')
    if args.dataset == 'usf':
        text, results['probes'] = usf_table(scores, embeddings, test, args.distance)
        print(f'{text}\n')
    else:
        print(f'{format_recognition_table(scores)}\n')
    if not single:
        lines = [[t, *percent(s.accuracy().tolist()), *percent([s.mean_accuracy()])]
                 for t, s in scores.items()]  # fmt: skip
        print(table(['', *next(iter(scores.values())).probe_sets, 'mean'], lines) + '\n')
    if args.sweep_dimension:
        rates = torch.stack([scores[title].accuracy() for title in networks])
        curves = {name: (rates[:, i], [float('nan')] * len(rates))
                  for i, name in enumerate(next(iter(scores.values())).probe_sets)}  # fmt: skip
        plot_accuracy_against(
            args.sweep_dimension, curves, 'size of the features of a strip', 'rank-1',
            path=args.out / 'dimension.png',
        )  # fmt: skip
    draw(args, protocol, test, runs, scores)
    arguments = {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()}
    (args.out / 'results.json').write_text(json.dumps({'arguments': arguments} | results, indent=1))
    print(f'Figures, checkpoints, embeddings and results.json are in {args.out}')
    return results


if __name__ == '__main__':
    main()
