import os

import pytest

from graphmotion.datasets import NWUCLA


@pytest.fixture(scope='session')
def nw_ucla(real_data, tmp_path_factory):
    """The real Northwestern-UCLA, read from its archive once."""
    root = tmp_path_factory.mktemp('nw_ucla')
    os.makedirs(root / 'raw')
    os.symlink(real_data / 'nw_ucla' / 'all_sqe.zip', root / 'raw' / 'all_sqe.zip')
    return NWUCLA(str(root))
