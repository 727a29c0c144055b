"""Every operation of the connector that Microsoft's own client has a call for, made by it, with tokens by Microsoft's own azure-identity
(https://github.com/microsoft/PowerPlatform-DataverseClient-Python)."""

import importlib.metadata
import json
import logging
import os
from urllib.parse import urlsplit

import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential
from operations import Report, equal
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.core.errors import HttpError

URL, BOUND = os.environ["SIMULATOR_URL"], json.loads(os.environ["BINDING"])
ENVIRONMENT, SETTINGS = "https://acme.crm4.dynamics.com", BOUND["settings"]
KEY, OTHER, EVENT, EVENT2 = "ab" * 32, "cd" * 32, "ef" * 32, "01" * 32
NOBODY = "00000000-0000-0000-0000-000000000001"

logging.disable(logging.WARNING)  # it tells of each refusal by itself
report = Report("PowerPlatform-Dataverse-Client " + importlib.metadata.version("PowerPlatform-Dataverse-Client"))
send = requests.adapters.HTTPAdapter.send


def to_simulator(self, request, **options):
    """The client knows https and Microsoft's hosts only: whatever it asks for goes to the simulator."""
    asked = urlsplit(request.url)
    request.url = URL + asked.path + ("?" + asked.query if asked.query else "")
    request.headers["Host"] = asked.netloc
    return send(self, request, **options)


requests.adapters.HTTPAdapter.send = to_simulator


def credential(**instead):
    given = {"tenant_id": SETTINGS["tenantId"], "client_id": SETTINGS["clientId"], "client_secret": BOUND["token"], **instead}
    return ClientSecretCredential(disable_instance_discovery=True, **given)


def message(key, subject, **more):
    return {"alternate_key": {"msg_eventkey": key}, "record": {"subject": subject, **more}}


with report.operation("a token by client credentials, found by the directory's configuration"):
    assert credential().get_token(ENVIRONMENT + "/.default").token
for what, instead in {"secret": {"client_secret": "x"}, "app": {"client_id": NOBODY}}.items():
    with report.refusal(f"a token by another {what}", ClientAuthenticationError, "AADSTS"):
        credential(**instead).get_token(ENVIRONMENT + "/.default")
with report.refusal("a token without .default", ClientAuthenticationError, "AADSTS1002012"):
    credential().get_token(ENVIRONMENT + "/user_impersonation")

org = DataverseClient(ENVIRONMENT, credential())

with report.operation("table: its set and its primary key"):
    table = org.tables.get("msg_message")
    equal((table["entity_set_name"], table["table_logical_name"]), ("msg_messages", "msg_message"))
with report.operation("alternate keys, and that they can be used"):
    equal([(key.key_attributes, key.status) for key in org.tables.get_alternate_keys("lead")], [["msg_senderkey"], "Active"] and [(["msg_senderkey"], "Active")])
with report.operation("upsert by alternate key, which creates and then updates"):
    for name in ("Ruiz", "Ruiz de la Prada"):
        org.records.upsert("lead", [{"alternate_key": {"msg_senderkey": KEY}, "record": {"lastname": name, "emailaddress1": "ana@example.test"}}])
    rows = org.records.list("lead", filter=f"msg_senderkey eq '{KEY}'", select=["leadid", "lastname"])
    equal([row["lastname"] for row in rows], ["Ruiz de la Prada"])
    lead = rows[0]["leadid"]
with report.operation("upsert of a message, regarding a lead by its alternate key"):
    org.records.upsert("msg_message", [message(EVENT, "SMS in", **{"regardingobjectid_lead_msg_message@odata.bind": f"/leads(msg_senderkey='{KEY}')"})])
    row = org.records.list("msg_message", filter=f"_regardingobjectid_value eq {lead}", select=["subject"])[0]
    equal(row["subject"], "SMS in")
with report.operation("UpsertMultiple, which creates one and updates one"):
    org.records.upsert("msg_message", [message(EVENT, "one"), message(EVENT2, "two")])
    equal(sorted(row["subject"] for row in org.records.list("msg_message", select=["subject"])), ["one", "two"])
with report.refusal("UpsertMultiple with a row that is too long, as a whole", HttpError, "0x80044331", "exceeded the maximum allowed length"):
    org.records.upsert("msg_message", [message(EVENT, "kept?"), message(EVENT2, "x" * 201)])
with report.operation("none of it is there"):
    equal(sorted(row["subject"] for row in org.records.list("msg_message", select=["subject"])), ["one", "two"])
with report.operation("filters: texts, brackets, numbers"):
    rows = org.records.list("lead", filter="(contains(emailaddress1,'ANA@') or contains(mobilephone,'1')) and statecode eq 0", select=["leadid"], top=5)
    equal([row["leadid"] for row in rows], [lead])
with report.operation("a row by its id, with a lookup's table"):
    made = org.records.create("task", {"subject": "Call Ana", "regardingobjectid_lead_task@odata.bind": f"/leads({lead})"})
    row = org.records.retrieve("task", made, select=["subject", "_regardingobjectid_value"], include_annotations="*")
    equal((row["_regardingobjectid_value"], row["_regardingobjectid_value@Microsoft.Dynamics.CRM.lookuplogicalname"]), (lead, "lead"))
with report.operation("pages"):
    pages = list(org.records.list_pages("msg_message", select=["subject"], page_size=1))
    equal([len(page) for page in pages], [1, 1])
with report.operation("update, and of several at once"):
    org.records.update("task", made, {"statecode": 1, "statuscode": 5})
    org.records.update("task", [made, org.records.create("task", {"subject": "x"})], {"prioritycode": 2})
    equal(sorted(row["prioritycode"] for row in org.records.list("task", select=["prioritycode"])), [2, 2])
with report.operation("create several at once"):
    equal(len(org.records.create("task", [{"subject": "a"}, {"subject": "b"}])), 2)

with report.operation("batch: each carried out, with its own status"):
    batch = org.batch.new()
    batch.records.create("task", {"subject": "x" * 201})
    batch.records.upsert("msg_message", [message(EVENT, "three")])
    batch.records.retrieve("lead", lead, select=["lastname"])
    result = batch.execute(continue_on_error=True)
    equal([each.status_code for each in result.responses], [400, 204, 200])
    equal((result.failed[0].error_code, result.responses[2].data["lastname"]), ("0x80044331", "Ruiz de la Prada"))
with report.operation("batch: a change set, whose requests refer to each other"):
    batch = org.batch.new()
    with batch.changeset() as changes:
        contact = changes.records.create("contact", {"lastname": "Li"})
        changes.records.create("task", {"subject": "Call Li", "regardingobjectid_contact_task@odata.bind": contact})
    result = batch.execute()
    equal(([each.status_code for each in result.responses], len(result.entity_ids)), ([204, 204], 2))
with report.operation("batch: a change set that is rolled back"):
    batch = org.batch.new()
    with batch.changeset() as changes:
        changes.records.create("task", {"subject": "rolled back"})
        changes.records.create("task", {"subject": "x" * 201})
    result = batch.execute(continue_on_error=True)
    equal([each.error_code for each in result.responses], ["0x80044331"])
    equal(list(org.records.list("task", filter="subject eq 'rolled back'", select=["subject"])), [])

with report.refusal("a key that is taken", HttpError, "0x80060892", "'http_412'", "Entity Key"):
    org.records.create("lead", {"msg_senderkey": KEY})
with report.refusal("a column that is not there", HttpError, "Invalid property"):
    org.records.create("lead", {"goat": 1})
with report.refusal("a navigation property that is not there", HttpError, "0x80048d19", "undeclared property"):
    org.records.create("task", {"regardingobjectid@odata.bind": f"/leads({lead})"})
with report.refusal("a bind to a key that nobody has", HttpError, "0x80060891", "does not exist in lead entity"):
    org.records.upsert("msg_message", [message(EVENT, "x", **{"regardingobjectid_lead_msg_message@odata.bind": f"/leads(msg_senderkey='{OTHER}')"})])
with report.refusal("a choice that is none", HttpError, "0x8004431A", "Accepted Values"):
    org.records.update("lead", lead, {"leadqualitycode": 9})
with report.refusal("a row that is not there", HttpError, "0x80040217", "Does Not Exist"):
    org.records.update("lead", NOBODY, {"lastname": "x"})
with report.operation("columns, a lookup and a key that are added to a table, and a row by that key"):
    org.tables.add_columns("msg_conversation", {"msg_Horns": "string", "msg_Age": "int", "msg_Calm": "bool", "msg_Born": "datetime", "msg_Story": "memo"})
    org.tables.create_lookup_field("msg_conversation", "msg_Herder", "lead")
    org.tables.create_alternate_key("msg_conversation", "msg_HornsKey", ["msg_horns"])
    row = {"msg_name": "Bo", "msg_age": 2, "msg_calm": True, "msg_Herder@odata.bind": f"/leads({lead})"}
    org.records.upsert("msg_conversation", [{"alternate_key": {"msg_horns": "two"}, "record": row}])
    row = org.records.list("msg_conversation", filter="msg_horns eq 'two'", select=["msg_name", "_msg_herder_value"])[0]
    equal((row["msg_name"], row["_msg_herder_value"]), ("Bo", lead))
with report.operation("delete"):
    org.records.delete("lead", lead)
    equal(org.records.retrieve("lead", lead, select=["leadid"]), None)

report.end()
