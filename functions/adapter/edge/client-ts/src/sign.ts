import { encode, utf8 } from "./base64.js";
import type { SigningKey } from "./key.js";

/** The headers of a request that is sent now, by Standard Webhooks. */
export async function sign(key: SigningKey, id: string, body: string, now: Date): Promise<Record<string, string>> {
  const timestamp = String(Math.floor(now.getTime() / 1000));
  const signature = encode(await key.sign(utf8(`${id}.${timestamp}.${body}`)));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": (key.kind === "secret" ? "v1," : "v1a,") + signature,
  };
}
