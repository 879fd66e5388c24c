// The field for expressions. It stands in a shadow tree, where its library may have style sheets that the page's policy allows.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, startCompletion } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, insertNewlineAndIndent } from "@codemirror/commands";
import { HighlightStyle, bracketMatching, indentOnInput, syntaxHighlighting } from "@codemirror/language";
import { type Diagnostic, lintKeymap, linter } from "@codemirror/lint";
import { EditorState, Prec } from "@codemirror/state";
import { EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { PromQLExtension } from "@prometheus-io/codemirror-promql";
import { Refused, ask } from "./api";
import { client } from "./completion";
import { h } from "./dom";
import { type Problem, problem } from "./problem";

const LINT_DELAY_MS = 350;

const COLOURS = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--keyword)" },
  { tag: tags.function(tags.variableName), color: "var(--keyword)" },
  { tag: tags.string, color: "var(--string)" },
  { tag: [tags.number, tags.literal], color: "var(--number)" },
  { tag: tags.labelName, color: "var(--label)" },
  { tag: tags.comment, color: "var(--quiet)", fontStyle: "italic" },
  { tag: tags.operator, color: "var(--text)" },
  { tag: tags.modifier, color: "var(--keyword)" },
]);

const LOOKS = EditorView.theme({
  "&": { fontSize: "15px", color: "var(--text)", backgroundColor: "var(--field)", borderRadius: "5px" },
  "&.cm-focused": { outline: "none" },
  ".cm-content": { fontFamily: "var(--mono)", padding: "9px 6px", caretColor: "var(--text)" },
  ".cm-scroller": { lineHeight: "1.5", maxHeight: "40vh", overflow: "auto" },
  ".cm-placeholder": { color: "var(--quiet)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--mark)" },
  ".cm-tooltip": { backgroundColor: "var(--field)", color: "var(--text)", border: "1px solid var(--line)", boxShadow: "0 4px 16px rgb(0 0 0 / 20%)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--mono)", fontSize: "13px", maxHeight: "16em", maxWidth: "min(90vw, 50em)" },
  ".cm-tooltip.cm-tooltip-autocomplete > ul > li": { padding: "3px 8px", lineHeight: "1.5" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--on-accent)" },
  ".cm-tooltip-autocomplete ul li[aria-selected] .cm-completionDetail": { color: "inherit" },
  ".cm-completionMatchedText": { textDecoration: "none", fontWeight: "bold" },
  ".cm-completionDetail": { color: "var(--quiet)", fontStyle: "normal", paddingLeft: "1em" },
  ".cm-completionInfo": { display: "var(--completion-info, block)", padding: "6px 10px", maxWidth: "22em", fontFamily: "var(--sans)", fontSize: "13px" },
  ".cm-completionIcon": { display: "none" },
  // instead of the library's images, which the policy would have to allow
  ".cm-lintRange-error": { backgroundImage: "none", backgroundColor: "var(--bad-ground)", textDecoration: "underline wavy var(--bad)", textUnderlineOffset: "3px" },
  ".cm-diagnostic": { fontFamily: "var(--sans)", padding: "6px 10px" },
});

export interface Editor {
  element: HTMLElement;
  text(): string;
  setText(text: string): void;
  focus(): void;
}

export interface Wishes {
  /** Somebody wants an answer. */
  run(): void;
  /** The server has looked at what stands there, and found this or nothing. */
  judged(found: Problem | undefined): void;
}

export function editor(text: string, wishes: Wishes): Editor {
  const element = h("div", { class: "editor" });
  const root = element.attachShadow({ mode: "open" });
  const promql = new PromQLExtension().setComplete({ remote: client }).activateLinter(false);
  const run = () => {
    wishes.run();
    return true;
  };
  const keys = [
    { key: "Enter", run },
    { key: "Mod-Enter", run },
    { key: "Shift-Enter", run: insertNewlineAndIndent },
  ];
  const state = EditorState.create({
    doc: text,
    extensions: [
      history(),
      indentOnInput(),
      bracketMatching(),
      closeBrackets(),
      autocompletion({ icons: false }),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": "expression", spellcheck: "false", autocapitalize: "off" }),
      placeholder("An expression of PromQL; Ctrl-Space completes, Enter asks, Shift-Enter begins a line"),
      syntaxHighlighting(COLOURS),
      LOOKS,
      promql.asExtension(),
      linter((view) => judge(view.state.doc.toString(), wishes), { delay: LINT_DELAY_MS }),
      // a completion that is being chosen goes before the answer
      Prec.highest(keymap.of(completionKeymap)),
      Prec.high(keymap.of(keys)),
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...lintKeymap]),
    ],
  });
  const view = new EditorView({ state, root, parent: root });
  // a field that is empty shows what there is when it is entered by the keyboard
  view.contentDOM.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && !view.state.doc.length) startCompletion(view);
  });
  return {
    element,
    text: () => view.state.doc.toString(),
    setText: (text) => {
      if (text !== view.state.doc.toString()) view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    focus: () => view.focus(),
  };
}

/** Asks the parser that will read it. */
async function judge(text: string, wishes: Wishes): Promise<Diagnostic[]> {
  if (!text.trim()) {
    wishes.judged(undefined);
    return [];
  }
  let found: Problem | undefined;
  try {
    await ask("parse_query", { query: text }, { post: true, isQuiet: true });
  } catch (error) {
    if (error instanceof Refused) found = problem(error.message, text);
  }
  wishes.judged(found);
  return found ? [{ ...found, severity: "error" }] : [];
}
