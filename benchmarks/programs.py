"""The programs that are measured: how each one is started in front of the scripted provider.

In: the provider's port. Out: commands and the configuration files that they read.
"""

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks import answers
from benchmarks.load_rest import API_KEY
from benchmarks.process import Program, free_ports

FLOOR = "floor"
GATEWAY = "gateway"
GOVERNED = "governed"
PROVIDER = "provider"
LOWER_FLOOR = "lower-floor"
RIVALS = (LOWER_FLOOR, "nginx", "litellm")

_ROOT = Path(__file__).resolve().parent.parent
_SOURCE = ("server", "gateway_http", "clients", "protos")
_PYTHON_PATH = {"PYTHONPATH": str(_ROOT)}
# The gateway may hold as many connections to the provider as the floor, which has no limit.
_CONNECTIONS = 4096
_NEVER_REACHED = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """A program that can be started any number of times; `build` takes the provider's port and chooses free ports."""

    name: str
    build: Callable[[int], Program]


def provider() -> Program:
    """Returns the scripted provider on a free port."""
    (port,) = free_ports(1)
    return Program(PROVIDER, _module("benchmarks.provider", "--port", str(port)), port, environment=_PYTHON_PATH)


def floor(provider_port: int) -> Program:
    """Returns the REST floor."""
    return _floor(FLOOR, "benchmarks.floor", provider_port)


def lower_floor(provider_port: int) -> Program:
    """Returns the REST floor that has the gateway's connections to the provider."""
    return _floor(LOWER_FLOOR, "benchmarks.lower_floor", provider_port)


def _floor(name: str, module: str, provider_port: int) -> Program:
    (port,) = free_ports(1)
    command = _module(module, "--port", str(port), "--provider", _url(provider_port))
    return Program(name, command, port, environment=_PYTHON_PATH)


def floor_grpc(provider_port: int) -> Program:
    """Returns the gRPC floor; it has no REST face."""
    (port,) = free_ports(1)
    command = _module("benchmarks.floor_grpc", "--port", str(port), "--provider", _url(provider_port))
    return Program(FLOOR, command, port=0, grpc_port=port, environment=_PYTHON_PATH)


def gateway(provider_port: int) -> Program:
    """Returns `trunkline serve` with keys checked, without a ledger, and everything else as it is by default."""
    return _gateway(GATEWAY, provider_port, {"ledger": {"enabled": False}})


def governed(provider_port: int) -> Program:
    """Returns `trunkline serve` with its ledger, a rate limit that nobody reaches, and prices for budgets to count."""
    rate_limit = {"requests_per_window": _NEVER_REACHED, "burst_limit": 0}
    prices = {"cost_per_1k_input_tokens": 0.01, "cost_per_1k_output_tokens": 0.02}
    return _gateway(GOVERNED, provider_port, {"rate_limit": rate_limit}, prices)


def _gateway(
    name: str, provider_port: int, sections: Mapping[str, object], provider_fields: Mapping[str, object] | None = None
) -> Program:
    port, grpc_port = free_ports(2)
    config = {
        "server": {"host": "127.0.0.1", "port": port, "grpc_port": grpc_port},
        "auth": {"api_keys": [API_KEY]},
        "providers": [
            {
                "name": "bench",
                "type": "openai_compatible",
                "base_url": _url(provider_port) + "/v1",
                "api_key": "x",
                "models": list(answers.MODELS),
                "max_connections": _CONNECTIONS,
                "max_keepalive_connections": _CONNECTIONS,
                **(provider_fields or {}),
            }
        ],
        **sections,
    }
    script = Path(sys.executable).parent / "trunkline"
    start = (str(script),) if script.exists() else _module("trunkline_cli.main")
    command = (*start, "serve", "--config", "config.yaml")
    return Program(name, command, port, grpc_port, files={"config.yaml": yaml.safe_dump(config, sort_keys=False)})


def nginx(provider_port: int) -> Program:
    """Returns nginx as a plain reverse proxy with one worker, connections to the provider kept, nothing buffered."""
    (port,) = free_ports(1)
    config = f"""
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path .; proxy_temp_path .; fastcgi_temp_path .; uwsgi_temp_path .; scgi_temp_path .;
  client_body_buffer_size 1m;
  keepalive_requests 1000000000;
  upstream provider {{ server 127.0.0.1:{provider_port}; keepalive 1024; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""
    return Program("nginx", ("nginx", "-p", ".", "-c", "nginx.conf"), port, files={"nginx.conf": config})


def litellm(python: str, provider_port: int) -> Program:
    """Returns the LiteLLM proxy with one worker and a master key, started with another interpreter."""
    (port,) = free_ports(1)
    config = {
        "model_list": [
            {
                "model_name": model,
                "litellm_params": {"model": f"openai/{model}", "api_base": _url(provider_port) + "/v1", "api_key": "x"},
            }
            for model in answers.MODELS
        ],
        "general_settings": {"master_key": API_KEY},
    }
    command = (
        *(python, "-c", "from litellm import run_server; run_server()"),
        *("--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"),
    )
    # Without this it fetches its price list from the network when it starts.
    environment = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return Program("litellm", command, port, environment=environment, files={"config.yaml": yaml.safe_dump(config)})


def gateway_source() -> frozenset[tuple[str, int, int]]:
    """Returns the gateway's source files as they are now: path, time of change, size."""
    files = (path for folder in _SOURCE for path in (_ROOT / folder).rglob("*.py"))
    return frozenset((str(path), (found := path.stat()).st_mtime_ns, found.st_size) for path in files)


def missing(name: str, litellm_python: str | None) -> str | None:
    """Says why a program cannot be started here, or None where it can."""
    if name in (GATEWAY, GOVERNED) and (
        importlib.util.find_spec("trunkline_cli") is None or importlib.util.find_spec("trunkline_cli.main") is None
    ):
        return f"{name}: left out, there is no trunkline_cli.main in this environment"
    if name == "nginx" and shutil.which("nginx") is None:
        return "nginx: left out, there is no such program on the PATH"
    if name == "litellm":
        if litellm_python is None:
            return "litellm: left out, --litellm-python does not say which interpreter has it"
        command = (litellm_python, "-c", "import importlib.util as u, sys; sys.exit(u.find_spec('litellm') is None)")
        try:
            found = subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            found = False
        return None if found else f"litellm: left out, {litellm_python} cannot import it"
    return None


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", name, *arguments)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"
