r"""The environment files, the installed packages and the README agree."""

import importlib.metadata
import os
import re
from pathlib import Path

import pytest
import torch_geometric.typing
import yaml
from packaging.requirements import Requirement

import lgmrec_pyg

tomllib = pytest.importorskip('tomllib', reason='needs Python 3.11')

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    'huggingface-hub': 'huggingface_hub',
    'torch': 'pytorch',
    'torch-geometric': 'pytorch_geometric',
    'torch-scatter': 'pytorch_scatter',
    'torch-sparse': 'pytorch_sparse',
}


def requirements() -> dict[str, Requirement]:
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    groups = [project['dependencies'], *project['optional-dependencies'].values()]
    out: dict[str, Requirement] = {}
    for requirement in map(Requirement, (x for group in groups for x in group)):
        if requirement.name != 'lgmrec_pyg':
            known = out.setdefault(requirement.name, requirement)
            assert known.specifier == requirement.specifier, requirement.name
    return out


def conda_requirements() -> dict[str, Requirement]:
    environment = yaml.safe_load((ROOT / 'environment.yml').read_text())
    *lines, pip = environment['dependencies']
    lines += [x for x in pip['pip'] if x != '-e .']  # What conda-forge may lack.
    return {Requirement(x).name: Requirement(x) for x in lines}


def test_conda_environment_has_every_requirement() -> None:
    conda = conda_requirements()
    for name, requirement in requirements().items():
        assert conda[CONDA_NAMES.get(name, name)].specifier == requirement.specifier
    extra = {'python', 'pip', 'cxx-compiler'}
    names = {CONDA_NAMES.get(name, name) for name in requirements()}
    assert set(conda) == names | extra


@pytest.mark.parametrize('name', requirements())
def test_installed_version(name: str) -> None:
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"optional package '{name}' is not installed")
    assert requirements()[name].specifier.contains(version, prereleases=True)


def test_python_and_package_version() -> None:
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    assert project['requires-python'] == str(conda_requirements()['python'].specifier)
    assert importlib.metadata.version('lgmrec_pyg') == lgmrec_pyg.__version__
    assert f'## {lgmrec_pyg.__version__}' in (ROOT / 'CHANGELOG.md').read_text()


def test_installed_sparse_extensions_are_in_use() -> None:
    # PyG disables a package that fails to import with no more than a warning.
    for name in ('torch-scatter', 'torch-sparse'):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pytest.skip(f"optional package '{name}' is not installed")
    assert torch_geometric.typing.WITH_TORCH_SCATTER
    assert torch_geometric.typing.WITH_TORCH_SPARSE


def test_ci_runs_the_test_command_of_the_readme() -> None:
    commands = re.findall(
        r'^python3 -m venv.*$', (ROOT / 'README.md').read_text(), re.M
    )
    script = (ROOT / '.ci' / 'run').read_text().splitlines()
    assert len(commands) == 2
    assert commands[1].rpartition(' && ')[2].startswith('pytest')
    assert commands[1] in script
    assert os.access(ROOT / '.ci' / 'run', os.X_OK)
