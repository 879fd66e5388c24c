// The page: what the address says is shown, and what is chosen becomes the address.

import "uplot/dist/uPlot.min.css";
import "./style.css";

import { type Address, VIEWS, type View, read, write } from "./address";
import { ask } from "./api";
import { forgetCompletions } from "./completion";
import { byId, fill, h } from "./dom";
import { authorization, forget } from "./token";
import { showGroups } from "./views/groups";
import { showQuery } from "./views/query";
import { showAlerts, showRules } from "./views/rules";
import { showStore } from "./views/store";
import { showTargets } from "./views/targets";
import type { Show } from "./views/view";

const SHOWN: Record<View, { title: string; show: Show }> = {
  query: { title: "Query", show: showQuery },
  groups: { title: "Groups", show: showGroups },
  alerts: { title: "Alerts", show: showAlerts },
  rules: { title: "Rules", show: showRules },
  targets: { title: "Targets", show: showTargets },
  store: { title: "Store", show: showStore },
};

const main = byId("main");
let address = read(location.search);
let current = new AbortController();
/** The expression stays while other views are looked at. */
let query = write({ ...address, view: "query" });

function show(): void {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  if (address.view === "query") query = write(address);
  head();
  const { title, show } = SHOWN[address.view];
  document.title = address.view === "query" && address.expr ? `${address.expr.slice(0, 60)} · Mayfly` : `${title} · Mayfly`;
  // the field for expressions stays while only what is asked changes
  if (main.className !== "query" || address.view !== "query") main.replaceChildren();
  main.className = address.view;
  void show(main, address, { signal, go });
}

/** What is asked for becomes the address; the same address again is asked for again. */
function go(change: Partial<Address>, isSame = false): void {
  address = { ...address, ...change };
  const next = write(address);
  if (isSame || next === location.search) history.replaceState(null, "", next);
  else history.pushState(null, "", next);
  if (!isSame) show();
}

function head(): void {
  const links = VIEWS.map((view) => {
    const isHere = view === address.view;
    const href = view === "query" ? query : write({ ...address, view, filter: "" });
    return h("a", { href, "aria-current": isHere ? "page" : undefined }, SHOWN[view].title);
  });
  const out = h("button", { type: "button", class: "small", click: () => signOut() }, "Forget token");
  fill(byId("head"), h("a", { class: "brand", href: "?" }, "Mayfly"), h("nav", { "aria-label": "views" }, ...links), authorization() !== undefined && out);
}

function signOut(): void {
  forget();
  forgetCompletions();
  show();
}

// links to other views need no new page
document.addEventListener("click", (event) => {
  const link = event.composedPath().find((element) => element instanceof HTMLAnchorElement);
  if (!link || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (!link.getAttribute("href")?.startsWith("?")) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  address = read(location.search);
  show();
  window.scrollTo(0, 0);
});

window.addEventListener("popstate", () => {
  address = read(location.search);
  show();
});

window.addEventListener("signed-in", () => {
  forgetCompletions();
  head();
  void version();
});

/** Tells the version at the foot, to whoever may know it. */
async function version(): Promise<void> {
  const answer = await ask<{ version: string }>("status/buildinfo", {}, { isQuiet: true }).catch(() => undefined);
  if (answer) fill(byId("version"), `Mayfly ${answer.data.version}`);
}

show();
void version();
