r"""As much of the Hugging Face Hub as a commit and its download need, in memory."""

import base64
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = 40 * 'a'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_POST(self):
        lines = self.rfile.read(int(self.headers['Content-Length'])).splitlines()
        if self.path == '/api/repos/create':
            request = json.loads(lines[0])
            self.server.repo = request.get('organization', 'me') + '/' + request['name']
            self.answer({'url': f'{self.server.url}/{self.server.repo}'})
        elif '/preupload/' in self.path:
            paths = [file['path'] for file in json.loads(lines[0])['files']]
            modes = [{'path': path, 'uploadMode': 'regular'} for path in paths]
            self.answer({'files': [x | {'shouldIgnore': False} for x in modes]})
        elif self.path.endswith('/validate-yaml'):
            self.answer({'errors': [], 'warnings': []})
        else:
            for entry in map(json.loads, lines):
                if entry['key'] == 'file':
                    value = entry['value']
                    content = base64.b64decode(value['content'])
                    self.server.files[value['path']] = content
            url = f'{self.server.url}/{self.server.repo}/commit/{COMMIT}'
            self.answer({'commitUrl': url, 'commitOid': COMMIT})

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        repo, _, name = self.path.partition('/resolve/main/')
        if repo == f'/{self.server.repo}' and name in self.server.files:
            self.answer(self.server.files[name])
        else:
            self.send_error(404)

    def answer(self, content):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(content)))
        self.send_header('ETag', '"0"')
        self.send_header('X-Repo-Commit', COMMIT)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@contextmanager
def hub():
    with ThreadingHTTPServer(('127.0.0.1', 0), Handler) as server:
        server.daemon_threads = True
        server.files, server.repo = {}, ''
        server.url = f'http://127.0.0.1:{server.server_port}'
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.shutdown()
