import { attempt, pause, type Outcome, type Request, type Verdict } from "./attempt.js";
import { readKey, type SigningKey } from "./key.js";
import { Queue, type QueueOptions } from "./queue.js";
import { mintSession, type Session } from "./session.js";
import { sign } from "./sign.js";

/** How long send repeats a request. */
const patience = 86_400_000;

export interface ClientOptions {
  /** Of the deployment, without a slash at its end. */
  url: string;
  /** The account's id, as in the tenant's file. */
  account: string;
  /** The account's whsec_, or the whsk_ of its whpk_. A page never has it. */
  key: string;
  /** In place of the platform's fetch. */
  fetch?: typeof fetch;
}

/** A request was not taken, and will not be as it is. Its message holds nothing of the request. */
export class RefusedError extends Error {
  constructor(
    readonly status: number,
    readonly verdicts: Verdict[],
  ) {
    const problems = (verdicts[0]?.problems ?? []).map((p) => `; ${p.path} ${p.reason}`).join("");
    super(`answered ${status} ${verdicts[0]?.error ?? ""}`.trim() + problems);
  }
}

/** Makes a request of its own id that tells events, 1 to 100. */
export function newRequest(...events: object[]): Request {
  if (events.length === 0) throw new TypeError("a request tells at least one event");
  return { id: `msg_${crypto.randomUUID()}`, body: JSON.stringify(events.length === 1 ? events[0] : events) };
}

/** Tells events to one account's door, from a server. */
export class Client {
  readonly #options: ClientOptions;
  readonly #url: string;
  #key: Promise<SigningKey> | undefined;

  constructor(options: ClientOptions) {
    if (!/^https?:\/\/[^/]+(\/.*)?$/.test(options.url) || options.url.endsWith("/")) {
      throw new TypeError("the url is the deployment's, such as https://hooks.acme.example, without a slash at its end");
    }
    if (!options.account || encodeURIComponent(options.account) !== options.account) throw new TypeError("the account is its id in the tenant's file");
    this.#options = options;
    this.#url = `${options.url}/v1/accounts/${options.account}/edge/events`;
  }

  /**
   * Sends a request until it is answered for good, for a day at most and until signal aborts. Resolves to a verdict for each event: of several,
   * some may be refused. If none was accepted it rejects with a RefusedError.
   */
  async send(request: Request, signal?: AbortSignal): Promise<Verdict[]> {
    const end = Date.now() + patience;
    for (let n = 1; ; n++) {
      const outcome = await this.attempt(request);
      if (outcome.kind === "accepted") return outcome.verdicts;
      if (outcome.kind === "refused") throw new RefusedError(outcome.status, outcome.verdicts);
      if (outcome.kind === "blocked") throw new RefusedError(outcome.status, []);
      const wait = Math.max(pause(n), outcome.wait);
      if (Date.now() + wait > end) throw new Error(`no answer for a day, the last ${outcome.status}`);
      await sleep(wait, signal);
    }
  }

  /** Sends a request once, signed now. */
  async attempt(request: Request): Promise<Outcome> {
    const key = await (this.#key ??= readKey(this.#options.key));
    const headers = await sign(key, request.id, request.body, new Date());
    const init = { method: "POST", body: request.body, headers: { ...headers, "content-type": "application/json" } };
    return attempt(this.#options.fetch ?? fetch, this.#url, init);
  }

  /** A queue that keeps what cannot be sent yet, in order. Start it. */
  queue(options: QueueOptions = {}): Queue {
    return new Queue((request) => this.attempt(request), options);
  }

  /** A token for the page of a visitor, for 15 minutes: what a backend's own page of sessions answers. */
  session(s: Omit<Session, "account">): Promise<string> {
    return mintSession(this.#options.key, { ...s, account: this.#options.account });
  }
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
