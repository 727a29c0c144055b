/** What a person agreed to about the messages that a device forwards: consent.md of the door's folder says who is asked what. */
export interface Permission {
  /** Where the consent can be looked up. */
  reference?: string;
  /** Whether the words may leave the device, too. */
  content?: boolean;
}

/** An event, or what a device saw with it. */
export type Seen = { readonly [name: string]: unknown };

const side = ["phone", "id", "channelAddress"];

/** What may leave a device of an event, by its path. What is not listed does not. */
const members: Record<string, string[]> = {
  "": ["eventId", "type", "channel", "direction", "providerMessageId", "conversationId", "timestamp"],
  sender: side,
  recipient: side,
  relatesTo: ["kind", "providerMessageId"],
  receipt: ["state", "at"],
  consent: ["state", "keyword", "purpose"],
};

/** What may leave beside it if the person agreed. */
const content: Record<string, string[]> = {
  sender: ["displayName"],
  recipient: ["displayName"],
  message: ["text"],
  reaction: ["emoji", "removed"],
};

/**
 * The event that a device may forward of what it saw: an event in the form of the door's, with whatever else it holds. Of that it takes what is
 * listed, who decrypted it and by what consent; without a permission for the words the message is an encrypted one. A kind of event that tells
 * nothing without its content is an error.
 */
export function extract(seen: Seen, by: string, permission: Permission = {}): Record<string, unknown> {
  const type = seen["type"] ?? "";
  if (!by) throw new TypeError("who decrypted it is to be named");
  if (permission.content && !permission.reference) throw new TypeError("content leaves a device by a consent that can be looked up");
  if (!["", "message", "edit", "retract", "receipt", "consent"].includes(type as string) && !(type === "reaction" && permission.content)) {
    throw new TypeError("nothing may leave of an event of this type");
  }
  const out: Record<string, unknown> = {};
  for (const list of permission.content ? [members, content] : [members]) {
    for (const [path, names] of Object.entries(list)) {
      if (path === "") take(out, seen, names);
      else {
        const inner = seen[path];
        if (typeof inner !== "object" || inner === null || Array.isArray(inner)) continue;
        const into = (out[path] ?? {}) as Record<string, unknown>;
        take(into, inner as Seen, names);
        if (Object.keys(into).length > 0) out[path] = into;
      }
    }
  }
  if (seen["message"] !== undefined && !permission.content && ["", "message", "edit"].includes(type as string)) {
    out["message"] = { contentType: "encrypted" };
  }
  out["metadata"] = { extraction: { by, ...(permission.reference ? { consentReference: permission.reference } : {}) } };
  return out;
}

/** Copies texts, numbers and truth values, by their names: nothing hides in an object. */
function take(out: Record<string, unknown>, seen: Seen, names: string[]): void {
  for (const name of names) {
    const value = Object.hasOwn(seen, name) ? seen[name] : undefined;
    if (["string", "number", "boolean"].includes(typeof value)) out[name] = value;
  }
}
