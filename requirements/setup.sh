#!/usr/bin/env bash
# Makes .venv what cpu.txt says, or gpu.txt where nvidia-smi finds a GPU; an argument or MALRULE_HARDWARE, cpu or gpu, decides instead.
# With `quantize` in front: .venv-quantize, from quantize-cpu.txt or quantize-gpu.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
    local hardware wanted prefix=
    venv=.venv
    if [ "${1:-}" = quantize ]; then venv=.venv-quantize prefix=quantize- && shift; fi
    hardware=$(choose_hardware "${1:-${MALRULE_HARDWARE:-auto}}")
    pins=requirements/$prefix$hardware.txt
    wanted="$hardware $(cat requirements/setup.sh "$pins" | sha256sum)"
    [ -x "$venv/bin/python" ] && [ "$(cat "$venv/installed" 2>/dev/null)" = "$wanted" ] && return
    make_venv
    install "$hardware"
    echo "$wanted" >"$venv/installed" # last, so that a killed set-up starts again
}

choose_hardware() {
    case $1 in
    cpu | gpu) echo "$1" ;;
    auto) if nvidia-smi -L 2>/dev/null | grep -q GPU; then echo gpu; else echo cpu; fi ;;
    *) fail "the hardware is '$1' (MALRULE_HARDWARE); say cpu or gpu, or leave it out" ;;
    esac
}

make_venv() {
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "the versions are pinned for Linux on x86_64, and this is $(uname -sm)"
    ./just --version >/dev/null # puts uv into .tools
    export PATH="$PWD/.tools/bin:$PATH"
    rm -f "$venv/installed"
    "$venv/bin/python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null ||
        uv venv --quiet --clear --python '>=3.11,<3.14' "$venv" ||
        fail "malrule needs Python 3.11, 3.12 or 3.13; install one so that it is on PATH (python3.12, say) and run this again"
}

install() {
    local quiet=() torch_from=()
    check_hashes
    echo "setup: installing $(grep -c '^[^ #].*==' "$pins") packages from $pins into $venv" >&2
    [ -t 2 ] || quiet=(--quiet) # a person sees progress, a log does not
    follow_pip
    # A GPU takes torch from the package index: vllm was built against that one, and uv's "auto" may choose another CUDA.
    if [ "$1" = gpu ]; then unset UV_TORCH_BACKEND; else choose_cpu_torch; fi
    # sync takes the file to the letter: what was excluded when it was made stays out, and what somebody added to .venv goes.
    UV_COMPILE_BYTECODE=1 uv pip sync "${quiet[@]}" --python "$venv/bin/python" "${torch_from[@]}" "$pins" ||
        fail "uv could not install $pins (its reason is above); behind a mirror set UV_DEFAULT_INDEX to it, \
where torch's CPU index is out of reach set PIP_FIND_LINKS to a folder with that wheel, and run this again"
}

check_hashes() { # uv compares what it installs with the hashes that stand there, and says nothing of a pin without one
    local bare
    bare=$(awk '/^[^ #].*==/ && !/\\$/ {print $1}' "$pins" | grep -v '^torch==' || true)
    [ -z "$bare" ] || fail "$pins has no hash for $(echo $bare): requirements/pin.sh writes it anew"
}

follow_pip() { # uv does not read pip's settings, where a mirror and its certificate are usually named
    local index certificate
    index=$(pip_setting index-url)
    certificate=$(pip_setting cert)
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-$index}}"
    [ -z "$certificate" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$certificate}"
}

choose_cpu_torch() { # a wheel in one of pip's find-links folders where there is one, else the CPU index that uv knows
    local folder python version
    version=$(sed -n 's/^torch==\([^ ;]*\).*/\1/p' "$pins")
    python=$("$venv/bin/python" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    for folder in $(pip_setting find-links); do
        if compgen -G "${folder#file://}/torch-$version+cpu-$python-*.whl" >/dev/null; then
            export UV_FIND_LINKS="$folder"
            return
        fi
    done
    torch_from=(--torch-backend=cpu)
}

pip_setting() { # from the environment, else from pip's files
    { python3 -m pip config list 2>/dev/null || true; } | sed -nE "/^(:env:|global|install)\.$1='(.*)'$/{s//\2/;s/\\\\n/ /g;p;q}"
}

fail() {
    echo "setup: $1" >&2
    exit 1
}

main "$@"
