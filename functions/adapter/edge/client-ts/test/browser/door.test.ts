import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, extract, newRequest, RefusedError } from "../../src/index.js";

// The client against the door itself, which a test in Go serves and starts this with.
const door = process.env["DOOR"]!;
const account = process.env["ACCOUNT"]!;
const keys = (process.env["KEYS"] ?? "").split(" ");
const line = { phone: "+15557654321" };

for (const key of keys) {
  const kind = key.slice(0, key.indexOf("_"));
  const client = new Client({ url: door, account, key });

  test(`${kind}: the door takes what it signs, once, and tells what is wrong`, async () => {
    const event = { eventId: `${kind}-1`, channel: "sms", direction: "inbound", sender: { phone: "+15552010001" }, recipient: line, message: { text: "héllo" } };
    const request = newRequest(event);
    const first = await client.send(request);
    assert.equal(first[0]!.status, "accepted");
    assert.deepEqual(await client.send(request), first);
    const some = await client.send(newRequest({ ...event, eventId: `${kind}-2` }, { ...event, eventId: `${kind}-3`, sender: { phone: "5" } }));
    assert.deepEqual(some.map((v) => v.status), ["accepted", "refused"]);
    await assert.rejects(client.send({ ...request, body: "{}" }), (e: RefusedError) => e.status === 409 || e.status === 400);
  });

  test(`${kind}: the door takes the sessions that it mints, of their origin alone`, async () => {
    const token = await client.session({ visitor: `${kind}-visitor`, line: "chat.acme.example", origin: "https://acme.example" });
    const post = (origin: string) =>
      fetch(`${door}/v1/accounts/${account}/edge/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, origin, "content-type": "application/json", "webhook-id": `${kind}-page` },
        body: JSON.stringify({ eventId: `${kind}-page`, message: { text: "from a page" } }),
      });
    assert.equal((await post("https://evil.example")).status, 403);
    const taken = await post("https://acme.example");
    assert.equal(taken.status, 202);
    assert.equal(taken.headers.get("access-control-allow-origin"), "https://acme.example");
  });

  test(`${kind}: the door takes what it extracts`, async () => {
    const seen = { eventId: `${kind}-seen`, channel: "rcs", direction: "inbound", sender: { phone: "+15552010001", displayName: "Ada" }, recipient: line, message: { text: "words" } };
    for (const permission of [{}, { reference: "consent-1" }, { reference: "consent-1", content: true }]) {
      const event = extract({ ...seen, eventId: seen.eventId + JSON.stringify(permission).length }, "phone of rep-7", permission);
      assert.equal((await client.send(newRequest(event)))[0]!.status, "accepted");
    }
    const without = { ...seen, metadata: { extraction: { by: "phone of rep-7" } } };
    await assert.rejects(client.send(newRequest(without)), (e: RefusedError) => e.verdicts[0]!.problems![0]!.path === "$.message.contentType");
  });
}
