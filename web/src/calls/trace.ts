/** How a line of the trace is drawn: from which lane to which. */

import type { TraceLine } from "../api/types";

export const lanes = ["browser", "gateway", "media", "meta"] as const;
export type Lane = (typeof lanes)[number];

export interface Step {
  from: Lane;
  /** Equal to `from` when something happened within one lane. */
  to: Lane;
}

const steps = new Map<string, Step>(
  Object.entries({
    agent: { from: "browser", to: "gateway" },
    browser: { from: "browser", to: "gateway" },
    webhook: { from: "meta", to: "gateway" },
    graph: { from: "gateway", to: "meta" },
    meta: { from: "meta", to: "gateway" },
    media: { from: "media", to: "gateway" },
    machine: { from: "gateway", to: "gateway" },
    gateway: { from: "gateway", to: "gateway" },
  }),
);

/** What Meta answered is noted under the request's source, as a step of its own. */
const answers: readonly string[] = ["accepted", "connected", "meta_refused", "meta_unclear"];

/** Sources that this page does not know happened in the gateway: it wrote the line. */
export function stepOf({ source, step, fields }: Omit<TraceLine, "at" | "offset_ms">): Step {
  if (source === "graph" && answers.includes(step)) return { from: "meta", to: "gateway" };
  if (source === "machine" && step === "started") {
    return { from: fields["direction"] === "inbound" ? "meta" : "browser", to: "gateway" };
  }
  return steps.get(source) ?? { from: "gateway", to: "gateway" };
}

/** Where an arrow stands within the lanes' width, in percent; a dot has no width. */
export function placeOf({ from, to }: Step): {
  left: number;
  width: number;
  isLeftward: boolean;
} {
  const [a, b] = [lanes.indexOf(from), lanes.indexOf(to)];
  const share = 100 / lanes.length;
  return {
    left: (Math.min(a, b) + 0.5) * share,
    width: Math.abs(b - a) * share,
    isLeftward: b < a,
  };
}

const spellings = new Map([
  ["ice", "ICE"],
  ["dtls", "DTLS"],
  ["rtp", "RTP"],
  ["whatsapp", "WhatsApp"],
]);

/** `ice_gathered` → `ICE gathered`: step names are words joined by underscores or dots. */
export function readable(step: string): string {
  const words = step.split(/[_.]/).map((word) => spellings.get(word) ?? word);
  return words.join(" ");
}

/** Fields as short text pairs, without the empty ones; nested ones as JSON. */
export function fieldTexts(fields: Record<string, unknown>): [string, string][] {
  return Object.entries(fields)
    .map(([name, value]): [string, string] => [readable(name), fieldText(value)])
    .filter(([, text]) => text !== "");
}

function fieldText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(fieldText).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
