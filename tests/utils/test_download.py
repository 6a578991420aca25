"""Downloads against a real server on the loopback interface that misbehaves on demand."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rsmm.errors import DownloadError
from rsmm.utils import download as module
from rsmm.utils.download import cached_path, digest_in_name, download

CONTENT = bytes(range(256)) * 2000  # 500 KiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Misbehaving(BaseHTTPRequestHandler):
    """Serves ``CONTENT``; ``server.faults`` is a list of what to do wrong, one per request."""

    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        fault = server.faults.pop(0) if server.faults else None
        requested = self.headers.get('Range')
        server.requests.append((self.path, requested))
        if isinstance(fault, int):
            self.send_error(fault)
            return
        if fault == 'hang':
            time.sleep(1.5)
            return
        content = server.content
        start = 0
        current = self.headers.get('If-Range') in (None, server.etag)
        if requested and server.ranges and current:
            start = int(requested.removeprefix('bytes=').rstrip('-'))
            if start >= len(content):
                self.send_response(416)
                self.send_header('Content-Range', f'bytes */{len(content)}')
                self.send_header('Content-Length', '0')
                self.end_headers()
                return
            self.send_response(206)
            shown = start + 1 if fault == 'wrong range' else start
            self.send_header('Content-Range', f'bytes {shown}-{len(content) - 1}/{len(content)}')
        else:
            self.send_response(200)
        body = content[start:]
        if fault == 'corrupt':
            body = body[:-1] + b'?'
        if fault != 'no length':
            self.send_header('Content-Length', str(len(body)))
        if server.etag:
            self.send_header('ETag', server.etag)
        self.end_headers()
        if fault == 'drop':
            body = body[: len(body) // 2]
        if fault == 'slow':
            time.sleep(0.5)
        self.wfile.write(body)


@pytest.fixture
def server(monkeypatch, tmp_path):
    for name in ('http_proxy', 'HTTP_PROXY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(module, '_BLOCK', 4096)
    server = ThreadingHTTPServer(('127.0.0.1', 0), Misbehaving)
    server.daemon_threads = True
    server.faults, server.requests = [], []
    server.content, server.ranges, server.etag = CONTENT, True, '"v1"'
    server.url = f'http://127.0.0.1:{server.server_address[1]}/models/net.pth'
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(server, **options):
    return download(server.url, **{'backoff': 0.01, 'timeout': 5, **options})


def leftovers(path) -> list[str]:
    return sorted(p.name for p in path.parent.iterdir() if not p.name.endswith('.lock'))


def test_fetched_once_into_the_cache(server):
    path = fetch(server, sha256=SHA256)
    assert path == cached_path(server.url)
    assert path.read_bytes() == CONTENT
    assert leftovers(path) == ['net.pth']
    assert fetch(server, sha256=SHA256) == path
    assert len(server.requests) == 1


def test_two_addresses_do_not_share_a_file(server):
    assert cached_path(server.url) != cached_path(server.url.replace('/models', '/other'))


def test_drops_are_resumed_from_where_they_were(server):
    server.faults = ['drop', 'drop', 'drop']
    assert fetch(server, retries=1).read_bytes() == CONTENT  # each attempt got further
    starts = [requested for _, requested in server.requests]
    assert starts[0] is None
    assert [int(s.removeprefix('bytes=').rstrip('-')) for s in starts[1:]] == [
        256000,
        384000,
        448000,
    ]


@pytest.mark.parametrize('etag', ['"v1"', None], ids=['etag', 'no etag'])
def test_server_without_ranges_starts_over(server, etag):
    server.ranges, server.etag = False, etag
    server.faults = ['drop', 'drop']
    assert fetch(server).read_bytes() == CONTENT
    assert len(server.requests) == 3


def test_without_a_validator_a_part_is_only_continued_under_a_checksum(server):
    server.etag = None
    server.faults = ['drop']
    assert fetch(server).read_bytes() == CONTENT
    assert server.requests[1][1] is None
    server.requests.clear()
    server.faults = ['drop']
    other = download(server.url + '?2', sha256=SHA256, backoff=0.01)
    assert other.read_bytes() == CONTENT
    assert server.requests[1][1] == 'bytes=256000-'


def test_file_that_changed_meanwhile_starts_over(server):
    server.faults = ['drop', 404]
    with pytest.raises(DownloadError):
        fetch(server)
    server.content, server.etag = CONTENT[::-1], '"v2"'
    assert fetch(server).read_bytes() == CONTENT[::-1]


def test_part_of_an_interrupted_process_is_used(server):
    server.faults = ['drop', 404]
    with pytest.raises(DownloadError, match='404'):
        fetch(server)
    assert 'net.pth.part' in leftovers(cached_path(server.url))
    server.requests.clear()
    path = fetch(server)
    assert path.read_bytes() == CONTENT
    assert server.requests == [('/models/net.pth', 'bytes=256000-')]
    assert leftovers(path) == ['net.pth']


def test_wrong_range_and_unsatisfiable_range_start_over(server):
    server.faults = ['drop', 'wrong range']
    assert fetch(server).read_bytes() == CONTENT
    path = cached_path(server.url)
    path.unlink()
    path.with_name('net.pth.part').write_bytes(CONTENT + b'too long')
    path.with_name('net.pth.part.json').write_text('{"validator": "\\"v1\\""}')
    assert fetch(server).read_bytes() == CONTENT


@pytest.mark.parametrize('digest', [SHA256, SHA256[:8], SHA256.upper()])
def test_corruption_is_an_error_and_leaves_nothing(server, digest):
    server.faults = ['corrupt']
    with pytest.raises(DownloadError, match=f'sha256 is .*, expected {digest.lower()}'):
        fetch(server, sha256=digest)
    assert leftovers(cached_path(server.url)) == []
    assert fetch(server, sha256=digest).read_bytes() == CONTENT


def test_digest_in_the_file_name_is_checked(server):
    assert digest_in_name('https://a/resnet18-5c106cde.pth') == '5c106cde'
    assert digest_in_name('https://a/b.pth?x=-5c106cde.pth') is None
    url = server.url.replace('net.pth', f'net-{SHA256[:8]}.pth')
    assert download(url, backoff=0.01).read_bytes() == CONTENT
    server.faults = ['corrupt']
    with pytest.raises(DownloadError, match='sha256'):
        download(url.replace('models', 'other'), backoff=0.01)


def test_damaged_file_in_the_cache_is_fetched_again(server):
    path = fetch(server)
    path.write_bytes(b'rot')
    assert fetch(server, sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize('code', [403, 404, 410])
def test_refusals_are_not_repeated(server, code):
    server.faults = [code] * 3
    with pytest.raises(DownloadError, match=f'answered {code}'):
        fetch(server)
    assert len(server.requests) == 1


def test_busy_server_is_asked_again(server):
    server.faults = [503, 429, 500]
    assert fetch(server).read_bytes() == CONTENT


def test_gives_up_in_the_end(server):
    server.faults = ['drop'] + [503] * 10
    with pytest.raises(DownloadError, match=r'after 3 attempts .*503.*256000 bytes'):
        fetch(server, retries=3)


def test_endless_drops_without_ranges_end(server):
    server.ranges = False
    server.faults = ['drop'] * 50
    with pytest.raises(DownloadError, match='broke off after 256000 of 512000 bytes'):
        fetch(server, retries=3)
    assert len(server.requests) == 4


def test_hanging_server(server):
    server.faults = ['hang', 'hang']
    start = time.monotonic()
    with pytest.raises(DownloadError, match='after 2 attempts'):
        fetch(server, timeout=0.3, retries=2)
    assert time.monotonic() - start < 3
    assert fetch(server).read_bytes() == CONTENT


def test_no_server():
    with pytest.raises(DownloadError, match='refused'):
        download('http://127.0.0.1:9/net.pth', retries=2, backoff=0.01)


def test_body_without_length(server):
    server.faults = ['no length']
    assert fetch(server, sha256=SHA256).read_bytes() == CONTENT


@pytest.mark.parametrize('url', ['ftp://a/b', 'file:///etc/passwd', 'net.pth'])
def test_other_schemes_are_refused(url):
    with pytest.raises(DownloadError, match='only http'):
        download(url)


def test_name_from_the_address_stays_in_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path))
    for url in ('http://a/..', 'http://a/%2e%2e', 'http://a/x%2F..%2F..%2Fy', 'http://a/'):
        assert cached_path(url).resolve().is_relative_to(tmp_path.resolve() / 'downloads')


def test_full_disk(server, tmp_path, monkeypatch):
    part = tmp_path / 'net.pth'
    part.with_name('net.pth.part').symlink_to('/dev/full')
    monkeypatch.setattr(module._Transfer, 'restart', lambda self: None)
    monkeypatch.setattr(module._Transfer, 'received', 0)
    with pytest.raises(DownloadError, match=r'No space left.*RSMM_CACHE'):
        fetch(server, path=part)


def test_two_processes_want_the_same_file(server, tmp_path):
    server.faults = ['slow']
    code = (
        'import sys; from rsmm.utils.download import download;'
        f'print(download({server.url!r}, sha256={SHA256!r}))'
    )
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', code], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert outputs == [str(cached_path(server.url))] * 2
    assert len(server.requests) == 1


def test_a_cache_that_cannot_be_written(server, tmp_path, monkeypatch):
    (tmp_path / 'full').write_text('a file where the cache should be')
    monkeypatch.setenv('RSMM_CACHE', str(tmp_path / 'full'))
    with pytest.raises(DownloadError, match='set RSMM_CACHE to a folder on another disk'):
        fetch(server)


def test_a_cache_that_is_only_read(server, monkeypatch):
    path = fetch(server)
    count = len(server.requests)
    path.with_name(f'.{path.name}.lock').unlink()
    path.with_name(f'.{path.name}.lock').mkdir()  # opening it fails, as on a read-only disk
    assert fetch(server) == path
    assert fetch(server, sha256=SHA256) == path
    assert len(server.requests) == count
