import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { extract, mintSession, type Permission, type Session } from "../src/index.js";
import { readKey } from "../src/key.js";
import { sign } from "../src/sign.js";

/** The cases that the client for Go is tested with, too. */
function cases<T>(name: string): T[] {
  return JSON.parse(readFileSync(`../client/testdata/${name}.json`, "utf8")) as T[];
}

test("signatures are those of other implementations", async () => {
  for (const c of cases<{ key: string; id: string; timestamp: number; body: string; signature: string }>("signatures")) {
    const headers = await sign(await readKey(c.key), c.id, c.body, new Date(c.timestamp * 1000 + 999));
    assert.deepEqual(headers, { "webhook-id": c.id, "webhook-timestamp": String(c.timestamp), "webhook-signature": c.signature });
  }
});

test("sessions are those of another implementation", async () => {
  for (const c of cases<{ key: string; session: Session; now: number; token: string }>("sessions")) {
    assert.equal(await mintSession(c.key, c.session, new Date(c.now * 1000)), c.token);
  }
});

test("what the door would refuse is not minted, and no error shows the key", async () => {
  const key = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";
  const right: Session = { account: "acme-site", visitor: "visitor-42", line: "chat.acme.example", origin: "https://acme.example" };
  const wrong: [string, Session, number][] = [
    [key, { ...right, account: "" }, 60],
    [key, { ...right, visitor: "" }, 60],
    [key, { ...right, visitor: "v".repeat(201) }, 60],
    [key, { ...right, name: "n".repeat(201) }, 60],
    [key, { ...right, line: "" }, 60],
    [key, { ...right, origin: "https://acme.example/" }, 60],
    [key, { ...right, origin: "http://acme.example" }, 60],
    [key, { ...right, origin: "null" }, 60],
    [key, right, 901],
    [key, right, 0],
    ["whpk_5/FioQvsVZr+oZXk3OhLaVaNXSywlj60RsBoXisX8vA=", right, 60],
    ["whsec_c2hvcnQ=", right, 60],
    ["whsec_***", right, 60],
  ];
  for (const [k, session, seconds] of wrong) {
    await assert.rejects(mintSession(k, session, new Date(), seconds), (e: Error) => e instanceof TypeError && !e.message.includes(k));
  }
  for (const origin of ["http://localhost:3000", "http://127.0.0.1:3000", "https://acme.example:8443"]) {
    await mintSession(key, { ...right, origin });
  }
});

test("of what a device saw only what is listed leaves", () => {
  const all = cases<{ name: string; seen: Record<string, unknown>; by: string; permission: Permission; event: object | null }>("extractions");
  assert.ok(all.length > 8);
  for (const c of all) {
    if (c.event === null) {
      assert.throws(() => extract(c.seen, c.by, c.permission), TypeError, c.name);
      continue;
    }
    const event = extract(c.seen, c.by, c.permission);
    assert.deepEqual(event, c.event, c.name);
    assert.doesNotMatch(JSON.stringify(event), /never/, c.name);
  }
});
