"""Deletes a stack on an emulator, takes back what it kept, and deletes that: make emulator runs it."""

import contextlib
import io
import json
import pathlib
import tempfile
import unittest

import retained
from botocore.exceptions import WaiterError
from resolve_parameters import resolve
from samcli.yamlhelper import yaml_dump, yaml_parse

STACK = "recovery"


class Recovery(unittest.TestCase):
    """The data of template.yaml without its functions; without the pepper too, which MiniStack cannot import."""

    def setUp(self):
        root = pathlib.Path(__file__).parent.parent.parent
        self.account, template = retained.Account(), yaml_parse((root / "template.yaml").read_text(encoding="utf-8"))
        resolve(template, {})
        resources = {id: r for id, r in retained.kept(template).items() if r["Type"] != "AWS::SecretsManager::Secret"}
        self.template = {part: template[part] for part in ("AWSTemplateFormatVersion", "Parameters", "Conditions")} | {"Resources": resources}
        self.path = tempfile.NamedTemporaryFile("w", suffix=".yaml", encoding="utf-8")
        self.path.write(yaml_dump(self.template))
        self.path.flush()
        self.addCleanup(self.path.close)

    def run_verb(self, verb: str) -> str:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            retained.main(verb, STACK, self.path.name)
        return said.getvalue()

    def delete(self) -> None:
        self.account.stacks.delete_stack(StackName=STACK)
        self.account.stacks.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})

    def create(self, template: dict) -> None:
        self.account.stacks.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        self.account.stacks.get_waiter("stack_create_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})

    def test_a_failed_first_deployment_leaves_nothing_behind(self):
        broken = {"Type": "AWS::SQS::Queue", "DependsOn": list(self.template["Resources"]), "Properties": {"QueueName": "no name.fifo"}}
        with self.assertRaisesRegex(WaiterError, "ROLLBACK_COMPLETE"):
            self.create({**self.template, "Resources": {**self.template["Resources"], "Broken": broken}})
        self.delete()
        self.assertEqual(set(retained.found(self.account, self.template, STACK).values()), {None})

    def test_what_a_deleted_stack_kept_is_taken_back_and_deleted(self):
        self.create(self.template)
        item = {"p": {"S": "here"}, "s": {"S": "still"}}
        self.account.tables.put_item(TableName=f"{STACK}-state", Item=item)
        for verb in ("recover", "remove"):
            with self.assertRaisesRegex(SystemExit, "delete it first"):
                self.run_verb(verb)
        before = retained.found(self.account, self.template, STACK)
        self.delete()
        self.account.keys.schedule_key_deletion(KeyId=before["DataKey"])
        self.assertIn("owns 18 resources again", self.run_verb("recover"))
        self.assertEqual(before, retained.found(self.account, self.template, STACK))
        self.assertEqual(self.account.keys.describe_key(KeyId=before["DataKey"])["KeyMetadata"]["KeyState"], "Enabled")
        self.assertEqual(self.account.tables.get_item(TableName=f"{STACK}-state", Key=item)["Item"], item)
        self.delete()
        self.run_verb("remove")
        self.assertEqual(set(retained.found(self.account, self.template, STACK).values()), {None})
        with self.assertRaisesRegex(SystemExit, "cannot be found"):
            self.run_verb("recover")


if __name__ == "__main__":
    unittest.main()
