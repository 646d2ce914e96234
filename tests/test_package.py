"""Import time and contents of the package."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import graphmotion

SUBPACKAGES = [module.name for module in pkgutil.iter_modules(graphmotion.__path__) if module.ispkg]


def test_importing_the_package_imports_no_subpackage():
    code = (
        'import sys; before = set(sys.modules); import graphmotion; '
        'print(*{name.split(".")[0] for name in set(sys.modules) - before})'
    )
    command = [sys.executable, '-c', code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert set(printed.split()) - sys.stdlib_module_names == {'graphmotion'}


@pytest.mark.parametrize('name', SUBPACKAGES)
def test_subpackages_are_imported_on_first_use(name, monkeypatch):
    monkeypatch.delattr(graphmotion, name, raising=False)  # as in a fresh interpreter
    assert name in dir(graphmotion)
    assert getattr(graphmotion, name) is importlib.import_module(f'graphmotion.{name}')


def test_the_package_exports_only_subpackages_and_version():
    public = {name for name in dir(graphmotion) if not name.startswith('_')}
    assert {*SUBPACKAGES} <= public
    assert '__version__' in dir(graphmotion)
    with pytest.raises(AttributeError, match="'graphmotion' has no attribute 'nm'"):
        graphmotion.nm  # noqa: B018
