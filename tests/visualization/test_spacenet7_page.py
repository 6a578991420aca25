"""The month slider page in a real browser, and what it must not contain."""

import itertools
import re
import shutil
import subprocess

import numpy as np
import pytest
import shapely
from PIL import Image

from rsmm.errors import DataError
from rsmm.visualization.spacenet7 import id_colour, new_buildings, write_animation
from rsmm.visualization.spacenet7_page import write_cube_page

BOX, RING = shapely.box(2, 2, 8, 8), shapely.box(10, 10, 18, 18) - shapely.box(12, 12, 14, 14)
CUBE = {'2018_01': [(4, BOX)], '2018_02': [(4, BOX), (7, RING)], '2018_03': [(7, RING)]}
IMAGES = {month: np.full((20, 30, 3), 40 * k, np.uint8) for k, month in enumerate(CUBE)}


@pytest.fixture
def page(tmp_path):
    path = tmp_path / 'page.html'
    write_cube_page(path, IMAGES, CUBE, title='<b> & co')
    return path


def test_the_page_is_self_contained(page):
    text = page.read_text(encoding='utf-8')
    addresses = set(re.findall(r'https?://[^\'"\s]+', text))
    assert addresses == {'http://www.w3.org/2000/svg'}  # a name, never fetched
    assert not re.search(r'<(?:link|script|img|iframe)[^>]+(?:src|href)=', text)
    assert '&lt;b&gt; &amp; co' in text
    assert text.count('data:image/webp;base64,') == 3


def test_a_real_browser_shows_a_month(page):
    browser = shutil.which('chromium') or shutil.which('chromium-browser')
    if browser is None:
        pytest.skip('no chromium on this machine')
    command = [
        browser, '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run',
        '--disable-background-networking', '--virtual-time-budget=2000', '--dump-dom',
        f'file://{page}#1',
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert '2018_02</output>' in done.stdout
    assert re.findall(r'data-id="(\d+)"', done.stdout) == ['4', '7']
    assert '2 buildings, 2 shown, 1 new since 2018_01' in done.stdout
    assert 'M18,18' in done.stdout or 'M18,10' in done.stdout or 'M10,10' in done.stdout


def test_new_buildings_exclude_the_first_month():
    assert new_buildings(CUBE) == {'2018_01': 0, '2018_02': 1, '2018_03': 1}


def test_neighbouring_ids_differ_in_colour():
    colours = [np.array(id_colour(k), float) for k in range(12)]
    steps = [np.abs(a - b).sum() for a, b in itertools.pairwise(colours)]
    assert min(steps) > 100


def test_identities_keep_their_colours_in_the_animation(tmp_path):
    boxes = shapely.box(np.arange(12) * 9 + 2, 30, np.arange(12) * 9 + 8, 36)
    noise = np.random.default_rng(0).integers(0, 256, (2, 60, 120, 3), dtype=np.uint8)
    images = {'2018_01': noise[0], '2018_02': noise[1]}
    write_animation(tmp_path / 'a.gif', images, {month: list(enumerate(boxes)) for month in images})
    with Image.open(tmp_path / 'a.gif') as animation:
        assert animation.n_frames == 2
        for k in range(2):
            animation.seek(k)
            frame = np.asarray(animation.convert('RGB')).astype(int)
            for name in range(12):
                drawn = frame[60, 2 * (9 * name + 4)]
                assert np.abs(drawn - id_colour(name)).max() < 25


def test_a_month_without_image_is_an_error(tmp_path):
    with pytest.raises(DataError, match='no image for 2018_03'):
        write_cube_page(tmp_path / 'p.html', {m: IMAGES[m] for m in list(IMAGES)[:2]}, CUBE)
    with pytest.raises(DataError, match='any month'):
        write_cube_page(tmp_path / 'p.html', {}, {})
