"""The browser app: built files beside the packages, and `index.html` for every page of it."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

PAGE_PATH = "/{page:(?!api/|webhooks/|healthz|readyz).*}"
"""Everything that is no interface for programs."""
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
_NOT_BUILT = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Callgate</title></head>
<body><h1>Callgate is running</h1>
<p>Its web app has not been built yet. In the project's folder run</p>
<pre>make web</pre>
<p>and start the gateway again. The REST interface works without it: see
<a href="/api/v1/openapi.json">/api/v1/openapi.json</a>.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class WebFiles:
    """The files that may be served, found once: no path of a request reaches the disk."""

    files: dict[str, Path]

    @classmethod
    def under(cls, root: Path) -> "WebFiles":
        """List a build's files; none if there is no build."""
        found = {
            path.relative_to(root).as_posix(): path
            for path in root.rglob("*")
            if path.is_file() and not path.is_symlink()
        }
        return cls(found)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a file by its name, or the app itself for any of its pages."""
        name = request.match_info["page"]
        path = self.files.get(name)
        if path is not None and name != "index.html":
            is_hashed = name.startswith("assets/")
            cache = _FOREVER if is_hashed else _ASK_AGAIN
            return web.FileResponse(path, headers={"Cache-Control": cache})
        if name.startswith("assets/"):
            raise web.HTTPNotFound
        index = self.files.get("index.html")
        if index is None:
            return web.Response(text=_NOT_BUILT, content_type="text/html")
        return web.FileResponse(index, headers={"Cache-Control": _ASK_AGAIN})
