import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import puppeteer, { type Browser, type ElementHandle, type Page } from "puppeteer-core";

// The widget in a browser, in a page with a strict Content-Security-Policy. A test in Go serves the page, the tenant's server and the door, and
// starts this.
const site = process.env["SITE"]!;
const shots = process.env["SHOTS"] ?? "";
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");

let browser: Browser;
let page: Page;
let visitor = "";
let problems: string[];

before(async () => {
  browser = await puppeteer.launch({ executablePath: process.env["CHROMIUM"]!, args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"] });
});
after(() => browser.close());

beforeEach(async () => {
  const context = await browser.createBrowserContext();
  page = await context.newPage();
  problems = [];
  page.on("console", (m) => {
    if (/Content Security Policy|Trusted|Uncaught/i.test(m.text())) problems.push(m.text());
  });
  page.on("pageerror", (e) => problems.push(String(e)));
  visitor = `visitor-${Math.random().toString(36).slice(2)}`;
});

/** Opens the page as a visitor of its own. */
async function visit(query = ""): Promise<void> {
  await page.goto(`${site}/?visitor=${visitor}${query}`);
  await page.waitForSelector("signalbox-chat");
}

/** What is in the widget by a selector. */
async function find(selector: string): Promise<ElementHandle<HTMLElement>> {
  const found = await page.waitForSelector(`signalbox-chat >>> ${selector}`);
  assert.ok(found, selector);
  return found as ElementHandle<HTMLElement>;
}

/** Runs in the page, with what the widget has inside. */
function inside<T>(f: (root: ShadowRoot) => T): Promise<T> {
  return page.evaluate(`(${f})(document.querySelector("signalbox-chat").shadowRoot)`) as Promise<T>;
}

const logged = () => inside((root) => [...root.querySelectorAll<HTMLElement>(".said")].map((s) => s.querySelector(".text")!.textContent + (s.querySelector(".state") ? ` (${s.querySelector(".state")!.textContent})` : "")));
const focused = () => inside((root) => root.activeElement?.id || root.activeElement?.className || "");
const status = () => inside((root) => root.querySelector("[role=status]")!.textContent);

/** Waits until f returns what is wanted. */
async function until<T>(f: () => Promise<T>, want: T): Promise<void> {
  let last: T | undefined;
  for (const end = Date.now() + 20_000; Date.now() < end; ) {
    last = await f();
    if (JSON.stringify(last) === JSON.stringify(want)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(last, want);
}

/** What the tenant's colleague sends to the visitor. */
async function reply(message: object): Promise<void> {
  const answer = await fetch(`${site}/reply?visitor=${visitor}`, { method: "POST", body: JSON.stringify(message) });
  assert.equal(answer.status, 200, await answer.text());
}

/** What the door has of the visitor: texts, and what was tapped. */
async function told(): Promise<string[]> {
  return (await (await fetch(`${site}/told?visitor=${visitor}`)).json()) as string[];
}

/** What axe finds, an independent judge of accessibility. */
async function audit(): Promise<void> {
  await page.evaluate(axe);
  const found = (await page.evaluate(
    `axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) => [r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")), r.passes.length])`,
  )) as [string[], number];
  assert.deepEqual(found[0], []);
  assert.ok(found[1] > 10, `${found[1]} rules passed`);
}

async function shoot(name: string): Promise<void> {
  if (shots) await page.screenshot({ path: `${shots}/${name}.webp`, type: "webp", quality: 80 });
}

function clean(): void {
  assert.deepEqual(problems, []);
}

test("a conversation by keyboard alone", async () => {
  await page.setViewport({ width: 900, height: 640 });
  await visit();
  assert.equal(await inside((root) => root.querySelector<HTMLElement>(".launcher")!.getAttribute("aria-expanded")), "false");
  await audit();
  await page.keyboard.press("Tab"); // the page's own link
  await page.keyboard.press("Tab");
  assert.match(await focused(), /launcher/);
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "text");
  await page.keyboard.press("Enter");
  await until(status, "Write a message first.");
  await page.keyboard.type("Do you deliver");
  await page.keyboard.down("Shift");
  await page.keyboard.press("Enter");
  await page.keyboard.up("Shift");
  await page.keyboard.type("on Saturdays?");
  await page.keyboard.press("Enter");
  await until(logged, ["Do you deliver\non Saturdays? (Sent)"]);
  await until(told, ["Do you deliver\non Saturdays?"]);
  assert.equal(await focused(), "text");
  await reply({ text: "Yes, until noon. Shall I reserve a slot?", suggestions: [{ text: "Yes, please", postback: "slot-yes" }, { text: "No, thanks" }] });
  await until(async () => (await logged()).length, 2);
  await audit();
  await shoot("conversation");
  await page.keyboard.down("Shift");
  for (let i = 0; i < 2; i++) await page.keyboard.press("Tab"); // back over the second suggestion to the first
  await page.keyboard.up("Shift");
  await page.keyboard.press("Enter");
  await until(told, ["Do you deliver\non Saturdays?", "Yes, please [slot-yes]"]);
  assert.equal(await inside((root) => root.querySelectorAll(".suggestions").length), 0);
  await page.keyboard.press("Escape");
  assert.match(await focused(), /launcher/);
  await reply({ text: "Done." });
  await until(() => inside((root) => root.querySelector(".launcher")!.textContent), "Chat with Acme, 1 new messages");
  await page.keyboard.press("Enter");
  assert.equal((await logged()).at(-1), "Done.");
  clean();
});

test("what is read out: roles, names and a live region", async () => {
  await visit("&open=1");
  const tree = JSON.stringify(await page.accessibility.snapshot({ interestingOnly: false, includeIframes: false }));
  for (const [role, name] of [["region", "Chat with Acme"], ["log", "Messages"], ["textbox", "Your message"], ["button", "Send"], ["button", "Close chat"]]) {
    assert.match(tree, new RegExp(`"role":"${role}"[^{}]*"name":"${name}"`));
  }
  assert.match(tree, /"role":"log"[^{}]*"live":"polite"/);
  assert.match(tree, /"name":"Your message","description":"Enter sends/);
  assert.equal(await inside((root) => root.querySelectorAll("[role=log],[role=status]").length), 2);
  clean();
});

test("what anybody wrote is text", async () => {
  const attack = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script><a href="javascript:alert(1)">x</a>`;
  await visit("&open=1");
  await (await find("textarea")).type(attack);
  await page.keyboard.press("Enter");
  await reply({ text: attack, attachments: [{ url: "https://acme.example/a.pdf", name: attack }], suggestions: [{ text: attack }] });
  await until(async () => (await logged()).length, 2);
  await until(async () => (await logged())[0], `${attack} (Sent)`); // the answer may be there before
  assert.deepEqual(await inside((root) => [...root.querySelectorAll("img,script,a")].map((e) => `${e.tagName} ${e.getAttribute("href")}`)), ["A https://acme.example/a.pdf"]);
  assert.equal(await page.title(), "Acme");
  clean();
});

test("without a line what is written waits, in order, and goes when it is back", async () => {
  await visit("&open=1");
  await (await find("textarea")).type("one");
  await page.keyboard.press("Enter");
  await until(logged, ["one (Sent)"]);
  await page.setOfflineMode(true);
  for (const text of ["two", "three"]) {
    await (await find("textarea")).type(text);
    await page.keyboard.press("Enter");
  }
  await until(status, "You are offline. Messages are sent when the line is back.");
  assert.deepEqual(await logged(), ["one (Sent)", "two (Sending)", "three (Sending)"]);
  await audit();
  await shoot("offline");
  await page.setOfflineMode(false);
  await until(logged, ["one (Sent)", "two (Sent)", "three (Sent)"]);
  await until(status, "");
  assert.deepEqual(await told(), ["one", "two", "three"]);
  clean();
});

test("what waits outlives the page, and a conversation is there again", async () => {
  await visit("&open=1");
  await (await find("textarea")).type("one");
  await page.keyboard.press("Enter");
  await until(logged, ["one (Sent)"]);
  await fetch(`${site}/fail?n=1000`, { method: "POST" });
  await (await find("textarea")).type("two");
  await page.keyboard.press("Enter");
  await until(status, "Chat is not available at the moment. Messages are kept and sent later.");
  await page.reload();
  await until(logged, ["one (Sent)", "two (Sending)"]);
  await fetch(`${site}/fail?n=0`, { method: "POST" });
  await until(logged, ["one (Sent)", "two (Sent)"]);
  assert.deepEqual(await told(), ["one", "two"]);
  await (await find("footer button")).click();
  await until(logged, []);
  await page.reload();
  await find("textarea");
  await until(() => page.evaluate(() => Object.values(localStorage).join("").includes("one")), false);
  clean();
});

test("a session that is over is renewed by the tenant's server", async () => {
  await visit("&open=1&seconds=2");
  await (await find("textarea")).type("one");
  await page.keyboard.press("Enter");
  await until(logged, ["one (Sent)"]);
  await new Promise((resolve) => setTimeout(resolve, 2100)); // the token is over, and the page does not know
  await (await find("textarea")).type("two");
  await page.keyboard.press("Enter");
  await until(logged, ["one (Sent)", "two (Sent)"]);
  await until(status, "");
  assert.deepEqual(await told(), ["one", "two"]);
  clean();
});

test("it fits a window of 320 by 256, which is 400 % of zoom, and text of twice the size", async () => {
  for (const [width, height, size] of [[320, 256, "100%"], [320, 640, "200%"], [640, 480, "200%"]] as const) {
    await page.setViewport({ width, height });
    await visit("&open=1");
    await page.evaluate((s) => (document.documentElement.style.fontSize = s), size);
    await (await find("textarea")).type("Lorem ipsum dolor sit amet, averyverylongwordwithoutanyspaceinitatallthatmustbreak");
    await page.keyboard.press("Enter");
    await until(async () => (await logged()).length > 0, true);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${width}: the page scrolls sideways`);
    assert.deepEqual(await inside((root) => [...root.querySelectorAll<HTMLElement>(".panel, .log, form, header, .said")].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className || e.tagName)), [], `${width}`);
    assert.ok(await inside((root) => {
      const box = (root.activeElement as HTMLElement).getBoundingClientRect();
      return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
    }), `${width}: what has the focus is not seen`);
    await audit();
  }
  await page.setViewport({ width: 320, height: 640 });
  await shoot("narrow");
  clean();
});

test("from right to left it stands on the left, and people's words go their own way", async () => {
  await page.setViewport({ width: 900, height: 640 });
  await visit("&open=1&dir=rtl");
  await (await find("textarea")).type("שלום");
  await page.keyboard.press("Enter");
  await until(async () => (await logged()).length, 1);
  await reply({ text: "مرحبا" });
  await until(async () => (await logged()).length, 2);
  const box = await inside((root) => root.querySelector(".panel")!.getBoundingClientRect().left);
  assert.ok(box < 100, `it stands at ${box}`);
  await audit();
  await shoot("right-to-left");
  clean();
});

test("targets are large enough, focus is seen, and nothing moves for who does not want it", async () => {
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  await visit("&open=1");
  const small = await inside((root) => [...root.querySelectorAll<HTMLElement>("button:not([hidden]), textarea")].map((e) => e.getBoundingClientRect()).filter((b) => b.width > 0 && (b.width < 44 || b.height < 44)).length);
  assert.equal(small, 0);
  assert.equal(await inside((root) => getComputedStyle(root.querySelector(".log")!).scrollBehavior), "auto");
  for (const selector of ["textarea", "header button", "[type=submit]", ".log"]) {
    await (await find(selector)).focus();
    await page.keyboard.press("Tab");
    await page.keyboard.down("Shift");
    await page.keyboard.press("Tab");
    await page.keyboard.up("Shift");
    assert.equal(await inside((root) => parseFloat(getComputedStyle(root.activeElement!).outlineWidth) >= 2), true, selector);
  }
  clean();
});
