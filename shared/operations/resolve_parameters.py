"""Writes out the loops of a built template, and the values of the parameters in place of every reference to one.

What was tested is what is deployed, and AWS::LanguageExtensions has nothing left to do: shared/docs/adr/0024. SAM publishes a new
version of a function, and moves the alias to it, when the function's text changes. A reference reads the same whatever its value
is, so that a changed parameter alone would never reach the alias: shared/docs/adr/0017.

usage: resolve_parameters.py <built template> <environment in samconfig.toml> [Parameter=value ...]

Values come from the arguments, else from samconfig.toml, else from the template. All of them are also written to
parameters.yaml beside the template: sam deploy --parameter-overrides file://... takes them from there. Each parameter then
allows its value alone, so that another one is refused instead of being half in force. What CloudFormation would refuse is
refused before anything is uploaded, and so are times that do not nest: the Rules of a template cannot compare numbers. What is
printed is where sam deploy goes, as variables of an environment.
"""

import pathlib
import re
import shlex
import sys

from click import UsageError
from samcli.cli.types import CfnParameterOverridesType
from samcli.lib.cfn_language_extensions.api import create_default_intrinsic_resolver
from samcli.lib.cfn_language_extensions.models import TemplateProcessingContext
from samcli.lib.cfn_language_extensions.pipeline import ProcessingPipeline
from samcli.lib.cfn_language_extensions.processors import ForEachProcessor, TemplateParsingProcessor
from samcli.lib.config.samconfig import SamConfig
from samcli.yamlhelper import yaml_dump, yaml_parse


def resolve(template: dict, overrides: dict) -> dict:
    """Resolves the template in place and returns the value of each parameter."""
    parameters = template.get("Parameters", {})
    unknown = sorted(set(overrides) - set(parameters))
    if unknown:
        raise SystemExit(f"resolve_parameters: the template has no parameter {', '.join(unknown)}: correct samconfig.toml")
    values = {}
    for name, parameter in parameters.items():
        value = str(overrides.get(name, parameter.get("Default", "")))
        if wanted := refusal(parameter, value):
            raise SystemExit(f"resolve_parameters: {name} is {value!r}: it is {wanted}")
        values[name] = int(value) if parameter["Type"] == "Number" else value
    expand(template, values)
    literals = {name: value.split(",") if parameters[name]["Type"] == "CommaDelimitedList" else value for name, value in values.items()}
    for name, parameter in parameters.items():  # a list's AllowedValues would be those of its items, and its pattern is
        kind = "String" if parameter["Type"] == "CommaDelimitedList" else parameter["Type"]
        if kind != parameter["Type"]:
            parameter.pop("AllowedPattern", None)
        parameter.update(Type=kind, Default=values[name], AllowedValues=[values[name]])
    for section in ("Globals", "Resources"):
        template[section] = replaced(template.get(section, {}), literals, {})
    return values


def refusal(parameter: dict, value: str) -> str:
    """Returns what the parameter has to be, if the value is not that."""
    allowed = [str(v) for v in parameter.get("AllowedValues", [value])]
    if value not in allowed:
        return "one of " + ", ".join(allowed)
    items = value.split(",") if parameter["Type"] == "CommaDelimitedList" else [value]
    if len(set(items)) < len(items) or not all(re.fullmatch(parameter.get("AllowedPattern", ".*"), i, re.DOTALL) for i in items):
        return parameter.get("ConstraintDescription", "a text of the pattern " + parameter["AllowedPattern"])
    if parameter["Type"] != "Number":
        return ""
    if not re.fullmatch("-?[0-9]+", value):
        return "a whole number"
    if int(value) < parameter.get("MinValue", int(value)):
        return f"{parameter['MinValue']} or more"
    if int(value) > parameter.get("MaxValue", int(value)):
        return f"{parameter['MaxValue']} or less"
    return ""


def expand(template: dict, values: dict) -> None:
    """Writes out, in place, every Fn::ForEach, by the SAM CLI's own code, and every entry of a mapping."""
    context = TemplateProcessingContext(fragment=template, parameter_values=values)
    loops = ForEachProcessor(intrinsic_resolver=create_default_intrinsic_resolver(context))
    expanded = ProcessingPipeline([TemplateParsingProcessor(), loops]).process_template(context)
    mappings = expanded.pop("Mappings", {})
    for section in ("Conditions", "Resources"):
        template[section] = replaced(expanded.get(section, {}), {}, mappings)
    template.pop("Mappings", None)
    template["Transform"] = "AWS::Serverless-2016-10-31"


def check_times(v: dict) -> None:
    """Refuses times that do not nest: whoever works on a message would lose it to another in the middle. See shared/docs/adr/0016."""
    for shorter, low, relation, longer, high in (
        ("CrmAttemptSeconds", v["CrmAttemptSeconds"], "less than", "MessageSeconds", v["MessageSeconds"]),
        ("MessageSeconds", v["MessageSeconds"], "less than",
         "FunctionTimeoutSeconds - SoftMarginSeconds", v["FunctionTimeoutSeconds"] - v["SoftMarginSeconds"]),
        ("FunctionTimeoutSeconds", v["FunctionTimeoutSeconds"], "less than", "ClaimLeaseSeconds", v["ClaimLeaseSeconds"]),
        ("ClaimLeaseSeconds", v["ClaimLeaseSeconds"], "less than", "VisibilitySeconds", v["VisibilitySeconds"]),
        ("6 * FunctionTimeoutSeconds + ReceiptsWindowSeconds", 6 * v["FunctionTimeoutSeconds"] + v["ReceiptsWindowSeconds"], "at most",
         "ReceiptsVisibilitySeconds", v["ReceiptsVisibilitySeconds"]),
        ("BackoffMinSeconds", v["BackoffMinSeconds"], "at most", "BackoffMaxSeconds", v["BackoffMaxSeconds"]),
    ):
        if low > high or low == high and relation == "less than":
            raise SystemExit(f"resolve_parameters: {shorter} ({low}) is to be {relation} {longer} ({high}): correct samconfig.toml")


def replaced(node, values: dict, mappings: dict):
    """Returns the node with literals for references to parameters and for entries of mappings."""
    if isinstance(node, list):
        return [replaced(n, values, mappings) for n in node]
    if not isinstance(node, dict):
        return node
    if list(node) == ["Ref"] and node["Ref"] in values:
        return values[node["Ref"]]
    if list(node) == ["Fn::FindInMap"]:
        name, row, column, *default = replaced(node["Fn::FindInMap"], values, mappings)
        entries = (mappings.get(name) or {}).get(row) or {}
        if column not in entries and not default:
            raise SystemExit(f"resolve_parameters: the mapping {name} has no {row}.{column}: correct template.yaml")
        return entries[column] if column in entries else default[0]["DefaultValue"]
    if list(node) == ["Fn::Sub"] and isinstance(node["Fn::Sub"], str):
        return {"Fn::Sub": re.sub(r"\$\{(\w+)\}", lambda m: str(values.get(m[1], m[0])), node["Fn::Sub"])}
    # An environment holds text; CloudFormation makes it of numbers, emulators do not.
    texts = {name: value if isinstance(value, list) else str(value) for name, value in values.items()}
    return {key: replaced(n, texts if key == "Variables" else values, mappings) for key, n in node.items()}


def parsed(overrides) -> dict:
    """Reads Name=value pairs as sam does, which takes what is behind a blank for another pair, and leaves out what is none."""
    try:
        for text in [overrides] if isinstance(overrides, str) else overrides:
            for word in shlex.split(text):
                if not re.match(r"\w+=|file://", word):
                    raise SystemExit(f"resolve_parameters: {word!r} is no parameter's value: write Name=value, and quotes around a value with blanks")
        return CfnParameterOverridesType().convert(overrides, None, None)
    except UsageError as error:
        raise SystemExit(f"resolve_parameters: {error.message}") from None
    except ValueError as error:
        raise SystemExit(f"resolve_parameters: {text}: {error}") from None


def main(built: str, environment: str, arguments: list) -> None:
    path, config = pathlib.Path(built), SamConfig(".")
    if environment not in config.get_stage_configuration_names():
        raise SystemExit(f"resolve_parameters: samconfig.toml has no environment {environment}")
    settings = config.get_all(["deploy"], "parameters", environment)
    configured = settings.get("parameter_overrides", "")
    template = yaml_parse(path.read_text(encoding="utf-8"))
    values = resolve(template, {**parsed(configured), **parsed(arguments)})
    check_times(values)
    path.write_text(yaml_dump(template), encoding="utf-8")
    path.with_name("parameters.yaml").write_text(yaml_dump({k: str(v) for k, v in values.items()}), encoding="utf-8")
    where = {"STACK": "stack_name", "AWS_REGION": "region", "AWS_PROFILE": "profile"}
    print(*(f"{name}={settings[setting]}" for name, setting in where.items() if setting in settings))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
