"""Every operation of the connector, made by simple-salesforce (https://github.com/simple-salesforce/simple-salesforce)."""

import base64
import importlib.metadata
import json
import os
import warnings
from urllib.parse import urlsplit

import requests
from operations import Report, equal
from simple_salesforce import Salesforce
from simple_salesforce import exceptions as refused

URL, BOUND = os.environ["SIMULATOR_URL"], json.loads(os.environ["BINDING"])
SETTINGS, VERSION = BOUND["settings"], BOUND["apiVersion"].removeprefix("v")
DATA = f"/services/data/v{VERSION}/"
KEY, EVENT, TALK = "ab" * 31 + "01", "cd" * 31 + "01", "ef" * 31 + "01"

warnings.simplefilter("ignore")  # it explains to people how a user approves an app
report = Report("simple-salesforce " + importlib.metadata.version("simple-salesforce"))


class ToSimulator(requests.adapters.HTTPAdapter):
    """The client knows https and Salesforce's hosts only: whatever it asks for goes to the simulator."""

    def send(self, request, **options):
        asked = urlsplit(request.url)
        request.url = URL + asked.path + ("?" + asked.query if asked.query else "")
        request.headers["Host"] = asked.netloc
        return super().send(request, **options)


def session():
    made = requests.Session()
    made.mount("https://", ToSimulator())
    return made


def login(**instead):
    given = {"username": SETTINGS["username"], "consumer_key": SETTINGS["clientId"], "privatekey": BOUND["token"], **instead}
    return Salesforce(version=VERSION, session=session(), **given)


def post(path, body):
    return org.restful(path, method="POST", data=json.dumps(body))


with report.operation("a session by the JWT bearer flow, exp as the string that this client writes"):
    org = login()
    assert org.session_id
for what, instead in {"client": {"consumer_key": "other"}, "user": {"username": "other@acme.example"}, "audience": {"domain": "acme.my"}}.items():
    with report.refusal(f"a session for another {what}", refused.SalesforceAuthenticationFailed, "invalid_"):
        login(**instead)
with report.refusal("a session that nobody gave", refused.SalesforceExpiredSession, "INVALID_SESSION_ID"):
    Salesforce(instance_url="https://acme.my.salesforce.com", session_id="00D!none", version=VERSION, session=session()).limits()

with report.operation("limits, and what the limit header tells"):
    limits = org.limits()["DailyApiRequests"]
    assert 0 < limits["Remaining"] < limits["Max"]
    equal(org.api_usage["api-usage"].total, limits["Max"])

with report.operation("create"):
    made = org.Lead.create({"LastName": "Ruiz", "Company": "X", "Phone": "+1 555 010 0199", "Msg_Sender_Key__c": KEY})
    equal(made, {"id": made["id"], "success": True, "errors": []})
    lead = made["id"]
with report.operation("read by id, and by an id of 15 characters"):
    read = org.Lead.get(lead)
    equal((read["attributes"]["type"], read["Id"], read["LastName"], read["IsConverted"]), ("Lead", lead, "Ruiz", False))
    equal(org.Lead.get(lead[:15])["Id"], lead)
with report.operation("read by external id"):
    equal(org.Lead.get_by_custom_id("Msg_Sender_Key__c", KEY)["Id"], lead)
with report.operation("update"):
    equal(org.Lead.update(lead, {"LastName": "Ruiz de la Prada"}), 204)
with report.operation("upsert that creates, that updates"):
    equal(org.Msg_Event__c.upsert(f"Event_Key__c/{EVENT}", {"Status__c": "sent", "Lead__c": lead}), 201)
    equal(org.Msg_Event__c.upsert(f"Event_Key__c/{EVENT}", {"Status__c": "read"}, raw_response=True).json()["created"], False)

with report.refusal("a key that is taken", refused.SalesforceMalformedRequest, "DUPLICATE_VALUE", lead[:15]):
    org.Lead.create({"LastName": "Ruiz", "Company": "X", "Msg_Sender_Key__c": KEY})
with report.refusal("a required field that is missing", refused.SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING", "Company"):
    org.Lead.create({"LastName": "Ruiz"})
with report.refusal("a field that is not there", refused.SalesforceMalformedRequest, "INVALID_FIELD", "Goat__c"):
    org.Lead.create({"LastName": "Ruiz", "Company": "X", "Goat__c": 1})
with report.refusal("a text that is too long", refused.SalesforceMalformedRequest, "STRING_TOO_LONG", "max length=32000", "Description"):
    org.Task.create({"Description": "x" * 32001})
with report.refusal("a text of characters that count as two", refused.SalesforceMalformedRequest, "STRING_TOO_LONG"):
    org.Task.create({"Description": "\N{SLIGHTLY SMILING FACE}" * 16001})
with report.refusal("a key that nobody has", refused.SalesforceResourceNotFound, "NOT_FOUND"):
    org.Contact.get_by_custom_id("Msg_Sender_Key__c", "0" * 64)
with report.refusal("two of one address", refused.SalesforceMoreThanOneRecord, "/sobjects/Contact/003"):
    for _ in range(2):
        org.Contact.create({"LastName": "Ruiz", "Email": "ana@example.test"})
    org.Contact.get_by_custom_id("Email", "ana@example.test")

with report.operation("parameterized search for a number"):
    found = post("parameterizedSearch", {
        "q": "5550100199", "in": "PHONE", "overallLimit": 10,
        "sobjects": [{"name": "Contact", "fields": ["Id"], "limit": 5}, {"name": "Lead", "fields": ["Id", "Phone"], "limit": 5}],
    })
    equal([each["Id"] for each in found["searchRecords"]], [lead])
with report.operation("a query"):
    task = org.Task.create({"Subject": "SMS in", "WhoId": lead, "Msg_Event_Key__c": EVENT})["id"]
    rows = org.query(f"SELECT Id FROM Task WHERE Msg_Event_Key__c IN ('{EVENT}')")
    equal((rows["totalSize"], rows["done"], rows["records"][0]["Id"]), (1, True, task))
with report.refusal("a query that is none", refused.SalesforceMalformedRequest, "MALFORMED_QUERY"):
    org.query("SELECT FROM Task")

with report.operation("composite: each read has its own status"):
    reads = post("composite", {"allOrNone": False, "compositeRequest": [
        {"method": "GET", "url": DATA + f"sobjects/Lead/Msg_Sender_Key__c/{KEY}?fields=Id", "referenceId": "known"},
        {"method": "GET", "url": DATA + f"sobjects/Lead/Msg_Sender_Key__c/{'0' * 64}", "referenceId": "unknown"},
    ]})["compositeResponse"]
    equal([(each["referenceId"], each["httpStatusCode"]) for each in reads], [("known", 200), ("unknown", 404)])
    equal((reads[0]["body"]["Id"], reads[1]["body"][0]["errorCode"]), (lead, "NOT_FOUND"))


def graph(name, person):
    return {"graphId": name, "compositeRequest": [
        {"method": "POST", "url": DATA + "sobjects/Lead", "referenceId": "person", "body": person},
        {"method": "PATCH", "url": DATA + f"sobjects/Msg_Event__c/Event_Key__c/{name}", "referenceId": "event", "body": {"Lead__c": "@{person.id}"}},
    ]}


with report.operation("composite graphs: one comes through, one is rolled back"):
    good, bad = post("composite/graph", {"graphs": [graph("good", {"LastName": "Ruiz", "Company": "X"}), graph("bad", {"LastName": "Ruiz"})]})["graphs"]
    equal((good["graphId"], good["isSuccessful"], bad["isSuccessful"]), ("good", True, False))
    person, event = good["graphResponse"]["compositeResponse"]
    equal((person["httpStatusCode"], person["httpHeaders"]["Location"]), (201, DATA + "sobjects/Lead/" + person["body"]["id"]))
    equal((event["httpStatusCode"], event["body"]["created"]), (201, True))
    codes = [each["body"][0]["errorCode"] for each in bad["graphResponse"]["compositeResponse"]]
    equal(codes, ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED"])

with report.operation("a graph that updates a task by its id and makes a conversation"):
    session_graph = {"graphId": "session", "compositeRequest": [
        {"method": "PATCH", "url": DATA + f"sobjects/Task/{task}", "referenceId": "part1", "body": {"Description": "x" * 32000}},
        {"method": "PATCH", "url": DATA + f"sobjects/Msg_Conversation__c/Conversation_Key__c/{TALK}", "referenceId": "conversation",
         "body": {"Lead__c": lead, "Contact__c": None, "Messages__c": 2, "Last_Receipt__c": None}},
    ]}
    updated, talk = post("composite/graph", {"graphs": [session_graph]})["graphs"][0]["graphResponse"]["compositeResponse"]
    equal((updated["httpStatusCode"], talk["httpStatusCode"]), (204, 201))
    equal(org.Msg_Conversation__c.get_by_custom_id("Conversation_Key__c", TALK)["Messages__c"], 2)
with report.operation("collections: errors are in the rows"):
    rows = org.restful("composite/sobjects", method="PATCH", data=json.dumps({"allOrNone": False, "records": [
        {"attributes": {"type": "Lead"}, "Id": lead, "Msg_Consent__c": "x"},
        {"attributes": {"type": "Lead"}, "Id": "00Q000000009999EAA", "Msg_Consent__c": "x"},
    ]}))
    equal((rows[0]["id"], rows[0]["success"], rows[0]["errors"], rows[1]["success"]), (lead, True, [], False))
    assert rows[1]["errors"][0]["statusCode"] and "message" in rows[1]["errors"][0] and "fields" in rows[1]["errors"][0]
with report.operation("an action refuses in its rows"):
    try:
        post("actions/standard/removeTargetFromSalesCadence", {"inputs": [{
            "actionCadenceTrackerId": "77D000000009999EAA", "completionReasonCode": "ManuallyRemoved", "shouldApplyUserContext": False,
        }]})
        raise AssertionError("it was not refused")
    except refused.SalesforceMalformedRequest as error:
        row = error.content[0]
        equal((row["actionName"], row["isSuccess"]), ("removeTargetFromSalesCadence", False))
        assert row["errors"][0]["statusCode"]
with report.operation("make a file that is published to a task, and find it there"):
    made = org.ContentVersion.create({"Title": "sea", "PathOnClient": "sea.png", "FirstPublishLocationId": task, "Description": "[msg:1]",
                                      "VersionData": base64.b64encode(b"\x89PNG sea").decode()})
    equal((made["success"], made["errors"], made["id"][:3]), (True, [], "068"))
    rows = org.query("SELECT ContentDocumentId, ContentDocument.Description, ContentDocument.LatestPublishedVersionId FROM ContentDocumentLink "
                     f"WHERE LinkedEntityId IN ('{task}')")["records"]
    equal([(each["ContentDocument"]["Description"], each["ContentDocument"]["LatestPublishedVersionId"], each["ContentDocumentId"][:3]) for each in rows],
          [("[msg:1]", made["id"], "069")])
    equal(org.ContentVersion.get(made["id"])["ContentDocumentId"], rows[0]["ContentDocumentId"])
with report.refusal("a file published to nobody", refused.SalesforceMalformedRequest, "INVALID_CROSS_REFERENCE_KEY"):
    org.ContentVersion.create({"PathOnClient": "sea.png", "FirstPublishLocationId": "00Q000000009999EAA", "VersionData": "MQ=="})
with report.refusal("a file without a name", refused.SalesforceMalformedRequest, "REQUIRED_FIELD_MISSING"):
    org.ContentVersion.create({"VersionData": "MQ=="})
with report.operation("delete"):
    equal(org.Lead.delete(lead), 204)
with report.refusal("what was deleted", refused.SalesforceResourceNotFound):
    org.Lead.update(lead, {"LastName": "Ruiz"})


report.end()
