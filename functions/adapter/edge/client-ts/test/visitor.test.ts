import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { mock, test } from "node:test";
import type { KeyValue } from "../src/index.js";
import { Visitor, type Line, type Said } from "../src/visitor.js";

class Memory implements KeyValue {
  readonly held = new Map<string, string>();
  getItem = (k: string) => this.held.get(k) ?? null;
  setItem = (k: string, v: string) => void this.held.set(k, v);
  removeItem = (k: string) => void this.held.delete(k);
}

/** A door in memory: it takes the sessions that it has not ended, and keeps what was said and what is to be found. */
class Door {
  visitor = "visitor-42";
  down = false;
  closed = false;
  given: string[] = [];
  ended = new Set<string>();
  said: { visitor: string; id: string; text: string }[] = [];
  replies: { id: string; at: string; text: string; n: number; of?: string }[] = [];
  polls = 0;
  /** What an answer waits for, by the last part of the path. */
  held: Record<string, Promise<void>> = {};

  session = async (): Promise<string> => {
    if (this.down) throw new TypeError("failed to fetch");
    const claims = { aud: "acme-site", sub: this.visitor, line: "chat.acme.example", iat: 0, exp: 900, n: this.given.length };
    const token = `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`; // nobody verifies it here
    this.given.push(token);
    return token;
  };

  fetch: typeof fetch = async (url, init) => {
    const headers = init?.headers as Record<string, string>;
    const token = headers["authorization"]!.slice("Bearer ".length);
    if (this.down) throw new TypeError("failed to fetch");
    if (this.closed || this.ended.has(token)) return new Response(null, { status: 403 });
    const at = new URL(String(url));
    const held = this.held[at.pathname.split("/").at(-1)!];
    const { sub } = JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()) as { sub: string };
    assert.match(at.pathname, /^\/v1\/accounts\/acme-site\/edge\/(events|replies)$/);
    if (at.pathname.endsWith("events")) {
      const event = JSON.parse(String(init?.body)) as { eventId: string; message: { text: string } };
      assert.equal(headers["webhook-id"], event.eventId);
      if (event.message.text === "refuse") return new Response("{}", { status: 400 });
      if (!this.said.some((s) => s.id === event.eventId)) this.said.push({ visitor: sub, id: event.eventId, text: event.message.text });
      await held;
      return Response.json({ status: "accepted" }, { status: 202 });
    }
    this.polls++;
    const after = Number(at.searchParams.get("after"));
    const theirs = this.replies.filter((r) => (r.of ?? sub) === sub && r.n > after);
    await held;
    return Response.json({ replies: theirs, after: Math.max(after, ...theirs.map((r) => r.n)) });
  };
}

interface Seen {
  said: readonly Said[];
  line: Line;
}

function open(door: Door, storage: KeyValue): { visitor: Visitor; seen: Seen } {
  const seen: Seen = { said: [], line: "ok" };
  const visitor = new Visitor({
    endpoint: "https://hooks.example",
    session: door.session,
    storage,
    fetch: door.fetch,
    changed: (said, line) => Object.assign(seen, { said, line }),
  });
  return { visitor, seen };
}

/** Lets time pass. */
async function pass(milliseconds: number): Promise<void> {
  for (let i = 0; i <= milliseconds / 500; i++) {
    for (let j = 0; j < 5; j++) await new Promise((resolve) => setImmediate(resolve));
    mock.timers.tick(500);
  }
  for (let j = 0; j < 20; j++) await new Promise((resolve) => setImmediate(resolve));
}

function timed(name: string, f: () => Promise<void>): void {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    try {
      await f();
    } finally {
      mock.timers.reset();
    }
  });
}

timed("what is said goes out in order, and replies come in once", async () => {
  const door = new Door();
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  visitor.say("one");
  visitor.say("two");
  await pass(3000);
  assert.deepEqual(door.said.map((s) => s.text), ["one", "two"]);
  assert.deepEqual(seen.said.map((s) => s.state), ["sent", "sent"]);
  door.replies.push({ id: "r1", at: "2026-01-18T14:25:00Z", text: "hello", n: 5 });
  await pass(10_000);
  assert.deepEqual(seen.said.map((s) => s.text), ["one", "two", "hello"]);
  assert.equal(door.given.length, 1);
  visitor.stop();
});

timed("what is said without a line is kept over a restart, and goes when the line is back", async () => {
  const door = new Door();
  const storage = new Memory();
  const first = open(door, storage);
  first.visitor.watch("close");
  await pass(1000);
  door.down = true;
  first.visitor.say("kept");
  await pass(20_000);
  assert.equal(first.seen.line, "offline");
  assert.equal(first.seen.said[0]!.state, "waiting");
  first.visitor.stop();
  door.down = false;
  const second = open(door, storage);
  second.visitor.watch("close");
  await pass(5000);
  assert.deepEqual(door.said.map((s) => s.text), ["kept"]);
  assert.equal(second.seen.said[0]!.state, "sent");
  assert.equal(second.seen.line, "ok");
  second.visitor.stop();
});

timed("what is said before anybody knows who the visitor is, is sent when it is known", async () => {
  const door = new Door();
  door.down = true;
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  visitor.say("early");
  await pass(5000);
  assert.equal(seen.said.length, 1);
  door.down = false;
  await pass(10_000);
  assert.deepEqual(door.said.map((s) => s.text), ["early"]);
  assert.equal(seen.said[0]!.state, "sent");
  visitor.stop();
});

timed("a session that is over is renewed, once at a time", async () => {
  const door = new Door();
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  await pass(1000);
  door.ended = new Set(door.given);
  visitor.say("after");
  await pass(3000);
  assert.deepEqual(door.said.map((s) => s.text), ["after"]);
  assert.equal(door.given.length, 2);
  assert.equal(seen.line, "ok");
  door.closed = true;
  visitor.say("never taken");
  await pass(3000);
  assert.equal(seen.line, "refused");
  assert.equal(seen.said.at(-1)!.state, "waiting");
  visitor.stop();
});

timed("what the door refuses is marked, and holds nothing up", async () => {
  const door = new Door();
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  visitor.say("refuse");
  visitor.say("fine");
  await pass(3000);
  assert.deepEqual(seen.said.map((s) => s.state), ["refused", "sent"]);
  visitor.stop();
});

timed("nobody is shown another's conversation", async () => {
  const door = new Door();
  const storage = new Memory();
  const first = open(door, storage);
  first.visitor.watch("close");
  first.visitor.say("mine");
  await pass(3000);
  first.visitor.stop();
  door.visitor = "visitor-43";
  const second = open(door, storage);
  second.visitor.watch("close");
  await pass(3000);
  assert.deepEqual(second.seen.said, []);
  second.visitor.stop();
});

timed("what a visitor said is not sent as another's, and goes when they are back", async () => {
  const door = new Door();
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  await pass(1000);
  door.visitor = "visitor-43"; // somebody else logged in
  door.ended = new Set(door.given);
  visitor.say("of 42");
  await pass(10_000);
  assert.equal(door.said.length, 0);
  assert.equal(seen.said.length, 0);
  assert.equal(seen.line, "ok");
  visitor.say("of 43");
  await pass(3000);
  door.visitor = "visitor-42";
  door.ended = new Set(door.given);
  await pass(10_000);
  assert.deepEqual(door.said.map((s) => `${s.visitor}: ${s.text}`), ["visitor-43: of 43", "visitor-42: of 42"]);
  assert.deepEqual(seen.said.map((s) => `${s.text} ${s.state}`), ["of 42 sent"]);
  visitor.stop();
});

timed("an answer that comes when the visitor is another is the first one's", async () => {
  const door = new Door();
  const { visitor, seen } = open(door, new Memory());
  visitor.watch("close");
  await pass(1000);
  let release = (): void => undefined;
  door.held["events"] = new Promise((resolve) => (release = resolve));
  visitor.say("of 42"); // taken, and not answered yet
  await pass(1000);
  door.visitor = "visitor-43";
  door.ended = new Set(door.given);
  await pass(10_000);
  assert.equal(seen.said.length, 0);
  release();
  await pass(3000);
  assert.equal(seen.said.length, 0);
  door.visitor = "visitor-42";
  door.ended = new Set(door.given);
  await pass(10_000);
  assert.deepEqual(seen.said.map((s) => `${s.text} ${s.state}`), ["of 42 sent"]);
  assert.equal(door.said.length, 1);
  visitor.stop();
});

timed("nobody is shown the replies to another that were on their way", async () => {
  const door = new Door();
  const storage = new Memory();
  door.replies.push({ id: "r1", at: "2026-01-18T14:25:00Z", text: "for 42", n: 5, of: "visitor-42" });
  const { visitor, seen } = open(door, storage);
  let release = (): void => undefined;
  door.held["replies"] = new Promise((resolve) => (release = resolve));
  visitor.watch("close");
  await pass(1000);
  assert.equal(door.polls, 1);
  door.visitor = "visitor-43";
  door.ended = new Set(door.given);
  visitor.say("who am I?"); // its session is renewed while the replies are on their way
  await pass(1000);
  assert.equal(door.given.length, 2);
  door.replies.push({ id: "r2", at: "2026-01-18T14:26:00Z", text: "for 43", n: 3, of: "visitor-43" });
  release();
  await pass(10_000);
  assert.deepEqual(seen.said.map((s) => s.text), ["for 43"]);
  assert.doesNotMatch(storage.held.get("signalbox chat acme-site chat.acme.example visitor-43")!, /for 42/);
  visitor.stop();
});

timed("what is forgotten does not come back", async () => {
  const door = new Door();
  const storage = new Memory();
  door.replies.push({ id: "r1", at: "2026-01-18T14:25:00Z", text: "hello", n: 5 });
  const first = open(door, storage);
  first.visitor.watch("close");
  first.visitor.say("mine");
  await pass(3000);
  assert.equal(first.seen.said.length, 2);
  first.visitor.forget();
  await pass(10_000);
  first.visitor.stop();
  const second = open(door, storage);
  second.visitor.watch("close");
  await pass(3000);
  assert.deepEqual(second.seen.said, []);
  for (const value of storage.held.values()) assert.doesNotMatch(value, /mine|hello/);
  second.visitor.stop();
});

timed("replies are looked for often at first, seldom later, and not at all by a page that is not seen", async () => {
  const door = new Door();
  const { visitor } = open(door, new Memory());
  visitor.watch("close");
  await pass(60_000);
  const close = door.polls;
  assert.ok(close >= 15 && close <= 21, String(close));
  await pass(600_000);
  assert.ok(door.polls - close < 80, String(door.polls - close));
  visitor.watch("seldom");
  await pass(1000);
  const seldom = door.polls;
  await pass(120_000);
  assert.ok(door.polls - seldom <= 7, String(door.polls - seldom));
  visitor.watch("never");
  await pass(1000);
  const never = door.polls;
  await pass(600_000);
  assert.equal(door.polls, never);
});

test("the widget is one file of less than 20 KB", () => {
  const file = readFileSync("dist/widget.js");
  const size = gzipSync(file, { level: 9 }).length;
  console.log(`dist/widget.js: ${file.length} bytes, ${size} gzipped`);
  assert.ok(size < 20_000, `${size} bytes gzipped`);
  assert.doesNotMatch(file.toString(), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/);
});
