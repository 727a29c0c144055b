import { encodeURL, utf8 } from "./base64.js";
import { readKey } from "./key.js";

/** The longest that a session holds, in seconds. */
export const maxSession = 900;

/** Whose a session is, and for which page. Who the visitor is, the backend knows; it never asks the page. */
export interface Session {
  account: string;
  /** An id of yours, 1 to 200 characters. */
  visitor: string;
  /** What the visitor is called, if you know. */
  name?: string;
  /** The line's address, as the tenant's file writes it. */
  line: string;
  /** Of the page: https://acme.example. */
  origin: string;
}

/** Makes a token for a page, on the tenant's server, with the account's key. */
export async function mintSession(key: string, s: Session, now = new Date(), seconds = maxSession): Promise<string> {
  if (!s.account || !s.line) throw new TypeError("a session has an account and a line");
  if (!s.visitor || [...s.visitor].length > 200 || [...(s.name ?? "")].length > 200) {
    throw new TypeError("the visitor's id has 1 to 200 characters, and the name at most 200");
  }
  if (!isOrigin(s.origin)) throw new TypeError("the origin is that of a page, such as https://acme.example; http is for this machine alone");
  if (!(seconds > 0 && seconds <= maxSession)) throw new TypeError("a session holds for at most 15 minutes");
  const signing = await readKey(key);
  const iat = Math.floor(now.getTime() / 1000);
  const claims = { aud: s.account, sub: s.visitor, ...(s.name ? { name: s.name } : {}), line: s.line, origin: s.origin, iat, exp: iat + Math.floor(seconds) };
  const part = (value: unknown) => encodeURL(utf8(JSON.stringify(value)));
  const signed = part({ alg: signing.kind === "secret" ? "HS256" : "EdDSA", typ: "JWT" }) + "." + part(claims);
  return signed + "." + encodeURL(await signing.sign(utf8(signed)));
}

function isOrigin(text: string): boolean {
  try {
    const url = new URL(text);
    const own = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
    return url.origin === text && (url.protocol === "https:" || (url.protocol === "http:" && own));
  } catch {
    return false;
  }
}
