/** What is wrong with a member of an event. */
export interface Problem {
  path: string;
  code: string;
  reason: string;
}

/** What became of one event. */
export interface Verdict {
  status: "accepted" | "refused" | string;
  /** What an accepted one is called by the deployment. */
  eventId?: string;
  error?: string;
  message?: string;
  problems?: Problem[];
}

/** A request: the id and the body are the same on every repeat. */
export interface Request {
  id: string;
  body: string;
}

/** What became of one attempt. */
export type Outcome =
  | { kind: "accepted"; status: number; verdicts: Verdict[] }
  /** It will not be taken as it is. */
  | { kind: "refused"; status: number; verdicts: Verdict[] }
  /** The account, the key, the session or a clock is wrong, and not the request. */
  | { kind: "blocked"; status: number }
  /** The same request may be accepted later, after so many milliseconds at least. */
  | { kind: "again"; status: number; wait: number };

const again = [408, 429, 500, 502, 503, 504];
const ofRequest = [400, 409, 413, 415, 422];
const mostWait = 3_600_000;

/** Sends a request once and reads the answer by the policy of the door's page. It does not reject: no answer is to be repeated. */
export async function attempt(fetcher: typeof fetch, url: string, init: RequestInit): Promise<Outcome> {
  try {
    const answer = await fetcher(url, { ...init, redirect: "manual", credentials: "omit", signal: AbortSignal.timeout(30_000) });
    if (again.includes(answer.status)) {
      return { kind: "again", status: answer.status, wait: retryAfter(answer.headers.get("retry-after"), Date.now()) };
    }
    const text = await answer.text();
    if (!answer.ok && !ofRequest.includes(answer.status)) return { kind: "blocked", status: answer.status };
    return { kind: answer.ok ? "accepted" : "refused", status: answer.status, verdicts: verdicts(text) };
  } catch {
    return { kind: "again", status: 0, wait: 0 };
  }
}

function verdicts(text: string): Verdict[] {
  try {
    const told = JSON.parse(text) as Verdict & { events?: Verdict[] };
    return told.events ?? [told];
  } catch {
    return []; // some answers have no body
  }
}

/** The wait that an answer asks for, in seconds or until a time, as far as it is followed. */
export function retryAfter(value: string | null, now: number): number {
  if (!value) return 0;
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Math.min(Math.max(wait || 0, 0), mostWait);
}

/** The pause before the nth repeat, from 1 on: a random part of a bound that doubles, 15 minutes at most. */
export function pause(n: number, random = Math.random()): number {
  const bound = Math.min(1000 * 2 ** (n - 1), 900_000);
  return bound / 2 + (bound / 2) * random;
}
