import { pause, type Outcome, type Request } from "./attempt.js";

/** Where a queue keeps its requests over a restart: localStorage is one. */
export interface KeyValue {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface QueueOptions {
  /** How many requests it holds; 1000 if left out. */
  most?: number;
  /** Where they are kept, in the clear; in memory if left out. */
  storage?: KeyValue;
  /** The name in the storage, one queue's alone. */
  name?: string;
  /** Called with each request that was answered for good. It is no longer in the queue. */
  settled?: (request: Request, outcome: Outcome) => void;
  /** Called after each attempt that was not: nothing goes for now, for the wait of the line or for a wrong key. */
  waiting?: (outcome: Outcome) => void;
}

/** A queue is full. */
export class QueueFullError extends Error {}

/**
 * Keeps requests and sends them one after the other, in the order they were added: the next when the one before was answered for good. It
 * gives none up for want of an answer.
 */
export class Queue {
  readonly #send: (r: Request) => Promise<Outcome>;
  readonly #options: QueueOptions;
  #held: Request[] = [];
  #failed = 0;
  #running = false;
  #stopped = true;
  #wake: (() => void) | undefined;

  constructor(send: (r: Request) => Promise<Outcome>, options: QueueOptions = {}) {
    this.#send = send;
    this.#options = options;
    this.#held = this.#load();
  }

  get length(): number {
    return this.#held.length;
  }

  /** Puts a request behind the others. */
  add(request: Request): void {
    if (this.#held.length >= (this.#options.most ?? 1000)) throw new QueueFullError("the queue is full");
    this.#held.push(request);
    this.#save();
    if (!this.#stopped) void this.#run();
  }

  /** Sends what is there and what is added. */
  start(): void {
    this.#stopped = false;
    void this.#run();
  }

  /** Tries now what waits for its pause: the line is back. */
  retry(): void {
    this.#wake?.();
  }

  /** Sends no more; what is there stays. */
  stop(): void {
    this.#stopped = true;
    this.#wake?.();
  }

  /** Drops what is there. */
  clear(): void {
    this.#held = [];
    this.#save();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let request = this.#held[0]; request && !this.#stopped; request = this.#held[0]) {
        const outcome = await this.#send(request);
        if (outcome.kind === "accepted" || outcome.kind === "refused") {
          this.#failed = 0;
          this.#held = this.#held.filter((other) => other !== request);
          this.#save();
          this.#options.settled?.(request, outcome);
          continue;
        }
        this.#failed++;
        this.#options.waiting?.(outcome);
        await this.#sleep(Math.max(pause(this.#failed), outcome.kind === "again" ? outcome.wait : 0));
      }
    } finally {
      this.#running = false;
    }
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #load(): Request[] {
    const { storage, name = "signalbox" } = this.#options;
    try {
      const held: unknown = JSON.parse(storage?.getItem(name) ?? "[]");
      return Array.isArray(held) ? held.filter((r): r is Request => typeof r?.id === "string" && typeof r?.body === "string") : [];
    } catch {
      return []; // what another program put there
    }
  }

  #save(): void {
    const { storage, name = "signalbox" } = this.#options;
    try {
      if (this.#held.length === 0) storage?.removeItem(name);
      else storage?.setItem(name, JSON.stringify(this.#held));
    } catch {
      // full, or not allowed: it goes on in memory
    }
  }
}
