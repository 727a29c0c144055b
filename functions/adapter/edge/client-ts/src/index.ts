export { attempt, type Outcome, type Problem, type Request, type Verdict } from "./attempt.js";
export { Client, newRequest, RefusedError, type ClientOptions } from "./client.js";
export { extract, type Permission, type Seen } from "./extraction.js";
export { Queue, QueueFullError, type KeyValue, type QueueOptions } from "./queue.js";
export { maxSession, mintSession, type Session } from "./session.js";
