"""The emulators of outside systems, which start on demand: demo shop, invoice portal, model server."""

from signalbox_devstack.stack.config import HOST, StackConfig
from signalbox_devstack.stack.parts.part import HttpOk, Part, python_module


def demo_site(config: StackConfig) -> Part:
    return _http_emulator(config, "demo_site", "shop")


def portal(config: StackConfig) -> Part:
    return _http_emulator(config, "portal", "portal", "--faults", base_path="/api")


def model_api(config: StackConfig) -> Part:
    return _http_emulator(config, "model_api", "model_api", base_path="/v1")


def _http_emulator(config: StackConfig, name: str, module: str, *arguments: str, base_path: str = "") -> Part:
    port = config.ports[name]
    return Part(
        name=name,
        argv=(*python_module(f"signalbox_devstack.emulators.{module}"), *arguments),
        probe=HttpOk(port, "/healthz"),
        address=f"http://{HOST}:{port}{base_path}",
        demand_port=port,
    )
