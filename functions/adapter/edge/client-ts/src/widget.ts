import { Visitor, type Line, type Said } from "./visitor.js";

/*
 * <signalbox-chat session="/chat/session" endpoint="https://hooks.acme.example" name="Acme"></signalbox-chat>
 *
 * A chat in a page: one element, no framework. Everything that anybody wrote is put in as text. It has no inline style or script, so that it works
 * under a strict Content-Security-Policy, and makes no HTML of text, so that it works under Trusted Types.
 */

const words = {
  open: "Chat with {name}",
  unread: "Chat with {name}, {count} new messages",
  title: "Chat with {name}",
  close: "Close chat",
  forget: "Forget this chat",
  forgetHelp: "Removes the conversation from this device.",
  log: "Messages",
  label: "Your message",
  hint: "Enter sends, Shift and Enter makes a new line.",
  send: "Send",
  you: "You",
  waiting: "Sending",
  sent: "Sent",
  refused: "Not sent",
  offline: "You are offline. Messages are sent when the line is back.",
  unavailable: "Chat is not available at the moment. Messages are kept and sent later.",
  empty: "Write a message first.",
  suggestions: "Suggested answers",
  newWindow: "opens in a new window",
  file: "File",
};

type Words = typeof words;

const css = `
:host { all: initial; display: block; position: fixed; inset-block-end: 1rem; inset-inline-end: 1rem; z-index: 2147483000; font: 1rem/1.5 system-ui, sans-serif; color: #1a1a1a; direction: inherit; }
:host([hidden]) { display: none; }
* { box-sizing: border-box; font: inherit; }
button, textarea { color: inherit; }
button { min-inline-size: 2.75rem; min-block-size: 2.75rem; padding: .5rem 1rem; border: 2px solid var(--signalbox-color, #17458f); border-radius: .5rem; background: #fff; color: var(--signalbox-color, #17458f); cursor: pointer; }
.main { background: var(--signalbox-color, #17458f); color: #fff; font-weight: 600; }
:focus-visible { outline: 3px solid #111; outline-offset: 2px; box-shadow: 0 0 0 2px #fff; }
.launcher { display: block; margin-inline-start: auto; border-radius: 2rem; }
.panel { display: flex; flex-direction: column; inline-size: min(24rem, calc(100vw - 2rem)); max-block-size: min(36rem, calc(100vh - 2rem)); overflow: auto; background: #fff; border: 1px solid #5c6370; border-radius: .75rem; box-shadow: 0 .5rem 2rem #0004; }
.panel[hidden], .launcher[hidden], [hidden] { display: none; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; padding: .75rem 1rem; border-block-end: 1px solid #c3c8d1; }
h2 { flex: 1; margin: 0; font-size: 1.125rem; font-weight: 600; overflow-wrap: anywhere; }
.log { flex: 1 1 18rem; min-block-size: 6rem; overflow-y: auto; padding: 1rem; }
.said { margin-block-end: .75rem; max-inline-size: 85%; inline-size: fit-content; padding: .5rem .75rem; border: 1px solid #8b93a1; border-radius: .75rem; background: #f2f4f8; overflow-wrap: anywhere; }
.mine { margin-inline-start: auto; background: #e3ecfb; border-color: #17458f; }
.text { margin: 0; white-space: pre-wrap; }
.note { margin: 0; font-size: .875rem; color: #3c4350; }
.suggestions { display: flex; flex-wrap: wrap; gap: .5rem; margin-block-end: .75rem; }
a { color: #17458f; text-decoration: underline; }
.status { margin: 0; padding: 0 1rem; font-size: .875rem; color: #7a1f1f; }
.status:not(:empty) { padding-block: .5rem; }
form { display: flex; flex-wrap: wrap; gap: .25rem .5rem; padding: .75rem 1rem .5rem; border-block-start: 1px solid #c3c8d1; }
label { flex: 1 1 100%; font-weight: 600; }
textarea { flex: 1 1 10rem; min-inline-size: 0; max-inline-size: 100%; min-block-size: 2.75rem; resize: vertical; padding: .5rem; border: 1px solid #5c6370; border-radius: .5rem; background: #fff; }
.hint { flex: 1 1 100%; }
footer { padding: 0 1rem .75rem; }
footer button { border-width: 1px; padding-block: .25rem; font-size: .875rem; }
.away { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 26rem), (max-height: 26rem) { :host([open]) { inset: 0; } .panel { inline-size: 100%; block-size: 100%; max-block-size: none; border-radius: 0; } }
@media (prefers-reduced-motion: no-preference) { .log { scroll-behavior: smooth; } }
@media (forced-colors: active) { .said, button, textarea { border: 1px solid; } :focus-visible { outline-color: Highlight; } }
@media (prefers-contrast: more) { .note { color: #000; } .said { border-color: #000; } }
`;

/** Makes an element with text and attributes. Text is only ever text. */
function make<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Record<string, string> = {}, ...inside: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...inside);
  return made;
}

function storage(): Storage | undefined {
  try {
    return window.localStorage;
  } catch {
    return undefined; // the visitor does not allow it
  }
}

class SignalboxChat extends HTMLElement {
  #words: Words = words;
  #visitor: Visitor | undefined;
  #shown = new Map<string, HTMLElement>();
  #seen = new Set<string>();
  #first = true;
  #line: Line = "ok";
  #mistake = "";
  #launcher = make("button", { type: "button", class: "launcher main", "aria-expanded": "false" });
  #panel = make("section", { class: "panel", "aria-labelledby": "title" });
  #title = make("h2", { id: "title" });
  #log = make("div", { class: "log", role: "log", tabindex: "0" });
  #status = make("p", { class: "status", role: "status" });
  #text = make("textarea", { id: "text", rows: "2", maxlength: "4000", "aria-describedby": "hint", dir: "auto", enterkeyhint: "send" });
  #close = make("button", { type: "button" });
  #forget = make("button", { type: "button" });

  /** Other words, all or some: what is left out stays English. Set it before the element is put into the page. */
  set words(other: Partial<Words>) {
    this.#words = { ...this.#words, ...other };
  }

  connectedCallback(): void {
    if (this.shadowRoot) return;
    const given = this.getAttribute("words");
    if (given) this.words = JSON.parse(given) as Partial<Words>;
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    root.adoptedStyleSheets = [sheet];
    root.append(this.#build(), this.#launcher);
    this.#visitor = new Visitor({
      endpoint: (this.getAttribute("endpoint") ?? "").replace(/\/$/, ""),
      session: () => this.#session(),
      changed: (said, line) => this.#show(said, line),
      ...(storage() ? { storage: storage()! } : {}),
    });
    window.addEventListener("online", this.#online);
    window.addEventListener("storage", this.#stored);
    document.addEventListener("visibilitychange", this.#visible);
    if (this.hasAttribute("open")) this.#toggle(true, false);
    else this.#watch(); // a conversation may go on
  }

  disconnectedCallback(): void {
    this.#visitor?.stop();
    window.removeEventListener("online", this.#online);
    window.removeEventListener("storage", this.#stored);
    document.removeEventListener("visibilitychange", this.#visible);
  }

  #online = () => this.#visitor?.retry();
  #stored = () => this.#visitor?.reload();
  #visible = () => this.#watch();

  /** Nothing is asked for by a page that is not seen, nor before the visitor was here. */
  #watch(): void {
    const talked = storage()?.getItem("signalbox talked");
    this.#visitor?.watch(document.hidden ? "never" : this.hasAttribute("open") ? "close" : talked ? "seldom" : "never");
  }

  /** Asks the tenant's server, with the visitor's cookies, for a token. */
  async #session(): Promise<string> {
    const answer = await fetch(this.getAttribute("session") ?? "", { method: "POST", credentials: "same-origin", headers: { accept: "application/json" } });
    if (!answer.ok) throw new Error(`the session's page answered ${answer.status}`);
    return ((await answer.json()) as { token: string }).token;
  }

  #say(key: keyof Words, count = 0): string {
    return this.#words[key].replaceAll("{name}", this.getAttribute("name") ?? "us").replaceAll("{count}", String(count));
  }

  #build(): HTMLElement {
    const send = make("button", { type: "submit", class: "main" }, this.#say("send"));
    const form = make("form", {}, make("label", { for: "text" }, this.#say("label")), this.#text, send, make("p", { id: "hint", class: "note hint" }, this.#say("hint")));
    this.#title.textContent = this.#say("title");
    this.#log.setAttribute("aria-label", this.#say("log"));
    this.#close.textContent = this.#say("close");
    this.#forget.textContent = this.#say("forget");
    this.#forget.title = this.#say("forgetHelp");
    this.#launcher.textContent = this.#say("open");
    this.#panel.hidden = true;
    this.#panel.append(make("header", {}, this.#title, this.#close), this.#log, this.#status, form, make("footer", {}, this.#forget));
    this.#launcher.addEventListener("click", () => this.#toggle(true, true));
    this.#close.addEventListener("click", () => this.#toggle(false, true));
    this.#forget.addEventListener("click", () => {
      this.#visitor?.forget();
      storage()?.removeItem("signalbox talked");
      this.#text.focus();
    });
    this.#panel.addEventListener("keydown", (e) => {
      if (e.key === "Escape" && !e.isComposing) this.#toggle(false, true);
    });
    this.#text.addEventListener("keydown", (e) => {
      if (e.key !== "Enter" || e.shiftKey || e.isComposing) return;
      e.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("input", () => {
      this.#mistake = "";
      this.#tell();
    });
    form.addEventListener("submit", (e) => {
      e.preventDefault();
      this.#send();
    });
    return this.#panel;
  }

  #toggle(open: boolean, focus: boolean): void {
    this.toggleAttribute("open", open);
    this.#panel.hidden = !open;
    this.#launcher.hidden = open;
    this.#launcher.setAttribute("aria-expanded", String(open));
    if (open) {
      this.#read();
      this.#log.scrollTop = this.#log.scrollHeight;
    }
    if (focus) (open ? this.#text : this.#launcher).focus();
    this.#watch();
  }

  #read(): void {
    for (const id of this.#shown.keys()) this.#seen.add(id);
    this.#launcher.textContent = this.#say("open");
  }

  #send(): void {
    const text = this.#text.value.trim();
    this.#mistake = text ? "" : this.#say("empty");
    this.#tell();
    if (!text) return this.#text.focus();
    this.#text.value = "";
    this.#answer(text);
  }

  #answer(text: string, postback?: string): void {
    try {
      storage()?.setItem("signalbox talked", "1");
    } catch {
      // full, or not allowed
    }
    this.#visitor?.say(text, postback);
    this.#text.focus();
  }

  /** Shows what was said. What is shown already stays as it is, so that it is not read out again. */
  #show(said: readonly Said[], line: Line): void {
    const end = this.#log.scrollHeight - this.#log.scrollTop - this.#log.clientHeight < 80;
    for (const [id, element] of this.#shown) {
      if (!said.some((s) => s.id === id)) {
        element.remove();
        this.#shown.delete(id);
      }
    }
    this.#log.querySelector(".suggestions")?.remove();
    let added = false;
    for (const s of said) {
      const held = this.#shown.get(s.id);
      if (held) this.#mark(held, s);
      else {
        const made = this.#bubble(s);
        this.#shown.set(s.id, made);
        this.#log.append(made);
        added = true;
      }
    }
    const last = said.at(-1);
    if (last && !last.mine && last.suggestions?.length) this.#log.append(this.#suggestions(last));
    if (added && (end || last?.mine || this.#first)) this.#log.scrollTop = this.#log.scrollHeight;
    this.#first = false;
    this.#line = line;
    this.#tell();
    if (this.hasAttribute("open")) this.#read();
    else {
      const unread = said.filter((s) => !s.mine && !this.#seen.has(s.id)).length;
      this.#launcher.textContent = unread ? this.#say("unread", unread) : this.#say("open");
    }
  }

  /** Tells a mistake until it is corrected, and else how the line stands. What is told already is not read out again. */
  #tell(): void {
    const line = this.#line === "ok" ? "" : this.#say(navigator.onLine ? "unavailable" : "offline");
    const told = this.#mistake || line;
    if (this.#status.textContent !== told) this.#status.textContent = told;
  }

  #bubble(s: Said): HTMLElement {
    const who = s.mine ? this.#say("you") : (s.name ?? this.getAttribute("name") ?? "");
    const time = make("time", { datetime: s.at }, new Date(s.at).toLocaleTimeString(this.lang || document.documentElement.lang || undefined, { hour: "2-digit", minute: "2-digit" }));
    const bubble = make("div", { class: s.mine ? "said mine" : "said" }, make("p", { class: "note" }, `${who}, `, time), make("p", { class: "text", dir: "auto" }, s.text));
    for (const a of s.attachments ?? []) {
      if (!a.url.startsWith("https://")) continue;
      const link = make("a", { href: a.url, target: "_blank", rel: "noopener noreferrer" }, a.name || this.#say("file"), make("span", { class: "away" }, ` (${this.#say("newWindow")})`));
      bubble.append(make("p", { class: "text" }, link));
    }
    if (s.mine) bubble.append(make("p", { class: "note state" }));
    this.#mark(bubble, s);
    return bubble;
  }

  #mark(bubble: HTMLElement, s: Said): void {
    const state = bubble.querySelector(".state");
    const word = s.state ? this.#say(s.state) : "";
    if (state && state.textContent !== word) state.textContent = word;
  }

  #suggestions(s: Said): HTMLElement {
    const group = make("div", { class: "suggestions", role: "group", "aria-label": this.#say("suggestions") });
    for (const offered of s.suggestions ?? []) {
      const button = make("button", { type: "button" }, offered.text);
      button.addEventListener("click", () => this.#answer(offered.text, offered.postback));
      group.append(button);
    }
    return group;
  }
}

if (!customElements.get("signalbox-chat")) customElements.define("signalbox-chat", SignalboxChat);
