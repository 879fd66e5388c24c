// Lists that can be narrowed down, and of which only so much is drawn.

import { type Child, fill, h, told } from "../dom";
import { inWords } from "../api";
import type { Address } from "../address";
import type { Surroundings } from "./view";

const TYPING_MS = 250;

/** A field that narrows a list down, in the address too. */
export function filterField(label: string, hint: string, address: Address, around: Surroundings, narrow: (text: string) => void): HTMLElement {
  let timer = 0;
  const input: HTMLInputElement = h("input", {
    type: "search",
    value: address.filter,
    placeholder: hint,
    "aria-label": label,
    spellcheck: "false",
    input: () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        around.go({ filter: input.value }, true);
        narrow(input.value);
      }, TYPING_MS);
    },
  });
  return h("label", { class: "filter" }, h("span", {}, label), input);
}

/** Only the last of these is waited for: the one before it is given up, and all when `outer` is. */
export function latest<T>(outer: AbortSignal, what: (of: T, signal: AbortSignal) => Promise<void>): (of: T) => Promise<void> {
  let running: AbortController | undefined;
  outer.addEventListener("abort", () => running?.abort());
  return (of) => {
    running?.abort();
    running = new AbortController();
    return what(of, running.signal);
  };
}

/** Shows what a promise gives, or why it does not. */
export async function shown(into: Element, what: () => Promise<Child[]>): Promise<void> {
  fill(into, h("p", { class: "quiet", role: "status" }, "…"));
  try {
    fill(into, ...(await what()));
  } catch (error) {
    const words = inWords(error);
    if (words !== undefined) fill(into, told("wrong", words));
  }
}

/** The first of many, and a line about the rest. */
export function first<T>(all: T[], max: number, what: string): { some: T[]; note: Child } {
  if (all.length <= max) return { some: all, note: null };
  const text = `The first ${max.toLocaleString("en-US")} of ${all.length.toLocaleString("en-US")} ${what} are shown: narrow them down to see others.`;
  return { some: all.slice(0, max), note: told("note", text) };
}

/** Whether a text has all these words. */
export function has(text: string, words: string): boolean {
  const lower = text.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => lower.includes(word));
}
