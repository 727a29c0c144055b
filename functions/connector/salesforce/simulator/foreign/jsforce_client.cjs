// Every operation of the connector that jsforce has a call for, made by it (https://github.com/jsforce/jsforce).
const { createSign } = require("node:crypto");
const assert = require("node:assert/strict");
const { Connection } = require("@jsforce/jsforce-node");

const url = process.env.SIMULATOR_URL;
const bound = JSON.parse(process.env.BINDING);
const version = bound.apiVersion.replace(/^v/, "");
const data = `/services/data/v${version}/`;
const key = "ab".repeat(31) + "01";
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

function refusal(name, code, run) {
  return operation(`refused: ${name}`, () => assert.rejects(run, (error) => {
    assert.equal(error.errorCode ?? error.name, code);
    return true;
  }));
}

function assertion() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = part({ alg: "RS256" }) + "." + part({
    iss: bound.settings.clientId, sub: bound.settings.username, aud: "https://login.salesforce.com", exp: Math.floor(Date.now() / 1000) + 120,
  });
  return signed + "." + createSign("RSA-SHA256").update(signed).sign(bound.token, "base64url");
}

async function main() {
  const org = new Connection({ loginUrl: url, instanceUrl: url, version });
  const grant = { grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer" };
  await operation("a session by the JWT bearer flow, with the user and the org of its id", async () => {
    const user = await org.authorize({ ...grant, assertion: assertion() });
    assert.match(user.id, /^005/);
    assert.match(user.organizationId, /^00D/);
  });
  await refusal("an assertion that is cut", "invalid_grant", () => org.oauth2.requestToken({ ...grant, assertion: assertion().slice(0, -9) }));
  await refusal("a session that nobody gave", "INVALID_SESSION_ID", () =>
    new Connection({ instanceUrl: url, accessToken: "00D!none", version }).limits());
  await operation("a session that has ended is replaced by the client", async () => {
    const again = new Connection({
      instanceUrl: url, accessToken: "00D!ended", version,
      refreshFn: (_, done) => org.oauth2.requestToken({ ...grant, assertion: assertion() }).then((got) => done(null, got.access_token), done),
    });
    assert.ok((await again.limits()).DailyApiRequests.Max > 0);
  });
  await operation("what the limit header tells", async () => {
    await org.limits();
    assert.ok(org.limitInfo.apiUsage.used > 0 && org.limitInfo.apiUsage.limit >= org.limitInfo.apiUsage.used);
  });

  let lead;
  await operation("create", async () => {
    const made = await org.sobject("Lead").create({ LastName: "Ruiz", Company: "X", Phone: "+15550100199", Msg_Sender_Key__c: key });
    assert.deepEqual(made, { id: made.id, success: true, errors: [] });
    lead = made.id;
  });
  await operation("read, with all fields and with some", async () => {
    const whole = await org.sobject("Lead").retrieve(lead);
    assert.equal(whole.Company, "X");
    assert.equal(whole.attributes.type, "Lead");
    const [one, none] = await org.sobject("Lead").retrieve([lead, "00Q000000009999EAA"], { fields: ["Id", "LastName"] });
    assert.equal(one.LastName, "Ruiz");
    assert.equal(none, null);
  });
  await operation("update one, whose answer has no content", async () => {
    assert.deepEqual(await org.sobject("Lead").update({ Id: lead, LastName: "Ruiz de la Prada" }), { id: lead, success: true, errors: [] });
  });
  await operation("update several: id in small letters and before attributes, errors in the rows", async () => {
    const [one, none] = await org.sobject("Lead").update([{ Id: lead, Msg_Consent__c: "x" }, { Id: "00Q000000009999EAA", Msg_Consent__c: "x" }]);
    assert.deepEqual(one, { id: lead, success: true, errors: [] });
    assert.equal(none.success, false);
    assert.ok(none.errors[0].statusCode && none.errors[0].message && Array.isArray(none.errors[0].fields));
  });
  await operation("upsert one, which creates and then updates", async () => {
    const upsert = () => org.sobject("Msg_Event__c").upsert({ Event_Key__c: "k1", Status__c: "sent" }, "Event_Key__c");
    assert.equal((await upsert()).created, true);
    assert.equal((await upsert()).created, false);
  });
  await refusal("a key that is taken", "DUPLICATE_VALUE", () => org.sobject("Lead").create({ LastName: "Ruiz", Company: "X", Msg_Sender_Key__c: key }));
  await refusal("a field that is not there", "INVALID_FIELD", () => org.sobject("Lead").create({ LastName: "Ruiz", Company: "X", Goat__c: 1 }));
  await refusal("a text that is too long", "STRING_TOO_LONG", () => org.sobject("Task").create({ Description: "x".repeat(32001) }));
  await refusal("a record that is not there", "NOT_FOUND", () => org.sobject("Lead").retrieve("00Q000000009999EAA"));
  await refusal("two of one address", "MULTIPLE_CHOICES", async () => {
    for (let n = 0; n < 2; n++) await org.sobject("Contact").create({ LastName: "Ruiz", Email: "ana@example.test" });
    await org.request(data + "sobjects/Contact/Email/ana%40example.test");
  });
  await operation("a query", async () => {
    const { id } = await org.sobject("Task").create({ Subject: "x", WhoId: lead, Msg_Event_Key__c: "cd".repeat(32) });
    const { totalSize, done, records } = await org.query(`SELECT Id FROM Task WHERE Msg_Event_Key__c IN ('${"cd".repeat(32)}')`);
    assert.deepEqual([totalSize, done, records[0].Id], [1, true, id]);
  });
  await operation("parameterized search", async () => {
    const { searchRecords } = await org.requestPost(data + "parameterizedSearch", { q: "5550100199", in: "PHONE", sobjects: [{ name: "Lead", fields: ["Id"] }] });
    assert.deepEqual(searchRecords.map((each) => each.Id), [lead]);
  });
  await operation("a composite graph", async () => {
    const { graphs } = await org.requestPost(data + "composite/graph", { graphs: [{ graphId: "g", compositeRequest: [
      { method: "POST", url: data + "sobjects/Lead", referenceId: "person", body: { LastName: "Ruiz", Company: "X" } },
    ] }] });
    assert.equal(graphs[0].isSuccessful, true);
  });
  await operation("a file, published to a record, and found there", async () => {
    const { id, success } = await org.sobject("ContentVersion").create({ Title: "sea", PathOnClient: "sea.png", VersionData: Buffer.from("sea").toString("base64"), FirstPublishLocationId: lead });
    const { records } = await org.query(`SELECT ContentDocument.LatestPublishedVersionId FROM ContentDocumentLink WHERE LinkedEntityId = '${lead}'`);
    assert.deepEqual([success, records.map((each) => each.ContentDocument.LatestPublishedVersionId)], [true, [id]]);
  });
  await operation("versions, and what an object is like", async () => {
    const versions = await org.request("/services/data");
    assert.ok(versions.some((each) => each.version === version));
    const { createable, fields } = await org.describe("Lead");
    const held = fields.find((each) => each.name === "Msg_Sender_Key__c");
    assert.deepEqual([createable, held.type, held.length, held.externalId, held.unique, held.updateable], [true, "string", 64, true, true, true]);
  });
  await operation("a deployment, which has no package.xml and fails", async () => {
    const empty = Buffer.concat([Buffer.from("PK\x05\x06"), Buffer.alloc(18)]);
    const begun = await org.metadata.deployRest(empty, { singlePackage: true, rollbackOnError: true });
    const { done, success, status, numberComponentErrors, details } = await org.metadata.checkDeployStatus(begun.id, true, true);
    assert.deepEqual([done, success, status, numberComponentErrors, details.componentFailures[0].fullName], [true, false, "Failed", 1, "package.xml"]);
  });
  await operation("a job, which upserts rows by key and refuses one by itself", async () => {
    const job = org.bulk2.createJob({ operation: "upsert", object: "Msg_Event__c", externalIdFieldName: "Event_Key__c", lineEnding: "LF" });
    await job.open();
    await job.uploadData([{ Event_Key__c: "k1", Lead__c: lead, Status__c: "" }, { Event_Key__c: "k2", Lead__c: "00Q000000009999EAA", Status__c: "sent" }]);
    await job.close();
    await job.poll(100, 10000);
    const { successfulResults, failedResults, unprocessedRecords } = await job.getAllResults();
    assert.deepEqual(successfulResults.map((row) => [row.Event_Key__c, row.sf__Created]), [["k1", "false"]]);
    assert.deepEqual(failedResults.map((row) => [row.Event_Key__c, row.sf__Error.split(":")[0]]), [["k2", "INVALID_CROSS_REFERENCE_KEY"]]);
    assert.equal(unprocessedRecords.length, 0);
    assert.equal((await org.sobject("Msg_Event__c").retrieve(successfulResults[0].sf__Id)).Status__c, "sent");
    await job.delete();
  });
  await refusal("a job by a field that is no key", "INVALIDJOB", () =>
    org.bulk2.createJob({ operation: "upsert", object: "Msg_Event__c", externalIdFieldName: "Status__c" }).open());
  await operation("delete, after which it is not there", async () => {
    assert.equal((await org.sobject("Lead").destroy(lead)).success, true);
    await assert.rejects(() => org.sobject("Lead").retrieve(lead), { errorCode: "NOT_FOUND" });
  });
  console.log(`jsforce ${require("@jsforce/jsforce-node/package.json").version}: ${count.works} operations work, ${count.differs} differ`);
  process.exit(count.differs ? 1 : 0);
}

main();
