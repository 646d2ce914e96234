"""What the command lines of all examples share."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence


def refuse_unused(
    parser: argparse.ArgumentParser,
    argv: Sequence[str] | None,
    rules: Iterable[tuple[str, bool, str]],
) -> None:
    """End with an error if an option on the command line would do nothing.

    Each rule is an option, whether it does something, and what it goes with.
    """
    missing = object()
    names = vars(parser.parse_args([]))
    # An attribute that is there keeps its value unless the option is on the command line.
    given = vars(parser.parse_args(argv, argparse.Namespace(**dict.fromkeys(names, missing))))
    for option, used, partner in rules:
        if not used and given[option.removeprefix('--').replace('-', '_')] is not missing:
            parser.error(f'{option} goes with {partner}')
