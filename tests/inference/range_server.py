"""A web server that serves parts of files: ``range_server.py FOLDER`` prints its port."""

import functools
import http.server
import sys
import time
from pathlib import Path


class RangeHandler(http.server.SimpleHTTPRequestHandler):
    """Serves parts of files, as object stores do."""

    def do_HEAD(self) -> None:
        self._answer(False)

    def do_GET(self) -> None:
        self._answer(True)

    def _answer(self, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        if 'stalls' in path.name:
            time.sleep(600)
        data = path.read_bytes()
        if 'breaks' in path.name:
            data = data[: len(data) // 2]
        if (
            'stall' in path.name
            and self.headers.get('Range', 'bytes=0-').partition('=')[2][0] != '0'
        ):
            time.sleep(600)
        first, last, status = 0, len(data) - 1, 200
        wanted = self.headers.get('Range')
        if wanted:
            begin, _, end = wanted.removeprefix('bytes=').partition('-')
            first, last, status = int(begin), min(int(end or last), last), 206
        self.send_response(status)
        self.send_header('Accept-Ranges', 'bytes')
        if wanted:
            self.send_header('Content-Range', f'bytes {first}-{last}/{len(data)}')
        self.send_header('Content-Length', str(last - first + 1))
        self.end_headers()
        if body:
            self.wfile.write(data[first : last + 1])

    def log_message(self, *args) -> None:
        pass


if __name__ == '__main__':
    handler = functools.partial(RangeHandler, directory=sys.argv[1])
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        print(running.server_port, flush=True)
        running.serve_forever()
