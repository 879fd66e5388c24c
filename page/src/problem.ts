// Where in an expression the server finds a mistake.

export interface Problem {
  from: number;
  to: number;
  message: string;
}

/** The place of `1:5: parse error: …` in a text: line, and byte in the line. `undefined` if the error is no such one. */
export function problem(error: string, text: string): Problem | undefined {
  const parts = /^(?:invalid parameter "query": )?(?:(\d+):(\d+)|unknown position): parse error: ([^]*)$/.exec(error);
  if (!parts) return undefined;
  const message = parts[3] ?? "";
  if (!parts[1]) return { from: 0, to: text.length, message };
  const lines = text.split("\n");
  const line = Math.min(Number(parts[1]), lines.length) - 1;
  const start = lines.slice(0, line).reduce((sum, before) => sum + before.length + 1, 0);
  const bytes = new TextEncoder().encode(lines[line] ?? "");
  const inLine = new TextDecoder().decode(bytes.slice(0, Number(parts[2]) - 1)).length;
  let from = Math.min(start + inLine, text.length);
  const word = /^(?:[\w:.]+|[^])/.exec(text.slice(from))?.[0] ?? "";
  const to = from + word.length;
  // what is missing at the end is shown at what stands before it
  if (from === to && from > 0) from -= 1;
  return { from, to, message };
}
