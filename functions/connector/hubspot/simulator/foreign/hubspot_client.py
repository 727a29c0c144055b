"""Every operation of the connector, made by HubSpot's own client (https://github.com/HubSpot/hubspot-api-python).

Its models refuse what lacks a member that HubSpot describes as required, once they are told to. It knows the paths of v3 and v4 only; the dated ones are
put in their place, so that the replies there are read by the same models.
"""

import importlib.metadata
import json
import os
import tempfile

from hubspot import HubSpot
from hubspot.crm import contacts, properties
from hubspot.crm.associations import v4 as associations
from hubspot.crm.objects import communications, leads, notes
from hubspot.discovery.discovery_base import DiscoveryBase
from hubspot.files import ApiException as FileException
from operations import Report, equal

URL, BOUND = os.environ["SIMULATOR_URL"], json.loads(os.environ["BINDING"])
NAMES = BOUND["settings"]["properties"]
KEY, EVENT = NAMES["senderKey"], NAMES["eventKey"]
MADE = {"hs_communication_channel_type": "SMS", "hs_communication_logged_from": "CRM", "hs_timestamp": "2026-01-18T14:23:12.000Z"}


def portal(version, token=BOUND["token"]):
    """The client, with its paths moved to a version."""

    def moved(path):
        if version == "v3":
            return path
        for area in ("objects", "associations", "properties"):
            for old in ("v3", "v4"):
                path = path.replace(f"/crm/{old}/{area}", f"/crm/{area}/{version}")
        return path.replace("/files/v3/", f"/files/{version}/")

    def factory(package, name, config):
        api = DiscoveryBase._default_api_factory(package, name, config)
        call = api.api_client.call_api
        api.api_client.call_api = lambda path, *rest, **more: call(moved(path), *rest, **more)
        return api

    return HubSpot(access_token=token, host=URL, client_side_validation=True, api_factory=factory)


def upserted(key, trace, **values):
    return contacts.SimplePublicObjectBatchInputUpsert(id=key, id_property=KEY, object_write_trace_id=trace, properties=values)


def upsert(crm, *rows):
    return crm.contacts.batch_api.upsert(contacts.BatchInputSimplePublicObjectBatchInputUpsert(inputs=list(rows)))


def related(crm, *ids):
    asked = [associations.PublicFetchAssociationsBatchRequest(id=each) for each in ids]
    return crm.associations.v4.batch_api.get_page(
        "contacts", "communications", associations.BatchInputPublicFetchAssociationsBatchRequest(inputs=asked))


def persons(crm, version):
    with report.operation("upsert contacts that are new, by a unique property"):
        reply = upsert(crm, upserted(version + "a", "t1", phone="(555) 010-0199", email=version + "@example.test"), upserted(version + "b", "t2"))
        equal([(each.new, each.object_write_trace_id, each.properties[KEY]) for each in reply.results], [(True, "t1", version + "a"), (True, "t2", version + "b")])
        first, second = (each.id for each in reply.results)
    with report.operation("upsert one that is there, beside one whose address is another's"):
        reply = upsert(crm, upserted(version + "a", "t1", firstname="Ana"), upserted(version + "c", "t2", email=version + "@example.test"))
        equal([(each.id, each.new) for each in reply.results], [(first, False)])
        if version != "2026-09":  # there the errors come with a 200, which the client of v3 knows without them
            equal([(e.category, e.context, e.message) for e in reply.errors], [("CONFLICT", {"objectWriteTraceId": ["t2"]}, "Contact already exists. Existing ID: " + first)])
    with report.operation("read by a unique property, with a property that has no value and one that is not there"):
        ids = [contacts.SimplePublicObjectId(id=version + each) for each in "az"]
        reply = crm.contacts.batch_api.read(contacts.BatchReadInputSimplePublicObjectId(
            id_property=KEY, inputs=ids, properties=["phone", "lastname", "goat"], properties_with_history=[]))
        equal([(each.id, each.properties["phone"], each.properties["lastname"]) for each in reply.results], [(first, "(555) 010-0199", None)])
        assert "goat" not in reply.results[0].properties
    with report.operation("read one, with the usual properties"):
        read = crm.contacts.basic_api.get_by_id(version + "a", id_property=KEY)
        equal(sorted(read.properties), ["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"])
        equal((read.id, read.archived, read.updated_at.tzinfo is not None), (first, False, True))
    with report.operation("update in a batch, one of them not there"):
        rows = [contacts.SimplePublicObjectBatchInput(id=each, properties={NAMES["optOut"]: "true"}) for each in (first, "77")]
        reply = crm.contacts.batch_api.update(contacts.BatchInputSimplePublicObjectBatchInput(inputs=rows))
        equal([each.id for each in reply.results], [first])
    with report.operation("update one"):
        equal(crm.contacts.basic_api.update(second, contacts.SimplePublicObjectInput(properties={"lastname": "Ruiz"})).properties["lastname"], "Ruiz")
    with report.operation("search by the digits of a phone, a page at a time"):
        filters = [contacts.Filter(property_name="hs_searchable_calculated_phone_number", operator="CONTAINS_TOKEN", value="*5550100199")]
        reply = crm.contacts.search_api.do_search(contacts.PublicObjectSearchRequest(
            after="0", limit=1, sorts=["-lastmodifieddate"], properties=["phone"], filter_groups=[contacts.FilterGroup(filters=filters)]))
        assert reply.total >= 1 and len(reply.results) == 1 and (reply.total == 1) == (reply.paging is None)
    return first, second


def timeline(crm, version, first, second):
    with report.operation("upsert a communication by a unique property"):
        row = communications.SimplePublicObjectBatchInputUpsert(id=version, id_property=EVENT, object_write_trace_id="t", properties=MADE)
        reply = crm.objects.communications.batch_api.upsert(communications.BatchInputSimplePublicObjectBatchInputUpsert(inputs=[row]))
        message = reply.results[0].id
        assert reply.results[0].properties["hs_createdate"]
    with report.operation("associate it by default, twice"):
        for _ in range(2):
            reply = crm.associations.v4.basic_api.create_default("communications", message, "contacts", first)
            equal((reply.results[0].to.id, reply.results[0].association_spec.association_type_id), (first, 81))
    with report.operation("associate in a batch, one of them not there"):
        ends = [(message, second), (message, "77")]
        pairs = [associations.PublicDefaultAssociationMultiPost(_from=associations.PublicObjectId(id=a), to=associations.PublicObjectId(id=b)) for a, b in ends]
        reply = crm.associations.v4.batch_api.create_default(
            "communications", "contacts", associations.BatchInputPublicDefaultAssociationMultiPost(inputs=pairs))
        equal(([each.to.id for each in reply.results], reply.num_errors, reply.errors[0].category), ([second], 1, "OBJECT_NOT_FOUND"))
    with report.operation("create a communication with its association, and find it by its contact"):
        to = [communications.PublicAssociationsForObject(to=communications.PublicObjectId(id=first), types=[
            communications.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=81)])]
        made = crm.objects.communications.basic_api.create(communications.SimplePublicObjectInputForCreate(properties=MADE, associations=to))
        reply = related(crm, first)
        equal((reply.results[0]._from.id, [each.to_object_id for each in reply.results[0].to]), (first, [message, made.id]))
    with report.operation("create two communications in a batch with their association, one of which is there by its unique property"):
        rows = [communications.SimplePublicObjectBatchInputForCreate(object_write_trace_id=each, properties={**MADE, EVENT: each}, associations=to)
                for each in (version + "s", version)]
        reply = crm.objects.communications.batch_api.create(communications.BatchInputSimplePublicObjectBatchInputForCreate(inputs=rows))
        equal([each.object_write_trace_id for each in reply.results], [version + "s"])
        session = reply.results[0].id
        assert session in [each.to_object_id for each in related(crm, first).results[0].to]
    with report.operation("update its body by its id"):
        row = communications.SimplePublicObjectBatchInput(id=session, object_write_trace_id="t", properties={"hs_communication_body": "<p>Hi</p>"})
        reply = crm.objects.communications.batch_api.update(communications.BatchInputSimplePublicObjectBatchInput(inputs=[row]))
        equal((reply.results[0].id, reply.results[0].object_write_trace_id), (session, "t"))
    with report.refusal("a body that is too long", communications.ApiException, "400", "VALIDATION_ERROR"):
        row.properties = {"hs_communication_body": "x" * 65537}
        crm.objects.communications.batch_api.update(communications.BatchInputSimplePublicObjectBatchInput(inputs=[row]))
    with report.operation("look for the communications of a contact that has none"):
        equal(related(crm, upsert(crm, upserted(version + "d", "t")).results[0].id).results, [])
    with report.operation("create a lead with its contact"):
        to = [leads.PublicAssociationsForObject(to=leads.PublicObjectId(id=first), types=[
            leads.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=578)])]
        lead = leads.SimplePublicObjectInputForCreate(properties={"hs_lead_name": "Ana", EVENT: version}, associations=to)
        made = crm.objects.leads.basic_api.create(lead)
        equal(crm.objects.leads.basic_api.get_by_id(version, id_property=EVENT).id, made.id)
    with report.refusal("a second lead with its key", leads.ApiException, "400", "CONFLICTING_UNIQUE_VALUE"):
        crm.objects.leads.basic_api.create(lead)
    with report.operation("archive a contact"):
        crm.contacts.basic_api.archive(second)
    with report.refusal("reading it", contacts.ApiException, "404", "OBJECT_NOT_FOUND"):
        crm.contacts.basic_api.get_by_id(second)


def attachments(whole, version, contact):
    def upload(name, content, folder="/signalbox/" + version, access="PRIVATE", duplicates="RETURN_EXISTING"):
        options = {"access": access, "overwrite": False, "duplicateValidationStrategy": duplicates, "duplicateValidationScope": "EXACT_FOLDER"}
        with tempfile.TemporaryDirectory() as at:
            path = os.path.join(at, name)
            with open(path, "wb") as out:
                out.write(content)
            return whole.files.files_api.upload(file=path, folder_path=folder, options=json.dumps(options))

    with report.operation("upload a private file into a folder"):
        made = upload("sea.png", b"\x89PNG sea")
        equal((made.name, made.extension, made.size, made.access, made.path), ("sea", "png", 8, "PRIVATE", f"/signalbox/{version}/sea.png"))
    with report.operation("upload it again, where the one that is there is to be returned, and another with its name"):
        equal(upload("other.png", b"\x89PNG sea").id, made.id)
        equal(upload("sea.png", b"\x89PNG hills").name, "sea-1")
    with report.refusal("an access that there is not", FileException, "400", "VALIDATION_ERROR"):
        upload("sea.png", b"1", access="MINE")
    with report.operation("create a note that has it, with its contact"):
        to = [notes.PublicAssociationsForObject(to=notes.PublicObjectId(id=contact), types=[
            notes.AssociationSpec(association_category="HUBSPOT_DEFINED", association_type_id=202)])]
        note = whole.crm.objects.notes.basic_api.create(notes.SimplePublicObjectInputForCreate(associations=to, properties={
            "hs_note_body": "<p>Hi</p>", "hs_timestamp": MADE["hs_timestamp"], "hs_attachment_ids": made.id}))
        read = whole.crm.objects.notes.basic_api.get_by_id(note.id, properties=["hs_attachment_ids"])
        equal(read.properties["hs_attachment_ids"], made.id)


def definitions(crm, version):
    name = "acme_" + version.replace("-", "_")
    with report.operation("make a group of properties"):
        equal(crm.properties.groups_api.create("contacts", properties.PropertyGroupCreate(name=name, label="Acme")).archived, False)
    with report.operation("define a property in it, and read it"):
        options = [properties.OptionInput(label="Yes", value="true", display_order=0, hidden=False)]
        crm.properties.core_api.create("contacts", properties.PropertyCreate(
            name=name, label="Acme", group_name=name, type="enumeration", field_type="select", options=options))
        read = crm.properties.core_api.get_by_name("contacts", name)
        equal((read.name, read.type, read.has_unique_value, [each.value for each in read.options]), (name, "enumeration", False, ["true"]))
    with report.operation("read a property of HubSpot's own that has no options"):
        equal(crm.properties.core_api.get_by_name("contacts", "email").options, [])
    with report.refusal("a property that is there", properties.ApiException, "409"):
        crm.properties.core_api.create("contacts", properties.PropertyCreate(name=name, label="x", group_name="x", type="string", field_type="text"))


report = Report("hubspot-api-client " + importlib.metadata.version("hubspot-api-client"))
for version in ("v3", "2026-03", "2026-09"):
    print(f"  paths of {version}")
    whole = portal(version)
    crm = whole.crm
    first, second = persons(crm, version)
    timeline(crm, version, first, second)
    definitions(crm, version)
    attachments(whole, version, first)
    with report.refusal("a token that is another's", contacts.ApiException, "401", "INVALID_AUTHENTICATION", "correlationId"):
        portal(version, "guessed").crm.contacts.basic_api.get_by_id("1")
with report.refusal("more requests in ten seconds than an app may make", contacts.ApiException, "429", "TEN_SECONDLY_ROLLING", "X-Hubspot-Ratelimit-Remaining"):
    while True:
        crm.contacts.basic_api.get_by_id(BOUND["apiVersion"] + "a", id_property=KEY)
report.end()
