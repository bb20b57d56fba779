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

/** Sources that this page does not know happened in the gateway: it wrote the line. */
export function stepOf({ source }: Pick<TraceLine, "source">): Step {
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

/** `accept_sent` → `accept sent`: step names are words joined by underscores or dots. */
export function readable(step: string): string {
  return step.replaceAll(/[_.]/g, " ");
}

/** Fields as short text pairs; nested ones as JSON. */
export function fieldTexts(fields: Record<string, unknown>): [string, string][] {
  return Object.entries(fields)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [
      readable(name),
      typeof value === "object" ? JSON.stringify(value) : String(value),
    ]);
}
