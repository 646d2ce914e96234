import hashlib

from graphmotion.datasets.processed_files import hashed_name


def test_names_differ_for_different_options():
    digest = hashlib.sha256(b"(1, 'a')").hexdigest()
    assert hashed_name('faces', (1, 'a')) == f'faces_{digest[:16]}.pt'
    assert len({hashed_name('faces', options) for options in ((1,), (1.0,), ('1',), (1, 1))}) == 4
