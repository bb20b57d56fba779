/** Five bars out of loss, jitter and round trip: the simplified E-model (ITU-T G.107). */

import type { LegQuality } from "../api/types";

export interface Measured {
  /** Fraction of packets lost, 0 to 1. */
  loss: number;
  jitterMs: number;
  roundTripMs: number;
}

/** Mean opinion score, 1 to 4.5. */
export function opinionScore({ loss, jitterMs, roundTripMs }: Measured): number {
  const latency = roundTripMs / 2 + jitterMs * 2 + 10;
  const delayed = latency < 160 ? latency / 40 : (latency - 120) / 10;
  const rating = Math.max(0, Math.min(100, 93.2 - delayed - loss * 100 * 2.5));
  return 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6;
}

export function barsOf(measured: Measured): number {
  const score = opinionScore(measured);
  const steps = [4.2, 4.0, 3.6, 3.1];
  const below = steps.filter((step) => score < step).length;
  return 5 - below;
}

export type Complaint = "loss" | "jitter" | "delay" | null;

/** What to tell a person about a leg that is not at its best; null when nothing stands out. */
export function complaintOf(leg: LegQuality): Complaint {
  if (leg.bars >= 4) return null;
  if ((leg.loss ?? 0) > 0.01) return "loss";
  if ((leg.jitter_ms ?? 0) > 30) return "jitter";
  if ((leg.round_trip_ms ?? 0) > 400) return "delay";
  return null;
}
