"""Command-line options and output files that the example scripts share."""

from __future__ import annotations

import hashlib
import json
import logging
import shlex
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data

from graphmotion.data import GraphDataset
from graphmotion.inference import Recognizer
from graphmotion.metrics import describe_outcomes
from graphmotion.training import describe_environment

# Command line ##################################################################################


def make_parser(description: str) -> ArgumentParser:
    """Returns a parser that prints the description as it is written."""
    return ArgumentParser(description=description, formatter_class=RawDescriptionHelpFormatter)


def add_run_options(parser: ArgumentParser, out: str) -> None:
    """Adds the options that every script has."""
    group = parser.add_argument_group('run')
    group.add_argument('--epochs', type=int, help='number of epochs, by default as in the preset')
    group.add_argument('--seed', type=int, default=0, help='random seed')
    group.add_argument('--quiet', action='store_true', help='hide the progress bar')
    group.add_argument('--out', type=Path, default=Path(out), help='output folder')


def add_training_options(parser: ArgumentParser, out: str, evaluate: bool = False) -> None:
    """Adds the options of training runs that can be resumed and, optionally, only evaluated."""
    group = parser.add_argument_group('training')
    group.add_argument(
        '--preset',
        default='cpu',
        choices=['cpu', 'paper'],
        help='cpu: a small model, trained in minutes on two cores; paper: as in the paper',
    )
    group.add_argument('--precision', default='32-true', help='of Lightning, such as bf16-mixed')
    group.add_argument('--devices', default='auto', help='of Lightning, such as 2')
    restart = group.add_mutually_exclusive_group()
    restart.add_argument('--fresh', action='store_true', help='do not resume an earlier run')
    if evaluate:
        restart.add_argument(
            '--evaluate', action='store_true', help='test an earlier run without training'
        )
    add_run_options(parser, out)


def check_root(
    parser: ArgumentParser,
    dataset: str,
    root: str | None,
    generated: bool,
    options: tuple[str, str] = ('--dataset', '--root'),
) -> None:
    """Exits with an error unless the dataset is either generated or has a folder."""
    if generated and root:
        parser.error(f'{options[0]} {dataset} is generated and takes no {options[1]}')
    if not generated and not root:
        parser.error(f'{options[0]} {dataset} needs {options[1]}')


def refuse_unused(
    parser: ArgumentParser, argv: Sequence[str] | None, rules: Iterable[tuple[str, bool, str]]
) -> None:
    """Exits with an error if an option on the command line would have no effect.

    Each rule is an option, whether it has an effect, and when it would have one.
    """
    missing = object()
    names = vars(parser.parse_args(argv))
    # An attribute that exists keeps its value unless the option is on the command line.
    given = vars(parser.parse_args(argv, Namespace(**dict.fromkeys(names, missing))))
    for option, used, when in rules:
        if not used and given[option.removeprefix('--').replace('-', '_')] is not missing:
            parser.error(f'{option} is only valid {when}')


def fill_from_preset(args: Namespace, preset: Any, names: Iterable[str]) -> None:
    """Sets the named options that were not given to the values of the preset."""
    for name in names:
        if getattr(args, name) is None:
            setattr(args, name, getattr(preset, name))


def fit_options(args: Namespace) -> dict[str, Any]:
    """Returns the options of :func:`graphmotion.training.fit`."""
    return {
        'resume': not args.fresh,
        'enable_progress_bar': not args.quiet,
        'precision': args.precision,
        'devices': args.devices,
    }


# Data and output ###############################################################################


def start(args: Namespace) -> None:
    """Creates the output folder, hides Lightning's informational messages and records the
    environment, since the commit of the files may change before the results are written.
    """
    args.environment = describe_environment()
    logging.getLogger('lightning.pytorch').setLevel(logging.WARNING)
    args.out.mkdir(parents=True, exist_ok=True)


def describe(dataset: GraphDataset) -> str:
    """Returns the number of samples of each class as text."""
    counts = torch.bincount(dataset.labels(), minlength=dataset.num_classes).tolist()
    return f'{dataset}: ' + ', '.join(f'{c} {n}' for c, n in zip(dataset.class_names, counts))


def one_per_class(dataset: GraphDataset) -> dict[str, Data]:
    """Returns the first sample of each class that occurs, by the name of the class."""
    labels = dataset.labels()
    first = {int(c): int((labels == c).nonzero()[0]) for c in labels.unique()}
    return {dataset.class_names[c]: dataset[i] for c, i in first.items()}


def count_parameters(model: torch.nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def slug(title: str) -> str:
    """Returns the title as the name of a file or folder."""
    return title.lower().replace(', ', '_').replace(' ', '_').replace('-', '_')


def save_results(
    args: Namespace, results: Mapping[str, Any], folder: Path | None = None
) -> dict[str, Any]:
    """Writes the command, arguments, environment and results to results.json and returns them."""
    folder, arguments = folder or args.out, dict(vars(args))
    environment = arguments.pop('environment', None) or describe_environment()
    content = {
        'command': shlex.join(['python', *sys.argv]),
        'arguments': arguments,
        'environment': environment,
        'seeds': list(range(args.seed, args.seed + getattr(args, 'seeds', 1))),
        **results,
    }
    text = json.dumps(content, indent=1, default=_as_plain)
    (folder / 'results.json').write_text(text)
    print(f'Figures, checkpoints and results.json are in {folder}')
    return json.loads(text)


def class_outcomes(
    test: GraphDataset, predicted: Mapping[str, torch.Tensor], protocol: str
) -> dict[str, Any]:
    """Returns the entries of results.json by which classifiers are compared on the test samples."""
    return fold_outcomes([test], {name: [one] for name, one in predicted.items()}, protocol)


def fold_outcomes(
    tests: Sequence[GraphDataset],
    predicted: Mapping[str, Sequence[torch.Tensor]],
    protocol: str,
) -> dict[str, Any]:
    """Returns the same for several test parts of a dataset, such as those of folds or of seeds.

    Samples of a subject form a group where subjects are known. Otherwise, the predictions of a
    sample form a group if it is in several parts.
    """
    target = torch.cat([test.labels() for test in tests])
    correct = {name: torch.cat(list(parts)) == target for name, parts in predicted.items()}
    fingerprints = [test.fingerprint() for test in tests]
    fingerprint = fingerprints[0]
    if len(tests) > 1:
        fingerprint = hashlib.sha256(' '.join(fingerprints).encode()).hexdigest()
    if 'subject' in tests[0][0]:
        groups = torch.cat([test.labels('subject') for test in tests])
    else:
        samples = torch.cat([torch.as_tensor(test.indices()) for test in tests])
        groups = samples if len(samples.unique()) < len(samples) else None
    return describe_outcomes(correct, fingerprint, protocol, groups)


def show_recognizer(path: Path, use: str) -> None:
    """Prints the lines that use a trained network."""
    print(
        'To use the network:\n'
        '    from graphmotion.inference import Recognizer\n\n'
        f"    recognizer = Recognizer.load('{path}')\n    {use}\n"
    )


def save_recognizer(recognizer: Recognizer, folder: Path, use: str) -> None:
    """Writes a trained network and prints the lines that use it."""
    path = folder / 'recognizer.safetensors'
    recognizer.save(path)
    show_recognizer(path, use)


def _as_plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) else str(value)  # a recipe or a path
