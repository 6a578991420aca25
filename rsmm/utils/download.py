"""Fetching files over HTTP so that a broken connection, server or disk never leaves a bad file."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import http.client
import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from rsmm.errors import DownloadError
from rsmm.utils.io import sha256_file
from rsmm.utils.limits import check_limit
from rsmm.utils.progress import track
from rsmm.version import __version__

_BLOCK = 1 << 16
_HASH_IN_NAME = re.compile(r'-([0-9a-f]{8,64})\.[\w.]+$')
_WORTH_RETRYING = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Interrupted(Exception):
    """The transfer broke off in a way that another attempt may mend."""


def cache_dir() -> Path:
    """Return the folder for downloads: ``RSMM_CACHE``, else ``$XDG_CACHE_HOME/rsmm``."""
    if os.environ.get('RSMM_CACHE'):
        return Path(os.environ['RSMM_CACHE']).expanduser()
    return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / 'rsmm'


def cached_path(url: str) -> Path:
    """Return where :func:`download` keeps ``url`` in the cache; two URLs never share a file."""
    key = hashlib.sha256(url.encode()).hexdigest()[:12]
    return cache_dir() / 'downloads' / key / _file_name(url)


def download(
    url: str,
    path: str | os.PathLike | None = None,
    *,
    sha256: str | None = None,
    retries: int = 5,
    timeout: float = 30.0,
    backoff: float = 1.0,
) -> Path:
    """Fetch ``url`` unless its file is already here, and return that file.

    The bytes gather in ``<path>.part``; an interrupted transfer goes on from there if the server
    knows ranges and the file behind the URL is unchanged, else it starts over. A second process
    that wants the same file waits for the first. ``path`` itself only ever holds a complete file
    whose checksum fits.

    Args:
        url: ``http://`` or ``https://`` address.
        path: Target file; by default a place in :func:`cache_dir`.
        sha256: Expected digest, whole or its first 8 or more hex digits. Without it, digits at the
            end of the file name are taken (``resnet18-5c106cde.pth``).
        retries: Attempts in a row that may fail without the file growing.
        timeout: Seconds to wait for a connection, and for the next bytes.
        backoff: Seconds before the first repetition; doubles each time, up to 30.

    Raises:
        DownloadError: The address is wrong, the server refuses, the connection keeps breaking, the
            disk is full, or the checksum differs.
    """
    if urlsplit(url).scheme not in ('http', 'https'):
        raise DownloadError('only http:// and https:// addresses can be fetched', where=url)
    target = Path(path) if path is not None else cached_path(url)
    digest = (sha256 or digest_in_name(url) or '').lower()
    with _only_process(target):
        if target.is_file():
            if not digest or sha256_file(target).startswith(digest):
                return target
            target.unlink()
        part = target.with_name(target.name + '.part')
        transfer = _Transfer(url, part, timeout, checked=bool(digest))
        _complete(transfer, retries, backoff)
        _verify(transfer, digest)
        os.replace(transfer.part, target)
        transfer.note.unlink(missing_ok=True)
    return target


def digest_in_name(url: str) -> str | None:
    """Return the hash at the end of a file name: ``resnet18-5c106cde.pth`` -> ``5c106cde``."""
    match = _HASH_IN_NAME.search(_file_name(url))
    return match[1] if match else None


def _file_name(url: str) -> str:
    name = unquote(urlsplit(url).path).rsplit('/', 1)[-1]
    return name if name not in ('', '.', '..') else 'download'


@dataclass
class _Transfer:
    """One file on its way: where from, where to, and whether a checksum will judge the result."""

    url: str
    part: Path
    timeout: float
    checked: bool
    begun: float = field(default_factory=time.monotonic)

    def check_time(self) -> None:
        """Raise :class:`DownloadError` once all attempts together have taken too long."""
        seconds = time.monotonic() - self.begun
        check_limit('DOWNLOAD_SECONDS', seconds, self.url, DownloadError)

    @property
    def note(self) -> Path:
        """Sidecar that remembers the server's name for the version in ``part``."""
        return self.part.with_name(self.part.name + '.json')

    @property
    def received(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def restart(self) -> None:
        """Forget what has been received."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def validator(self) -> str | None:
        """ETag or date of the version in ``part``, if the server gave one."""
        try:
            return json.loads(self.note.read_text(encoding='utf-8'))['validator']
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _complete(transfer: _Transfer, retries: int, backoff: float) -> None:
    """Repeat attempts until the file is complete."""
    failures, largest = 0, transfer.received
    while True:
        try:
            _attempt(transfer)
            return
        except _Interrupted as error:
            # Attempts that get further than any before do not count as failures in a row.
            failures = 0 if transfer.received > largest else failures + 1
            largest = max(largest, transfer.received)
            if failures >= retries:
                raise DownloadError(
                    f'gave up after {failures} attempts without progress: {error}',
                    where=transfer.url,
                    fix=f'Try again later; the {largest} bytes received so far are kept',
                ) from error
            transfer.check_time()
            time.sleep(min(30.0, backoff * 2 ** max(failures - 1, 0)))


def _attempt(transfer: _Transfer) -> None:
    """Fetch what is missing in one request.

    Raises:
        _Interrupted: Worth another attempt.
        DownloadError: Not worth one.
    """
    request = urllib.request.Request(transfer.url, headers={'User-Agent': f'rsmm/{__version__}'})
    start, validator = transfer.received, transfer.validator()
    if start and (validator or transfer.checked):
        request.add_header('Range', f'bytes={start}-')
        if validator:
            request.add_header('If-Range', validator)
    try:
        opener = urllib.request.build_opener(_SafeRedirects)
        with opener.open(request, timeout=transfer.timeout) as response:
            _check_answer(response, transfer)
            _receive(response, transfer, start)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is in .part is not a beginning of what the server has
            transfer.restart()
            raise _Interrupted('the server no longer has the part that was begun') from error
        if error.code in _WORTH_RETRYING:
            raise _Interrupted(f'HTTP {error.code} {error.reason}') from error
        raise DownloadError(
            f'the server answered {error.code} {error.reason}',
            where=transfer.url,
            fix='Check the address; the file may have moved',
        ) from error
    except (TimeoutError, http.client.HTTPException, ConnectionError) as error:
        raise _Interrupted(f'{type(error).__name__} {error}'.strip()) from error
    except urllib.error.URLError as error:
        raise _Interrupted(str(error.reason)) from error
    except ValueError as error:  # a header, or the address of a redirect, that is none
        raise DownloadError(
            f'the server answered what is no HTTP ({error})', where=transfer.url
        ) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise _unwritable(error, transfer.part) from error
        raise _Interrupted(str(error)) from error


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects to http and https, and never from https to http."""

    def redirect_request(self, request, file, code, message, headers, target):
        before, after = urlsplit(request.full_url).scheme, urlsplit(target).scheme
        if after not in ('http', 'https') or (before == 'https' and after == 'http'):
            raise DownloadError(
                f'the server leads from {before} to {after or "nowhere"} ({target})',
                where=request.full_url,
                fix='Name the final address if you trust it',
            )
        return super().redirect_request(request, file, code, message, headers, target)


def _check_answer(response, transfer: _Transfer) -> None:
    """Refuse what cannot be the file, or cannot be known to be all of it."""
    headers, url = response.headers, transfer.url
    if headers.get_content_type() == 'text/html' and not url.lower().endswith(('.html', '.htm')):
        raise DownloadError(
            'the server sent a web page, not the file',
            where=url,
            fix='Open the address in a browser; it may have expired or need a log-in',
        )
    coding = headers.get('Content-Encoding', 'identity')
    if coding != 'identity':
        raise DownloadError(f'the server sent it packed as {coding}, unasked', where=url)
    length = headers.get('Content-Length')
    if length is not None:
        if not (length.isascii() and length.isdigit()):
            raise DownloadError(f'the server sent the length {length[:40]!r}', where=url)
        check_limit('DOWNLOAD_BYTES', int(length), url, DownloadError)
    elif not transfer.checked and headers.get('Transfer-Encoding', '').lower() != 'chunked':
        raise DownloadError(
            'the server does not say how long the file is, so a part could pass for the whole',
            where=url,
            fix='Give its sha256',
        )


def _unwritable(error: OSError, path: Path) -> DownloadError:
    return DownloadError(
        f'cannot be written: {error.strerror}',
        where=path,
        fix='Free space, or set RSMM_CACHE to a folder on another disk',
    )


def _receive(response, transfer: _Transfer, start: int) -> None:
    """Write the body of one response and check that all of it came."""
    resumed = response.status == 206 and _range_start(response) == start
    if response.status == 206 and not resumed:
        transfer.restart()
        raise _Interrupted('the server sent another range than was asked for')
    if not resumed:
        start = 0
        transfer.restart()
        validator = response.headers.get('ETag') or response.headers.get('Last-Modified')
        if validator and not validator.startswith('W/'):  # weak tags do not promise equal bytes
            transfer.note.write_text(json.dumps({'validator': validator}), encoding='utf-8')
    length = response.headers.get('Content-Length')
    expected = None if length is None else start + int(length)
    with open(transfer.part, 'ab' if resumed else 'wb') as file:
        for block in _blocks(response, transfer.part.name.removesuffix('.part'), length):
            file.write(block)
            check_limit('DOWNLOAD_BYTES', file.tell(), transfer.url, DownloadError)
            transfer.check_time()
    if expected is not None and transfer.received < expected:
        raise _Interrupted(
            f'the connection broke off after {transfer.received} of {expected} bytes'
        )


def _blocks(response, name: str, length: str | None) -> Iterator[bytes]:
    blocks = None if length is None else -(-int(length) // _BLOCK)
    yield from track(iter(lambda: response.read(_BLOCK), b''), f'Downloading {name}', total=blocks)


def _range_start(response) -> int | None:
    match = re.match(r'bytes (\d+)-', response.headers.get('Content-Range', ''))
    return int(match[1]) if match else None


def _verify(transfer: _Transfer, digest: str) -> None:
    """Remove the file and raise when its checksum is not the expected one."""
    if not digest:
        return
    found = sha256_file(transfer.part)
    if not found.startswith(digest):
        transfer.restart()
        raise DownloadError(
            f'sha256 is {found[: max(8, len(digest))]}, expected {digest}',
            where=transfer.url,
            fix='The bad file was removed; try again, and if it repeats the source has changed',
        )


@contextlib.contextmanager
def _only_process(target: Path) -> Iterator[None]:
    """Hold the lock of ``target``; a second process waits here."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system: no lock to take
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        file = open(target.with_name(f'.{target.name}.lock'), 'a')  # noqa: SIM115 - closed below
    except OSError as error:
        if not target.is_file():
            raise _unwritable(error, target.parent) from error
        yield  # a cache that others fill and this process only reads: nothing to lock
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
