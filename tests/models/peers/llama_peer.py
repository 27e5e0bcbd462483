"""llama.cpp's own HTTP server as a process: prints its URL, and ends when its standard input does.

python llama_peer.py MODEL.gguf [--embedding] [--key KEY]
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import argparse
import sys

import xllamacpp
from tiny_gguf import WINDOW

SLOTS = 4  # so many calls are answered at once


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--embedding", action="store_true", help="give vectors, and no texts")
    parser.add_argument("--key", help="answer nobody without it")
    options = parser.parse_args()
    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = options.model, {"tiny"}
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel, params.n_ctx, params.cpuparams.n_threads = SLOTS, SLOTS * WINDOW, 1
    params.endpoint_metrics, params.warmup, params.ui = True, False, False
    if options.key:
        params.api_keys = [options.key]
    if options.embedding:
        params.embedding, params.pooling_type = True, xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
