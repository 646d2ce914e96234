import gc
import os
from pathlib import Path

import pytest
import torch

# Several processes of pytest-xdist must not compete for the cores.
if 'PYTEST_XDIST_WORKER' in os.environ:
    torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collects no garbage while modules are imported, nor searches them for garbage later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture(autouse=True)
def seeded():
    """Seeds the random state of every test."""
    torch.manual_seed(12345)


@pytest.fixture(scope='session')
def real_data() -> Path:
    """Returns the folder with real data, or skips the test if it does not exist."""
    folder = os.environ.get('GRAPHMOTION_DATA')
    if not folder or not Path(folder).is_dir():
        pytest.skip('GRAPHMOTION_DATA does not name a folder with real data')
    return Path(folder)


@pytest.fixture(scope='session')
def nw_ucla(real_data, tmp_path_factory):
    """Returns the real Northwestern-UCLA dataset, read from its archive once."""
    from graphmotion.datasets import NWUCLA

    root = tmp_path_factory.mktemp('nw_ucla')
    (root / 'raw').mkdir()
    (root / 'raw' / 'all_sqe.zip').symlink_to(real_data / 'nw_ucla' / 'all_sqe.zip')
    return NWUCLA(str(root))
