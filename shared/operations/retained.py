"""Takes back, or deletes for good, what a deleted stack kept: tables, queues, the key and the pepper.

usage: retained.py recover|remove <stack> [<template>]

recover makes a stack of that name that owns them again, by CloudFormation's import; make deploy then adds the rest. The key is
the one that the queues are encrypted with, so that what was sealed can be read. remove deletes all of them.
"""

import json
import pathlib
import sys

import boto3
from botocore.exceptions import ClientError
from samcli.yamlhelper import yaml_parse

KEPT = {"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName", "AWS::SecretsManager::Secret": "Name"}


def kept(template: dict) -> dict:
    """Returns the resources that outlive their stack, by logical id."""
    return {id: r for id, r in template["Resources"].items() if r.get("DeletionPolicy") == "RetainExceptOnCreate"}


class Account:
    """What is in the account, in the Region of the credentials."""

    def __init__(self):
        self.stacks, self.tables, self.queues = (boto3.client(s) for s in ("cloudformation", "dynamodb", "sqs"))
        self.keys, self.secrets = boto3.client("kms"), boto3.client("secretsmanager")

    def refuse_stack(self, stack: str) -> None:
        """Ends the program if the stack is there."""
        try:
            state = self.stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError:
            return
        raise SystemExit(f"retained: the stack {stack} is there ({state}): delete it first: sam delete --stack-name {stack}")

    def find(self, kind: str, name: str) -> str | None:
        """Returns the identifier that CloudFormation imports by, or None when there is no such thing."""
        try:
            if kind == "AWS::DynamoDB::Table":
                return self.tables.describe_table(TableName=name)["Table"]["TableName"]
            if kind == "AWS::SQS::Queue":
                return self.queues.get_queue_url(QueueName=name)["QueueUrl"]
            return self.secrets.describe_secret(SecretId=name)["ARN"]
        except ClientError as error:
            if error.response["Error"]["Code"].rpartition(".")[2] in ("ResourceNotFoundException", "QueueDoesNotExist", "NonExistentQueue"):
                return None
            raise

    def key_of(self, queue: str) -> str:
        """Returns the id of the key that a queue is encrypted with."""
        return self.queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["KmsMasterKeyId"])["Attributes"]["KmsMasterKeyId"]

    def delete_table(self, table: str) -> None:
        if self.tables.describe_table(TableName=table)["Table"].get("DeletionProtectionEnabled"):
            self.tables.update_table(TableName=table, DeletionProtectionEnabled=False)
            self.tables.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 3})
        self.tables.delete_table(TableName=table)

    def usable(self, key: str) -> None:
        """Takes a key back that waits for its deletion."""
        if self.keys.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingDeletion":
            self.keys.cancel_key_deletion(KeyId=key)
            self.keys.enable_key(KeyId=key)


def found(account: Account, template: dict, stack: str) -> dict:
    """Returns the identifier of each kept resource, by logical id; the key's is found through a queue."""
    identifiers = {}
    for id, r in kept(template).items():
        if r["Type"] in KEPT:
            name = r["Properties"][KEPT[r["Type"]]]["Fn::Sub"].replace("${AWS::StackName}", stack)
            identifiers[id] = account.find(r["Type"], name)
    queue = next((i for id, i in identifiers.items() if i and template["Resources"][id]["Type"] == "AWS::SQS::Queue"), None)
    for id, r in kept(template).items():
        if r["Type"] == "AWS::KMS::Key":
            identifiers[id] = queue and account.key_of(queue)
    return identifiers


def recover(account: Account, template: dict, stack: str) -> None:
    identifiers = found(account, template, stack)
    missing = sorted(id for id, i in identifiers.items() if not i)
    if missing:
        raise SystemExit(f"retained: {', '.join(missing)} of {stack} cannot be found in this account and Region")
    resources, names = kept(template), {"AWS::KMS::Key": "KeyId", "AWS::SQS::Queue": "QueueUrl", "AWS::SecretsManager::Secret": "Id"}
    for id, r in resources.items():
        if r["Type"] == "AWS::KMS::Key":
            account.usable(identifiers[id])
    parts = {part: template[part] for part in ("AWSTemplateFormatVersion", "Parameters", "Conditions")}
    account.stacks.create_change_set(
        StackName=stack, ChangeSetName="recover", ChangeSetType="IMPORT", TemplateBody=json.dumps({**parts, "Resources": resources}),
        ResourcesToImport=[{
            "ResourceType": r["Type"], "LogicalResourceId": id,
            "ResourceIdentifier": {names.get(r["Type"], "TableName"): identifiers[id]},
        } for id, r in resources.items()],
    )
    account.stacks.get_waiter("change_set_create_complete").wait(StackName=stack, ChangeSetName="recover", WaiterConfig={"Delay": 3})
    planned = account.stacks.describe_change_set(StackName=stack, ChangeSetName="recover")
    if planned["ExecutionStatus"] != "AVAILABLE":
        account.stacks.delete_stack(StackName=stack)  # it holds nothing yet
        raise SystemExit(f"retained: {planned.get('StatusReason')}")
    account.stacks.execute_change_set(StackName=stack, ChangeSetName="recover")
    account.stacks.get_waiter("stack_import_complete").wait(StackName=stack, WaiterConfig={"Delay": 3})
    print(f"{stack} owns {len(resources)} resources again. Next: make deploy")


def remove(account: Account, template: dict, stack: str) -> None:
    identifiers, kinds = found(account, template, stack), {id: r["Type"] for id, r in kept(template).items()}
    for id in sorted((id for id, i in identifiers.items() if i), key=lambda id: kinds[id] == "AWS::KMS::Key"):  # the key last
        identifier, kind = identifiers[id], kinds[id]
        if kind == "AWS::DynamoDB::Table":
            account.delete_table(identifier)
        elif kind == "AWS::SQS::Queue":
            account.queues.delete_queue(QueueUrl=identifier)
        elif kind == "AWS::SecretsManager::Secret":
            account.secrets.delete_secret(SecretId=identifier, ForceDeleteWithoutRecovery=True)
        else:
            account.keys.schedule_key_deletion(KeyId=identifier)
        print(f"{id} {identifier} {'is deleted in 30 days' if kind == 'AWS::KMS::Key' else 'is deleted'}")


def main(verb: str, stack: str, path: str = "template.yaml") -> None:
    account, template = Account(), yaml_parse(pathlib.Path(path).read_text(encoding="utf-8"))
    account.refuse_stack(stack)
    {"recover": recover, "remove": remove}[verb](account, template, stack)


if __name__ == "__main__":
    main(*sys.argv[1:])
