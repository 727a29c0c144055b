import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Client, newRequest, Queue, QueueFullError, RefusedError, type KeyValue, type Outcome, type Request } from "../src/index.js";
import { pause, retryAfter } from "../src/attempt.js";

const key = "whsec_ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=";
const start = Date.UTC(2026, 0, 18, 14, 0, 0);

interface Sent {
  url: string;
  at: number;
  headers: Record<string, string>;
  body: string;
}

/** A client to answers that are given one after the other, the last for all that follow: a status with headers and a body, or none. */
function client(...answers: (null | [number, Record<string, string>?, unknown?])[]): { client: Client; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetcher: typeof fetch = async (url, init) => {
    sent.push({ url: String(url), at: Date.now(), headers: init?.headers as Record<string, string>, body: String(init?.body) });
    const answer = answers[Math.min(sent.length, answers.length) - 1];
    if (!answer) throw new TypeError("failed to fetch");
    const body = [204, 205, 304].includes(answer[0]) ? null : answer[2] === undefined ? "" : JSON.stringify(answer[2]);
    return new Response(body, { status: answer[0], ...(answer[1] ? { headers: answer[1] } : {}) });
  };
  return { client: new Client({ url: "https://hooks.example", account: "acme-site", key, fetch: fetcher }), sent };
}

const accepted: [number, Record<string, string>, unknown] = [202, {}, { status: "accepted", eventId: "e1" }];

/** Runs f in a time that jumps: every pause is over at once, and the clock has moved on by it. */
function jumping(name: string, f: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ["Date"], now: start });
    mock.method(globalThis, "setTimeout", (over: () => void, milliseconds: number) => {
      mock.timers.setTime(Date.now() + milliseconds);
      setImmediate(over);
    });
    try {
      await f();
    } finally {
      mock.timers.reset();
      mock.restoreAll();
    }
  });
}

function timed(name: string, f: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"], now: start });
    try {
      await f();
    } finally {
      mock.timers.reset();
    }
  });
}

jumping("a request is repeated under the same id, signed anew, until it is answered for good", async () => {
  const { client: c, sent } = client([503], null, [429, { "retry-after": "90" }], accepted);
  const verdicts = await c.send(newRequest({ eventId: "1" }));
  assert.deepEqual(verdicts, [{ status: "accepted", eventId: "e1" }]);
  assert.equal(sent.length, 4);
  assert.equal(sent[0]!.url, "https://hooks.example/v1/accounts/acme-site/edge/events");
  assert.equal(new Set(sent.map((s) => s.headers["webhook-id"])).size, 1);
  assert.equal(new Set(sent.map((s) => s.body)).size, 1);
  assert.ok(sent[3]!.at - sent[2]!.at >= 90_000);
  assert.notEqual(sent[3]!.headers["webhook-timestamp"], sent[2]!.headers["webhook-timestamp"]);
  assert.notEqual(sent[3]!.headers["webhook-signature"], sent[2]!.headers["webhook-signature"]);
});

jumping("what is repeated is what the page says, and nothing else", async () => {
  for (let status = 200; status < 600; status++) {
    const { client: c, sent } = client([status], accepted);
    const failed = await c.send(newRequest({ eventId: "1" })).then(() => false, (e: unknown) => e instanceof RefusedError);
    const again = [408, 429, 500, 502, 503, 504].includes(status);
    assert.equal(sent.length > 1, again, `${status}`);
    assert.equal(failed, !again && status >= 300, `${status}`);
  }
});

jumping("a batch has a verdict each, and a refusal says what to correct", async () => {
  const refused = { status: "refused", error: "event_refused", problems: [{ path: "$[1].sender.phone", code: "format", reason: "must be E.164" }] };
  const some = client([207, {}, { status: "partly accepted", events: [{ status: "accepted", eventId: "e1" }, refused] }]);
  assert.equal((await some.client.send(newRequest({ eventId: "1" }, { eventId: "2" }))).length, 2);
  assert.deepEqual(JSON.parse(some.sent[0]!.body), [{ eventId: "1" }, { eventId: "2" }]);
  const none = client([400, {}, refused]);
  await assert.rejects(none.client.send(newRequest({ eventId: "1" })), (e: RefusedError) => e.status === 400 && e.message === "answered 400 event_refused; $[1].sender.phone must be E.164");
});

jumping("sending ends after a day, and when it is told to", async () => {
  const { client: c, sent } = client([503]);
  await assert.rejects(c.send(newRequest({ eventId: "1" })), /no answer for a day, the last 503/);
  assert.ok(sent.length > 90 && sent.length < 220, String(sent.length));
  const stop = new AbortController();
  const sending = c.send(newRequest({ eventId: "1" }), stop.signal);
  for (const before = sent.length; sent.length === before; ) await new Promise((resolve) => setImmediate(resolve));
  stop.abort(new Error("enough"));
  await assert.rejects(sending, /enough/);
});

class Memory implements KeyValue {
  readonly held = new Map<string, string>();
  getItem = (k: string) => this.held.get(k) ?? null;
  setItem = (k: string, v: string) => void this.held.set(k, v);
  removeItem = (k: string) => void this.held.delete(k);
}

/** Lets time pass. */
async function pass(milliseconds: number): Promise<void> {
  for (let i = 0; i < milliseconds / 500; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(500);
  }
  await new Promise((resolve) => setImmediate(resolve));
}

timed("a queue keeps the order over refusals, wrong keys and a restart, and is bounded", async () => {
  let answer: Outcome = { kind: "again", status: 0, wait: 0 };
  const sent: string[] = [];
  const settled: string[] = [];
  const send = async (r: Request): Promise<Outcome> => {
    if (answer.kind === "accepted") sent.push(r.body);
    return r.body === "wrong" && answer.kind === "accepted" ? { kind: "refused", status: 400, verdicts: [] } : answer;
  };
  const storage = new Memory();
  const waiting: string[] = [];
  const options = { most: 3, storage, name: "q", settled: (r: Request, o: Outcome) => settled.push(`${r.body} ${o.kind}`), waiting: (o: Outcome) => waiting.push(o.kind) };
  const first = new Queue(send, options);
  first.start();
  for (const body of ["1", "wrong", "2"]) first.add({ id: body, body });
  assert.throws(() => first.add({ id: "x", body: "x" }), QueueFullError);
  await pass(60_000);
  answer = { kind: "blocked", status: 403 };
  await pass(60_000);
  assert.deepEqual(sent, []);
  assert.ok(waiting.includes("again") && waiting.includes("blocked"));
  first.stop();
  await pass(1000);
  const second = new Queue(send, options);
  assert.equal(second.length, 3);
  answer = { kind: "accepted", status: 202, verdicts: [] };
  second.start();
  await pass(2000);
  assert.deepEqual(sent, ["1", "wrong", "2"]);
  assert.deepEqual(settled, ["1 accepted", "wrong refused", "2 accepted"]);
  assert.equal(storage.held.size, 0);
  second.add({ id: "3", body: "3" });
  await pass(1000);
  assert.equal(sent.at(-1), "3");
});

timed("a queue goes on where nothing can be stored, and with what another program stored", async () => {
  const broken: KeyValue = { getItem: () => "{not json", setItem: () => { throw new Error("full"); }, removeItem: () => {} };
  const sent: string[] = [];
  const queue = new Queue(async (r) => { sent.push(r.id); return { kind: "accepted", status: 202, verdicts: [] }; }, { storage: broken });
  queue.add({ id: "1", body: "{}" });
  queue.start();
  await pass(1000);
  assert.deepEqual(sent, ["1"]);
});

test("pauses grow to a quarter of an hour, and Retry-After is followed for an hour", () => {
  assert.equal(pause(1, 0), 500);
  assert.equal(pause(1, 1), 1000);
  assert.equal(pause(4, 1), 8000);
  assert.equal(pause(99, 1), 900_000);
  assert.equal(retryAfter("90", 0), 90_000);
  assert.equal(retryAfter("999999999", 0), 3_600_000);
  assert.equal(retryAfter("Thu, 01 Jan 1970 00:05:00 GMT", 0), 300_000);
  assert.equal(retryAfter("soon", 0), 0);
  assert.equal(retryAfter(null, 0), 0);
});

test("a client is told at once what is wrong with its options", () => {
  const right = { url: "https://hooks.example", account: "acme-site", key };
  for (const wrong of [{ url: "https://hooks.example/" }, { url: "hooks.example" }, { account: "" }, { account: "a/b" }]) {
    assert.throws(() => new Client({ ...right, ...wrong }), TypeError);
  }
  assert.throws(() => newRequest(), TypeError);
});
