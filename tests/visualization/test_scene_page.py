"""The page of maps: everything inside, nothing from elsewhere, and what a browser makes of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from rsmm.visualization.pages.scenes import write_scene_page

BROWSER = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), ''
)
CLASSES = ('<b>water</b>', 'wood', '__DATA__')


def scene(name: str, shift: int = 0, sure: bool = True) -> dict:
    labels = np.zeros((40, 60), np.uint8)
    labels[:, 20:40], labels[:, 40:] = 1 + shift, 255
    areas = [
        {'value': k, 'class': CLASSES[k], 'share': 0.5, 'pixels': 800, 'area_ha': 8.0 + k,
         'adjusted_ha': 7.0, 'margin_ha': 1.5}
        for k in range(3)
    ]  # fmt: skip
    areas[2].update(share=0.0002, area_ha=0.006)
    picture = np.full((80, 120, 3), 90, np.uint8)
    return {
        'name': name, 'rows': 400, 'columns': 600, 'labels': labels, 'areas': areas,
        'confidence': np.full((40, 60), 200, np.uint8) if sure else None,
        'images': [('2018', picture), ('2020', picture // 2)], 'classes': CLASSES,
        'palette': ((0, 0, 255), (0, 128, 0), (9, 9, 9)), 'facts': '600 x 400 pixels',
        'warnings': ['pixels of 20 m & more'],
    }  # fmt: skip


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp('page') / 'index.html'
    write_scene_page(path, [scene('</script><i>'), scene('two', 1, False)], title='Maps & <more>')
    return path


def test_everything_is_inside_and_escaped(page):
    text = page.read_text(encoding='utf-8')
    assert 'http' not in text
    assert '//' not in re.sub(r'// From.*|"[A-Za-z0-9+/=]{30,}"', '', text)
    assert '<h1>Maps &amp; &lt;more&gt;</h1>' in text
    assert text.count('</script>') == 1
    data = json.loads(re.search(r'const data = (.*);\n', text)[1])
    assert [one['name'] for one in data] == ['</script><i>', 'two']
    assert data[0]['classes'][2] == '__DATA__'
    assert not re.search(r'<(?:link|script|img|iframe)[^>]+(?:src|href)=', text)


def shown(page, view: str) -> str:
    command = [
        BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=3000',
        '--dump-dom', f'{page.as_uri()}#{view}',
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


#: Address, and what the page then holds.
VIEWS = {
    '': ['data-painted="1600"', 'opacity: 0.6', '600 x 400 pixels', 'pixels of 20 m &amp; more'],
    'at=0.1,0.5': ['&lt;b&gt;water&lt;/b&gt;, probability 0.80 (row 205, column 65)'],
    'at=0.9,0.5': ['no data (row'],
    'at=0.99999,0.99999': ['no data (row 395, column 595)'],
    'scene=1&at=0.5,0': ['__DATA__ (row 5'],
    'swipe=50': ['left: 50%', '50%'],
    'opacity=25': ['opacity: 0.25'],
    'layer=none': ['opacity: 0'],
    'layer=probability': ['data-painted="1600"'],
    'hide=1': ['data-painted="800"'],
    'image=1': ['data-image="1"'],
}


@pytest.mark.skipif(not BROWSER, reason='no Chromium: apt-get install chromium')
@pytest.mark.parametrize(('view', 'expected'), VIEWS.items())
def test_layers_and_clicks_in_a_browser(page, view, expected):
    found = shown(page, view)
    for text in expected:
        assert text in found
    assert '<b>water' not in found
    assert found.count('type="checkbox"') == 3
    assert 'adjusted ± 95 %' in found
    assert '<td>&lt; 0.1 %</td><td>&lt; 0.1</td>' in found


@pytest.mark.skipif(not BROWSER, reason='no Chromium: apt-get install chromium')
def test_a_real_click_tells_the_class(page, tmp_path):
    script = """
<script>setTimeout(() => {
  const box = document.getElementById('stage').getBoundingClientRect();
  document.getElementById('stage').dispatchEvent(new MouseEvent('click', {bubbles: true,
    clientX: box.left + box.width / 2, clientY: box.top + box.height / 4}));
  const slider = document.getElementById('swipe');
  slider.value = 30;
  slider.dispatchEvent(new Event('input'));
}, 500);</script></body>"""
    clicked = tmp_path / 'clicked.html'
    clicked.write_text(page.read_text(encoding='utf-8').replace('</body>', script))
    found = shown(clicked, '')
    assert 'wood, probability 0.80' in found
    assert 'left: 30%' in found
