"""Help and argument errors of every tool come at once: nothing heavy is imported for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = sorted(
    str(path.relative_to(ROOT))
    for path in (ROOT / 'tools').rglob('*.py')
    if not path.name.startswith('_')
)
HEAVY = ('torch', 'mmcv', 'mmpretrain', 'cv2', 'rasterio', 'scipy', 'shapely', 'matplotlib')
PROBE = """
import runpy, sys
tool, sys.argv = sys.argv[1], sys.argv[1:]
try:
    runpy.run_path(tool, run_name='__main__')
except SystemExit as end:
    print(f'status {end.code}', *(name for name in HEAVY if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(('argument', 'status'), [('--help', 0), ('--no-such-option=1', 2)])
@pytest.mark.parametrize('tool', TOOLS)
def test_help_and_slips_import_nothing_heavy(tool: str, argument: str, status: int) -> None:
    probe = f'HEAVY = {HEAVY!r}{PROBE}'
    result = subprocess.run(
        [sys.executable, '-c', probe, tool, argument],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stderr.splitlines()[-1] == f'status {status}', result.stderr
    assert ('usage' in result.stdout) == (status == 0)
