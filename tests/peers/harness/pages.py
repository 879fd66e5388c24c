"""A server of pages that are scraped."""

import gzip
import http.server
import threading
import time

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Pages:
    """Answers with what `pages` holds for a path: a body, or a function that takes the headers and gives `(status, headers, body)`."""

    def __init__(self):
        self.pages: dict = {}
        self.asked: dict[str, int] = {}
        found = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                found.asked[self.path] = found.asked.get(self.path, 0) + 1
                page = found.pages.get(self.path, (404, {}, b"not here"))
                if callable(page):
                    page = page(self.headers)
                status, headers, body = page if isinstance(page, tuple) else (200, {"Content-Type": TEXT}, page)
                body = body.encode() if isinstance(body, str) else body
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    if value is not None:
                        self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass  # who asked is gone
                if headers.get("Content-Length", "0") is None:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def zipped(body: str):
    """A page that is compressed for who takes that."""

    def page(headers):
        if "gzip" not in headers.get("Accept-Encoding", ""):
            return 200, {"Content-Type": TEXT}, body
        return 200, {"Content-Type": TEXT, "Content-Encoding": "gzip"}, gzip.compress(body.encode())

    return page


def hanging(seconds: float):
    """A page that does not come for some time."""

    def page(_):
        time.sleep(seconds)
        return 200, {"Content-Type": TEXT}, "late 1\n"

    return page
