"""Packaging: what ``pip install .``, ``pip install -e .`` and ``pip wheel .`` do.

Beside the package itself a wheel carries ``configs/``, ``tools/``, ``zoo/`` and ``model-index.yml``
as ``rsmm/.mim``, where ``rsmm.apis`` and OpenMMLab's ``mim`` look for them. An editable install
uses the checkout itself, so nothing is copied or linked there.
"""

from __future__ import annotations

import atexit
import re
import shutil
import tempfile
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build import build
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
CARRIED = ('configs', 'tools', 'model-index.yml')
WEIGHTS = 'zoo'  # the largest part of a wheel, so it is in there once


def version() -> str:
    """Read the version without importing the package."""
    text = (ROOT / 'rsmm' / 'version.py').read_text(encoding='utf-8')
    return re.search(r"^__version__ = '([^']+)'", text, re.MULTILINE)[1]


def requirements(name: str) -> list[str]:
    """Read ``requirements/<name>.txt``, leaving out comments and options."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text(encoding='utf-8').splitlines()
    stripped = (re.sub(r'(^|\s+)#.*', '', line).strip() for line in lines)
    return [line for line in stripped if line and not line.startswith('-')]


def copy_carried(target: Path, *more: str) -> None:
    """Copy what a wheel carries for ``mim``, and ``more`` of the checkout, into ``target``."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (*CARRIED, *more):
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns('__pycache__', '*.pyc', '.*')
            shutil.copytree(source, target / name, ignore=ignored)
        elif source.is_file():
            shutil.copy2(source, target / name)


class BuildElsewhere(build):
    """Build outside the checkout: no stale files, no second copy of the configs lying about."""

    def initialize_options(self) -> None:
        super().initialize_options()
        self.build_base = tempfile.mkdtemp(prefix='rsmm-build-')
        atexit.register(shutil.rmtree, self.build_base, ignore_errors=True)


class BuildWithConfigs(build_py):
    """Put the configs and tools into the package, except in an editable install."""

    def run(self) -> None:
        super().run()
        if not getattr(self, 'editable_mode', False):
            copy_carried(Path(self.build_lib) / 'rsmm' / '.mim', WEIGHTS)


class WheelForMim(bdist_wheel):
    """Carry the configs and tools in the metadata folder too.

    onedl-mim 0.5 takes the folder of the first file in RECORD for the package. Pip sorts RECORD,
    and ``rsmm-<version>.dist-info/`` comes before ``rsmm/``, so that is where it looks.
    """

    def egg2dist(self, egginfo_path: str, distinfo_path: str) -> None:
        super().egg2dist(egginfo_path, distinfo_path)
        copy_carried(Path(distinfo_path) / '.mim')


setup(
    name='rsmm',
    version=version(),
    description='Learning from satellite and aerial images over space and time, on MMEngine',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8')
    if (ROOT / 'README.md').is_file()
    else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    keywords='remote sensing, self-supervised learning, change detection, segmentation',
    python_requires='>=3.10',
    packages=find_packages(include=['rsmm', 'rsmm.*']),
    include_package_data=True,
    install_requires=requirements('runtime'),
    extras_require={name: requirements(name) for name in ('tests', 'docs', 'optional')},
    cmdclass={
        'build': BuildElsewhere,
        'build_py': BuildWithConfigs,
        'bdist_wheel': WheelForMim,
    },
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Science/Research',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Programming Language :: Python :: 3.12',
        'Topic :: Scientific/Engineering :: GIS',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    zip_safe=False,
)
