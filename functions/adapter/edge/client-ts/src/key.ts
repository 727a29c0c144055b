import { decode } from "./base64.js";

/** An account's key, ready to sign: a `whsec_` by HMAC-SHA-256, a `whsk_` by Ed25519. For servers: a page never has one. */
export interface SigningKey {
  readonly kind: "secret" | "private";
  sign(content: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

/** What is in front of an Ed25519 seed in PKCS #8. */
const pkcs8 = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/** Reads a key as the tenant's file writes it, or its private half. The error holds nothing of it. */
export async function readKey(key: string): Promise<SigningKey> {
  const [, kind, encoded] = /^(whsec|whsk)_([A-Za-z0-9+/]+={0,2})$/.exec(key) ?? [];
  const bytes = encoded && encoded.length % 4 === 0 ? decode(encoded) : new Uint8Array();
  if (kind === "whsec" && bytes.length >= 24 && bytes.length <= 64) {
    const hmac = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return { kind: "secret", sign: async (content) => new Uint8Array(await crypto.subtle.sign("HMAC", hmac, content)) };
  }
  if (kind === "whsk" && bytes.length === 64) {
    const seed = Uint8Array.from([...pkcs8, ...bytes.subarray(0, 32)]);
    const pair = await crypto.subtle.importKey("pkcs8", seed, { name: "Ed25519" }, false, ["sign"]);
    return { kind: "private", sign: async (content) => new Uint8Array(await crypto.subtle.sign("Ed25519", pair, content)) };
  }
  throw new TypeError("the key is whsec_ and 24 to 64 bytes in base64, or whsk_ and 64");
}
