/** Bytes of a base64 text; throws for anything else. */
export function decode(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

/** Base64 of bytes. */
export function encode(bytes: Uint8Array): string {
  let text = "";
  for (const b of bytes) text += String.fromCharCode(b);
  return btoa(text);
}

/** Base64 for URLs, without padding. */
export function encodeURL(bytes: Uint8Array): string {
  return encode(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Bytes of a base64 text for URLs. */
export function decodeURL(text: string): Uint8Array<ArrayBuffer> {
  return decode(text.replaceAll("-", "+").replaceAll("_", "/"));
}

/** UTF-8 of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}
