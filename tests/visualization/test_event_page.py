"""The catalogue page, in a browser where there is one."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest
import shapely
from PIL import Image

from rsmm.visualization.pages.events import write_event_page

BROWSER = next(
    filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), ''
)


def row(name, first, last, area, kind, score, cell='3005_3175'):
    return {
        'event': name, 'cell': cell, 'kind': kind, 'first': first, 'last': last,
        'after_month': '2018-12', 'y0': 10, 'x0': 20, 'y1': 50, 'x1': 60, 'pixels': 400,
        'area_ha': area, 'score': score, 'lon': 31.7, 'lat': 30.1, 'frames': 1,
        'outline': shapely.box(25, 15, 45, 35).wkt,
        'before': f'{name}_a.png', 'after': f'{name}_b.png',
    }  # fmt: skip


ROWS = [
    row('one', '2018-02', '2018-03', 4.0, 'patch', 1.0),
    row('two', '2018-05', '2018-05', 9.0, 'line', 3.0),
    row('three', '2018-08', '2018-09', 2.0, 'patch', 2.0, cell='</script><b>'),
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp('page')
    for entry in ROWS:
        for key in ('before', 'after'):
            Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(folder / entry[key])
    write_event_page(folder / 'events.html', ROWS, title='Events & more')
    return folder / 'events.html'


def test_the_data_are_inside_and_escaped(page):
    text = page.read_text()
    assert '<h1>Events &amp; more</h1>' in text
    data = json.loads(re.search(r'const data = (.*);\n', text)[1])
    assert [event['event'] for event in data['events']] == ['one', 'two', 'three']
    assert data['unit'] == 'ha'
    assert data['events'][0]['outline'] == 'M25 5L25 25L5 25L5 5Z'
    assert text.count('</script>') == 1
    assert 'http' not in text.replace('http://www.w3.org/2000/svg', '')


def test_without_a_place_sizes_are_pixels(tmp_path):
    write_event_page(tmp_path / 'e.html', [{**ROWS[0], 'area_ha': None}])
    assert '"unit":"px"' in (tmp_path / 'e.html').read_text()
    write_event_page(tmp_path / 'none.html', [])
    assert '"events":[]' in (tmp_path / 'none.html').read_text()


VIEWS = {
    '': ['two', 'three', 'one'],  # by score
    'sort=size': ['two', 'one', 'three'],
    'sort=first': ['one', 'two', 'three'],
    'kind=patch': ['three', 'one'],
    'least=3': ['two', 'one'],
    'from=2018-05': ['two', 'three'],
    'to=2018-03': ['one'],
    'kind=line&from=2018-08': [],
}


@pytest.mark.skipif(not BROWSER, reason='no Chromium: apt-get install chromium')
@pytest.mark.parametrize(('view', 'expected'), VIEWS.items())
def test_sorted_and_filtered_in_a_browser(page, view, expected):
    command = [
        BROWSER, '--headless', '--no-sandbox', '--disable-gpu', '--virtual-time-budget=2000',
        '--dump-dom', f'{page.as_uri()}#{view}',
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    shown = re.findall(r'<article data-event="(\w+)"', done.stdout)
    assert shown == expected
    assert f'{len(expected)} of 3 events' in done.stdout
    assert len(re.findall(r'<img [^>]*src="\w+_[ab]\.png"', done.stdout)) == 2 * len(expected)
    assert '<b>' not in done.stdout
