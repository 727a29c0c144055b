"""Prints template.yaml as CloudFormation will see it, as JSON: AWS's own translator, offline.

usage: expand.py template.yaml [Parameter=value ...]; the other parameters have their defaults.
"""

import json
import sys
from unittest import mock

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class NoManagedPolicies:
    """The template writes its policies out, so that a managed one that is asked for is a mistake."""

    def load(self):
        return {}


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        template = yaml_parse(file)
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":  # as packaging would have left it
            resource["Properties"]["CodeUri"] = "s3://bucket/" + resource["Properties"]["CodeUri"]
    # The translator asks boto3 for the region; no call is made.
    with mock.patch("boto3.session.Session.region_name", "eu-west-1"):
        expanded = transform(template, dict(a.split("=", 1) for a in sys.argv[2:]), NoManagedPolicies())
    json.dump(expanded, sys.stdout, indent=1, sort_keys=True)


main()
