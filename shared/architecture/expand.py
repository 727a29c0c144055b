"""Prints template.yaml as CloudFormation will see it, as JSON: AWS's own translator, offline.

usage: expand.py [--resolve] template.yaml [Parameter=value ... [-- Parameter=value ...]]
       expand.py --loops template.yaml [Parameter=value ...]

Each list of parameters gives one line; the other parameters have their defaults. Function.CodeUri=key among them is where packaging
put that function's code: its key is a checksum of the code. With --resolve the parameters' values are first written into the template,
as make deploy does. --loops prints the template as it is before the translator has it.
"""

import copy
import json
import pathlib
import sys
from unittest import mock

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

sys.path.append(str(pathlib.Path(__file__).parent.parent / "operations"))
from resolve_parameters import expand, resolve  # noqa: E402


class NoManagedPolicies:
    """The template writes its policies out, so that a managed one that is asked for is a mistake."""

    def load(self):
        return {}


def main(arguments: list) -> None:
    mode = arguments.pop(0) if arguments[0].startswith("--") else ""
    path, *rest = arguments
    template = yaml_parse(pathlib.Path(path).read_text(encoding="utf-8"))
    sets = [{}]
    for argument in rest:
        if argument == "--":
            sets.append({})
        else:
            name, _, value = argument.partition("=")
            sets[-1][name] = value
    for given in sets:
        one = copy.deepcopy(template)
        parameters = {name: value for name, value in given.items() if "." not in name}
        if mode == "--resolve":
            resolve(one, parameters)
        else:
            expand(one, parameters)
        if mode == "--loops":
            print(json.dumps(one))
            continue
        for name, resource in one["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":  # as packaging would have left it
                code = resource["Properties"]["CodeUri"]
                resource["Properties"]["CodeUri"] = "s3://bucket/" + given.get(name + ".CodeUri", code)
        # The translator asks boto3 for the region; no call is made.
        with mock.patch("boto3.session.Session.region_name", "eu-west-1"):
            print(json.dumps(transform(one, parameters, NoManagedPolicies()), sort_keys=True))


main(sys.argv[1:])
