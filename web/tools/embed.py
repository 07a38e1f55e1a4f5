# SPDX-License-Identifier: Apache-2.0
"""Turn the built web files into C: embed.py WEB_ASSETS_C HTML_BUNDLE_C [FILE…].

Without files the tables are empty: the program was built without Node.  Scripts and styles of the page
get a path with their checksum in it, and index.html, which names them {{app.js}}, is told that path.
"""

import base64
import gzip
import hashlib
import pathlib
import sys

MIME = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEAD = "/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by web/tools/embed.py from web/; do not edit. */\n"


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def c_bytes(name, data):
    rows = [", ".join(str(b) for b in data[i : i + 24]) for i in range(0, len(data), 24)]
    return f"static const unsigned char {name}[] = {{\n" + ",\n".join(rows) + "\n};\n"


def c_text(text):
    """A C string literal: printable ASCII as it is, the rest in three octal digits."""
    out = []
    for i, byte in enumerate(text.encode()):
        if i % 96 == 0:
            out.append('"\n\t"' if i else '"')
        char = chr(byte)
        out.append(char if 32 <= byte < 127 and char not in '"\\?' else f"\\{byte:03o}")
    return "".join(out) + '"' if out else '""'


def page_assets(files):
    """(path, file name, bytes) of everything the server hands out."""
    assets, names = [], {}
    for name, data in files.items():
        if name.startswith("app."):
            stem, suffix = name.rsplit(".", 1)
            names[name] = f"/a/{stem}.{digest(data)}.{suffix}"
            assets.append((names[name], name, data))
    html = files["index.html"].decode()
    for name, path in names.items():
        html = html.replace("{{" + name + "}}", path)
    assert "{{" not in html, "index.html names a file that the build did not make"
    assets.append(("/", "index.html", html.encode()))
    assets.append(("/favicon.svg", "favicon.svg", files["favicon.svg"]))
    return sorted(assets)


def web_assets_c(files):
    out, rows = [HEAD, '#include "server/web_assets.h"\n\n#include <string.h>\n\n'], []
    for i, (path, name, data) in enumerate(page_assets(files) if files else []):
        packed = gzip.compress(data, 9, mtime=0)
        is_packed = len(packed) < len(data)
        out.append(c_bytes(f"bytes_{i}", data))
        if is_packed:
            out.append(c_bytes(f"gzip_{i}", packed))
        policy = c_text(PAGE_POLICY) if name.endswith(".html") else "NULL"
        rows.append(
            f"\t{{ {c_text(path)}, {c_text(MIME[pathlib.Path(name).suffix])},\n"
            f'\t  "\\"{digest(data)}\\"", {policy},\n'
            f"\t  bytes_{i}, sizeof(bytes_{i}), "
            + (f"gzip_{i}, sizeof(gzip_{i}), " if is_packed else "NULL, 0, ")
            + ("true" if path.startswith("/a/") else "false")
            + " },\n"
        )
    table = "".join(rows) or "\t{ NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, false },\n"
    out.append(f"const struct web_asset web_assets[] = {{\n{table}}};\n")
    out.append(f"const size_t web_assets_n = {len(rows)};\n\n")
    out.append("bool web_is_built(void)\n{\n\treturn web_assets_n > 0;\n}\n\n")
    out.append(
        "const struct web_asset *web_asset_find(const char *path)\n{\n"
        "\tfor (size_t i = 0; i < web_assets_n; i++)\n"
        "\t\tif (strcmp(web_assets[i].path, path) == 0)\n\t\t\treturn &web_assets[i];\n"
        "\treturn NULL;\n}\n"
    )
    return "".join(out)


def html_bundle_c(files):
    script = files.get("standalone.js", b"").decode().strip()
    style = files.get("standalone.css", b"").decode().strip()
    for text, end in ((script, "</script"), (style, "</style")):
        assert end not in text.lower() and "<!--" not in text, f"the bundle contains {end}"

    def source(text):
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    policy = f"default-src 'none'; script-src {source(script)}; style-src {source(style)}; base-uri 'none'"
    return (
        HEAD
        + '#include "format/html_bundle.h"\n\nconst struct html_bundle html_bundle = {\n'
        + f"\t.script = {c_text(script)},\n\t.style = {c_text(style)},\n"
        + f"\t.policy = {c_text(policy) if script else c_text('')},\n}};\n\n"
        + "bool html_bundle_is_built(void)\n{\n\treturn html_bundle.script[0] != '\\0';\n}\n"
    )


def main():
    files = {pathlib.Path(p).name: pathlib.Path(p).read_bytes() for p in sys.argv[3:]}
    pathlib.Path(sys.argv[1]).write_text(web_assets_c(files))
    pathlib.Path(sys.argv[2]).write_text(html_bundle_c(files))


main()
