// Asks Prometheus' API of the server that the page came from.

import { authorization, signIn } from "./token";

/** More than this of an answer is not read: a browser would stand still. */
const ANSWER_BYTES_MAX = 32 << 20;

/** The warning of an answer that `limit` has cut. */
const TRUNCATED = "results truncated due to limit";

export interface Answer<T> {
  data: T;
  /** Warnings and other remarks, without the one about `limit`. */
  remarks: string[];
  /** Whether there would be more than `limit` allows. */
  isCut: boolean;
}

export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export type Parameters = Record<string, string | number | string[] | undefined>;

export interface How {
  /** As a form, for what may be long. */
  post?: boolean;
  signal?: AbortSignal | undefined;
  /** Asks nobody for a token. */
  isQuiet?: boolean;
}

/** Asks below `api/v1/`. */
export async function ask<T>(path: string, parameters: Parameters = {}, how: How = {}): Promise<Answer<T>> {
  const response = await send(`api/v1/${path}`, parameters, how);
  const text = await read(response);
  let answer: { status?: string; data?: T; error?: string; warnings?: string[]; infos?: string[] };
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Refused(response.status, text.trim() || `${response.status} ${response.statusText}`);
  }
  if (answer.status !== "success") throw new Refused(response.status, answer.error ?? `${response.status}`);
  const warnings = answer.warnings ?? [];
  const remarks = [...warnings.filter((warning) => warning !== TRUNCATED), ...(answer.infos ?? [])];
  return { data: answer.data as T, remarks, isCut: warnings.includes(TRUNCATED) };
}

/** Asks for a text; a status that is no success is an error. */
export async function askText(path: string, how: How = {}): Promise<string> {
  const response = await send(path, {}, how);
  const text = await read(response);
  if (!response.ok) throw new Refused(response.status, text.trim() || `${response.status} ${response.statusText}`);
  return text;
}

async function send(path: string, parameters: Parameters, how: How): Promise<Response> {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) form.append(name, String(one));
  }
  const query = form.size ? `?${form}` : "";
  for (;;) {
    // the server leaves it to the page to ask for a token then
    const headers: Record<string, string> = { "X-Requested-With": "XMLHttpRequest" };
    const presented = authorization();
    if (presented) headers["Authorization"] = presented;
    const signal = how.signal ?? null;
    let response: Response;
    try {
      response = how.post
        ? await fetch(path, { method: "POST", body: form, headers, signal })
        : await fetch(path + query, { headers, signal });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new Refused(0, `no answer: ${error instanceof Error ? error.message : error}`);
    }
    if (response.status !== 401 || how.isQuiet || !(await signIn(presented, await reason(response.clone())))) return response;
  }
}

/** Why a request was refused. */
async function reason(response: Response): Promise<string> {
  const text = await response.text();
  try {
    return (JSON.parse(text) as { error?: string }).error ?? text;
  } catch {
    return text.trim();
  }
}

async function read(response: Response): Promise<string> {
  if (!response.body) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > ANSWER_BYTES_MAX) {
      await reader.cancel();
      throw new Refused(response.status, `the answer has more than ${ANSWER_BYTES_MAX >> 20} MiB, which is more than this page reads: ask for less`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** An error in words; nothing for what was given up on purpose. */
export function inWords(error: unknown): string | undefined {
  if (error instanceof DOMException && error.name === "AbortError") return undefined;
  return error instanceof Error ? error.message : String(error);
}

export interface Sample {
  metric: Record<string, string>;
  value?: [number, string];
  histogram?: [number, NativeHistogram];
  values?: [number, string][];
  histograms?: [number, NativeHistogram][];
}

export interface NativeHistogram {
  count: string;
  sum: string;
  /** Which of its bounds belong to it, the bounds, how many. */
  buckets?: [number, string, string, string][];
}

export type Data =
  | { resultType: "vector"; result: Sample[] }
  | { resultType: "matrix"; result: Sample[] }
  | { resultType: "scalar"; result: [number, string] }
  | { resultType: "string"; result: [number, string] };
