// Every operation of the connector, made by DynamicsWebApi (https://github.com/AleksandrRogov/DynamicsWebApi).
const assert = require("node:assert/strict");
const { readFileSync } = require("node:fs");
const { DynamicsWebApi } = require("dynamics-web-api");

const url = process.env.SIMULATOR_URL;
const bound = JSON.parse(process.env.BINDING);
const key = "ab".repeat(32), other = "cd".repeat(32), event = "ef".repeat(32);
const nobody = "00000000-0000-0000-0000-000000000001";
const count = { works: 0, differs: 0 };

async function operation(name, run) {
  try {
    await run();
    count.works++;
    console.log(`  works    ${name}`);
  } catch (error) {
    count.differs++;
    console.log(`  differs  ${name}: ${error.name}: ${error.message}`);
  }
}

function refusal(name, status, code, run) {
  return operation(`refused: ${name}`, () => assert.rejects(run, (error) => {
    assert.deepEqual([error.status, error.code], [status, code]);
    return true;
  }));
}

async function token() {
  const form = { grant_type: "client_credentials", client_id: bound.settings.clientId, client_secret: bound.token, scope: url + "/.default" };
  const reply = await fetch(`${url}/${bound.settings.tenantId}/oauth2/v2.0/token`, { method: "POST", body: new URLSearchParams(form) });
  return (await reply.json()).access_token;
}

async function main() {
  const bearer = await token();
  const org = new DynamicsWebApi({ serverUrl: url, dataApi: { version: "9.2" }, onTokenRefresh: async () => bearer });
  await refusal("no token", 401, undefined, () => new DynamicsWebApi({ serverUrl: url, dataApi: { version: "9.2" } }).callFunction("WhoAmI"));
  await operation("who am I, and what version is it", async () => {
    assert.match((await org.callFunction("WhoAmI")).UserId, /^[0-9a-f-]{36}$/);
    assert.match((await org.callFunction("RetrieveVersion")).Version, /^9\.2\./);
  });
  let lead;
  await operation("create, which tells the id", async () => {
    lead = await org.create({ collection: "leads", data: { lastname: "Ruiz", msg_senderkey: key, mobilephone: "+34911223344" } });
    assert.match(lead, /^[0-9a-f-]{36}$/);
  });
  await operation("create, with data returned", async () => {
    const made = await org.create({ collection: "contacts", data: { lastname: "Li" }, select: ["lastname"], returnRepresentation: true });
    assert.equal(made.lastname, "Li");
  });
  await operation("retrieve by alternate key", async () => {
    const read = await org.retrieve({ collection: "leads", key: `msg_senderkey='${key}'`, select: ["leadid", "lastname", "statecode"] });
    assert.deepEqual([read.leadid, read.lastname, read.statecode], [lead, "Ruiz", 0]);
    assert.match(read["@odata.etag"], /^W\/"/);
  });
  const message = (of, data, more) => org.upsert({ collection: "msg_messages", key: `msg_eventkey='${of}'`, data, ...more });
  await operation("upsert by alternate key, bound to a row by its alternate key, with data returned", async () => {
    const bind = { "regardingobjectid_lead_msg_message@odata.bind": `/leads(msg_senderkey='${key}')` };
    const made = await message(event, { subject: "SMS in", msg_status: "sent", ...bind }, { returnRepresentation: true, select: ["activityid", "_regardingobjectid_value"] });
    assert.equal(made._regardingobjectid_value, lead);
  });
  await operation("upsert that makes no row, and one that changes none", async () => {
    assert.equal(await message(other, { msg_status: "read" }, { ifmatch: "*" }), null);
    assert.equal(await message(event, { msg_status: "read" }, { ifnonematch: "*" }), null);
  });
  await operation("status with If-Match: by any version, by the one that was read, not by an old one", async () => {
    await message(event, { msg_status: "delivered", msg_statusrank: 30 }, { ifmatch: "*" });
    const read = await org.retrieve({ collection: "msg_messages", key: `msg_eventkey='${event}'`, select: ["msg_status"] });
    assert.equal(read.msg_status, "delivered");
    const update = () => org.update({ collection: "msg_messages", key: `msg_eventkey='${event}'`, data: { msg_status: "read" }, ifmatch: read["@odata.etag"] });
    assert.notEqual(await update(), false);
    assert.equal(await update(), false); // which is what it makes of a 412
  });
  await operation("a filter with a quotation mark, and with a plus sign", async () => {
    await org.update({ collection: "leads", key: lead, data: { lastname: "O'Bryan" } });
    const found = await org.retrieveMultiple({ collection: "leads", select: ["leadid"], top: 5, filter: "lastname eq 'O''Bryan' and contains(mobilephone,'+3491') and statecode eq 0" });
    assert.deepEqual(found.value.map((each) => each.leadid), [lead]);
  });
  await operation("what a row points to, expanded, and its table", async () => {
    const read = await org.retrieve({
      collection: "msg_messages", key: `msg_eventkey='${event}'`, select: ["_regardingobjectid_value"], includeAnnotations: "*",
      expand: [{ property: "regardingobjectid_lead_msg_message", select: ["lastname"] }],
    });
    assert.deepEqual([read.regardingobjectid_lead_msg_message.lastname, read._regardingobjectid_value_LogicalName], ["O'Bryan", "lead"]);
  });
  await operation("pages", async () => {
    for (let n = 0; n < 3; n++) await org.create({ collection: "tasks", data: { subject: "x" } });
    const all = await org.retrieveAll({ collection: "tasks", select: ["subject"], maxPageSize: 2 });
    assert.equal(all.value.length, 3);
  });
  const rows = (...of) => of.map((each) => ({ "@odata.type": "Microsoft.Dynamics.CRM.msg_message", "@odata.id": `msg_messages(msg_eventkey='${each}')`, subject: "several" }));
  const upsertMultiple = (targets) => org.callAction({ collection: "msg_messages", actionName: "Microsoft.Dynamics.CRM.UpsertMultiple", action: { Targets: targets } });
  await operation("UpsertMultiple", async () => {
    await upsertMultiple(rows(event, other));
    assert.equal((await org.retrieveMultiple({ collection: "msg_messages", select: ["subject"], filter: "subject eq 'several'" })).value.length, 2);
  });
  await refusal("UpsertMultiple with one bad row", 400, "0x80044331", () => upsertMultiple([...rows(event), { ...rows(other)[0], subject: "x".repeat(201) }]));
  await operation("a batch with a change set, whose requests refer to each other", async () => {
    org.startBatch();
    org.retrieveMultiple({ collection: "leads", select: ["lastname"] });
    org.create({ collection: "contacts", data: { lastname: "Li" }, contentId: "1" });
    org.create({ collection: "tasks", data: { subject: "Call Li", "regardingobjectid_contact_task@odata.bind": "$1" } });
    const [leads, contact, task] = await org.executeBatch();
    assert.equal(leads.value.length, 1);
    assert.match(contact, /^[0-9a-f-]{36}$/);
    const read = await org.retrieve({ collection: "tasks", key: task, select: ["_regardingobjectid_value"] });
    assert.equal(read._regardingobjectid_value, contact);
  });
  await operation("a batch that goes on after an error", async () => {
    org.startBatch();
    org.update({ collection: "leads", key: nobody, data: { lastname: "x" }, inChangeSet: false });
    org.upsert({ collection: "msg_messages", key: `msg_eventkey='${event}'`, data: { msg_status: "read" }, inChangeSet: false });
    const [missing, written] = await org.executeBatch({ continueOnError: true });
    assert.deepEqual([missing.status, missing.error.code, written instanceof Error], [404, "0x80040217", false]);
  });
  await operation("definitions: sets, keys and whether they can be used", async () => {
    const { value } = await org.retrieveEntities({ select: ["LogicalName", "EntitySetName"], filter: "LogicalName eq 'lead'" });
    assert.equal(value[0].EntitySetName, "leads");
    const { Keys } = await org.retrieveEntity({ key: "LogicalName='lead'", select: ["SchemaName"], expand: [{ property: "Keys" }] });
    assert.deepEqual([Keys[0].KeyAttributes, Keys[0].EntityKeyIndexStatus], [["msg_senderkey"], "Active"]);
  });
  await operation("a table of its own, with a column, in a solution", async () => {
    const text = (SchemaName, more) => ({ "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", SchemaName, MaxLength: 100, ...more });
    const data = { SchemaName: "msg_Goat", OwnershipType: "UserOwned", IsActivity: false, HasActivities: false, HasNotes: true, Attributes: [text("msg_Name", { IsPrimaryName: true })] };
    const id = await org.createEntity({ data, headers: { "MSCRM.SolutionUniqueName": "signalbox" } });
    await org.createAttribute({ entityKey: id, data: text("msg_Horns") });
    await org.create({ collection: "msg_goats", data: { msg_name: "Bo", msg_horns: "two" } });
  });
  await operation("a file as a note under an id of its own, twice", async () => {
    const data = { filename: "sea.png", mimetype: "image/png", documentbody: Buffer.from("sea").toString("base64"), "objectid_lead@odata.bind": `/leads(${lead})` };
    for (let n = 0; n < 2; n++) await org.upsert({ collection: "annotations", key: nobody, data });
    const { value } = await org.retrieveMultiple({ collection: "annotations", select: ["filesize"], filter: `_objectid_value eq ${lead}` });
    assert.deepEqual(value.map((each) => each.filesize), [3]);
  });
  await operation("an owner", async () => {
    await org.update({ collection: "leads", key: lead, data: { "ownerid@odata.bind": "/systemusers(00000000-0000-4000-8000-000000000007)" } });
    const read = await org.retrieve({ collection: "leads", key: lead, select: ["_ownerid_value"], expand: [{ property: "ownerid" }] });
    assert.equal(read._ownerid_value, "00000000-0000-4000-8000-000000000007");
  });
  await operation("duplicates, where they are asked for", async () => {
    const data = { emailaddress1: "bo@example.test" };
    await org.create({ collection: "leads", data });
    await assert.rejects(() => org.create({ collection: "leads", data, duplicateDetection: true }), { status: 500, code: "0x80040333" });
  });
  await refusal("a key that is taken", 412, "0x80060892", () => org.create({ collection: "leads", data: { msg_senderkey: key } }));
  await refusal("a column that is no key", 400, "0x80060888", () => org.retrieve({ collection: "leads", key: "lastname='x'" }));
  await refusal("a navigation property in other letters", 400, "0x80048d19", () => message(event, { "RegardingObjectId_lead_msg_message@odata.bind": `/leads(${lead})` }));
  await refusal("a set that is not there", 404, "0x8006088a", () => org.retrieveMultiple({ collection: "goats" }));
  await operation("delete, after which it is not there", async () => {
    await org.deleteRecord({ collection: "leads", key: lead });
    await assert.rejects(() => org.retrieve({ collection: "leads", key: lead }), { status: 404, code: "0x80040217" });
  });
  const { version } = JSON.parse(readFileSync(process.env.NODE_PATH + "/dynamics-web-api/package.json"));
  console.log(`dynamics-web-api ${version}: ${count.works} operations work, ${count.differs} differ`);
  process.exit(count.differs ? 1 : 0);
}

main();
