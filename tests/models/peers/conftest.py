"""The third-party servers that the tests of this folder meet. Where a part is missing its tests are skipped."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from peer_place import INSTALLS, KEY, KEY_ENV, Place
from peer_process import HERE, answering, free_port, llama, peer

OFFLINE = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of the servers that ask for one, where a user has it: in the environment."""
    monkeypatch.setenv(KEY_ENV, KEY)


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for models and logs."""
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="session")
def gguf(room: Path) -> Path:
    """A random model, made on the spot."""
    pytest.importorskip("gguf", reason=INSTALLS)
    pytest.importorskip("xllamacpp", reason=INSTALLS)
    from tiny_gguf import write_gguf

    write_gguf(room / "tiny.gguf")
    return room / "tiny.gguf"


@pytest.fixture(scope="session")
def llama_cpp(gguf: Path, room: Path) -> Generator[Place]:
    """llama.cpp's server."""
    with llama(gguf, room / "llama.log") as origin:
        yield Place(origin)


@pytest.fixture(scope="session")
def caller(gguf: Path, room: Path) -> Generator[Place]:
    """llama.cpp's server of a model that calls a tool whenever it may."""
    from tiny_gguf import write_gguf

    write_gguf(room / "caller.gguf", caller=True)
    with llama(room / "caller.gguf", room / "caller.log") as origin:
        yield Place(origin)


@pytest.fixture(scope="session")
def embedder(gguf: Path, room: Path) -> Generator[Place]:
    """llama.cpp's server of vectors, which asks for a key."""
    with llama(gguf, room / "embedder.log", "--embedding", "--key", KEY) as origin:
        yield Place(origin, key_env=KEY_ENV)


@pytest.fixture(scope="session")
def litellm(llama_cpp: Place, caller: Place, room: Path) -> Generator[Place]:
    """LiteLLM's proxy in front of llama.cpp, as "tiny" and "caller" ("dead" is nowhere); it asks for a key."""
    pytest.importorskip("litellm", reason=INSTALLS)
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": "openai/tiny", "api_base": f"{place.origin}/v1", "api_key": "none"},
        }
        for name, place in (("tiny", llama_cpp), ("caller", caller), ("dead", Place("http://127.0.0.1:9")))
    ]
    # Else it asks the upstream's Responses API, where "max_tokens" is lost.
    settings = {"num_retries": 0, "telemetry": False, "use_chat_completions_url_for_anthropic_messages": True}
    config, log, port = room / "litellm.json", room / "litellm.log", free_port()
    config.write_text(json.dumps({"model_list": models, "litellm_settings": settings}), encoding="utf-8")
    command = [str(Path(sys.executable).with_name("litellm")), "--config", str(config)]
    environ = {"LITELLM_MASTER_KEY": KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    with peer([*command, "--host", "127.0.0.1", "--port", str(port)], log, environ) as process:
        answering(process, f"http://127.0.0.1:{port}/health/liveliness", log)
        yield Place(f"http://127.0.0.1:{port}", key_env=KEY_ENV)


@pytest.fixture(scope="session")
def transformers_serve(room: Path) -> Generator[Place]:
    """`transformers serve` with a random model, whose name there is its folder."""
    pytest.importorskip("torch", reason=INSTALLS)
    pytest.importorskip("transformers", reason=INSTALLS)
    folder, log, port = _tiny_torch(sys.executable, room / "tiny-torch"), room / "transformers.log", free_port()
    command = [str(Path(sys.executable).with_name("transformers")), "serve", str(folder), "--device", "cpu"]
    with peer([*command, "--host", "127.0.0.1", "--port", str(port)], log, OFFLINE) as process:
        answering(process, f"http://127.0.0.1:{port}/health", log)
        yield Place(f"http://127.0.0.1:{port}", str(folder))


@pytest.fixture(scope="session")
def vllm(room: Path) -> Generator[Place]:
    """vLLM on the CPU with a random model; it has a virtual environment of its own."""
    python = HERE.parents[2] / ".venv-peers-vllm" / "bin" / "python"
    if not (python.parent.parent / ".ready").exists():
        pytest.skip(INSTALLS)
    folder, log, port = _tiny_torch(str(python), room / "tiny-vllm"), room / "vllm.log", free_port()
    command = [str(python), "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)]
    command += ["--served-model-name", "tiny", "--enforce-eager", "--dtype", "float32", "--disable-log-stats"]
    command += ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
    environ = {**OFFLINE, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with peer([*command, "--host", "127.0.0.1", "--port", str(port)], log, environ) as process:
        answering(process, f"http://127.0.0.1:{port}/health", log)
        yield Place(f"http://127.0.0.1:{port}")


def _tiny_torch(python: str, folder: Path) -> Path:
    """A random model in the form of Hugging Face's transformers, made on the spot."""
    log = folder.with_suffix(".log")
    with peer([python, str(HERE / "tiny_torch.py"), str(folder)], log, OFFLINE) as made:
        assert made.wait(120) == 0, log.read_text()[-2000:]
    return folder
