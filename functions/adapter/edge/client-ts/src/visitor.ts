import { attempt, type Outcome, type Request } from "./attempt.js";
import { decodeURL } from "./base64.js";
import { Queue, type KeyValue } from "./queue.js";

/** Something a visitor may answer with by tapping it. */
export interface Suggestion {
  text: string;
  postback?: string;
}

/** A file that was sent with a reply. */
export interface Attachment {
  url: string;
  name?: string;
  contentType?: string;
}

/** What was said in a conversation, by the visitor or by the other side. */
export interface Said {
  id: string;
  mine: boolean;
  text: string;
  at: string;
  /** Who wrote a reply. */
  name?: string;
  suggestions?: Suggestion[];
  attachments?: Attachment[];
  /** Of the visitor's own. */
  state?: "waiting" | "sent" | "refused";
}

/** How often replies are looked for: while the visitor has the conversation before them, while it goes on elsewhere, or not at all. */
export type Watch = "close" | "seldom" | "never";

/** How a visitor's connection stands. */
export type Line = "ok" | "offline" | "refused";

export interface VisitorOptions {
  /** Of the deployment, without a slash at its end. */
  endpoint: string;
  /** Asks the tenant's server for a session of this page: its token. */
  session: () => Promise<string>;
  /** Where the conversation and what waits is kept on the device; in memory if left out. */
  storage?: KeyValue;
  /** Called when something was said, went, or came. */
  changed: (said: readonly Said[], line: Line) => void;
  fetch?: typeof fetch;
}

interface Claims {
  aud: string;
  sub: string;
  line: string;
  exp: number;
}

/** What is kept of a conversation on the device. */
interface Kept {
  said: Said[];
  after: number;
}

const mostKept = 200;
const early = 30_000; // before its end a session is renewed

/** A visitor's side of a conversation, in a page: what the visitor writes goes out in order, also after a time without a line, and replies come in. */
export class Visitor {
  readonly #options: VisitorOptions;
  #kept: Kept = { said: [], after: 0 };
  #line: Line = "ok";
  #token = "";
  #claims: Claims | undefined;
  #asking: Promise<string> | undefined;
  #ends = 0;
  #queue: Queue | undefined;
  #early: Request[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: Watch = "never";
  #quiet = 0;
  #polling = false;

  constructor(options: VisitorOptions) {
    this.#options = options;
  }

  /** Finds out who the visitor is, sends what waits, and looks for replies, from now on so often. */
  watch(how: Watch): void {
    this.#watch = how;
    this.#quiet = 0;
    if (how === "never") clearTimeout(this.#timer);
    else this.#plan(0);
  }

  /** Says something. It is shown at once, and goes when it can. */
  say(text: string, postback?: string): void {
    const id = crypto.randomUUID();
    const at = new Date().toISOString();
    const message = { text, ...(postback ? { postback: { text, payload: postback } } : {}) };
    this.#add([{ id, mine: true, text, at, state: "waiting" }]);
    const request = { id, body: JSON.stringify({ eventId: id, message, timestamp: at }) };
    if (this.#queue) this.#queue.add(request);
    else this.#early.push(request);
    this.#quiet = 0;
    this.#plan(0);
  }

  /** Tries now: the line is back. */
  retry(): void {
    this.#queue?.retry();
    this.#plan(0);
  }

  /** Forgets the conversation on this device, and what was not sent. */
  forget(): void {
    this.#queue?.clear();
    this.#early = [];
    this.#kept = { said: [], after: this.#kept.after };
    this.#save();
    this.#tell();
  }

  /** Ends it: nothing is sent or asked any more. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#queue?.stop();
    this.#polling = true;
  }

  /** Reads what another page of the visitor's kept. */
  reload(): void {
    if (this.#claims) this.#load();
    this.#tell();
  }

  /** Asks once for replies. */
  async poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = true;
    try {
      await this.#ask();
    } finally {
      this.#polling = false;
    }
    if (this.#watch !== "never") this.#plan(this.#pause());
  }

  async #ask(): Promise<void> {
    try {
      let { whose, answer } = await this.#replies();
      if (answer.status === 403 && whose === this.#whose()) {
        this.#token = "";
        ({ whose, answer } = await this.#replies());
      }
      const news = answer.ok ? ((await answer.json()) as { replies: Omit<Said, "mine">[]; after: number }) : undefined;
      if (whose !== this.#whose()) return; // they are not whoever the visitor is now
      if (!news) return this.#set(answer.status === 403 ? "refused" : "offline");
      const fresh = news.replies.filter((r) => !this.#kept.said.some((s) => s.id === r.id));
      this.#quiet = fresh.length > 0 ? 0 : this.#quiet + 1;
      this.#kept.after = Math.max(this.#kept.after, news.after);
      this.#line = "ok";
      this.#add(fresh.map((r) => ({ ...r, text: r.text ?? "", mine: false })));
    } catch {
      this.#set("offline");
    }
  }

  /** Asks for what is new, and says whose it is. */
  async #replies(): Promise<{ whose: string; answer: Response }> {
    const headers = { authorization: `Bearer ${await this.#session()}` }; // it knows whose, and after what
    const whose = this.#whose();
    const init: RequestInit = { headers, credentials: "omit", redirect: "error", signal: AbortSignal.timeout(30_000) };
    return { whose, answer: await (this.#options.fetch ?? fetch)(this.#url(`replies?after=${this.#kept.after}`), init) };
  }

  #url(path: string): string {
    return `${this.#options.endpoint}/v1/accounts/${encodeURIComponent(this.#claims?.aud ?? "")}/edge/${path}`;
  }

  /** The token, a new one shortly before it ends. Its times are told by how long it holds: the device's clock may be wrong. */
  #session(): Promise<string> {
    if (this.#token && performance.now() < this.#ends) return Promise.resolve(this.#token);
    this.#asking ??= this.#renew().finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #renew(): Promise<string> {
    const token = await this.#options.session();
    const claims = JSON.parse(new TextDecoder().decode(decodeURL(token.split(".")[1] ?? ""))) as Claims & { iat: number };
    this.#token = token;
    this.#ends = performance.now() + Math.max((claims.exp - claims.iat) * 1000 - early, 5000);
    const other = !this.#claims || this.#claims.sub !== claims.sub || this.#claims.line !== claims.line || this.#claims.aud !== claims.aud;
    this.#claims = claims;
    if (other) this.#begin();
    return token;
  }

  /** Begins with the conversation of whoever the visitor is now: nobody is shown another's. */
  #begin(): void {
    this.#queue?.stop();
    const early = this.#early;
    const said = this.#kept.said.filter((s) => early.some((r) => r.id === s.id));
    this.#early = [];
    this.#kept = { said: [], after: 0 };
    this.#load();
    const whose = this.#whose();
    this.#queue = new Queue((r) => this.#post(r, whose), {
      most: 100,
      name: `signalbox queue ${whose}`,
      ...(this.#options.storage ? { storage: this.#options.storage } : {}),
      settled: (request, outcome) => this.#settled(request, outcome, whose),
      waiting: (outcome) => {
        if (whose === this.#whose()) this.#set(outcome.kind === "blocked" ? "refused" : "offline");
      },
    });
    this.#add(said);
    for (const request of early) this.#queue.add(request);
    this.#queue.start();
  }

  /** Sends what somebody said, as them alone: where the visitor is another by now it stays in their queue, which was stopped. */
  async #post(request: Request, whose: string): Promise<Outcome> {
    const send = async (): Promise<Outcome> => {
      try {
        const token = await this.#session();
        if (whose !== this.#whose()) return { kind: "again", status: 0, wait: 0 };
        const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "webhook-id": request.id };
        return await attempt(this.#options.fetch ?? fetch, this.#url("events"), { method: "POST", body: request.body, headers });
      } catch {
        return { kind: "again", status: 0, wait: 0 };
      }
    };
    const outcome = await send();
    if (outcome.kind !== "blocked" || outcome.status !== 403 || whose !== this.#whose()) return outcome;
    this.#token = "";
    return send();
  }

  #settled(request: Request, outcome: Outcome, whose: string): void {
    const state = outcome.kind === "accepted" ? "sent" : "refused";
    const mine = whose === this.#whose();
    const kept = mine ? this.#kept : this.#read(whose);
    if (kept) kept.said = kept.said.map((s) => (s.id === request.id ? { ...s, state } : s));
    if (!mine) {
      if (kept) this.#write(whose, kept);
      return;
    }
    this.#line = "ok";
    this.#save();
    this.#tell();
    this.#plan(1000);
  }

  /** Every few seconds while something is going on, and seldom otherwise. */
  #pause(): number {
    if (this.#line !== "ok") return this.#watch === "close" ? 5_000 : 60_000;
    if (this.#watch === "seldom") return Math.min(10_000 * 1.3 ** this.#quiet, 60_000);
    return Math.min(3_000 * 1.15 ** Math.max(this.#quiet - 20, 0), 20_000);
  }

  #plan(milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.poll(), milliseconds);
  }

  #set(line: Line): void {
    if (this.#line === line) return;
    this.#line = line;
    this.#tell();
  }

  #add(said: Said[]): void {
    const news = said.filter((s) => !this.#kept.said.some((held) => held.id === s.id));
    if (news.length > 0) {
      this.#kept.said = [...this.#kept.said, ...news].slice(-mostKept);
      this.#save();
    }
    this.#tell();
  }

  #tell(): void {
    this.#options.changed(this.#kept.said, this.#line);
  }

  /** Whoever the visitor is now, by a name that is one conversation's alone. */
  #whose(): string {
    const c = this.#claims;
    return `${c?.aud} ${c?.line} ${c?.sub}`;
  }

  #load(): void {
    this.#kept = this.#read(this.#whose()) ?? this.#kept;
  }

  #save(): void {
    if (this.#claims) this.#write(this.#whose(), this.#kept);
  }

  #read(whose: string): Kept | undefined {
    try {
      const kept = JSON.parse(this.#options.storage?.getItem(`signalbox chat ${whose}`) ?? "null") as Kept | null;
      if (kept && Array.isArray(kept.said) && typeof kept.after === "number") return kept;
    } catch {
      // what another program put there
    }
    return undefined;
  }

  #write(whose: string, kept: Kept): void {
    try {
      this.#options.storage?.setItem(`signalbox chat ${whose}`, JSON.stringify(kept));
    } catch {
      // full, or not allowed: it goes on in memory
    }
  }
}
