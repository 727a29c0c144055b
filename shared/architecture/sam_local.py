"""Prints what `sam local` sees of template.yaml, by SAM's own providers: each function with its variables, and each route."""

import json
import sys

from samcli.lib.providers.api_provider import ApiProvider
from samcli.lib.providers.sam_function_provider import SamFunctionProvider
from samcli.lib.providers.sam_stack_provider import SamLocalStackProvider

stacks, _ = SamLocalStackProvider.get_stacks(sys.argv[1], language_extensions_enabled=True)
functions = {
    f.name: {"code": f.codeuri, "handler": f.handler, "runtime": f.runtime, "variables": sorted(f.environment["Variables"])}
    for f in SamFunctionProvider(stacks).get_all()
}
routes = {f"{method} {r.path}": r.function_name for r in ApiProvider(stacks).api.routes for method in r.methods}
json.dump({"functions": functions, "routes": routes}, sys.stdout)
