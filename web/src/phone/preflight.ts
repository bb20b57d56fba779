/** What must hold before calls are offered to this person; each failure has a plain reason. */

import { Refused } from "../api/client";
import { PathBlocked } from "./leg";
import { MicrophoneFailed } from "./microphone";

export const checkIds = ["origin", "device", "permission", "level", "tone", "path"] as const;
export type CheckId = (typeof checkIds)[number];

/** Names of the texts that say what is wrong and what to do. */
export type Reason =
  | "insecure"
  | "old_browser"
  | "no_device"
  | "refused"
  | "in_use"
  | "unusable"
  | "silent"
  | "no_sound"
  | "path_blocked"
  | "gateway_refused";

export interface Check {
  id: CheckId;
  state: "waiting" | "running" | "passed" | "failed";
  reason: Reason | null;
  /** What the gateway said, if it was the gateway. */
  refused: Refused | null;
}

export class CheckFailed extends Error {
  readonly reason: Reason;

  constructor(reason: Reason) {
    super(reason);
    this.reason = reason;
  }
}

export type Checks = readonly Check[];

export const allWaiting: Checks = checkIds.map((id) => ({
  id,
  state: "waiting",
  reason: null,
  refused: null,
}));

export function withCheck(checks: Checks, id: CheckId, change: Partial<Check>): Checks {
  return checks.map((check) => (check.id === id ? { ...check, ...change } : check));
}

/** Which check failed and why: a device that is in use shows only when it is opened. */
export function failureIn(running: CheckId, error: unknown): Partial<Check> & { id: CheckId } {
  const failed = { state: "failed", refused: null } as const;
  if (error instanceof CheckFailed) return { ...failed, id: running, reason: error.reason };
  if (error instanceof MicrophoneFailed) {
    const isPermission = error.fault === "refused";
    return { ...failed, id: isPermission ? "permission" : "device", reason: error.fault };
  }
  if (error instanceof PathBlocked) return { ...failed, id: running, reason: "path_blocked" };
  if (error instanceof Refused) {
    return { ...failed, id: running, reason: "gateway_refused", refused: error };
  }
  return { ...failed, id: running, reason: "unusable" };
}

/** Can this page have a microphone at all? Browsers hide it from insecure origins. */
export function checkOrigin(): void {
  if (!window.isSecureContext) throw new CheckFailed("insecure");
  const isCapable =
    "mediaDevices" in navigator && "locks" in navigator && "RTCPeerConnection" in window;
  if (!isCapable) throw new CheckFailed("old_browser");
}

export async function checkDevice(): Promise<void> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  if (!devices.some((device) => device.kind === "audioinput")) {
    throw new CheckFailed("no_device");
  }
}

const HEARD_WITHIN_MS = 6_000;
/** Far below speech, above what a switched-off microphone gives. */
const HEARD_DB = -70;

/** Wait until the microphone gives anything but silence. */
export async function checkLevel(level: () => number): Promise<void> {
  const deadline = performance.now() + HEARD_WITHIN_MS;
  while (level() < HEARD_DB) {
    if (performance.now() > deadline) throw new CheckFailed("silent");
    await new Promise((done) => setTimeout(done, 50));
  }
}
