"""The environment of a run: code, packages and machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

import graphmotion

_PACKAGES = ('torch', 'torch-geometric', 'torch-scatter', 'lightning', 'numpy', 'scipy')


def describe_environment() -> dict[str, Any]:
    r"""Returns what the result of a run may depend on besides its options, for JSON.

    .. code-block:: python

        >>> sorted(describe_environment())
        ['commit', 'date', 'device', 'graphmotion', 'machine', 'packages', 'python', 'threads']

    Returns:
        dict: The version and the Git commit of graphmotion (:obj:`None` outside of a checkout;
        followed by :obj:`"+"` if files were changed), versions of Python and the packages, the
        machine with its processor and number of cores, the GPU, the number of threads, and the date
        in UTC.
    """
    return {
        'graphmotion': graphmotion.__version__,
        'commit': _commit(Path(graphmotion.__file__).parent),
        'python': platform.python_version(),
        'packages': {name: _version(name) for name in _PACKAGES},
        'machine': f'{platform.system()} {platform.machine()}, {_processor()}, '
        f'{os.cpu_count()} cores',
        'device': torch.cuda.get_device_name() if torch.cuda.is_available() else 'cpu',
        'threads': torch.get_num_threads(),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(folder: Path) -> str | None:
    # An installed package may lie in an unrelated repository, such as one with a virtual
    # environment.
    if not (folder.parent / '.git').exists():
        return None
    git = ['git', '-C', str(folder)]
    try:
        commit = subprocess.run(
            [*git, 'rev-parse', 'HEAD'], capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changes = subprocess.run(
            [*git, 'status', '--porcelain', '--untracked-files=no'],
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        ).stdout
    except (OSError, subprocess.SubprocessError):  # no Git, or no access
        return None
    return commit + '+' * bool(changes.strip())


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or 'unknown processor'
