"""Bombs: each kind is one clear error before it unpacks, and named limits that can be lifted."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import rasterio

from rsmm.datasets.coco import read_coco
from rsmm.errors import ConfigError, DataError, DownloadError, RsmmError
from rsmm.geo.label_raster import read_label
from rsmm.geo.raster import open_raster, read_raster
from rsmm.utils.archive import extract_archive
from rsmm.utils.download import download
from rsmm.utils.foreign import read_json
from rsmm.utils.limits import LIMITS, check_limit, limit


@pytest.mark.parametrize('name', LIMITS)
def test_limits_have_names_defaults_and_variables(name, monkeypatch):
    most = LIMITS[name][0]
    check_limit(name, most, 'a.tif')
    with pytest.raises(DataError, match=rf'a\.tif.*set RSMM_LIMIT_{name}'):
        check_limit(name, most * 1.01 + 1, 'a.tif')
    monkeypatch.setenv(f'RSMM_LIMIT_{name}', str(2 * most))
    check_limit(name, most * 1.5, 'a.tif')
    for text in ('many', '0', '-1', 'nan'):
        monkeypatch.setenv(f'RSMM_LIMIT_{name}', text)
        with pytest.raises(ConfigError, match='no positive number'):
            limit(name)


def tiff(path, **profile):
    settings = dict(driver='GTiff', dtype='uint8', height=2, width=2, count=1) | profile
    with rasterio.open(path, 'w', **settings):
        pass
    return path


def png(path, side):
    """A PNG of a few bytes that states a huge image."""
    chunks = [
        (b'IHDR', struct.pack('>IIBBBBB', side, side, 8, 0, 0, 0, 0)),
        (b'IDAT', zlib.compress(bytes(1000))),
        (b'IEND', b''),
    ]
    data = b'\x89PNG\r\n\x1a\n'
    for kind, body in chunks:
        data += struct.pack('>I', len(body)) + kind + body
        data += struct.pack('>I', zlib.crc32(kind + body))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize('read', [read_raster, read_label])
def test_rasters_that_state_too_much(tmp_path, read, monkeypatch):
    many = tiff(tmp_path / 'bands.tif', count=65535, interleave='pixel')
    with pytest.raises(DataError, match=r'bands\.tif: 65,535 bands'):
        read(many)
    sparse = tiff(
        tmp_path / 'sparse.tif', width=400_000, height=400_000, SPARSE_OK=True, tiled=True
    )
    assert sparse.stat().st_size < 2**26
    with pytest.raises(DataError, match='pixels of a raster'):
        read(sparse)
    for side in (2**31 - 1, 400_000):
        with pytest.raises(DataError, match=r'huge\.png'):
            read(png(tmp_path / 'huge.png', side))
    monkeypatch.setenv('RSMM_LIMIT_READ_BYTES', '1000')
    with pytest.raises(DataError, match='RSMM_LIMIT_READ_BYTES'):
        read(tiff(tmp_path / 'a.tif', height=50, width=50))


def test_a_large_scene_is_still_opened_in_windows(tmp_path):
    path = tiff(tmp_path / 'scene.tif', width=200_000, height=200_000, SPARSE_OK=True, tiled=True)
    with open_raster(path) as source:
        image, _ = source.read((5, 5, 8, 8))
    assert image.shape == (8, 8, 1)


@pytest.mark.parametrize('text', ['[' * 10**6, '{"a":' * 10**5, '{"images": ' + '[' * 10**5])
def test_deep_json(tmp_path, text):
    path = tmp_path / 'a.json'
    path.write_text(text)
    for read in (read_json, lambda path: read_coco(path, tmp_path)):
        with pytest.raises(DataError, match=r'a\.json'):
            read(path)


def test_large_text(tmp_path, monkeypatch):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({'a': 'b' * 2000}))
    assert read_json(path)
    monkeypatch.setenv('RSMM_LIMIT_TEXT_BYTES', '1000')
    with pytest.raises(DataError, match='RSMM_LIMIT_TEXT_BYTES'):
        read_json(path)


def zipped(path, size, name='a.bin', compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', compression) as archive, archive.open(name, 'w') as file:
        for _ in range(size // 2**20):
            file.write(bytes(2**20))
    return path


def encrypted(path):
    data = bytearray(zipped(path, 2**20).read_bytes())
    for mark, offset in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        data[data.index(mark) + offset] |= 1
    path.write_bytes(data)
    return path


def foreign_name(path):
    data = zipped(path, 2**20, name='abcde').read_bytes()
    path.write_bytes(data.replace(b'abcde', b'\xff\xfe\x81\x00\xe9'))
    return path


def unknown_packing(path):
    data = bytearray(zipped(path, 2**20).read_bytes())
    for mark, offset in ((b'PK\x03\x04', 8), (b'PK\x01\x02', 10)):
        data[data.index(mark) + offset] = 99
    path.write_bytes(data)
    return path


def lying_size(path):
    data = bytearray(zipped(path, 2**20).read_bytes())
    data[data.index(b'PK\x01\x02') + 24 : data.index(b'PK\x01\x02') + 28] = struct.pack('<I', 9)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (encrypted, r"'a\.bin' is encrypted"),
        (unknown_packing, 'cannot be unpacked'),
        (lying_size, 'cannot be unpacked'),
    ],
)
def test_zip_files_that_cannot_be_unpacked(tmp_path, make, message):
    with pytest.raises(DataError, match=message):
        extract_archive(make(tmp_path / 'a.zip'), tmp_path / 'out')
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_member_with_a_foreign_name_stays_inside(tmp_path):
    try:
        extract_archive(foreign_name(tmp_path / 'a.zip'), tmp_path / 'out')
    except RsmmError:
        return
    assert len(list((tmp_path / 'out').iterdir())) == 1


def test_archive_bombs(tmp_path, monkeypatch):
    bomb = zipped(tmp_path / 'bomb.zip', 1200 * 2**20)
    assert bomb.stat().st_size < 2**21
    with pytest.raises(DataError, match='RSMM_LIMIT_RATIO'):
        extract_archive(bomb, tmp_path / 'out')
    many = tmp_path / 'many.tar'
    with tarfile.open(many, 'w') as archive:
        for number in range(50):
            member = tarfile.TarInfo(f'{number}.txt')
            member.size = 1
            archive.addfile(member, io.BytesIO(b'x'))
    monkeypatch.setenv('RSMM_LIMIT_MEMBERS', '49')
    with pytest.raises(DataError, match='RSMM_LIMIT_MEMBERS'):
        extract_archive(many, tmp_path / 'out')
    monkeypatch.setenv('RSMM_LIMIT_MEMBERS', '50')
    monkeypatch.setenv('RSMM_LIMIT_UNPACKED_BYTES', '49')
    with pytest.raises(DataError, match='RSMM_LIMIT_UNPACKED_BYTES'):
        extract_archive(many, tmp_path / 'out')
    assert list((tmp_path / 'out').iterdir()) == []


class Answer(BaseHTTPRequestHandler):
    """Sends what the path names in :data:`ANSWERS`."""

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        status, headers, body = ANSWERS[self.path.strip('/')]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


BODY = bytes(1000)
ANSWERS = {
    'page.pth': (200, {'Content-Type': 'text/html; charset=utf-8', 'Content-Length': '4'}, b'<p>x'),
    'packed.pth': (200, {'Content-Encoding': 'gzip', 'Content-Length': '4'}, b'abcd'),
    'letters.pth': (200, {'Content-Length': 'many'}, BODY),
    'negative.pth': (200, {'Content-Length': '-5'}, BODY),
    'huge.pth': (200, {'Content-Length': str(10**18)}, BODY),
    'endless.pth': (200, {}, BODY),
    'ftp.pth': (302, {'Location': 'ftp://127.0.0.1/x', 'Content-Length': '0'}, b''),
    'file.pth': (302, {'Location': 'file:///etc/passwd', 'Content-Length': '0'}, b''),
    'bad.pth': (302, {'Location': 'http://[::1', 'Content-Length': '0'}, b''),
    'loop.pth': (302, {'Location': '/loop.pth', 'Content-Length': '0'}, b''),
}
MESSAGES = {
    'page.pth': 'a web page', 'packed.pth': 'packed as gzip', 'letters.pth': "length 'many'",
    'negative.pth': "length '-5'", 'huge.pth': 'RSMM_LIMIT_DOWNLOAD_BYTES',
    'endless.pth': 'Give its sha256', 'ftp.pth': 'from http to ftp', 'file.pth': 'is not allowed',
    'bad.pth': 'no HTTP', 'loop.pth': 'the server answered 302',
}  # fmt: skip


@pytest.fixture(scope='module')
def address():
    server = ThreadingHTTPServer(('127.0.0.1', 0), Answer)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://127.0.0.1:{server.server_address[1]}'
    server.shutdown()


@pytest.mark.parametrize('name', ANSWERS)
def test_answers_that_are_no_file(address, tmp_path, monkeypatch, name):
    for variable in ('http_proxy', 'HTTP_PROXY'):
        monkeypatch.delenv(variable, raising=False)
    url = f'{address}/{name}'
    with pytest.raises(DownloadError, match=MESSAGES[name]) as raised:
        download(url, tmp_path / name, retries=1, backoff=0)
    assert url in str(raised.value)
    assert not (tmp_path / name).exists()


def test_https_is_never_left_for_http():
    from rsmm.utils.download import _SafeRedirects

    request = type('Request', (), {'full_url': 'https://a/net.pth'})
    with pytest.raises(DownloadError, match='from https to http'):
        _SafeRedirects().redirect_request(request, None, 302, '', {}, 'http://a/net.pth')


def test_a_download_that_never_ends(address, tmp_path, monkeypatch):
    monkeypatch.setenv('RSMM_LIMIT_DOWNLOAD_SECONDS', '1e-9')
    with pytest.raises(DownloadError, match='RSMM_LIMIT_DOWNLOAD_SECONDS'):
        download(f'{address}/endless.pth', tmp_path / 'a.pth', sha256='0' * 64, retries=1)
